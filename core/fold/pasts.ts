/** How many pasts are kept, at a byte for each operation before them. */
const KEPT = 4

/**
 * The pasts of a few operations, found by walking heads: for operations without a table of positions. A past is walked
 * from its newest operation down, once and only as far as was asked, so that many questions about one operation together
 * cost no more than there are operations.
 */
export class Pasts {
  readonly #headsOf: (operation: number) => readonly number[]
  /** By the operation whose past it is; the one that was asked for last is the last. */
  readonly #pasts = new Map<number, Past>()

  constructor(headsOf: (operation: number) => readonly number[]) {
    this.#headsOf = headsOf
  }

  /** True when `operation` descends from a. */
  includes(a: number, operation: number): boolean {
    if (a >= operation) return false
    const past = this.#pasts.get(operation) ?? new Past(operation, this.#headsOf)
    this.#pasts.delete(operation)
    this.#pasts.set(operation, past)
    if (this.#pasts.size > KEPT) this.#pasts.delete(this.#pasts.keys().next().value as number)
    return past.includes(a)
  }
}

class Past {
  readonly #headsOf: (operation: number) => readonly number[]
  readonly #marks: Uint8Array
  /** The heads of all that belong to the past and are not before this one are marked. */
  #walkedTo: number

  constructor(operation: number, headsOf: (operation: number) => readonly number[]) {
    this.#headsOf = headsOf
    this.#marks = new Uint8Array(operation)
    this.#walkedTo = operation
    for (const head of headsOf(operation)) this.#marks[head] = 1
  }

  includes(a: number): boolean {
    // Heads come first, so whatever marks an operation has a greater number.
    while (this.#walkedTo > a + 1) {
      this.#walkedTo--
      if (this.#marks[this.#walkedTo] === 0) continue
      for (const head of this.#headsOf(this.#walkedTo)) this.#marks[head] = 1
    }
    return this.#marks[a] === 1
  }
}
