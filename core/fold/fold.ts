import { MakiError } from '../errors.ts'
import type { MemberKey, OperationId } from '../ids.ts'
import {
  Authority,
  compileDemands,
  type Members,
  type MembershipOperation,
  type Preview,
  type PreviewDraft,
  previewDraft,
  readMembership,
  type Staged,
} from '../membership/index.ts'
import type { Operation } from '../operation/index.ts'
import { compareStamps, formatStamp, type Stamp } from '../stamp.ts'
import {
  compileEffects,
  type Effects,
  type Entry,
  type Key,
  type Scope,
  type State,
  type StateDelta,
  StateTable,
} from '../state/index.ts'
import { Ancestry } from './ancestry.ts'
import { type Digest, DigestKeeper, FOLD_VERSION } from './digest.ts'
import { Histories } from './histories.ts'
import { OperationTable } from './operation-table.ts'
import type { PackedFold, PackedFoldHead } from './packed-fold.ts'
import { type Conflict, type Fresh, type Side, Sides } from './sides.ts'
import { touchedScopes } from './touch-counts.ts'
import { Verdicts, type VoidOperation } from './verdicts.ts'

/**
 * The state as a pure function of a set of operations: whatever the order they were added in (heads first), the same
 * set gives the same state, byte for byte.
 *
 * A key's value is the greatest operation of its *frontier*: the counted operations that touch the key, or remove its
 * scope, and that no other such operation descends from. So an operation refolds the keys that it touches and nothing
 * else; only one that changes who counts looks at others.
 *
 * Inside, operations go by numbers: the first that is added is 0, so an operation's number is greater than those of its
 * heads, but says nothing of the total order, which is the same on every replica while the numbers are not. Ids stand at
 * the border. Whole operations are not kept.
 *
 * The parts, in the order in which an operation passes them: the table (who, when, after what), ancestry, authority (who
 * belongs) and verdicts (what counts), histories (which operations touch a key), sides (what they make of it), the state,
 * its digest. `test/support/fold-by-definition.ts` is the same function, word for word and slow.
 *
 * An id that was not added, where one is asked for, is a mistake in the program: a plain Error. `check` alone refuses.
 */
export class Fold {
  readonly #operations: OperationTable
  readonly #ancestry = new Ancestry((operation) => this.#operations.headsOf(operation))
  readonly #heads = new Set<number>()
  readonly #histories: Histories
  readonly #sides: Sides
  readonly #authority = new Authority((a, b) => this.isAncestor(a, b))
  readonly #verdicts: Verdicts
  readonly #table = new StateTable()
  readonly #digests: DigestKeeper

