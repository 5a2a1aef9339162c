import { MOST } from './limits.ts'
import { Unfit } from './unfit.ts'

const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Counts what is listed, over a component and all that is in it. */
export interface Budget {
  items: number
}

/**
 * Reads a range of bytes from its start to its end. What does not stand there is an `Unfit`, never a read beyond the end.
 */
export class BinaryReader {
  readonly bytes: Uint8Array
  readonly end: number
  readonly #budget: Budget
  #at: number

  constructor(bytes: Uint8Array, budget: Budget, start = 0, end = bytes.length) {
    this.bytes = bytes
    this.#budget = budget
    this.#at = start
    this.end = end
  }

  get at(): number {
    return this.#at
  }

  get isAtEnd(): boolean {
    return this.#at >= this.end
  }

  peek(): number {
    if (this.#at >= this.end) throw this.broken('it ends too early')
    return this.bytes[this.#at] as number
  }

  byte(): number {
    const byte = this.peek()
    this.#at += 1
    return byte
  }

  /** LEB128 of at most 5 bytes, as the core specification has it: no bit beyond the 32nd. */
  u32(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte()
      if (shift === 28 && byte > 0x0f) break
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw this.broken('it has a number that is too large')
  }

  /** A signed LEB128 of 33 bits that is not negative: an index where types may stand, too. */
  index33(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte()
      value += (byte & 0x7f) * 2 ** shift
      if (byte >= 0x80) continue
      if ((byte & 0x40) !== 0 || value >= 2 ** 32) break
      return value
    }
    throw this.broken('it has an index that cannot be')
  }

  /** How many items of a list come. Each is counted, and has at least one byte. */
  count(): number {
    const count = this.u32()
    if (count > this.end - this.#at) throw this.broken('it has a list that is longer than itself')
    this.#spend(count)
    return count
  }

  /** The next section of a component or a core module: its number, and what is in it. Counted like an item of a list. */
  section(): readonly [id: number, section: BinaryReader] {
    this.#spend(1)
    return [this.byte(), this.take(this.u32())]
  }

  #spend(count: number): void {
    this.#budget.items += count
    if (this.#budget.items > MOST.items)
      throw new Unfit('too-large', `The component lists more than ${MOST.items} names, types and other items.`)
  }

  /** All items of a list, each read by `read`. */
  list<T>(read: () => T): T[] {
    const items: T[] = []
    for (let left = this.count(); left > 0; left -= 1) items.push(read())
    return items
  }

  name(): string {
    const length = this.u32()
    if (length > this.end - this.#at) throw this.broken('it has a name that is longer than itself')
    if (length > MOST.nameBytes)
      throw new Unfit('unsafe-name', `The component has a name of ${length} bytes; ${MOST.nameBytes} are the most.`)
    const start = this.#at
    this.#at += length
    try {
      return UTF_8.decode(this.bytes.subarray(start, this.#at))
    } catch (cause) {
      if (cause instanceof TypeError) throw this.broken('it has a name that is not UTF-8')
      throw cause
    }
  }

  /** The next `length` bytes, as a reader of their own, which are behind this one then. */
  take(length: number): BinaryReader {
    const start = this.#at
    if (length > this.end - start) throw this.broken('a section in it is longer than itself')
    this.#at = start + length
    return new BinaryReader(this.bytes, this.#budget, start, this.#at)
  }

  mustBeAtEnd(): void {
    if (!this.isAtEnd) throw this.broken('a section in it is longer than what is in it')
  }

  broken(why: string): Unfit {
    return new Unfit('broken', `The component cannot be read: ${why} (at byte ${this.#at}).`)
  }
}
