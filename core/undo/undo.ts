import { encodeCanonical } from '../encoding/index.ts'
import type { Side } from '../fold/index.ts'
import type { OperationId } from '../ids.ts'
import type { Hostname } from '../names.ts'
import type { Change, Operation } from '../operation/index.ts'
import {
  changeFor,
  compileEffects,
  type Effects,
  type Entry,
  findKeyParts,
  type Key,
  keys,
  parseKey,
  type ReleaseValue,
  scopeOf,
} from '../state/index.ts'
import {
  listUndoKeys,
  type SkippedKey,
  type SkipReason,
  type UndoFold,
  type UndoPlan,
  type Written,
} from './undo-plan.ts'
import { requireUndoable } from './undoable.ts'

/**
 * Compiles the taking back of one operation to explicit changes (DESIGN section 3): each key whose present writer is that
 * operation becomes what it would be without it (`before`), in values; what others decide by now is skipped and named.
 * A release goes back as a rollback to the one before. Undo of an undo is a redo.
 *
 * Restored values carry the project that wrote them, as they did; but where that project itself wrote what is taken back,
 * they carry none: the next sync of the same files would write it again, so it leaves what a person put back. A domain
 * that comes back whole is the project's again.
 *
 * Host names that no living domain claims are not looked at: such a claim has no effect, and is never taken away.
 *
 * Throws MAKI_OPERATION_REFUSED for what is not taken back in this way: membership, seals, certificates, purges.
 */
export function compileUndo(
  operation: Operation,
  present: UndoFold,
  before: (key: Key) => Written | undefined,
): UndoPlan {
  requireUndoable(operation)
  const compiler = new UndoCompiler(operation, present, before)
  compiler.collect()
  compiler.settleDomains()
  compiler.settleReleases()
  compiler.settleAliases()
  return compiler.build()
}

class UndoCompiler {
  readonly #id: OperationId
  readonly #operation: Operation
  readonly #effects: Effects
  readonly #present: UndoFold
  readonly #before: (key: Key) => Written | undefined
  /** What each key becomes; undefined: absent. */
  readonly #targets = new Map<Key, Written | undefined>()
  readonly #skipped: SkippedKey[] = []
  /** Domains that go whole, each with what was in it before: that stays. */
  readonly #removed = new Map<Hostname, readonly Entry[]>()

  constructor(operation: Operation, present: UndoFold, before: (key: Key) => Written | undefined) {
    this.#id = operation.id
    this.#operation = operation
    this.#effects = compileEffects(operation)
    this.#present = present
    this.#before = before
  }

