import type { MemberKey } from '../ids.ts'
import { rankHolders } from '../rendezvous.ts'

/** In clusters up to this size everybody watches everybody. */
export const MAX_ALL_WATCH = 10
/** In larger ones each node is watched by so many: odd, and three of them may lie. */
export const OBSERVERS = 7

/**
 * Who watches whom: in a large cluster the first in rank (rendezvous hashing) among those that are heard, so that others take
 * over from observers that fell silent, and a node that joins moves only what becomes its own. Nodes that hear the same
 * agree without asking.
 */
export class WatchPlan {
  readonly #nodes: readonly MemberKey[]
  readonly #ranks = new Map<MemberKey, readonly MemberKey[]>()

  constructor(nodes: Iterable<MemberKey>) {
    this.#nodes = [...nodes].sort()
  }

  /** Who may tell how the target is; never the target itself. */
  observersOf(target: MemberKey, heard: ReadonlySet<MemberKey>): readonly MemberKey[] {
    if (this.#nodes.length <= MAX_ALL_WATCH) return this.#nodes.filter((key) => key !== target && heard.has(key))
    const observers: MemberKey[] = []
    for (const key of this.#rank(target)) {
      if (key !== target && heard.has(key) && observers.push(key) === OBSERVERS) break
    }
    return observers
  }

  #rank(target: MemberKey): readonly MemberKey[] {
    const known = this.#ranks.get(target)
    if (known !== undefined) return known
    const rank = rankHolders(`health\0${target}`, this.#nodes)
    this.#ranks.set(target, rank)
    return rank
  }
}
