/** What waits for a place: whose it is, and since when. */
export interface Waiting<Item> {
  readonly owner: string
  readonly item: Item
}

interface Owner<Item> {
  readonly waiting: Item[]
  /** Time that it used, as far as it counts: who comes back after a pause begins where the others are. */
  usedMs: number
  running: number
}

/**
 * Who is next when there are more requests than places: of the owners that wait and have not all the places that one may have,
 * the one that used the least time (start-time fair queueing, Goyal and others 1996). Who uses much waits for who uses
 * little, and not the other way round; nobody waits for ever. Pure but for its own state.
 */
export class FairQueue<Item> {
  readonly #owners = new Map<string, Owner<Item>>()
  readonly #mostRunning: number
  #waiting = 0
  /** What the last one that began had used. */
  #nowMs = 0

  /** `mostRunning` are the places that one owner may have at a time. */
  constructor(mostRunning: number) {
    this.#mostRunning = mostRunning
  }

  get size(): number {
    return this.#waiting
  }

  waitingOf(owner: string): number {
    return this.#owners.get(owner)?.waiting.length ?? 0
  }

  add(owner: string, item: Item): void {
    const known = this.#owners.get(owner)
    if (known !== undefined) known.waiting.push(item)
    else this.#owners.set(owner, { waiting: [item], usedMs: this.#nowMs, running: 0 })
    this.#waiting++
  }

  /** Takes the next one, which then runs until `end`; undefined where none may begin. */
  take(): Waiting<Item> | undefined {
    let next: [string, Owner<Item>] | undefined
    for (const entry of this.#owners) {
      const [, owner] = entry
      if (owner.waiting.length === 0 || owner.running >= this.#mostRunning) continue
      if (next === undefined || owner.usedMs < next[1].usedMs) next = entry
    }
    if (next === undefined) return undefined
    const [name, owner] = next
    const item = owner.waiting.shift() as Item
    owner.running++
    this.#waiting--
    this.#nowMs = Math.max(this.#nowMs, owner.usedMs)
    return { owner: name, item }
  }

  /** One that ran is over, after so long. */
  end(name: string, usedMs: number): void {
    const owner = this.#owners.get(name)
    if (owner === undefined) return
    owner.running--
    owner.usedMs += usedMs
    this.#forget(name, owner)
  }

  /** Takes one that waits out; false where it has begun. */
  remove(name: string, item: Item): boolean {
    const owner = this.#owners.get(name)
    const at = owner?.waiting.indexOf(item) ?? -1
    if (owner === undefined || at === -1) return false
    owner.waiting.splice(at, 1)
    this.#waiting--
    this.#forget(name, owner)
    return true
  }

  /** Who asks for nothing and owes nothing is not kept. */
  #forget(name: string, owner: Owner<Item>): void {
    if (owner.running > 0 || owner.waiting.length > 0) return
    if (owner.usedMs <= this.#nowMs || this.#owners.size > MOST_REMEMBERED) this.#owners.delete(name)
  }
}

const MOST_REMEMBERED = 10_000
