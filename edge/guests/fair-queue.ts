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
  /** The least that anybody had used who waited, when last one began. */
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
    if (known !== undefined) {
      // Who has something running but did not wait has saved up nothing either.
      if (known.waiting.length === 0) known.usedMs = Math.max(known.usedMs, this.#nowMs)
      known.waiting.push(item)
    } else this.#owners.set(owner, { waiting: [item], usedMs: this.#nowMs, running: 0 })
    this.#waiting++
  }

  /** Takes the next one, which then runs until `end`; undefined where none may begin. */
  take(): Waiting<Item> | undefined {
    let next: [string, Owner<Item>] | undefined
    let leastMs = Number.POSITIVE_INFINITY
    for (const entry of this.#owners) {
      const [, owner] = entry
      if (owner.waiting.length === 0) continue
      leastMs = Math.min(leastMs, owner.usedMs)
      if (owner.running >= this.#mostRunning) continue
      if (next === undefined || goesBefore(owner, next[1])) next = entry
    }
    if (next === undefined) return undefined
    // Whoever has all its places already counts too: it would be before a newcomer otherwise when it has one again.
    this.#nowMs = Math.max(this.#nowMs, leastMs)
    const [name, owner] = next
    const item = owner.waiting.shift() as Item
    owner.running++
    this.#waiting--
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

  /** Takes all out that wait, whoever may begin. */
  drain(): Item[] {
    const all = [...this.#owners.values()].flatMap(({ waiting }) => waiting.splice(0))
    this.#waiting = 0
    return all
  }

  /** Who asks for nothing and owes nothing is not kept. */
  #forget(name: string, owner: Owner<Item>): void {
    if (owner.running > 0 || owner.waiting.length > 0) return
    if (owner.usedMs <= this.#nowMs || this.#owners.size > MOST_REMEMBERED) this.#owners.delete(name)
  }
}

/** Of two that used the same the one that has less running, whose time is not counted yet. */
function goesBefore<Item>(one: Owner<Item>, other: Owner<Item>): boolean {
  return one.usedMs < other.usedMs || (one.usedMs === other.usedMs && one.running < other.running)
}

const MOST_REMEMBERED = 10_000
