import type { MemberKey, OperationId } from '../ids.ts'
import type { Operation } from '../operation/index.ts'
import type { Stamp } from '../stamp.ts'
import type { Effects, Entry, Key } from '../state/index.ts'
import type { Ancestry } from './ancestry.ts'
import type { Histories } from './histories.ts'
import type { OperationTable } from './operation-table.ts'

/** A key that was written on several sides: listed until an operation that has seen them touches the key. */
export interface Conflict {
  readonly key: Key
  readonly winner: Side
  readonly losers: readonly Side[]
}

/** What one operation makes of a key. */
export interface Side {
  readonly operation: OperationId
  readonly author: MemberKey
  readonly stamp: Stamp
  /** Undefined where this side removed the key. */
  readonly value: unknown
}

/** The operation that is being added: what it sets need not be decoded again. */
export interface Fresh {
  readonly number: number
  readonly operation: Operation
  readonly effects: Effects
}

/** Reads keys out of their histories: the value, the sides that stand beside it, and where they part. */
export class Sides {
  readonly #operations: OperationTable
  readonly #ancestry: Ancestry
  readonly #histories: Histories
  readonly #conflicted = new Set<Key>()
  /** As it was asked for, until it changes. */
  #conflicts: readonly Conflict[] | undefined

  constructor(operations: OperationTable, ancestry: Ancestry, histories: Histories) {
    this.#operations = operations
    this.#ancestry = ancestry
    this.#histories = histories
  }

  /** The value of a key, which may be the `present` one; notes whether the key is in conflict. */
  settle(key: Key, present?: Entry, fresh?: Fresh): Entry | undefined {
    const frontier = this.#histories.frontier(key)
    const winner = frontier[0]
    this.#note(key, frontier)
    if (winner === undefined) return undefined
    const by = this.#histories.by(winner)
    if (by === fresh?.number) {
      const effect = fresh.effects.keys.get(key)
      return effect?.value === undefined ? undefined : buildEntry(key, fresh.operation, effect)
    }
    const id = this.#operations.idOf(by)
    // One operation says one thing of a key.
    if (present?.operation === id) return present
    const effect = this.#histories.effect(winner)
    if (effect.value === undefined) return undefined
    const author = this.#operations.authorOf(by)
    return buildEntry(key, { id, author, stamp: this.#operations.stampOf(by) }, effect)
  }

  /** By key. */
  conflicts(): readonly Conflict[] {
    this.#conflicts ??= [...this.#conflicted].sort().map((key) => {
      const [winner, ...others] = this.#histories.frontier(key) as [number, ...number[]]
      const losers = others.filter((touch) => !this.#histories.agree(touch, winner))
      return { key, winner: this.#sideOf(winner), losers: losers.map((touch) => this.#sideOf(touch)) }
    })
    return this.#conflicts
  }

  /** Greatest first. */
  frontier(key: Key): readonly Side[] {
    return this.#histories.frontier(key).map((touch) => this.#sideOf(touch))
  }

  /** The greatest counted operation that touches the key and is an ancestor of its whole frontier. */
  findBase(key: Key): OperationId | undefined {
    let common = [...this.#histories.touching(key)]
    // Side by side: many questions about one operation are cheaper than one about each of many.
    for (const touch of this.#histories.frontier(key)) {
      const side = this.#histories.by(touch)
      common = common.filter((number) => this.#ancestry.isAncestor(number, side))
    }
    let base: number | undefined
    for (const number of common) {
      if (base === undefined || this.#operations.compare(number, base) > 0) base = number
    }
    return base === undefined ? undefined : this.#operations.idOf(base)
  }

  /** Counted operations that touch the key, in total order. */
  touching(key: Key): readonly OperationId[] {
    return this.#operations.sort(this.#histories.touching(key)).map((number) => this.#operations.idOf(number))
  }

  #note(key: Key, frontier: readonly number[]): void {
    const [winner, ...others] = frontier
    const inConflict = winner !== undefined && others.some((touch) => !this.#histories.agree(touch, winner))
    if (inConflict) this.#conflicted.add(key)
    else if (!this.#conflicted.delete(key)) return
    this.#conflicts = undefined
  }

  #sideOf(touch: number): Side {
    const by = this.#histories.by(touch)
    const { value } = this.#histories.effect(touch)
    const operation = this.#operations.idOf(by)
    return { operation, author: this.#operations.authorOf(by), stamp: this.#operations.stampOf(by), value }
  }
}

function buildEntry(
  key: Key,
  { id, author, stamp }: Pick<Operation, 'id' | 'author' | 'stamp'>,
  { value, via }: { readonly value: unknown; readonly via: string | undefined },
): Entry {
  const entry = { key, value, operation: id, author, stamp }
  return via === undefined ? entry : { ...entry, via }
}
