import * as v from 'valibot'
import type { Frame } from '../confined/index.ts'
import type { GuestOutcome } from '../guest-contract/index.ts'
import { MOST_GIVEN } from '../guest-host/index.ts'

const text = (most: number) => v.pipe(v.string(), v.maxLength(most))
/** How many there are is looked at first. */
const headers = v.pipe(
  v.array(v.unknown()),
  v.maxLength(MOST_GIVEN.headers),
  v.array(v.strictTuple([text(MOST_GIVEN.headerBytes), text(MOST_GIVEN.headerBytes)])),
)
const cpuMs = v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(3_600_000))
const status = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535))

const saidSchema = v.union([
  v.strictObject({ response: v.strictObject({ status, headers, hasBody: v.boolean() }), cpuMs }),
  v.strictObject({
    transformed: v.nullable(v.strictObject({ mimeType: v.optional(text(MOST_GIVEN.headerBytes)), headers })),
    cpuMs,
  }),
  v.strictObject({ failed: v.picklist(['trap', 'too-large']), detail: text(MOST_GIVEN.detailChars), cpuMs }),
])

/**
 * Reads how a run ended, as a process says that a stranger may have got hold of: nothing but the shape is trusted. Undefined
 * for what is no answer to a run of that world.
 */
export function findOutcome({ header, body }: Frame, world: 'http' | 'transform'): GuestOutcome | undefined {
  const parsed = v.safeParse(saidSchema, header)
  if (!parsed.success || body.length > MOST_GIVEN.contentBytes) return undefined
  const said = parsed.output
  if ('failed' in said) return { kind: 'failed', why: said.failed, detail: said.detail, cpuMs: said.cpuMs }
  const content = own(body)
  if ('response' in said) {
    if (world !== 'http') return undefined
    const { status, headers, hasBody } = said.response
    return { kind: 'answered', response: { status, headers, body: hasBody ? content : undefined }, cpuMs: said.cpuMs }
  }
  if (world !== 'transform') return undefined
  const { transformed } = said
  const result =
    transformed === null ? undefined : { content, mimeType: transformed.mimeType, headers: transformed.headers }
  return { kind: 'transformed', result, cpuMs: said.cpuMs }
}

/** The reader of frames goes on with its buffer; what is kept must not hold all of it. A long frame has one of its own. */
function own(body: Buffer): Uint8Array {
  return body.buffer.byteLength <= 2 * body.length ? body : Uint8Array.from(body)
}
