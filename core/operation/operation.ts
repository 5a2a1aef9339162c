import { hash } from 'node:crypto'
import { decodeMessage, encodeCanonical, isCanonical } from '../encoding/index.ts'
import { MakiError } from '../errors.ts'
import {
  type ClusterId,
  ID_BYTES,
  idBytes,
  type MemberKey,
  memberKeyFrom,
  type OperationId,
  operationIdFrom,
} from '../ids.ts'
import { SIGNATURE_BYTES, type Signer, verifySignature } from '../signing.ts'
import { type Stamp, stampFrom } from '../stamp.ts'
import { type Change, readChange, SCHEMA } from './changes.ts'
import { schemaOf } from './schema-of.ts'

/**
 * A signed, atomic list of changes with an author, a stamp and heads; immutable for ever.
 *
 * Bytes: the Ed25519 signature (64), then the body: the canonical MessagePack array
 * `[format, author, [wallMs, counter], heads, schema, changes, message]`, keys and ids as 32-byte binary.
 * What is signed is `CONTEXT ‖ cluster id ‖ body`; the cluster id is empty for the operation that creates it, which is
 * the one with no heads. The operation's id is the SHA-256 of what is signed.
 */
export interface Operation {
  readonly id: OperationId
  readonly author: MemberKey
  readonly stamp: Stamp
  /** The operations, known to the author when it wrote, that no other known operation follows. Distinct, in byte order. */
  readonly heads: readonly OperationId[]
  readonly schema: number
  /** Empty when `defect` is set. */
  readonly changes: readonly Change[]
  readonly message: string
  /**
   * Why the changes cannot be read. Such an operation is a full member of the set (kept, passed on, followed by others)
   * and changes nothing, so that replicas of different versions hold the same set.
   */
  readonly defect?: Defect
  /** Signature and body, as stored and sent. */
  readonly bytes: Uint8Array
}

export type Defect =
  | { readonly kind: 'newer-schema'; readonly schema: number }
  | { readonly kind: 'malformed-change'; readonly index: number; readonly fault: string }

export interface Draft {
  readonly stamp: Stamp
  readonly heads: readonly OperationId[]
  readonly changes: readonly Change[]
  readonly message?: string
  /** The oldest that can say the changes, unless it is given. */
  readonly schema?: number
}

const FORMAT = 1
const CONTEXT = new TextEncoder().encode('makiatto operation 1\0')
export const MAX_HEADS = 16
/** Blobs hold what is large; a change never needs more. */
export const MAX_OPERATION_BYTES = 1024 * 1024
const MAX_MESSAGE_LENGTH = 2000

/** Brings the changes of an older schema up to `SCHEMA`: pure, and total, for they were not checked yet. */
export type Raise = (schema: number, changes: readonly unknown[]) => readonly unknown[]

/** The oldest schema that can say all of the changes. */
const oldestSchema = (changes: readonly Change[]): number =>
  changes.reduce((schema, change) => Math.max(schema, schemaOf(change)), 1)

/** Signs a draft. `cluster` is undefined only for the operation that creates it, whose draft has no heads. */
export function createOperation(signer: Signer, cluster: ClusterId | undefined, draft: Draft): Operation {
  const heads = [...new Set(draft.heads)].map(idBytes).sort(Buffer.compare)
  if (heads.length > MAX_HEADS)
    throw new MakiError('MAKI_INVALID', `an operation has at most ${MAX_HEADS} heads, not ${heads.length}`)
  const body = encodeCanonical([
    FORMAT,
    idBytes(signer.key),
    [draft.stamp.wallMs, draft.stamp.counter],
    heads,
    draft.schema ?? oldestSchema(draft.changes),
    draft.changes,
    draft.message ?? '',
  ])
  if (SIGNATURE_BYTES + body.length > MAX_OPERATION_BYTES) {
    throw new MakiError(
      'MAKI_TOO_LARGE',
      `the operation has ${SIGNATURE_BYTES + body.length} bytes, ${MAX_OPERATION_BYTES} are allowed`,
      {
        hint: 'Make the change in several smaller steps.',
      },
    )
  }
  const signature = signer.sign(signedBytes(cluster, body))
  const bytes = new Uint8Array(SIGNATURE_BYTES + body.length)
  bytes.set(signature)
  bytes.set(body, SIGNATURE_BYTES)
  return decodeOperation(bytes, cluster, { signatureChecked: true })
}

/**
 * Reads an operation. Throws MAKI_OPERATION_INVALID for bytes that are no canonical operation of `cluster` signed by
 * its author; the decision depends on the bytes alone. With `cluster` undefined only a creating operation is read.
 * `signatureChecked` is for bytes that were checked before and are now found by their id (a store); `raise` reads older schemas.
 */
