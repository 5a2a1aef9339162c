import { NumberList } from '../packed/index.ts'
import { maxPositions, type Positions, positionAt, raisePosition } from './positions.ts'

const NONE = -1

/**
 * Answers "is a an ancestor of b" in constant time while operations are added in causal order. Operations go by their
 * numbers: the first that is added is 0.
 *
 * The operations are cut into chains, each a line of descent (Jagadish, "A compression technique to materialize
 * transitive closure", 1990). An operation knows, for every other chain, the last position that it descends from. One
 * that follows the end of a chain shares that knowledge with it, and a chain that was merged is taken up again by the
 * next fork, so there are about as many chains as there ever were operations concurrent at once.
 */
export class Ancestry {
  /** Chain of each operation, and its position there. */
  readonly #chains = new NumberList('uint32')
  readonly #positions = new NumberList('uint32')
  /** Last position that an operation descends from, by chain. Exact for all chains but its own. */
  readonly #below: Positions[] = []
  /** The operation that ends each chain. */
  readonly #ends: number[] = []
  /** Chains whose end was merged into another chain: a later operation may continue them. */
  readonly #merged = new Set<number>()

  get size(): number {
    return this.#below.length
  }

  /** Adds the next operation, after all of its heads. */
  add(heads: readonly number[]): void {
    const known = this.#knownBelow(heads)
    let continued = heads.find((head) => this.#ends[this.#chains.at(head)] === head) ?? NONE
    if (continued === NONE) continued = this.#findMerged(known)
    for (const head of heads) {
      const chain = this.#chains.at(head)
      if (this.#ends[chain] === head) this.#merged.add(chain)
    }
    const chain = continued === NONE ? this.#ends.length : this.#chains.at(continued)
    // Along a chain nothing new is learned of others; knowing its own earlier positions as well does no harm.
    const below = heads.length === 1 && heads[0] === continued ? this.#below[continued] : known
    this.#ends[chain] = this.size
    this.#merged.delete(chain)
    this.#chains.push(chain)
    this.#positions.push(continued === NONE ? 0 : this.#positions.at(continued) + 1)
    this.#below.push(below)
  }

  /** True when b descends from a. No operation is its own ancestor. */
  isAncestor(a: number, b: number): boolean {
    const chain = this.#chains.at(a)
    if (chain === this.#chains.at(b)) return this.#positions.at(a) < this.#positions.at(b)
    return (positionAt(this.#below[b], chain) ?? -1) >= this.#positions.at(a)
  }

  #knownBelow(heads: readonly number[]): Positions {
    let known: Positions
    for (const head of heads) {
      const below = raisePosition(this.#below[head], this.#chains.at(head), this.#positions.at(head))
      known = maxPositions(known, below)
    }
    return known
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
