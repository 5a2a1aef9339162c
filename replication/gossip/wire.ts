import * as v from 'valibot'
import {
  type ClusterId,
  decodeMessage,
  encodeCanonical,
  ID_BYTES,
  isId,
  MAX_OPERATION_BYTES,
  MakiError,
  type MemberKey,
  SIGNATURE_BYTES,
} from '../../core/index.ts'

/** Version of everything between two replicas: frames, handshake and the meaning of both. */
export const PROTOCOL_VERSION = 1

/** The length of the body as an unsigned 32-bit big-endian integer stands before each body. */
export const LENGTH_BYTES = 4
/** Before authentication a stranger can make us hold this much: enough for a hello, an admission and a proof. */
export const MAX_STRANGER_FRAME_BYTES = 64 * 1024
/** After authentication; far above what we send, so that a later version may send more. */
export const MAX_FRAME_BYTES = 64 * 1024 * 1024

/** Operations that a stranger may present: a chain of additions is as long as the cluster's history of handing on. */
export const MAX_ADMISSION_OPERATIONS = 64
/** Together; leaves room for the rest of the frame. */
export const MAX_ADMISSION_BYTES = MAX_STRANGER_FRAME_BYTES - 2048
export const MAX_AWARENESS_BYTES = 64 * 1024
export const NONCE_BYTES = 32
export const BUCKETS = 256
/** 256 entries of a 4-byte count and a 32-byte XOR. */
export const TABLE_BYTES = BUCKETS * (4 + ID_BYTES)
/** Operations or entries of one frame; longer lists travel in several frames. */
const MAX_LIST = 4096
/** Values of one frame; what is not a list has a few, and a later version may say more. */
const MAX_VALUES = MAX_LIST + 1024
/** Ids of one frame, 1 MiB. A bucket fills it when the cluster has eight million operations. */
export const MAX_IDS = 32_768

const bytes = (min: number, max: number) =>
  v.custom<Uint8Array>(
    (input) => input instanceof Uint8Array && input.length >= min && input.length <= max,
    `${min === max ? min : `${min} to ${max}`} bytes are expected`,
  )
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const operations = (max: number) => v.pipe(v.array(bytes(1, MAX_OPERATION_BYTES)), v.maxLength(max))
/** Ids as 32-byte values, one after another. */
const ids = v.pipe(
  bytes(0, MAX_IDS * ID_BYTES),
  v.check((input) => input.length % ID_BYTES === 0, 'whole ids are expected'),
)
const port = v.pipe(count, v.maxValue(65_535))

const frameSchema = v.variant('type', [
  /** First from both sides. Not strict: a later version may say more, and has to be understood well enough to refuse. */
  v.object({
    type: v.literal('hello'),
    protocol: count,
    cluster: v.custom<ClusterId>((input) => typeof input === 'string' && isId(input), 'a cluster id is expected'),
    key: v.custom<MemberKey>((input) => typeof input === 'string' && isId(input), 'a public key is expected'),
    nonce: bytes(NONCE_BYTES, NONCE_BYTES),
    /** Greater in every later process of the same node. */
    incarnation: count,
    /** Of the software, for people. */
    version: v.pipe(v.string(), v.maxLength(100)),
    /** TCP port of the blob server, on the address that this connection comes from; 0 for none. */
    blobsPort: port,
  }),
  /** Membership operations that admit the sender; between hello and proof, at most once. */
  v.strictObject({
    type: v.literal('admission'),
    operations: v.pipe(
      operations(MAX_ADMISSION_OPERATIONS),
      v.check((list) => list.reduce((sum, one) => sum + one.length, 0) <= MAX_ADMISSION_BYTES, 'too many bytes'),
    ),
  }),
  v.strictObject({ type: v.literal('proof'), signature: bytes(SIGNATURE_BYTES, SIGNATURE_BYTES) }),
  /** Last: why the sender closes. */
  v.strictObject({ type: v.literal('bye'), reason: v.pipe(v.string(), v.maxLength(200)) }),
  /** A y-protocols sync message. */
  v.strictObject({ type: v.literal('sync'), message: bytes(1, MAX_FRAME_BYTES) }),
  /** Anti-entropy: what the sender has, as a Yjs state vector and as the root of its inventory. */
  v.strictObject({ type: v.literal('digest'), vector: bytes(0, MAX_FRAME_BYTES), root: bytes(ID_BYTES, ID_BYTES) }),
  /** The sender's whole inventory table; the receiver answers with the buckets that differ. */
  v.strictObject({ type: v.literal('table'), table: bytes(TABLE_BYTES, TABLE_BYTES) }),
  /** All ids of the sender in one bucket; the receiver requests what it lacks and sends what the sender lacks. */
  v.strictObject({ type: v.literal('bucket'), index: v.pipe(count, v.maxValue(BUCKETS - 1)), ids }),
  v.strictObject({ type: v.literal('request'), ids }),
  v.strictObject({ type: v.literal('operations'), operations: operations(MAX_LIST) }),
  v.strictObject({
    type: v.literal('awareness'),
    entries: v.pipe(v.array(bytes(1, MAX_AWARENESS_BYTES)), v.maxLength(MAX_LIST)),
  }),
])

/** What two replicas say to each other. Binary members of a received frame are views of that frame's own bytes. */
export type Frame = v.InferOutput<typeof frameSchema>
export type FrameOf<Type extends Frame['type']> = Extract<Frame, { type: Type }>

/** Length and body. Throws MAKI_TOO_LARGE for what no peer would take. */
export function encodeFrame(frame: Frame): Uint8Array<ArrayBuffer> {
  const body = encodeCanonical(frame)
  if (body.length > MAX_FRAME_BYTES)
    throw new MakiError('MAKI_TOO_LARGE', `a ${frame.type} frame of ${body.length} bytes is above ${MAX_FRAME_BYTES}`)
  const framed = new Uint8Array(LENGTH_BYTES + body.length)
  new DataView(framed.buffer).setUint32(0, body.length)
  framed.set(body, LENGTH_BYTES)
  return framed
}

/** Reads one body. Throws MAKI_PROTOCOL for bytes that are no frame; `body` must be nobody else's, views of it are kept. */
export function parseFrame(body: Uint8Array<ArrayBuffer>): Frame {
  let value: unknown
  try {
    value = decodeMessage(body, MAX_VALUES)
  } catch (cause) {
    throw new MakiError('MAKI_PROTOCOL', 'the frame is not MessagePack', { cause })
  }
  const result = v.safeParse(frameSchema, value)
  if (result.success) return result.output
  const issue = result.issues[0]
  throw new MakiError(
    'MAKI_PROTOCOL',
    `the frame is of no known shape: ${v.getDotPath(issue) ?? 'it'}: ${issue.message}`,
  )
}
