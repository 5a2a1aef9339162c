import { type BlobHash, ID_BYTES } from '../../core/index.ts'
import type { HashFilter } from './collection-plan.ts'

const BUCKETS = 256
const FIRST_SLOTS = 16

/**
 * Which blobs are needed, in 8 bytes each: a million files take 8 MB, where a set of strings takes more than a hundred.
 * Seven bytes of each hash stand for it, so it may say yes for a blob that was never added; once in some ten thousand
 * million million times, and all that follows is that a blob stays.
 */
export class HashSieve implements HashFilter {
  readonly #buckets: Bucket[] = Array.from({ length: BUCKETS }, () => new Bucket())

  add(hash: BlobHash): void {
    this.addAll(Buffer.from(hash, 'hex'))
  }

  /** Hashes of 32 bytes, one after another. */
  addAll(hashes: Uint8Array): void {
    const bytes = Buffer.from(hashes.buffer, hashes.byteOffset, hashes.byteLength)
    for (let at = 0; at + ID_BYTES <= bytes.length; at += ID_BYTES)
      (this.#buckets[bytes[at] as number] as Bucket).add(bytes.readUIntBE(at + 1, 6))
  }

  has(hash: BlobHash): boolean {
    const bucket = this.#buckets[Number.parseInt(hash.slice(0, 2), 16)] as Bucket
    return bucket.has(Number.parseInt(hash.slice(2, 14), 16))
  }
}

/** Numbers, sorted when they are looked up or when there is no room: the same ones come again with every release. */
class Bucket {
  #slots = new Float64Array(FIRST_SLOTS)
  #used = 0
  /** How many of the first ones are sorted and different. */
  #sorted = 0

  add(value: number): void {
    if (this.#used === this.#slots.length) {
      this.#sort()
      if (this.#used * 2 > this.#slots.length) {
        const slots = new Float64Array(this.#slots.length * 2)
        slots.set(this.#slots)
        this.#slots = slots
      }
    }
    this.#slots[this.#used++] = value
  }

  has(value: number): boolean {
    if (this.#sorted < this.#used) this.#sort()
    let low = 0
    let high = this.#used
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#slots[middle] as number) < value) low = middle + 1
      else high = middle
    }
    return low < this.#used && this.#slots[low] === value
  }

  #sort(): void {
    const used = this.#slots.subarray(0, this.#used).sort()
    let different = 0
    for (const value of used) if (different === 0 || used[different - 1] !== value) used[different++] = value
    this.#used = different
    this.#sorted = different
  }
}
