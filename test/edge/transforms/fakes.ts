import { join } from 'node:path'
import type { Test } from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import {
  type BlobHash,
  type Hostname,
  hashBlob,
  type Log,
  type Manifest,
  type Runtime,
  silentLog,
  type TransformValue,
} from '../../../core/index.ts'
import type { GuestFile, GuestOutcome, GuestRun, GuestRunner, GuestTransformed } from '../../../edge/guests/index.ts'
import {
  SiteTransforms,
  type TransformedRelease,
  type TransformJob,
  type TransformLimits,
  type TransformPorts,
  TransformService,
} from '../../../edge/transforms/index.ts'
import { buildManifest, MemoryBlobs, releaseId } from '../fixtures.ts'

export const MIB: number = 1024 * 1024
export const domain = 'example.com' as Hostname

/** What a made-up component does with a file; undefined leaves it as it is. */
export type Behaviour = (
  file: GuestFile,
) => Partial<GuestTransformed> | undefined | GuestOutcome | Promise<GuestOutcome>

/** Components by the hash that stands for them. */
export class FakeRunner implements GuestRunner {
  readonly runs: GuestRun[] = []
  readonly #behaviours = new Map<string, Behaviour>()

  /** A transform whose component behaves so. */
  step(behaviour: Behaviour, part: Partial<TransformValue> = {}): TransformValue {
    const component = hashBlob(Buffer.from(`component ${this.#behaviours.size}`))
    this.#behaviours.set(component, behaviour)
    return { path: `t${this.#behaviours.size}.wasm`, component, files: '**', ...part }
  }

  async run(run: GuestRun): Promise<GuestOutcome> {
    this.runs.push(run)
    if (run.input.world !== 'transform') throw new Error('a transform is given files')
    const given = await this.#behaviours.get(run.component.component)?.(run.input.file)
    if (given !== undefined && 'kind' in given) return given
    if (given === undefined) return { kind: 'transformed', result: undefined, cpuMs: 1 }
    const { content = run.input.file.content, mimeType, headers = [] } = given
    return { kind: 'transformed', result: { content, mimeType, headers }, cpuMs: 1 }
  }
}

export const fails = (why: (GuestOutcome & { kind: 'failed' })['why'] = 'trap'): GuestOutcome => ({
  kind: 'failed',
  why,
  detail: 'on purpose',
  cpuMs: 1,
})

/** Puts text behind what it is given. */
export const appends =
  (text: string): Behaviour =>
  ({ content }) => ({ content: Buffer.concat([content, Buffer.from(text)]) })

/** A release with its files in memory, and services that share a folder. */
export class Scene {
  readonly blobs = new MemoryBlobs()
  readonly runner = new FakeRunner()
  readonly directory: string
  readonly manifest: Manifest
  readonly logged: string[] = []
  context = { name: 'node1', latitude: 0, longitude: 0 }

  constructor(t: Test, files: Readonly<Record<string, string | Uint8Array>>) {
    this.directory = join(t.testdir({}), 'transformed')
    this.manifest = buildManifest(this.blobs, files)
  }

  async service(
    part: {
      cacheBytes?: number
      limits?: Partial<TransformLimits>
      runtime?: Runtime
      ports?: Partial<TransformPorts>
    } = {},
  ): Promise<TransformService> {
    const log: Log = {
      ...silentLog,
      warn: (event) => this.logged.push(event),
      error: (event) => this.logged.push(event),
    }
    const { cacheBytes = 50 * MIB, limits = {}, runtime = systemRuntime } = part
    const { directory, blobs, runner } = this
    const service = new TransformService(
      { directory, cacheBytes, workers: 1, limits },
      { blobs, runner, context: () => this.context, runtime, log, ...part.ports },
    )
    await service.start()
    return service
  }

  transforms(steps: readonly TransformValue[], part: Partial<TransformedRelease> = {}): SiteTransforms {
    const { manifest } = this
    const manifestHash = manifest.encode().hash
    return new SiteTransforms({ domain, id: releaseId('b'), manifest, manifestHash, transforms: steps, ...part })
  }

  job(path: string, ...steps: TransformValue[]): TransformJob {
    const job = this.findJob(path, ...steps)
    if (job === undefined) throw new Error(`nothing is to be done to ${path}`)
    return job
  }

  findJob(path: string, ...steps: TransformValue[]): TransformJob | undefined {
    const file = this.manifest.find(path)
    if (file === undefined) throw new Error(`there is no ${path}`)
    return this.transforms(steps).find(file)
  }
}

export const anyHash = (digit: string): BlobHash => digit.repeat(64) as BlobHash
