import { ID_BYTES, idBytes, type OperationId, operationIdFrom } from '../../core/index.ts'
import { BUCKETS } from './wire.ts'

const ENTRY_BYTES = 4 + ID_BYTES

/** The buckets in which two inventory tables differ. */
export function differingBuckets(ours: Uint8Array, theirs: Uint8Array): number[] {
  const differing: number[] = []
  for (let index = 0; index < BUCKETS; index++) {
    const start = index * ENTRY_BYTES
    if (Buffer.compare(ours.subarray(start, start + ENTRY_BYTES), theirs.subarray(start, start + ENTRY_BYTES)) !== 0)
      differing.push(index)
  }
  return differing
}

interface SetDifference {
  /** What they have and we do not. */
  readonly lacking: readonly OperationId[]
  /** What we have and they do not. */
  readonly surplus: readonly OperationId[]
}

export function compareIds(ours: readonly OperationId[], theirs: readonly OperationId[]): SetDifference {
  const known = new Set(ours)
  const named = new Set(theirs)
  return { lacking: [...named].filter((id) => !known.has(id)), surplus: ours.filter((id) => !named.has(id)) }
}

/** Ids as 32-byte values, one after another. */
export function encodeIds(ids: readonly OperationId[]): Uint8Array {
  const bytes = new Uint8Array(ids.length * ID_BYTES)
  for (const [index, id] of ids.entries()) bytes.set(idBytes(id), index * ID_BYTES)
  return bytes
}

/** The inverse of encodeIds; `bytes` holds whole ids (the frame's schema says so). */
export function decodeIds(bytes: Uint8Array): OperationId[] {
  const ids: OperationId[] = []
  for (let at = 0; at < bytes.length; at += ID_BYTES) ids.push(operationIdFrom(bytes.subarray(at, at + ID_BYTES)))
  return ids
}

/** Cuts a list into parts of at most `maxCount` items and, unless one item alone is larger, `maxBytes` bytes. */
export function chunkBySize(list: readonly Uint8Array[], maxCount: number, maxBytes: number): Uint8Array[][] {
  const chunks: Uint8Array[][] = []
  let chunk: Uint8Array[] = []
  let size = 0
  for (const item of list) {
    if (chunk.length > 0 && (chunk.length >= maxCount || size + item.length > maxBytes)) {
      chunks.push(chunk)
      chunk = []
      size = 0
    }
    chunk.push(item)
    size += item.length
  }
  if (chunk.length > 0) chunks.push(chunk)
  return chunks
}
