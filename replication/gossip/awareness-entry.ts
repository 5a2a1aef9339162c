import {
  type ClusterId,
  decodeMessage,
  encodeCanonical,
  ID_BYTES,
  idBytes,
  MakiError,
  type MemberKey,
  memberKeyFrom,
  SIGNATURE_BYTES,
  type Signer,
  verifySignature,
} from '../../core/index.ts'
import { MAX_AWARENESS_BYTES } from './wire.ts'

/** What a member says about itself: a JSON-like object. */
export type AwarenessData = Readonly<Record<string, unknown>>

/**
 * One signed statement. Bytes: the Ed25519 signature (64), then the canonical MessagePack array
 * `[key, incarnation, counter, wallMs, data]`; what is signed is `CONTEXT ‖ cluster id ‖ array`.
 */
export interface AwarenessEntry {
  readonly key: MemberKey
  /** Greater in every later process of the member. */
  readonly incarnation: number
  /** Greater in every later statement of that process. */
  readonly counter: number
  /** The author's wall clock when it spoke, milliseconds since the epoch. */
  readonly wallMs: number
  /** Null when the member took its leave. */
  readonly data: AwarenessData | null
  readonly bytes: Uint8Array
}

const CONTEXT = new TextEncoder().encode('makiatto awareness 1\0')

/** Throws MAKI_TOO_LARGE when the entry would be larger than peers take. */
export function createAwarenessEntry(
  signer: Signer,
  cluster: ClusterId,
  said: Pick<AwarenessEntry, 'incarnation' | 'counter' | 'wallMs' | 'data'>,
): AwarenessEntry {
  const { incarnation, counter, wallMs, data } = said
  const body = encodeCanonical([idBytes(signer.key), incarnation, counter, wallMs, data])
  const size = SIGNATURE_BYTES + body.length
  if (size > MAX_AWARENESS_BYTES)
    throw new MakiError('MAKI_TOO_LARGE', `an awareness entry has ${size} bytes, ${MAX_AWARENESS_BYTES} are allowed`)
  const bytes = new Uint8Array(size)
  bytes.set(signer.sign(signedBytes(cluster, body)))
  bytes.set(body, SIGNATURE_BYTES)
  return { key: signer.key, incarnation, counter, wallMs, data, bytes }
}

/** Reads an entry without checking its signature; throws MAKI_PROTOCOL for bytes of another shape. Copies the bytes. */
export function parseAwarenessEntry(input: Uint8Array): AwarenessEntry {
  if (input.length > MAX_AWARENESS_BYTES || input.length <= SIGNATURE_BYTES) throw malformed('its size is wrong')
  const bytes = new Uint8Array(input)
  let value: unknown
  try {
    value = decodeMessage(bytes.subarray(SIGNATURE_BYTES))
  } catch (cause) {
    throw malformed('it is not MessagePack', cause)
  }
  if (!Array.isArray(value) || value.length !== 5) throw malformed('it is not an array of five parts')
  const [key, incarnation, counter, wallMs, data] = value as unknown[]
  if (!(key instanceof Uint8Array) || key.length !== ID_BYTES) throw malformed('its author is not a public key')
  if (!isCount(incarnation) || !isCount(counter) || !isCount(wallMs)) throw malformed('its numbers are out of range')
  if (data !== null && !isPlainObject(data)) throw malformed('its data is not an object')
  return { key: memberKeyFrom(key), incarnation, counter, wallMs, data, bytes }
}

/** True when the entry was signed by its author for this cluster. */
export function isAuthentic(entry: AwarenessEntry, cluster: ClusterId): boolean {
  const body = entry.bytes.subarray(SIGNATURE_BYTES)
  return verifySignature(entry.key, signedBytes(cluster, body), entry.bytes.subarray(0, SIGNATURE_BYTES))
}

/** The order of an author's statements: incarnation, then counter. */
export function compareEntries(a: AwarenessEntry, b: AwarenessEntry): number {
  return a.incarnation - b.incarnation || a.counter - b.counter
}

const signedBytes = (cluster: ClusterId, body: Uint8Array) => Buffer.concat([CONTEXT, idBytes(cluster), body])
const isCount = (input: unknown): input is number => Number.isSafeInteger(input) && (input as number) >= 0
const isPlainObject = (input: unknown): input is AwarenessData =>
  typeof input === 'object' && input !== null && !Array.isArray(input) && !(input instanceof Uint8Array)
const malformed = (why: string, cause?: unknown) =>
  new MakiError('MAKI_PROTOCOL', `the awareness entry is malformed: ${why}`, { cause })
