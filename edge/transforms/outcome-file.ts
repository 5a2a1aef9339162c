import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { type BlobHash, isBlobHash } from '../../core/index.ts'
import type { TransformOutcome } from './transform-job.ts'

type Kept = Exclude<TransformOutcome, { kind: 'failed' }>

const MAGIC = 'MKT1'
const CHECK_CHARS = 64

const schema = v.variant('kind', [
  v.object({ kind: v.literal('original') }),
  v.object({
    kind: v.literal('done'),
    hash: v.custom<BlobHash>((input) => typeof input === 'string' && isBlobHash(input)),
    sizeBytes: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
    mimeType: v.optional(v.string()),
    headers: v.array(v.tuple([v.string(), v.string()])),
  }),
])

/** What came of a job, as a file: four characters, SHA-256 of key and text in hexadecimal, the text, which is JSON. */
export function encodeOutcome(key: string, outcome: Kept): Uint8Array {
  const text = JSON.stringify(outcome.kind === 'done' ? { kind: 'done', ...outcome.result } : outcome)
  return Buffer.from(`${MAGIC}${checkOf(key, text)}${text}`)
}

/** Undefined for what `encodeOutcome` did not write, or not of this key, or not as a whole. */
export function decodeOutcome(key: string, bytes: Uint8Array | undefined): Kept | undefined {
  if (bytes === undefined) return undefined
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  const text = whole.slice(MAGIC.length + CHECK_CHARS)
  if (!whole.startsWith(MAGIC) || whole.slice(MAGIC.length, MAGIC.length + CHECK_CHARS) !== checkOf(key, text))
    return undefined
  const parsed = v.safeParse(schema, JSON.parse(text))
  if (!parsed.success) return undefined
  if (parsed.output.kind === 'original') return { kind: 'original' }
  const { hash, sizeBytes, mimeType, headers } = parsed.output
  return { kind: 'done', result: { hash, sizeBytes, mimeType, headers } }
}

const checkOf = (key: string, text: string): string => createHash('sha256').update(key).update(text).digest('hex')
