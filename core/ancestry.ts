import type { OperationId } from './ids.ts'

/**
 * Answers "is a an ancestor of b" in constant time while operations are added in causal order.
 *
 * The operations are cut into chains, each a line of descent (Jagadish, "A compression technique to materialize
 * transitive closure", 1990). An operation knows, for every other chain, the last position that it descends from. One
 * that merely follows the tip of a chain shares that knowledge with it, so a history without forks costs nothing more.
 */
export class Ancestry {
  readonly #places = new Map<OperationId, Place>()
  /** The operation that ends each chain. */
  readonly #tips: OperationId[] = []

  has(id: OperationId): boolean {
    return this.#places.has(id)
  }

  get size(): number {
    return this.#places.size
  }

  /** Adds an operation after all of its heads. */
  add(id: OperationId, heads: readonly OperationId[]): void {
    const places = heads.map((head) => this.#place(head))
    const extended = places.find((place, i) => this.#tips[place.chain] === heads[i])
    const chain = extended === undefined ? this.#tips.length : extended.chain
    const position = extended === undefined ? 0 : extended.position + 1
    this.#tips[chain] = id
    this.#places.set(id, { chain, position, below: mergeBelow(chain, places) })
  }

  /** True when b descends from a. No operation is its own ancestor. */
  isAncestor(a: OperationId, b: OperationId): boolean {
    const place = this.#place(a)
    const later = this.#place(b)
    if (place.chain === later.chain) return place.position < later.position
    return (later.below.get(place.chain) ?? -1) >= place.position
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
  /** Last position that the operation descends from, by chain; its own chain is left out. */
  readonly below: ReadonlyMap<number, number>
}

const NOTHING: ReadonlyMap<number, number> = new Map()

function mergeBelow(chain: number, places: readonly Place[]): ReadonlyMap<number, number> {
  const [only] = places
  if (only === undefined) return NOTHING
  if (places.length === 1 && only.chain === chain) return only.below
  const below = new Map(only.below)
  const raise = (other: number, position: number) => {
    if (other !== chain && (below.get(other) ?? -1) < position) below.set(other, position)
  }
  for (const place of places) {
    raise(place.chain, place.position)
    for (const [other, position] of place.below) raise(other, position)
  }
  below.delete(chain)
  return below
}
