import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { ID_BYTES } from '../../core/index.ts'
import { IdSum } from './id-sum.ts'

/** What a store held when it was last written to: the name of that store, and number and XOR of its ids. */
export interface Seal {
  readonly storeId: string
  readonly sum: IdSum
}

/** `MKS1`, store id (26), generation (8), count (8), XOR (32), SHA-256 of all that (32). */
const MAGIC = Buffer.from('MKS1')
const STORE_ID_BYTES = 26
const CONTENT_BYTES = MAGIC.length + STORE_ID_BYTES + 8 + 8 + ID_BYTES
const SLOT_BYTES = CONTENT_BYTES + 32
/** Slots lie in different disk sectors, so that one torn write never takes both. */
const SLOT_DISTANCE = 4096

/**
 * The small file beside a store that tells whether the store lost something. Two slots take turns. Written after each
 * durable batch and never synced itself: so it is never ahead of the store, and after a power loss may be behind.
 */
export class SealFile {
  readonly #descriptor: number
  #generation: bigint

  private constructor(descriptor: number, generation: bigint) {
    this.#descriptor = descriptor
    this.#generation = generation
  }

  /** Opens or creates the file; `seal` is the newest whole slot, undefined when there is none. */
  static open(path: string): { file: SealFile; seal: Seal | undefined } {
    const descriptor = openFile(path)
    try {
      const slots = [readSlot(descriptor, 0), readSlot(descriptor, SLOT_DISTANCE)].filter((slot) => slot !== undefined)
      const newest = slots.sort((a, b) => (a.generation < b.generation ? 1 : -1))[0]
      return { file: new SealFile(descriptor, newest?.generation ?? 0n), seal: newest }
    } catch (error) {
      closeSync(descriptor)
      throw error
    }
  }

  write({ storeId, sum }: Seal): void {
    this.#generation++
    const slot = Buffer.alloc(SLOT_BYTES)
    MAGIC.copy(slot)
    slot.write(storeId, MAGIC.length, STORE_ID_BYTES, 'latin1')
    const numbers = MAGIC.length + STORE_ID_BYTES
    slot.writeBigUInt64BE(this.#generation, numbers)
    slot.writeBigUInt64BE(BigInt(sum.count), numbers + 8)
    slot.set(sum.xor, numbers + 16)
    slot.set(checksum(slot), CONTENT_BYTES)
    writeSync(this.#descriptor, slot, 0, SLOT_BYTES, this.#generation % 2n === 0n ? 0 : SLOT_DISTANCE)
  }

  close(): void {
    closeSync(this.#descriptor)
  }
}

function openFile(path: string): number {
  try {
    return openSync(path, 'r+')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return openSync(path, 'wx+', 0o600)
  }
}

function readSlot(descriptor: number, offset: number): (Seal & { generation: bigint }) | undefined {
  const slot = Buffer.alloc(SLOT_BYTES)
  if (readSync(descriptor, slot, 0, SLOT_BYTES, offset) !== SLOT_BYTES) return undefined
  if (Buffer.compare(checksum(slot), slot.subarray(CONTENT_BYTES)) !== 0) return undefined
  if (Buffer.compare(slot.subarray(0, MAGIC.length), MAGIC) !== 0) return undefined
  const numbers = MAGIC.length + STORE_ID_BYTES
  return {
    storeId: slot.toString('latin1', MAGIC.length, numbers),
    generation: slot.readBigUInt64BE(numbers),
    sum: new IdSum(Number(slot.readBigUInt64BE(numbers + 8)), slot.subarray(numbers + 16, CONTENT_BYTES)),
  }
}

const checksum = (slot: Buffer) => createHash('sha256').update(slot.subarray(0, CONTENT_BYTES)).digest()
