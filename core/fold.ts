import { Ancestry } from './ancestry.ts'
import { Authority } from './authority.ts'
import { encodeCanonical } from './codec.ts'
import { type Digest, DigestKeeper } from './digest.ts'
import { compileEffects, type Effects } from './effects.ts'
import { MakiError } from './errors.ts'
import { Histories, type Touch, type Toucher, touchedBy } from './histories.ts'
import type { MemberKey, OperationId } from './ids.ts'
import { compileDemands, type Demands, type Members, type MembershipOperation, readMembership } from './membership.ts'
import type { Operation } from './operation.ts'
import { type Preview, type PreviewDraft, previewDraft } from './preview.ts'
import { compareOperations, compareStamps, formatStamp, type Stamp } from './stamp.ts'
import {
  type Entry,
  type Key,
  type Scope,
  type State,
  type StateDelta,
  StateTable,
  scopeKind,
  scopeOf,
} from './state.ts'

/** Raised when the same operations fold to another state than before; replicas compare digests only at equal versions. */
export const FOLD_VERSION = 2

/** A key that was written on several sides: listed until an operation that has seen them touches the key. */
export interface Conflict {
  readonly key: Key
  readonly winner: Side
  readonly losers: readonly Side[]
}

export interface Side {
  readonly operation: OperationId
  readonly author: MemberKey
  readonly stamp: Stamp
  /** Undefined where this side removed the key. */
  readonly value: unknown
}

/**
 * The state as a pure function of a set of operations: whatever the order they were added in (heads first), the same
 * set gives the same state, byte for byte.
 *
 * A key's value is the greatest operation of its *frontier*: the counted operations that touch the key, or remove its
 * scope, and that no other such operation descends from. So an operation refolds the keys that it touches and nothing
 * else; only one that changes who counts looks at others.
 */
export class Fold {
  readonly #ancestry = new Ancestry()
  readonly #folded = new Map<OperationId, Folded>()
  readonly #heads = new Map<OperationId, Stamp>()
  readonly #histories = new Histories((a, b) => this.#ancestry.isAncestor(a, b))
  readonly #conflicts = new Map<Key, Conflict>()
  readonly #authority = new Authority((a, b) => this.#ancestry.isAncestor(a, b))
  readonly #table = new StateTable()
  readonly #digests = new DigestKeeper()

  get state(): State & { snapshot(): StateDelta } {
    return this.#table
  }

  get members(): Members {
    return this.#authority.members
  }

  has(id: OperationId): boolean {
    return this.#folded.has(id)
  }

