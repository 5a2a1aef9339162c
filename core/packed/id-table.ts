import { decodeBase32Into, encodeBase32 } from '../encoding/index.ts'
import { ID_BYTES, type OperationId } from '../ids.ts'

const WORDS = ID_BYTES / 4
const FIRST_SLOTS = 32
const EMPTY = 0

/** The id that is looked for, as words. */
const wanted = new Uint32Array(WORDS)
const wantedBytes = new Uint8Array(wanted.buffer)

/**
 * A set of operation ids that numbers them as they come: 32 bytes each and some 8 to find them, where a Map of their texts
 * takes 150. Open addressing; an id is a hash, so its own first bits say where to look.
 */
export class IdTable {
  #words = new Uint32Array(FIRST_SLOTS * WORDS)
  /** Number + 1 of the id at a place, or EMPTY; a power of two of them, at most half of them taken. */
  #slots = new Uint32Array(FIRST_SLOTS * 2)
  #size = 0

  /** Throws a RangeError when an id stands twice in `bytes`, or a part of one. */
  static from(bytes: Uint8Array): IdTable {
    const table = new IdTable()
    if (bytes.length % ID_BYTES !== 0) throw new RangeError('these are no whole ids')
    for (let at = 0; at < bytes.length; at += ID_BYTES) {
      const size = table.#size
      if (table.addBytes(bytes.subarray(at, at + ID_BYTES)) !== size) throw new RangeError('an id stands here twice')
    }
    return table
  }

  get size(): number {
    return this.#size
  }

  /** Undefined for an id that is not here, and for a text that is no id. */
  indexOf(id: string): number | undefined {
    if (!readWanted(id)) return undefined
    const found = this.#slots[this.#findSlot()] as number
    return found === EMPTY ? undefined : found - 1
  }

  has(id: string): boolean {
    return this.indexOf(id) !== undefined
  }

  /** The number of the id, which it had before or gets now. Throws a RangeError for a text that is no id. */
  add(id: OperationId): number {
    if (!readWanted(id)) throw new RangeError(`${JSON.stringify(id)} is no id`)
    return this.#addWanted()
  }

  addBytes(bytes: Uint8Array): number {
    wantedBytes.set(bytes)
    return this.#addWanted()
  }

  /** The id of a number below `size`. */
  at(index: number): OperationId {
    return encodeBase32(this.bytesAt(index)) as OperationId
  }

  /** A view of its 32 bytes. */
  bytesAt(index: number): Uint8Array {
    if (index >= this.#size) throw new RangeError(`there is no id ${index}`)
    return new Uint8Array(this.#words.buffer, index * ID_BYTES, ID_BYTES)
  }

  /** In order of their numbers. */
  *[Symbol.iterator](): Generator<OperationId> {
    for (let index = 0; index < this.#size; index++) yield this.at(index)
  }

  /** All ids one after another; a view that later growth leaves as it is. */
  bytes(): Uint8Array {
    return new Uint8Array(this.#words.buffer, 0, this.#size * ID_BYTES)
  }

  #addWanted(): number {
    const slot = this.#findSlot()
    const found = this.#slots[slot] as number
    if (found !== EMPTY) return found - 1
    if ((this.#size + 1) * WORDS > this.#words.length) {
      const words = new Uint32Array(this.#words.length + (this.#words.length >> 1))
      words.set(this.#words)
      this.#words = words
    }
    this.#words.set(wanted, this.#size * WORDS)
    this.#slots[slot] = ++this.#size
    if (this.#size * 2 > this.#slots.length) this.#rehash()
    return this.#size - 1
  }

  /** The place of the wanted id, or the empty one where it belongs. */
  #findSlot(): number {
    const mask = this.#slots.length - 1
    for (let slot = (wanted[0] as number) & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot] as number
      if (entry === EMPTY || this.#isWanted(entry - 1)) return slot
    }
  }

  #isWanted(index: number): boolean {
    const from = index * WORDS
    for (let i = 0; i < WORDS; i++) if (this.#words[from + i] !== wanted[i]) return false
    return true
  }

  #rehash(): void {
    const slots = new Uint32Array(this.#slots.length * 2)
    const mask = slots.length - 1
    for (let index = 0; index < this.#size; index++) {
      let slot = (this.#words[index * WORDS] as number) & mask
      while (slots[slot] !== EMPTY) slot = (slot + 1) & mask
      slots[slot] = index + 1
    }
    this.#slots = slots
  }
}

const ID_LETTERS = 52

function readWanted(id: string): boolean {
  if (id.length !== ID_LETTERS) return false
  try {
    decodeBase32Into(id, wantedBytes)
    return true
  } catch {
    return false
  }
}