export function decodeOperation(
  bytes: Uint8Array,
  cluster: ClusterId | undefined,
  options: { readonly signatureChecked?: boolean; readonly raise?: Raise } = {},
): Operation {
  if (bytes.length > MAX_OPERATION_BYTES)
    throw invalid(`it has ${bytes.length} bytes, ${MAX_OPERATION_BYTES} are allowed`)
  if (bytes.length <= SIGNATURE_BYTES) throw invalid('it is too short')
  const body = bytes.subarray(SIGNATURE_BYTES)
  const envelope = readEnvelope(body, options.raise)
  const creates = envelope.heads.length === 0
  if (!creates && cluster === undefined) throw invalid('it belongs to a cluster that is not known here')
  const signed = signedBytes(creates ? undefined : cluster, body)
  const id = operationIdFrom(hash('sha256', signed, 'buffer'))
  if (creates && cluster !== undefined && (id as string) !== cluster) throw invalid('it creates another cluster')
  if (
    options.signatureChecked !== true &&
    !verifySignature(envelope.author, signed, bytes.subarray(0, SIGNATURE_BYTES))
  ) {
    throw wrongSignature()
  }
  return { id, ...envelope, bytes }
}

/** What an operation that was read with `signatureChecked` has still to answer for; the arguments of `verifySignature`. */
export function signatureOf(
  { author, heads, bytes }: Operation,
  cluster: ClusterId | undefined,
): readonly [author: MemberKey, signed: Uint8Array, signature: Uint8Array] {
  const signed = signedBytes(heads.length === 0 ? undefined : cluster, bytes.subarray(SIGNATURE_BYTES))
  return [author, signed, bytes.subarray(0, SIGNATURE_BYTES)]
}

/** What `decodeOperation` throws where the signature is wrong. */
export const wrongSignature = (): MakiError =>
  invalid('its signature is not its author’s, or it belongs to another cluster')

/** The id that bytes claim, without checking anything but their shape; for a store that looks for damage. */
export function operationIdOf(bytes: Uint8Array, cluster: ClusterId): OperationId {
  return decodeOperation(bytes, cluster, { signatureChecked: true }).id
}

function readEnvelope(body: Uint8Array, raise: Raise | undefined): Omit<Operation, 'id' | 'bytes'> {
  let value: unknown
  try {
    value = decodeMessage(body)
  } catch (cause) {
    throw invalid('it is not MessagePack', cause)
  }
  if (!Array.isArray(value) || value.length !== 7) throw invalid('it is not an array of seven parts')
  const [format, author, stamp, heads, schema, changes, message] = value as unknown[]
  if (format !== FORMAT) throw invalid(`its format is ${String(format)}, not ${FORMAT}`)
  if (!isIdBytes(author)) throw invalid('its author is not a public key')
  if (!Array.isArray(stamp) || stamp.length !== 2) throw invalid('its stamp is not a pair')
  if (!Array.isArray(heads) || heads.length > MAX_HEADS || !heads.every(isIdBytes))
    throw invalid('its heads are not up to 16 ids')
  if (!Number.isSafeInteger(schema) || (schema as number) < 1) throw invalid('its schema is not a number from 1')
  if (!Array.isArray(changes) || changes.length === 0) throw invalid('it has no changes')
  if (typeof message !== 'string' || message.length > MAX_MESSAGE_LENGTH)
    throw invalid('its message is not a short text')
  if (!isCanonical(body, value)) throw invalid('it is not in canonical form')
  const sorted = heads.every((head, i) => i === 0 || Buffer.compare(heads[i - 1] as Uint8Array, head) < 0)
  if (!sorted) throw invalid('its heads are not sorted and distinct')
  return {
    author: memberKeyFrom(author),
    stamp: stampFrom(stamp[0], stamp[1]),
    heads: heads.map(operationIdFrom),
    schema: schema as number,
    message,
    ...readChanges(schema as number, changes, heads.length === 0, raise),
  }
}

function readChanges(
  schema: number,
  written: readonly unknown[],
  creates: boolean,
  raise: Raise | undefined,
): { changes: readonly Change[]; defect?: Defect } {
  if (schema > SCHEMA) return { changes: [], defect: { kind: 'newer-schema', schema } }
  const inputs = schema < SCHEMA && raise !== undefined ? raise(schema, written) : written
  const changes: Change[] = []
  for (const [index, input] of inputs.entries()) {
    const read = readChange(input)
    const fault =
      'fault' in read ? read.fault : (misplaced(read.change, index, creates) ?? premature(written[index], schema))
    if (fault !== undefined) return { changes: [], defect: { kind: 'malformed-change', index, fault } }
    if ('change' in read) changes.push(read.change)
  }
  return { changes }
}

/** A cluster is created by the first change of the operation without heads, and nowhere else. */
function misplaced(change: Change, index: number, creates: boolean): string | undefined {
  const first = creates && index === 0
  if (change.kind === 'cluster.create' && !first)
    return 'cluster.create stands only at the start of the first operation'
  if (change.kind !== 'cluster.create' && first) return 'the operation without heads creates a cluster'
  return undefined
}

/** Programs of that schema could not read what was written, and all have to agree on what it says. */
function premature(written: unknown, schema: number): string | undefined {
  const needed = schemaOf(written as Change)
  return needed > schema ? `schema ${schema} cannot say it, ${needed} can` : undefined
}

function signedBytes(cluster: ClusterId | undefined, body: Uint8Array): Uint8Array {
  return Buffer.concat(cluster === undefined ? [CONTEXT, body] : [CONTEXT, idBytes(cluster), body])
}

function isIdBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === ID_BYTES
}

function invalid(why: string, cause?: unknown): MakiError {
  return new MakiError('MAKI_OPERATION_INVALID', `the operation is not valid: ${why}`, { cause })
}
