import type { OperationId } from './ids.ts'
import { maxPositions, type Positions, positionAt, raisePosition } from './positions.ts'

/**
 * Answers "is a an ancestor of b" in constant time while operations are added in causal order.
 *
 * The operations are cut into chains, each a line of descent (Jagadish, "A compression technique to materialize
 * transitive closure", 1990). An operation knows, for every other chain, the last position that it descends from. One
 * that follows the end of a chain shares that knowledge with it, and a chain that was merged is taken up again by the
 * next fork, so there are about as many chains as there ever were operations concurrent at once.
 */
export class Ancestry {
  readonly #places = new Map<OperationId, Place>()
  /** The place that ends each chain. */
  readonly #ends: Place[] = []
  /** Chains whose end was merged into another chain: a later operation may continue them. */
  readonly #merged = new Set<number>()

  has(id: OperationId): boolean {
    return this.#places.has(id)
  }

  get size(): number {
    return this.#places.size
  }

  /** Adds an operation after all of its heads. */
  add(id: OperationId, heads: readonly OperationId[]): void {
    const places = heads.map((head) => this.#place(head))
    const known = places
      .map((place) => raisePosition(place.below, place.chain, place.position))
      .reduce(maxPositions, undefined)
    const continued = places.find((place) => this.#ends[place.chain] === place) ?? this.#findMerged(known)
    for (const place of places) if (this.#ends[place.chain] === place) this.#merged.add(place.chain)
    const chain = continued?.chain ?? this.#ends.length
    const only = places.length === 1 ? places[0] : undefined
    // Along a chain nothing new is learned of others; knowing its own earlier positions as well does no harm.
    const below = only !== undefined && only === continued ? only.below : known
    const place: Place = { chain, position: (continued?.position ?? -1) + 1, below }
    this.#ends[chain] = place
    this.#merged.delete(chain)
    this.#places.set(id, place)
  }

  /** True when b descends from a. No operation is its own ancestor. */
  isAncestor(a: OperationId, b: OperationId): boolean {
    const place = this.#place(a)
    const later = this.#place(b)
    if (place.chain === later.chain) return place.position < later.position
    return (positionAt(later.below, place.chain) ?? -1) >= place.position
  }

  /** A merged chain whose end is among what is known. Few are looked at: a chain too many costs little. */
  #findMerged(known: Positions): Place | undefined {
    let attempts = 16
    for (const chain of this.#merged) {
      const end = this.#ends[chain] as Place
      if (positionAt(known, chain) === end.position) return end
      if (--attempts === 0) return undefined
    }
    return undefined
  }

  #place(id: OperationId): Place {
    const place = this.#places.get(id)
    if (place === undefined) throw new Error(`operation ${id} was not added`)
    return place
  }
}

interface Place {
  readonly chain: number
  readonly position: number
  /** Last position that the operation descends from, by chain. Exact for all chains but its own. */
  readonly below: Positions
}