  /** Empty, or from a fold that this version of the code has packed: equal to it in all that it answers. */
  constructor(packed?: PackedFold) {
    const { head, lists } = packed ?? { head: undefined, lists: [] }
    this.#operations = new OperationTable(head?.operations, lists.slice(0, head?.operationLists))
    this.#verdicts = new Verdicts(this.#operations, this.#authority, (a, b) => this.#ancestry.isAncestor(a, b))
    this.#histories = new Histories(
      {
        isAncestor: (a, b) => this.#ancestry.isAncestor(a, b),
        counts: (operation) => this.#verdicts.counts(operation),
        compare: (a, b) => this.#operations.compare(a, b),
      },
      head?.histories,
      lists.slice(head?.operationLists),
    )
    this.#sides = new Sides(this.#operations, this.#ancestry, this.#histories)
    this.#digests = new DigestKeeper(head?.state)
    if (head !== undefined) this.#unpack(head)
  }

  get state(): State & { snapshot(): StateDelta } {
    return this.#table
  }

  /** Everybody who was ever admitted by an operation that counts, with the removals that count. */
  get members(): Members {
    return this.#authority.members
  }

  /** How many operations were added. */
  get size(): number {
    return this.#operations.size
  }

  /** The operations that were added, in that order. */
  ids(): Iterable<OperationId> {
    return this.#operations.ids
  }

  has(id: OperationId): boolean {
    return this.#operations.ids.has(id)
  }

  /** The operations that no other added one follows, in total order. */
  heads(): readonly { readonly id: OperationId; readonly stamp: Stamp }[] {
    return this.#operations.sort(this.#heads).map((operation) => {
      return { id: this.#operations.idOf(operation), stamp: this.#operations.stampOf(operation) }
    })
  }

  /** All that were added, newest first in total order, as of the first step. */
  *newestFirst(): Generator<{ readonly id: OperationId; readonly stamp: Stamp }, void, void> {
    const numbers = Uint32Array.from({ length: this.size }, (_, number) => number)
    for (const number of numbers.sort((a, b) => this.#operations.compare(b, a)))
      yield { id: this.#operations.idOf(number), stamp: this.#operations.stampOf(number) }
  }

  /** True when b descends from a; both must have been added. */
  isAncestor(a: OperationId, b: OperationId): boolean {
    return this.#ancestry.isAncestor(this.#operations.numberOf(a), this.#operations.numberOf(b))
  }

  /** Adds an operation after all of its heads; adding it again is nothing. Returns what changed in the state. */
  add(operation: Operation): StateDelta {
    if (this.has(operation.id)) return { entries: [], touches: [] }
    const demands = compileDemands(operation.changes)
    const effects = compileEffects(operation)
    const number = this.#operations.add(operation, demands)
    this.#follow(number)
    this.#digests.addOperation(this.#operations.ids.bytesAt(number))

    const dirty = new Set<Key>()
    const membership = readMembership(operation, demands)
    if (membership !== undefined) this.#refoldMembership(membership, number, dirty)
    this.#verdicts.judge(number)
    this.#histories.record(number, effects)
    for (const key of this.#histories.keysOf(number)) dirty.add(key)
    return this.#publish(dirty, this.#countTouches(effects), { number, operation, effects })
  }

  /**
   * Throws MAKI_OPERATION_REFUSED, as a function of the operation and its ancestors alone, when its author was never added in
   * its past or its stamp is not after those of its heads. The heads must have been added, or be in `staged`.
   */
  check(operation: Operation, staged: Staged = new Map()): void {
    for (const head of operation.heads) {
      const stamp = staged.get(head)?.stamp ?? this.#operations.stampOf(this.#operations.numberOf(head))
      if (compareStamps(stamp, operation.stamp) >= 0) {
        throw refused(
          `its stamp ${formatStamp(operation.stamp)} is not after that of operation ${head}, which it follows`,
        )
      }
    }
    if (operation.heads.length > 0 && !this.#authority.wasAdmitted(operation, staged)) {
      throw refused(`its author ${operation.author} was never admitted to the cluster`)
    }
  }

  /** Why an added operation does not count; undefined when it does. */
  voidReason(id: OperationId): string | undefined {
    const number = this.#operations.ids.indexOf(id)
    return number === undefined ? undefined : this.#verdicts.voidReason(number)
  }

  /** In total order. */
  voids(): readonly VoidOperation[] {
    return this.#verdicts.voids()
  }

  /** True for an added operation of a newer schema than this code knows. */
  isUnknown(id: OperationId): boolean {
    const number = this.#operations.ids.indexOf(id)
    return number !== undefined && this.#operations.isNewer(number)
  }

  /** Added operations of a newer schema than this code knows, in total order. */
  unknown(): readonly OperationId[] {
    return this.#verdicts.unknown()
  }

  /** By key. */
  conflicts(): readonly Conflict[] {
    return this.#sides.conflicts()
  }

  /** Counted operations that touch the key or remove its scope, in total order. */
  touching(key: Key): readonly OperationId[] {
    return this.#sides.touching(key)
  }

  /** Every key of a scope that was ever written, by an operation that counts or not; in no order. */
  keysIn(scope: Scope): Iterable<Key> {
    return this.#histories.keysIn(scope)
  }

  /**
   * What stands side by side at a key, greatest first: the first one is its value. One side where nothing is concurrent;
   * none for a key that no counted operation touches.
   */
  frontier(key: Key): readonly Side[] {
    return this.#sides.frontier(key)
  }

  /**
   * What the sides of a key have in common: the greatest counted operation that touches it, or removes its scope, and is
   * an ancestor of every operation in its frontier. Undefined where there is none.
   */
  mergeBase(key: Key): OperationId | undefined {
    return this.#sides.findBase(key)
  }

  /** True for a key that was admitted and not removed. */
  isMember(key: MemberKey): boolean {
    return this.#authority.isMember(key)
  }

  /** What an operation would change about who belongs and what counts; see `previewDraft`. */
  preview(draft: PreviewDraft): Preview {
    return previewDraft(draft, {
      fold: this,
      membership: this.#authority.operations,
      by: (authors) => this.#verdicts.by(authors),
    })
  }

  digest(): Digest {
    return { version: FOLD_VERSION, count: this.size, ...this.#digests.read() }
  }

  /** The fold as of now, for the constructor of a later one; later additions leave it as it is. */
  pack(): PackedFold {
    const operations = this.#operations.pack()
    const histories = this.#histories.pack()
    const head: PackedFoldHead = {
      operations: operations.head,
      histories: histories.head,
      operationLists: operations.lists.length,
      membership: [...this.#authority.operations],
      touches: this.#table.snapshot().touches,
      state: this.#digests.read().state,
    }
    return { head, lists: [...operations.lists, ...histories.lists] }
  }

  /** Works out again what follows from what was packed, membership first. */
  #unpack(head: PackedFoldHead): void {
    for (let number = 0; number < this.size; number++) {
      this.#follow(number)
      this.#digests.addOperation(this.#operations.ids.bytesAt(number))
    }
    this.#authority.record(head.membership)
    for (let number = 0; number < this.size; number++) this.#verdicts.judge(number)
    this.#histories.relink()
    const entries: [Key, Entry][] = []
    for (const key of this.#histories.keys()) {
      const entry = this.#sides.settle(key)
      if (entry !== undefined) entries.push([key, entry])
    }
    this.#table.apply({ entries, touches: head.touches })
  }

  #follow(number: number): void {
    const heads = this.#operations.headsOf(number)
    this.#ancestry.add(heads)
    for (const head of heads) this.#heads.delete(head)
    this.#heads.add(number)
  }

  /** Admits and removes, and judges again whatever it may concern; collects the keys of operations whose verdict turned. */
  #refoldMembership(membership: MembershipOperation, added: number, dirty: Set<Key>): void {
    for (const number of this.#operations.by(this.#authority.record([membership]))) {
      if (number === added || !this.#verdicts.judge(number)) continue
      for (const key of this.#histories.reconsider(number)) dirty.add(key)
    }
  }

  #countTouches(effects: Effects): StateDelta['touches'] {
    return Array.from(touchedScopes(effects), (scope) => [scope, this.#table.touches(scope) + 1] as const)
  }

  #publish(dirty: ReadonlySet<Key>, touches: StateDelta['touches'], fresh: Fresh): StateDelta {
    const entries: [Key, Entry | null][] = []
    for (const key of dirty) {
      const present = this.#table.get(key)
      const entry = this.#sides.settle(key, present, fresh)
      if (entry?.operation === present?.operation) continue
      entries.push([key, entry ?? null])
      this.#digests.replace(present, entry)
    }
    const delta = { entries, touches }
    this.#table.apply(delta)
    return delta
  }
}

function refused(why: string): MakiError {
  return new MakiError('MAKI_OPERATION_REFUSED', `the operation is refused: ${why}`)
}
