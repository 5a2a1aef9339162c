import type { Effects } from './effects.ts'
import type { MemberKey, OperationId } from './ids.ts'
import { compareOperations, type Stamp } from './stamp.ts'
import { type Key, type Scope, scopeOf } from './state.ts'

/** An operation as the history of a key sees it. */
export interface Toucher {
  readonly id: OperationId
  readonly author: MemberKey
  readonly stamp: Stamp
  /** The keys that it sets or removes, and the scopes that it removes whole. */
  readonly touched: readonly { readonly key: Key; readonly scope: boolean }[]
  /** Whether it counts; turns when membership does (see `reconsider`). */
  counts: boolean
}

/** One operation's effect on one key. */
export interface Touch {
  readonly by: Toucher
  /** Undefined where it removes the key. */
  readonly value: unknown
  readonly via: string | undefined
}

export function touchedBy(effects: Effects): Toucher['touched'] {
  const keys = [...effects.keys.keys()].map((key) => ({ key, scope: false }))
  const scopes = [...effects.removedScopes].map((key) => ({ key, scope: true }))
  return [...keys, ...scopes]
}

/**
 * Which operations touched each key, and which of them no later one has seen. Operations are recorded in causal order,
 * so a new one can only push others out of a frontier, never land behind one.
 */
export class Histories {
  readonly #isAncestor: (a: OperationId, b: OperationId) => boolean
  readonly #keys = new Map<Key, History>()
  readonly #keysByScope = new Map<Scope, Set<Key>>()
  readonly #removals = new Map<Scope, History>()

  constructor(isAncestor: (a: OperationId, b: OperationId) => boolean) {
    this.#isAncestor = isAncestor
  }

  /** Files the operation under every key and scope that it touches. */
  record(by: Toucher, effects: Effects): void {
    for (const [key, { value, via }] of effects.keys) this.#append(this.#history(key), { by, value, via })
    for (const scope of effects.removedScopes) {
      const removals = this.#removals.get(scope) ?? { touches: [], frontier: [] }
      this.#removals.set(scope, removals)
      this.#append(removals, { by, value: undefined, via: undefined })
    }
  }

  /** The keys whose value an operation has a say in. */
  *keysOf(by: Toucher): Generator<Key> {
    for (const { key, scope } of by.touched) {
      if (scope) yield* this.#keysByScope.get(key) ?? []
      else yield key
    }
  }

  /** To be called when `by.counts` has turned; returns the keys to look at. */
  reconsider(by: Toucher): Iterable<Key> {
    for (const { key, scope } of by.touched) {
      const history = (scope ? this.#removals : this.#keys).get(key)
      if (history !== undefined) history.frontier = undefined
    }
    return this.keysOf(by)
  }

  /** The frontier of a key, greatest first: what the first of them says is the key's value. */
  frontier(key: Key): readonly Touch[] {
    const own = this.#frontierOf(this.#keys.get(key))
    const removals = this.#frontierOf(this.#removals.get(scopeOf(key)))
    const frontier = removals.length === 0 ? own : this.#maximal([...own, ...removals])
    return frontier.length < 2 ? frontier : [...frontier].sort((a, b) => compareOperations(b.by, a.by))
  }

  /** Counted operations that touch the key or remove its scope, in total order. */
  touching(key: Key): readonly Toucher[] {
    const touches = [...(this.#keys.get(key)?.touches ?? []), ...(this.#removals.get(scopeOf(key))?.touches ?? [])]
    return [...new Set(touches.map(({ by }) => by))].filter((by) => by.counts).sort(compareOperations)
  }

  #history(key: Key): History {
    const known = this.#keys.get(key)
    if (known !== undefined) return known
    const history: History = { touches: [], frontier: [] }
    this.#keys.set(key, history)
    const scope = scopeOf(key)
    const siblings = this.#keysByScope.get(scope)
    if (siblings === undefined) this.#keysByScope.set(scope, new Set([key]))
    else siblings.add(key)
    return history
  }

  #append(history: History, touch: Touch): void {
    history.touches.push(touch)
    if (history.frontier === undefined || !touch.by.counts) return
    history.frontier = history.frontier.filter(({ by }) => !this.#isAncestor(by.id, touch.by.id))
    history.frontier.push(touch)
  }

  #frontierOf(history: History | undefined): readonly Touch[] {
    if (history === undefined) return []
    history.frontier ??= this.#maximal(history.touches.filter(({ by }) => by.counts))
    return history.frontier
  }

  /** Those that no other descends from. An operation that removes a scope and sets a key in it keeps what it set. */
  #maximal(touches: readonly Touch[]): Touch[] {
    let frontier: Touch[] = []
    for (const touch of touches) {
      if (frontier.some(({ by }) => by === touch.by || this.#isAncestor(touch.by.id, by.id))) continue
      frontier = frontier.filter(({ by }) => !this.#isAncestor(by.id, touch.by.id))
      frontier.push(touch)
    }
    return frontier
  }
}

interface History {
  /** In the order recorded. */
  readonly touches: Touch[]
  /** Undefined until it is asked for after a verdict has turned. */
  frontier: Touch[] | undefined
}