  collect(): void {
    for (const key of listUndoKeys(this.#operation, this.#present)) {
      const top = this.#present.frontier(key)[0]
      if (top === undefined) continue
      const kind = findKeyParts(key)?.kind
      if (top.operation !== this.#id) {
        // Claims follow their aliases, which are named; what was away before and is away now is no news.
        const isNews = this.#effects.keys.has(key) || top.value !== undefined
        if (isNews && kind !== 'host') this.#skip(key, 'rewritten', top.operation)
        continue
      }
      const was = this.#before(key)
      if (isSame(top.value, was?.value)) continue
      if (kind === 'purge' || (kind === 'node-field' && (was?.value === undefined || key.endsWith('/schema'))))
        this.#skip(key, 'fixed')
      else if (kind !== 'host' || was?.value !== undefined) this.#targets.set(key, was)
    }
  }

  /** A domain that the operation set up goes again, unless others wrote in it since: that would go with it. */
  settleDomains(): void {
    for (const [key, target] of [...this.#targets]) {
      const parts = parseKey(key)
      if (parts.kind !== 'domain' || target?.value !== undefined) continue
      const others = [...this.#present.keysIn(key)].sort().flatMap((other) => this.#othersAt(other) ?? [])
      const later = others.find(({ operation }) => !this.#present.isAncestor(operation, this.#id))
      if (later !== undefined) {
        this.#targets.delete(key)
        this.#skip(key, 'inhabited', later.operation)
        continue
      }
      const kept = this.#present.state.scope(key).filter((entry) => !this.#targets.has(entry.key))
      this.#removed.set(parts.domain, kept)
    }
  }

  settleReleases(): void {
    for (const [key, target] of [...this.#targets]) {
      const parts = parseKey(key)
      if (parts.kind !== 'release' || this.#removed.has(parts.domain)) continue
      if (target?.value === undefined) {
        this.#targets.delete(key)
        this.#skip(key, 'first-release')
        continue
      }
      const purge = this.#present.frontier(keys.purge(parts.domain)).find((side) => this.#isPurged(target, side))
      if (purge === undefined) continue
      this.#targets.delete(key)
      this.#skip(key, 'purged', purge.operation)
    }
  }

  /** An alias comes back unless another domain answers for the host by now. */
  settleAliases(): void {
    for (const [key, target] of [...this.#targets]) {
      const parts = parseKey(key)
      if (parts.kind !== 'alias' || target?.value === undefined) continue
      const claim = this.#projected(keys.host(parts.host)) as { domain: Hostname } | undefined
      if (claim === undefined || claim.domain === parts.domain || !this.#holds(claim.domain, parts.host)) continue
      const claimer = this.#present.state.get(keys.host(parts.host))?.operation
      // It had the host before too: then all is as it was.
      if (claimer === undefined || claimer === this.#id || this.#present.isAncestor(claimer, this.#id)) continue
      this.#targets.delete(key)
      this.#skip(key, 'claimed', claimer)
    }
  }

  build(): UndoPlan {
    const changes: Change[] = []
    for (const [domain, kept] of this.#removed) {
      changes.push({ kind: 'domain.remove', domain })
      for (const { key, value, via } of kept) {
        // Said again it would reach further: all that was published since.
        if (parseKey(key).kind !== 'purge') changes.push(requireChange(key, value, via))
      }
    }
    // A domain before what is in it: it reads better, and the order changes nothing.
    const order = [...this.#targets].sort(([a], [b]) => rankOf(a) - rankOf(b) || (a < b ? -1 : 1))
    for (const [key, target] of order) {
      const parts = parseKey(key)
      if (parts.kind === 'host') continue
      if (target?.value === undefined && scopeOf(key) !== key && this.#isRemoved(key)) continue
      if (parts.kind === 'domain' && this.#removed.has(parts.domain)) continue
      changes.push(requireChange(key, this.#restoredValue(key, target), this.#viaOf(key, target)))
    }
    changes.push(...this.#claimHosts(changes))
    const restored = order.flatMap(([key, target]) =>
      parseKey(key).kind === 'host'
        ? []
        : [{ key, from: this.#present.state.get(key)?.value, to: this.#restoredValue(key, target) }],
    )
    return {
      changes: joinUpdates(changes),
      restored: restored.sort((a, b) => (a.key < b.key ? -1 : 1)),
      skipped: this.#skipped.sort((a, b) => (a.key < b.key ? -1 : 1)),
    }
  }

  /** What aliases and domains claim by being written has to be what it was, also where another had it. */
  #claimHosts(changes: readonly Change[]): Change[] {
    const { author, stamp } = this.#operation
    const effects = compileEffects({ author, stamp, changes })
    const hosts = new Set([...effects.keys.keys(), ...this.#targets.keys()].filter((key) => key.startsWith('host/')))
    const more: Change[] = []
    for (const key of [...hosts].sort()) {
      const parts = parseKey(key)
      const wanted = this.#projected(key) as { domain: Hostname } | undefined
      if (parts.kind !== 'host' || wanted === undefined || !this.#holds(wanted.domain, parts.host)) continue
      const written = effects.keys.get(key)
      const comes = written === undefined ? this.#present.state.get(key)?.value : written.value
      if (isSame(comes, wanted)) continue
      const owner = wanted.domain === parts.host ? keys.domain(wanted.domain) : keys.alias(wanted.domain, parts.host)
      const entry = this.#targets.has(owner) ? undefined : this.#present.state.get(owner)
      const via = entry === undefined ? this.#viaOf(owner, this.#targets.get(owner)) : entry.via
      const state = { get: (asked: Key) => ({ value: this.#projected(asked) }) as Entry }
      const change = changeFor(key, wanted, { via, state })
      if (change !== undefined) more.push(change)
    }
    return more
  }

  /** Who decides a key of a domain, where that is another operation: one with a value, or with a conflict. */
  #othersAt(key: Key): { readonly key: Key; readonly operation: OperationId } | undefined {
    const [top, ...rest] = this.#present.frontier(key)
    if (top === undefined || top.operation === this.#id) return undefined
    return top.value === undefined && rest.length === 0 ? undefined : { key, operation: top.operation }
  }

  #isPurged(target: Written, purge: Side): boolean {
    const { keep } = (purge.value ?? {}) as { keep?: OperationId }
    if (keep === undefined) return false
    const origin = (target.value as ReleaseValue).rollbackOf
    if (target.operation === keep || (origin !== undefined && origin === keep)) return false
    return this.#present.isAncestor(target.operation, purge.operation)
  }

  #projected(key: Key): unknown {
    if (this.#targets.has(key)) return this.#targets.get(key)?.value
    const entry = this.#present.state.get(key)
    return entry === undefined || (this.#isRemoved(key) && entry.operation === this.#id) ? undefined : entry.value
  }

  /** Whether a domain answers for a host once all is done. */
  #holds(domain: Hostname, host: Hostname): boolean {
    if (this.#projected(keys.domain(domain)) === undefined) return false
    return domain === host || this.#projected(keys.alias(domain, host)) !== undefined
  }

  #isRemoved(key: Key): boolean {
    const scope = scopeOf(key)
    return scope.startsWith('domain/') && this.#removed.has(scope.slice('domain/'.length) as Hostname)
  }

  #restoredValue(key: Key, target: Written | undefined): unknown {
    if (target?.value === undefined || parseKey(key).kind !== 'release') return target?.value
    const release = target.value as ReleaseValue
    return { ...release, rollbackOf: release.rollbackOf ?? target.operation }
  }

  #viaOf(key: Key, target: Written | undefined): string | undefined {
    if (target?.value === undefined) return undefined
    if (this.#effects.removedScopes.has(scopeOf(key))) return target.via
    const undone = this.#effects.keys.get(key)?.via
    return undone === target.via ? undefined : target.via
  }

  #skip(key: Key, reason: SkipReason, by?: OperationId): void {
    this.#skipped.push({ key, reason, by })
  }
}

function isSame(a: unknown, b: unknown): boolean {
  if (a === undefined || b === undefined) return a === b
  return Buffer.compare(encodeCanonical(a), encodeCanonical(b)) === 0
}

const rankOf = (key: Key): number => (parseKey(key).kind === 'domain' ? 0 : 1)

function requireChange(key: Key, value: unknown, via: string | undefined): Change {
  const change = changeFor(key, value, { via })
  if (change === undefined) throw new Error(`no change says ${key}`)
  return change
}

/** Fields of one node in one change. */
function joinUpdates(changes: readonly Change[]): readonly Change[] {
  const joined: Change[] = []
  for (const change of changes) {
    const last = joined.at(-1)
    if (change.kind === 'node.update' && last?.kind === 'node.update' && last.key === change.key)
      joined[joined.length - 1] = { ...last, set: { ...last.set, ...change.set } }
    else joined.push(change)
  }
  return joined
}
