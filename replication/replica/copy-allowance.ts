/** What each link may bring beside as many copies as there are operations, twice over. */
const BASE = 16_384
/** Links that are remembered; those that brought copies last. */
const MAX_LINKS = 256

/**
 * How much of the document's room for further slots of known operations each link took. An honest peer tells of a copy
 * once, and after the worst, the loss of its index, of one for each operation; who brings more floods.
 */
export class CopyAllowance {
  readonly #taken = new Map<number, number>()

  /** Notes what an update of this link took. */
  note(link: number, copies: number): void {
    if (copies === 0) return
    const before = this.#taken.get(link) ?? 0
    this.#taken.delete(link)
    this.#taken.set(link, before + copies)
    for (const oldest of this.#taken.keys()) {
      if (this.#taken.size <= MAX_LINKS) return
      this.#taken.delete(oldest)
    }
  }

  /** Whether a link took more than its part. */
  isSpent(link: number, operations: number): boolean {
    return (this.#taken.get(link) ?? 0) > BASE + 2 * operations
  }
}
