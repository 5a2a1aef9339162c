/** Lets works of one line come to their end in the order in which they began, however long each takes. */
export class Turns {
  /** The last of each line. */
  readonly #tails = new Map<unknown, Promise<void>>()

  /** Takes a place in the line; resolve `end` whatever happens, or nobody comes after. */
  take(line: unknown): { readonly come: Promise<void>; end(): void } {
    const come = this.#tails.get(line) ?? Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    const tail = come.then(() => promise)
    this.#tails.set(line, tail)
    const end = () => {
      resolve()
      void tail.then(() => this.#tails.get(line) === tail && this.#tails.delete(line))
    }
    return { come, end }
  }

  /** Resolves when nobody is in any line. */
  async idle(): Promise<void> {
    while (this.#tails.size > 0) await Promise.all(this.#tails.values())
  }
}
