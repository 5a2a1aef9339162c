import type { BlobHash } from '../../core/index.ts'
import { CODINGS, type Coding } from '../message/index.ts'
import type { Variant, Variants } from '../respond/index.ts'
import { decodeVariantRecords, encodeVariantRecords, type VariantRecord } from './variant-record.ts'

const HASH_BYTES = 32
/** Size (4 bytes) and check (8) of each coding; a size of zero: none. */
const VALUE_BYTES = 12
const ENTRY_BYTES = HASH_BYTES + CODINGS.length * VALUE_BYTES
const FIRST_ENTRIES = 64
const EMPTY = 0

/** The hash that is looked for. */
const wanted = Buffer.alloc(HASH_BYTES)

/**
 * Which encodings lie ready: 68 bytes for each blob and some 8 to find it, so that 100,000 blobs take 8 MB and not the 50 of
 * a Map. Open addressing; a hash says itself where to look.
 */
export class VariantTable implements Variants {
  #epoch = 0
  #entries = Buffer.alloc(FIRST_ENTRIES * ENTRY_BYTES)
  /** Number + 1 of the entry at a place, or EMPTY; a power of two of them, at most half of them taken. */
  #slots = new Uint32Array(FIRST_ENTRIES * 2)
  /** Entries with a hash; those whose encodings all went stay until the table grows. */
  #used = 0
  #count = 0
  #bytes = 0

  get epoch(): number {
    return this.#epoch
  }

  /** Encodings that lie ready. */
  get count(): number {
    return this.#count
  }

  /** Their sizes together. */
  get totalBytes(): number {
    return this.#bytes
  }

  find(hash: BlobHash, coding: Coding): Variant | undefined {
    const at = this.#findEntry(hash)
    return at === undefined ? undefined : this.#variantAt(at, coding)
  }

  /** All encodings of a blob. */
  list(hash: BlobHash): Variant[] {
    const at = this.#findEntry(hash)
    return at === undefined ? [] : this.#variantsAt(at)
  }

  /** Takes in what packed records say; one for what is there already replaces it. */
  apply(records: Uint8Array): void {
    for (const record of decodeVariantRecords(records)) this.#set(record)
    this.#epoch++
  }

  add(record: VariantRecord): void {
    this.#set(record)
    this.#epoch++
  }

  /** Forgets an encoding, if it is still this one. */
  drop(hash: BlobHash, variant: Variant): void {
    const present = this.find(hash, variant.coding)
    if (present?.check === variant.check && present.sizeBytes === variant.sizeBytes)
      this.add({ hash, ...variant, sizeBytes: 0 })
  }

  /** All that is here. */
  *records(): Generator<VariantRecord> {
    for (let i = 0; i < this.#used; i++) {
      const at = i * ENTRY_BYTES
      const hash = this.#entries.toString('hex', at, at + HASH_BYTES) as BlobHash
      for (const variant of this.#variantsAt(at)) yield { hash, ...variant }
    }
  }

  /** Packed, for `apply` of another table. */
  snapshot(): Uint8Array {
    return encodeVariantRecords(this.records(), this.#count)
  }

  #set({ hash, coding, sizeBytes, check }: VariantRecord): void {
    let at = this.#findEntry(hash)
    if (at === undefined) {
      if (sizeBytes === 0) return
      at = this.#append(hash)
    }
    const value = valueAt(at, coding)
    const before = this.#entries.readUInt32LE(value)
    this.#entries.writeUInt32LE(sizeBytes, value)
    this.#entries.write(check, value + 4, 'hex')
    this.#count += (sizeBytes === 0 ? 0 : 1) - (before === 0 ? 0 : 1)
    this.#bytes += sizeBytes - before
  }

  #variantAt(at: number, coding: Coding): Variant | undefined {
    const value = valueAt(at, coding)
    const sizeBytes = this.#entries.readUInt32LE(value)
    if (sizeBytes === 0) return undefined
    return { coding, sizeBytes, check: this.#entries.toString('hex', value + 4, value + VALUE_BYTES) }
  }

  #variantsAt(at: number): Variant[] {
    return CODINGS.flatMap((coding) => this.#variantAt(at, coding) ?? [])
  }

  #findEntry(hash: BlobHash): number | undefined {
    if (wanted.write(hash, 'hex') !== HASH_BYTES) return undefined
    const number = this.#slots[this.#findSlot(wanted, 0)] as number
    return number === EMPTY ? undefined : (number - 1) * ENTRY_BYTES
  }

  /** Where the hash at `at` of `bytes` stands, or is to stand. */
  #findSlot(bytes: Buffer, at: number): number {
    const mask = this.#slots.length - 1
    let slot = bytes.readUInt32LE(at) & mask
    for (;;) {
      const number = this.#slots[slot] as number
      if (number === EMPTY) return slot
      const entry = (number - 1) * ENTRY_BYTES
      if (bytes.compare(this.#entries, entry, entry + HASH_BYTES, at, at + HASH_BYTES) === 0) return slot
      slot = (slot + 1) & mask
    }
  }

  #append(hash: BlobHash): number {
    if ((this.#used + 1) * ENTRY_BYTES > this.#entries.length) this.#rebuild()
    const at = this.#used * ENTRY_BYTES
    wanted.write(hash, 'hex')
    this.#slots[this.#findSlot(wanted, 0)] = ++this.#used
    wanted.copy(this.#entries, at)
    this.#entries.fill(0, at + HASH_BYTES, at + ENTRY_BYTES)
    return at
  }

  /** Leaves out what has no encodings any more, and makes room. */
  #rebuild(): void {
    const live: number[] = []
    for (let i = 0; i < this.#used; i++) if (this.#variantsAt(i * ENTRY_BYTES).length > 0) live.push(i * ENTRY_BYTES)
    let capacity = FIRST_ENTRIES
    while (capacity < live.length * 2) capacity *= 2
    const entries = Buffer.alloc(capacity * ENTRY_BYTES)
    for (const [i, at] of live.entries()) this.#entries.copy(entries, i * ENTRY_BYTES, at, at + ENTRY_BYTES)
    this.#entries = entries
    this.#slots = new Uint32Array(capacity * 2)
    this.#used = live.length
    for (let i = 0; i < live.length; i++) this.#slots[this.#findSlot(entries, i * ENTRY_BYTES)] = i + 1
  }
}

const valueAt = (entry: number, coding: Coding): number => entry + HASH_BYTES + CODINGS.indexOf(coding) * VALUE_BYTES
