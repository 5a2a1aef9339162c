import type { TransformValue } from '../../core/index.ts'
import type { GuestFailure, GuestRunner } from '../guests/index.ts'
import { findGuestFields, findMediaType, mediaHeaders, withoutParameters } from '../message/index.ts'
import { MAX_TRANSFORMED_BYTES, takes } from './site-transforms.ts'
import type { TransformJob } from './transform-job.ts'

/** Why a step could not be taken. `nonsense`: its media type or its headers are none. */
export type StepFailure = GuestFailure | 'nonsense'

/** What the steps of a job came to. */
export type StepsOutcome =
  | { readonly kind: 'changed'; readonly content: Content }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'failed'; readonly step: TransformValue; readonly why: StepFailure; readonly detail: string }

export interface Content {
  readonly bytes: Uint8Array
  /** As Content-Type says it; undefined: that of the file. */
  readonly mimeType: string | undefined
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** Told of each step, once. */
export interface StepCount {
  readonly outcome: 'changed' | 'unchanged' | StepFailure
  readonly cpuMs: number
}

/**
 * Takes the steps of a job one after another: what one gives is what the next is given, and what it leaves as it is stays so.
 * Of headers with one name those of the last step count. The first failure ends it. Never rejects.
 */
export async function runSteps(
  job: TransformJob,
  original: Uint8Array,
  ports: {
    readonly runner: GuestRunner
    readonly trace: string
    readonly counted: (count: StepCount) => void
  },
): Promise<StepsOutcome> {
  const { domain, release, manifest, file } = job
  let content: Content = { bytes: original, mimeType: undefined, headers: [] }
  let isChanged = false
  for (const step of job.steps) {
    if (!takes(step, content.bytes.length)) continue
    const mimeType = withoutParameters(content.mimeType ?? mediaHeaders(file.path).contentType)
    const given = { path: `/${file.path}`, mimeType, content: content.bytes }
    const run = { domain, release, manifest, component: step, trace: ports.trace }
    const outcome = await ports.runner.run({ ...run, input: { world: 'transform', file: given } })
    const fail = (why: StepFailure, detail: string): StepsOutcome => {
      ports.counted({ outcome: why, cpuMs: outcome.cpuMs })
      return { kind: 'failed', step, why, detail }
    }
    if (outcome.kind === 'failed') return fail(outcome.why, outcome.detail)
    if (outcome.kind === 'answered') return fail('unfit', 'it answers requests, and was to change a file')
    if (outcome.result === undefined) {
      ports.counted({ outcome: 'unchanged', cpuMs: outcome.cpuMs })
      continue
    }
    const { result } = outcome
    if (result.content.length > MAX_TRANSFORMED_BYTES)
      return fail('too-large', `it gave ${result.content.length} bytes, ${MAX_TRANSFORMED_BYTES} are allowed`)
    const headers = findGuestFields(result.headers, 'file')
    if (headers === undefined) return fail('nonsense', 'a header that it gave is none, or they are too many')
    const named = result.mimeType ?? headers.find(([name]) => name === 'content-type')?.[1]
    const type = named === undefined ? content.mimeType : findMediaType(named)
    if (named !== undefined && type === undefined)
      return fail('nonsense', `${JSON.stringify(named.slice(0, 100))} is no media type`)
    ports.counted({ outcome: 'changed', cpuMs: outcome.cpuMs })
    isChanged = true
    content = { bytes: result.content, mimeType: type, headers: joinHeaders(content.headers, headers) }
  }
  return isChanged ? { kind: 'changed', content } : { kind: 'unchanged' }
}

function joinHeaders(before: Content['headers'], after: Content['headers']): Content['headers'] {
  const names = new Set(after.map(([name]) => name))
  return [...before.filter(([name]) => !names.has(name)), ...after].filter(([name]) => name !== 'content-type')
}
