import { crc32 } from 'node:zlib'
import { ID_BYTES, idBytes, operationIdFrom } from '../../core/index.ts'
import type { OperationRecord } from '../ports.ts'

/**
 * How Level holds an operation. Key: sequence number of arrival, 8 bytes big-endian. Value: CRC-32 of the rest (4 bytes
 * big-endian), the id (32), the operation's bytes. The checksum is here because Level hands out altered bytes without
 * an error, and because the id does not cover the signature.
 */
const HEADER_BYTES = 4 + ID_BYTES
const KEY_BYTES = 8

/** Keys of records lie in [first, end); whatever else the store holds lies beyond. */
export const FIRST_KEY: Uint8Array = recordKey(0)
export const END_KEY: Uint8Array = Uint8Array.of(1)

export function recordKey(sequence: number): Uint8Array {
  const key = new Uint8Array(KEY_BYTES)
  new DataView(key.buffer).setBigUint64(0, BigInt(sequence))
  return key
}

/** Undefined when the key is none of ours. */
export function readKey(key: Uint8Array): number | undefined {
  if (key.length !== KEY_BYTES) return undefined
  return Number(new DataView(key.buffer, key.byteOffset).getBigUint64(0))
}

export function encodeRecord({ id, bytes }: OperationRecord): Uint8Array {
  const value = new Uint8Array(HEADER_BYTES + bytes.length)
  value.set(idBytes(id), 4)
  value.set(bytes, HEADER_BYTES)
  new DataView(value.buffer).setUint32(0, crc32(value.subarray(4)))
  return value
}

/** True for what is as it was written. */
export function isIntactRecord(value: Uint8Array): boolean {
  if (value.length <= HEADER_BYTES) return false
  return new DataView(value.buffer, value.byteOffset).getUint32(0) === crc32(value.subarray(4))
}

/** A plain copy of what is stored; undefined when it is not what was written. */
export function readRecord(value: Uint8Array): OperationRecord | undefined {
  if (!isIntactRecord(value)) return undefined
  return { id: operationIdFrom(recordIdBytes(value)), bytes: new Uint8Array(value.subarray(HEADER_BYTES)) }
}

/** The id within an encoded record, not copied. */
export function recordIdBytes(value: Uint8Array): Uint8Array {
  return value.subarray(4, HEADER_BYTES)
}
