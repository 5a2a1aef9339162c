import { NumberList } from '../packed/index.ts'
import { Pasts } from './pasts.ts'
import { buildPositions, maxPositions, type Positions, positionAt, raisePosition, wordsBeside } from './positions.ts'

const NONE = -1
/** A table may take this share of the words that are free: when few are left, small tables still find room. */
const SHARE = 8
/** Walking all of the past to build one table is paid for by as many additions as this part of all operations. */
const REBUILD_PART = 64
/** Operations that are looked at before a past is walked in order. */
const GLANCES = 32

/** Memory for tables of positions, in words of 8 bytes. */
export interface TableBudget {
  readonly baseWords: number
  readonly wordsPerOperation: number
}

const BUDGET: TableBudget = { baseWords: 1 << 20, wordsPerOperation: 32 }

/**
 * Answers "is a an ancestor of b" while operations are added in causal order. Operations go by their numbers: the first
 * that is added is 0.
 *
 * The operations are cut into chains, each a line of descent (Jagadish, "A compression technique to materialize
 * transitive closure", 1990). An operation knows, for every other chain, the last position that it descends from. One
 * that follows the end of a chain shares that knowledge with it, and a chain that was merged is taken up again by the
 * next fork, so there are about as many chains as there ever were operations concurrent at once.
 *
 * That takes constant time, and little memory unless somebody merges wide forks at random. What tables may take is
 * bounded by a budget: an operation beyond it has none, and is answered for by walking heads, in time linear in the
 * operations that were added between a and b. Answers are the same with any budget.
 */
export class Ancestry {
  readonly #headsOf: (operation: number) => readonly number[]
  readonly #budget: TableBudget
  readonly #pasts: Pasts
  /** Chain of each operation, and its position there. */
  readonly #chains = new NumberList('uint32')
  readonly #positions = new NumberList('uint32')
  /**
   * Last position that an operation descends from, by chain: exact for all chains but its own. Where there is no table,
   * a number: the operation at or before it in its chain whose past is that of all that follow it there.
   */
  readonly #below: (Positions | number)[] = []
  /** The operation that ends each chain. */
  readonly #ends: number[] = []
  /** Chains whose end was merged into another chain: a later operation may continue them. */
  readonly #merged = new Set<number>()
  #tableWords = 0
  #rebuiltAt = 0

  /** `headsOf` tells the heads of an operation that was added. */
  constructor(headsOf: (operation: number) => readonly number[], budget = BUDGET) {
    this.#headsOf = headsOf
    this.#budget = budget
    this.#pasts = new Pasts(headsOf)
  }

  get size(): number {
    return this.#below.length
  }

  /** What all tables take together, in words of 8 bytes; never more than the budget. */
  get tableWords(): number {
    return this.#tableWords
  }

  /** True for an operation that is answered for in constant time. */
  hasTable(operation: number): boolean {
    return typeof this.#below[operation] !== 'number'
  }

  /** Adds the next operation, after all of its heads. */
  add(heads: readonly number[]): void {
    const ended = heads.find((head) => this.#ends[this.#chains.at(head)] === head)
    // Along a chain nothing new is learned of others; knowing its own earlier positions as well does no harm.
    const follows = heads.length === 1 && ended !== undefined
    const known = follows ? this.#below[ended] : this.#knownBelow(heads)
    const continued = ended ?? (typeof known === 'number' ? NONE : this.#findMerged(known))
    const below = follows ? known : this.#keep(known, heads)
    for (const head of heads) {
      const chain = this.#chains.at(head)
      if (this.#ends[chain] === head) this.#merged.add(chain)
    }
    const chain = continued === NONE ? this.#ends.length : this.#chains.at(continued)
    this.#ends[chain] = this.size
    this.#merged.delete(chain)
    this.#chains.push(chain)
    this.#positions.push(continued === NONE ? 0 : this.#positions.at(continued) + 1)
    this.#below.push(below)
  }

  /** True when b descends from a. No operation is its own ancestor. */
  isAncestor(a: number, b: number): boolean {
    if (a >= b) return false
    const chain = this.#chains.at(a)
    if (chain === this.#chains.at(b)) return true
    const below = this.#below[b]
    if (typeof below !== 'number') return this.#reaches(below, a)
    return this.#glance(a, below) ?? this.#pasts.includes(a, below)
  }

  #reaches(below: Positions, a: number): boolean {
    return (positionAt(below, this.#chains.at(a)) ?? -1) >= this.#positions.at(a)
  }

  /** What a few steps along the heads of an operation tell, with the tables that are met; undefined when they do not suffice. */
  #glance(a: number, operation: number): boolean | undefined {
    const waiting = [operation]
    for (let looked = 0; waiting.length > 0; looked++) {
      if (looked === GLANCES) return undefined
      for (const head of this.#headsOf(waiting.pop() as number)) {
        if (head < a) continue
        if (this.#chains.at(head) === this.#chains.at(a)) return true
        const below = this.#below[head]
        if (typeof below !== 'number') {
          if (this.#reaches(below, a)) return true
        } else if (below > a) waiting.push(below)
      }
    }
    return false
  }

  /** The table of what has these heads; the number of the next operation where it is not to be had. */
  #knownBelow(heads: readonly number[]): Positions | number {
    let known: Positions
    for (const head of heads) {
      const table = this.#below[head]
      if (typeof table === 'number') return this.#rebuild(heads)
      known = maxPositions(known, raisePosition(table, this.#chains.at(head), this.#positions.at(head)))
    }
    return known
  }

  /** Walks all of the past, where that was paid for and its table, one word and a little for each chain, has room. */
  #rebuild(heads: readonly number[]): Positions | number {
    const due = (this.size - this.#rebuiltAt) * REBUILD_PART >= this.size
    if (!due || this.#ends.length * 2 > this.#room()) return this.size
    this.#rebuiltAt = this.size
    const last: number[] = Array.from({ length: this.#ends.length }, () => NONE)
    const marks = new Uint8Array(this.size)
    for (const head of heads) marks[head] = 1
    for (let operation = this.size - 1; operation >= 0; operation--) {
      if (marks[operation] === 0) continue
      const chain = this.#chains.at(operation)
      if (last[chain] === NONE) last[chain] = this.#positions.at(operation)
      for (const head of this.#headsOf(operation)) marks[head] = 1
    }
    return buildPositions(last)
  }

  /** The table where the budget allows for it, else the number of the next operation. */
  #keep(known: Positions | number, heads: readonly number[]): Positions | number {
    if (typeof known === 'number') return known
    const tables = heads.map((head) => this.#below[head]).filter((table) => typeof table !== 'number')
    const words = wordsBeside(known, tables)
    if (words > this.#room()) return this.size
    this.#tableWords += words
    return known
  }

  #room(): number {
    const { baseWords, wordsPerOperation } = this.#budget
    return (baseWords + wordsPerOperation * this.size - this.#tableWords) / SHARE
  }

  /** The end of a merged chain that is among what is known. Few are looked at: a chain too many costs little. */
  #findMerged(known: Positions): number {
    let attempts = 16
    for (const chain of this.#merged) {
      const end = this.#ends[chain] as number
      if (positionAt(known, chain) === this.#positions.at(end)) return end
      if (--attempts === 0) break
    }
    return NONE
  }
}
