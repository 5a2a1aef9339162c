import type { BlobHash } from '../../core/index.ts'
import { CODINGS } from '../message/index.ts'
import type { Variant } from '../respond/index.ts'

/**
 * What is said of one encoding, packed: hash (32 bytes), coding (1), size (4, little-endian), check (8). A size of zero says
 * that it is gone. Many follow each other without anything between.
 */
export const RECORD_BYTES = 45
const CODING_AT = 32
const SIZE_AT = 33
const CHECK_AT = 37

/** One encoding that came, or (`sizeBytes` 0) one that went, whatever its check. */
export interface VariantRecord extends Variant {
  readonly hash: BlobHash
}

/** Packs what is to be told of encodings; `count` of them. */
export function encodeVariantRecords(records: Iterable<VariantRecord>, count: number): Uint8Array {
  const bytes = Buffer.alloc(count * RECORD_BYTES)
  let at = -RECORD_BYTES
  for (const { hash, coding, sizeBytes, check } of records) {
    at += RECORD_BYTES
    bytes.write(hash, at, 'hex')
    bytes[at + CODING_AT] = CODINGS.indexOf(coding)
    bytes.writeUInt32LE(sizeBytes, at + SIZE_AT)
    bytes.write(check, at + CHECK_AT, 'hex')
  }
  return bytes
}

/** Reads packed records one by one; a coding that this version does not know is passed over, and a part of a record. */
export function* decodeVariantRecords(packed: Uint8Array): Generator<VariantRecord> {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength)
  for (let at = 0; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES) {
    const coding = CODINGS[bytes[at + CODING_AT] as number]
    if (coding === undefined) continue
    yield {
      hash: bytes.toString('hex', at, at + CODING_AT) as BlobHash,
      coding,
      sizeBytes: bytes.readUInt32LE(at + SIZE_AT),
      check: bytes.toString('hex', at + CHECK_AT, at + RECORD_BYTES),
    }
  }
}
