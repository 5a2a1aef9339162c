/** Lists that only grow and lie packed in memory. What was put in never changes, unless `set` says so. */

type Numbers = Uint32Array | Float64Array

const FIRST_CAPACITY = 16

/** Numbers at 4 bytes (`uint32`) or 8 bytes (`float64`) each. */
export class NumberList {
  #numbers: Numbers
  #length = 0

  constructor(kind: 'uint32' | 'float64', from?: Uint8Array) {
    const Kind = kind === 'uint32' ? Uint32Array : Float64Array
    if (from === undefined) {
      this.#numbers = new Kind(FIRST_CAPACITY)
      return
    }
    // Copied: the bytes may lie at an odd address.
    const copy = new Uint8Array(from)
    this.#numbers = new Kind(copy.buffer)
    this.#length = this.#numbers.length
  }

  get length(): number {
    return this.#length
  }

  push(value: number): void {
    if (this.#length === this.#numbers.length) this.#grow()
    this.#numbers[this.#length++] = value
  }

  /** Not checked: an index below `length` is the caller's to give, as it numbered what it put in. */
  at(index: number): number {
    return this.#numbers[index] as number
  }

  set(index: number, value: number): void {
    this.#numbers[index] = value
  }

  /** The numbers as they lie in memory, in the byte order of the machine; a view that later growth leaves as it is. */
  bytes(): Uint8Array {
    const { buffer, byteOffset, BYTES_PER_ELEMENT } = this.#numbers
    return new Uint8Array(buffer, byteOffset, this.#length * BYTES_PER_ELEMENT)
  }

  #grow(): void {
    const Kind = this.#numbers.constructor as new (length: number) => Numbers
    const next = new Kind(Math.max(FIRST_CAPACITY, this.#numbers.length + (this.#numbers.length >> 1)))
    next.set(this.#numbers)
    this.#numbers = next
  }
}

/** Longer than any one item, an operation being at most 1 MiB; an offset names the piece and the place in it. */
const PIECE_BITS = 21
const PIECE_BYTES = 1 << PIECE_BITS
const FIRST_PIECE_BYTES = 1024

/** Byte strings one after another, found by the offset that `push` gave; 4 GiB at most. */
export class BytesList {
  readonly #pieces: { bytes: Uint8Array; length: number }[] = []

  constructor(pieces: readonly Uint8Array[] = []) {
    for (const bytes of pieces) this.#pieces.push({ bytes, length: bytes.length })
  }

  /** Returns the offset of what was put in. Throws a RangeError for an item above 2 MiB, and when the list is full. */
  push(item: Uint8Array): number {
    if (item.length > PIECE_BYTES) throw new RangeError(`an item of ${item.length} bytes is too long`)
    let last = this.#pieces.at(-1)
    if (last === undefined || last.length + item.length > PIECE_BYTES) {
      last = { bytes: new Uint8Array(FIRST_PIECE_BYTES), length: 0 }
      this.#pieces.push(last)
      if (this.#pieces.length > 2 ** (32 - PIECE_BITS)) throw new RangeError('the list of bytes is full')
    }
    if (last.length + item.length > last.bytes.length) last.bytes = grown(last.bytes, last.length + item.length)
    last.bytes.set(item, last.length)
    const offset = (this.#pieces.length - 1) * PIECE_BYTES + last.length
    last.length += item.length
    return offset
  }

  /** A view. */
  at(offset: number, length: number): Uint8Array {
    const start = offset & (PIECE_BYTES - 1)
    const piece = this.#pieces[Math.floor(offset / PIECE_BYTES)]
    if (piece === undefined || start + length > piece.length)
      throw new RangeError('there are no such bytes in the list')
    return piece.bytes.subarray(start, start + length)
  }

  /** What the constructor builds the list from; views that later growth leaves as they are. */
  pieces(): readonly Uint8Array[] {
    return this.#pieces.map(({ bytes, length }) => bytes.subarray(0, length))
  }
}

function grown(bytes: Uint8Array, needed: number): Uint8Array {
  const next = new Uint8Array(Math.min(PIECE_BYTES, Math.max(needed, bytes.length * 2)))
  next.set(bytes)
  return next
}
