/** Sequence numbers of the store, four bytes each, in the order in which they were added. */
export class SlotList {
  #numbers = new Uint32Array(4)
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Undefined beyond the end. */
  at(index: number): number | undefined {
    return index < this.#length ? this.#numbers[index] : undefined
  }

  push(number: number): void {
    if (this.#length === this.#numbers.length) {
      const larger = new Uint32Array(Math.ceil(this.#length * 1.5))
      larger.set(this.#numbers)
      this.#numbers = larger
    }
    this.#numbers[this.#length++] = number
  }

  /** Where a number stands first; -1 when it does not. */
  indexOf(number: number): number {
    return this.#numbers.subarray(0, this.#length).indexOf(number)
  }
}