  /** The operations that no other added one follows, in total order. */
  heads(): readonly { readonly id: OperationId; readonly stamp: Stamp }[] {
    return [...this.#heads].map(([id, stamp]) => ({ id, stamp })).sort(compareOperations)
  }

  /** True when b descends from a; both must have been added. */
  isAncestor(a: OperationId, b: OperationId): boolean {
    return this.#ancestry.isAncestor(a, b)
  }

  /** Adds an operation after all of its heads; adding it again is nothing. Returns what changed in the state. */
  add(operation: Operation): StateDelta {
    if (this.#folded.has(operation.id)) return { entries: [], touches: [] }
    const demands = compileDemands(operation.changes)
    const effects = compileEffects(operation)
    this.#ancestry.add(operation.id, operation.heads)
    for (const head of operation.heads) this.#heads.delete(head)
    this.#heads.set(operation.id, operation.stamp)
    const { id, author, stamp } = operation
    const folded: Folded = {
      id,
      author,
      stamp,
      demands,
      newer: operation.defect?.kind === 'newer-schema',
      fault: readFault(operation),
      counts: false,
      touched: touchedBy(effects),
      reason: undefined,
    }
    this.#folded.set(id, folded)
    this.#digests.addOperation(id)

    const dirty = new Set<Key>()
    const membership = readMembership(operation, demands)
    if (membership !== undefined) this.#refoldMembership(membership, dirty)
    this.#judge(folded)
    this.#histories.record(folded, effects)
    for (const key of this.#histories.keysOf(folded)) dirty.add(key)
    return this.#publish(dirty, this.#countTouches(effects))
  }

  /**
   * Throws MAKI_OPERATION_REFUSED, as a function of the operation and its ancestors alone, when its author was never added in
   * its past or its stamp is not after those of its heads. The heads must have been added, or be in `staged`.
   */
  check(operation: Operation, staged: ReadonlyMap<OperationId, Operation> = new Map()): void {
    for (const head of operation.heads) {
      const stamp = staged.get(head)?.stamp ?? this.#folded.get(head)?.stamp
      if (stamp === undefined) throw new Error(`operation ${head} was not added`)
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

  /** True when what `author` writes after this operation passes `check`. */
  admits(author: MemberKey, head: OperationId, staged: ReadonlyMap<OperationId, Operation>): boolean {
    return this.#authority.wasAdmitted({ author, heads: [head] }, staged)
  }

  /** Why an added operation does not count; undefined when it does. */
  voidReason(id: OperationId): string | undefined {
    const folded = this.#folded.get(id)
    return folded === undefined || folded.newer ? undefined : folded.reason
  }

  /** In total order. */
  voids(): readonly { readonly operation: OperationId; readonly reason: string }[] {
    const list: { operation: OperationId; stamp: Stamp; id: string; reason: string }[] = []
    for (const { id, stamp, reason, newer } of this.#folded.values()) {
      if (reason !== undefined && !newer) list.push({ operation: id, id, stamp, reason })
    }
    return list.sort(compareOperations).map(({ operation, reason }) => ({ operation, reason }))
  }

  /** True for an added operation of a newer schema than this code knows. */
  isUnknown(id: OperationId): boolean {
    return this.#folded.get(id)?.newer === true
  }

  /** Added operations of a newer schema than this code knows, in total order. */
  unknown(): readonly OperationId[] {
    return [...this.#folded.values()]
      .filter((folded) => folded.newer)
      .sort(compareOperations)
      .map(({ id }) => id)
  }

  /** By key. */
  conflicts(): readonly Conflict[] {
    return [...this.#conflicts.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  /** Counted operations that touch the key or remove its scope, in total order. */
  touching(key: Key): readonly OperationId[] {
    return this.#histories.touching(key).map(({ id }) => id)
  }

  /**
   * What stands side by side at a key, greatest first: the first one is its value. One side where nothing is concurrent;
   * none for a key that no counted operation touches.
   */
  frontier(key: Key): readonly Side[] {
    return this.#histories.frontier(key).map(sideOf)
  }

  /**
   * What the sides of a key have in common: the greatest counted operation that touches it, or removes its scope, and is
   * an ancestor of every operation in its frontier. Undefined where there is none.
   */
  mergeBase(key: Key): OperationId | undefined {
    const frontier = this.#histories.frontier(key)
    if (frontier.length === 0) return undefined
    const isBelowAll = (id: OperationId) => frontier.every(({ by }) => this.#ancestry.isAncestor(id, by.id))
    return this.#histories.touching(key).findLast(({ id }) => isBelowAll(id))?.id
  }

  /** True for a key that was admitted and not removed. */
  isMember(key: MemberKey): boolean {
    return this.#authority.isMember(key)
  }

  /** What an operation would change about who belongs and what counts; see `previewDraft`. */
  preview(draft: PreviewDraft): Preview {
    return previewDraft(draft, { fold: this, membership: this.#authority.operations, by: () => this.#folded.values() })
  }

  digest(): Digest {
    return { version: FOLD_VERSION, count: this.#folded.size, ...this.#digests.read() }
  }

  /** Admits and removes, and judges again whatever it may concern; collects the keys of operations whose verdict turned. */
  #refoldMembership(operation: MembershipOperation, dirty: Set<Key>): void {
    const turned = this.#authority.record(operation)
    for (const folded of this.#folded.values()) {
      if (!turned.has(folded.author) || !this.#judge(folded)) continue
      for (const key of this.#histories.reconsider(folded)) dirty.add(key)
    }
  }

  /** Returns whether the operation's verdict turned. */
  #judge(folded: Folded): boolean {
    folded.reason = folded.fault ?? this.#authority.judge(folded, folded.demands)
    const counts = folded.reason === undefined
    const turned = counts !== folded.counts
    folded.counts = counts
    return turned
  }

  #countTouches(effects: Effects): (readonly [Scope, number])[] {
    const scopes = new Set<Scope>(effects.removedScopes)
    for (const key of effects.keys.keys()) {
      const scope = scopeOf(key)
      scopes.add(scope)
      // Who gets a host name changes every zone that it lies in, also one that loses it.
      if (scopeKind(scope) === 'host') for (const zone of zonesAround(scope)) scopes.add(zone)
    }
    for (const scope of [...scopes]) scopes.add(scopeKind(scope))
    return [...scopes].map((scope) => [scope, this.#table.touches(scope) + 1] as const)
  }

  #publish(dirty: ReadonlySet<Key>, touches: StateDelta['touches']): StateDelta {
    const entries: [Key, Entry | null][] = []
    for (const key of dirty) {
      const entry = this.#settle(key)
      const present = this.#table.get(key)
      if (entry?.operation === present?.operation && entry?.value === present?.value) continue
      entries.push([key, entry ?? null])
      this.#digests.replace(present, entry)
    }
    const delta = { entries, touches }
    this.#table.apply(delta)
    return delta
  }

  /** The present value of a key; lists the conflict where there is one. */
  #settle(key: Key): Entry | undefined {
    const [winner, ...others] = this.#histories.frontier(key)
    const losers = others.filter((touch) => !sameValue(touch.value, winner?.value))
    if (winner === undefined || losers.length === 0) this.#conflicts.delete(key)
    else this.#conflicts.set(key, { key, winner: sideOf(winner), losers: losers.map(sideOf) })
    if (winner?.value === undefined) return undefined
    const { id: operation, author, stamp } = winner.by
    const via = winner.via === undefined ? {} : { via: winner.via }
    return { key, value: winner.value, operation, author, stamp, ...via }
  }
}

/** What the fold keeps of an operation. */
interface Folded extends Toucher {
  readonly demands: Demands
  readonly newer: boolean
  /** Why its changes cannot be read at all. */
  readonly fault: string | undefined
  reason: string | undefined
}

/** `host/www.example.com` lies in the domains www.example.com and example.com. */
function zonesAround(host: Scope): Scope[] {
  const labels = host.slice('host/'.length).split('.')
  return labels.slice(0, -1).map((_, i) => `domain/${labels.slice(i).join('.')}`)
}

function readFault(operation: Operation): string | undefined {
  const { defect } = operation
  if (defect === undefined) return undefined
  if (defect.kind === 'newer-schema') return `it has schema ${defect.schema}, which this version does not know`
  return `change ${defect.index} is malformed: ${defect.fault}`
}

function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (a === undefined || b === undefined) return false
  return Buffer.compare(encodeCanonical(a), encodeCanonical(b)) === 0
}

function sideOf({ by, value }: Touch): Side {
  return { operation: by.id, author: by.author, stamp: by.stamp, value }
}

function refused(why: string): MakiError {
  return new MakiError('MAKI_OPERATION_REFUSED', `the operation is refused: ${why}`)
}
