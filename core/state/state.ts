import type { MemberKey, OperationId } from '../ids.ts'
import type { Hostname, OwnerName } from '../names.ts'
import type { ChangeOf } from '../operation/index.ts'
import type { Stamp } from '../stamp.ts'
import { type Key, type Scope, scopeOf } from './keys.ts'

export interface ClusterValue {
  readonly name: string
  readonly createdMs: number
  readonly recovery: MemberKey
}
export interface MemberValue {
  readonly name: string
  readonly role: Role
  readonly domains?: readonly Hostname[]
}
export type Role = 'recovery' | 'operator' | 'deployer' | 'node'
export interface DomainValue {
  readonly spa: boolean
  readonly onConcurrent: 'latest' | 'merge'
  readonly previews: boolean
  readonly redirect?: string
}
export interface RecordValue {
  readonly name: OwnerName
  readonly type: string
  readonly ttl: number
  /** Presentation format; empty exactly where `geo` is set. */
  readonly values: readonly string[]
  /** The set holds the address of the node that is best for who asks. */
  readonly geo?: true
}
export type ReleaseValue = Omit<ChangeOf<'release.publish'>, 'kind' | 'domain' | 'via'>
export type CertificateValue = Omit<ChangeOf<'certificate.set'>, 'kind'>
export type AccountValue = Omit<ChangeOf<'certificate.account'>, 'kind'>
export type OrderValue = Omit<ChangeOf<'certificate.order'>, 'kind'>
export type RevocationValue = Omit<ChangeOf<'certificate.revoke'>, 'kind'>
export type ChallengeValue = Pick<ChangeOf<'challenge.set'>, 'http' | 'dns' | 'untilMs'>
/** A value that only nodes can read: the epoch that it is sealed to, and the box. */
export type Sealed = CertificateValue['key']
export type FunctionValue = NonNullable<ReleaseValue['functions']>[number]
export type TransformValue = NonNullable<ReleaseValue['transforms']>[number]

/** A key's value with its provenance. */
export interface Entry<Value = unknown> {
  readonly key: Key
  readonly value: Value
  readonly operation: OperationId
  readonly author: MemberKey
  readonly stamp: Stamp
  /** The project whose `sync` wrote it; absent when a person did. */
  readonly via?: string
}

/** The fold of all counted operations, as read by projections and commands. */
export interface State {
  get(key: Key): Entry | undefined
  /** Every entry whose key lies in the scope, by key. */
  scope(scope: Scope): readonly Entry[]
  /** The ids that have entries under a kind: `ids('domain')` are the apexes. Sorted. */
  ids(kind: string): readonly string[]
  /** How many stored operations touch the scope, or a host name inside a domain; only ever grows. A kind alone (`node`) counts all its scopes. */
  touches(scope: Scope): number
}

/** What one step changed; applying every delta in order to an empty StateTable gives the state. */
export interface StateDelta {
  /** Null says that the key is gone. */
  readonly entries: readonly (readonly [Key, Entry | null])[]
  /** New absolute counts. */
  readonly touches: readonly (readonly [Scope, number])[]
}

/** The scopes that a delta touches in any way; what a projection has to look at again. */
export function changedScopes(delta: StateDelta): Set<Scope> {
  const scopes = new Set<Scope>()
  for (const [key] of delta.entries) scopes.add(scopeOf(key))
  for (const [scope] of delta.touches) scopes.add(scope)
  return scopes
}

/** State held as a table that deltas are applied to: inside the fold, and as its mirror in every edge worker. */
export class StateTable implements State {
  readonly #scopes = new Map<Scope, Map<Key, Entry>>()
  readonly #touches = new Map<Scope, number>()

  get(key: Key): Entry | undefined {
    return this.#scopes.get(scopeOf(key))?.get(key)
  }

  scope(scope: Scope): readonly Entry[] {
    const entries = this.#scopes.get(scope)
    if (entries === undefined) return []
    return [...entries.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  ids(kind: string): readonly string[] {
    const ids: string[] = []
    for (const scope of this.#scopes.keys()) {
      if (scope.startsWith(kind) && scope[kind.length] === '/') ids.push(scope.slice(kind.length + 1))
    }
    return ids.sort()
  }

  touches(scope: Scope): number {
    return this.#touches.get(scope) ?? 0
  }

  apply(delta: StateDelta): void {
    for (const [key, entry] of delta.entries) this.#put(key, entry)
    for (const [scope, count] of delta.touches) this.#touches.set(scope, count)
  }

  /** Everything, as the delta that builds it from nothing. */
  snapshot(): StateDelta {
    const entries: [Key, Entry][] = []
    for (const scope of this.#scopes.values()) for (const entry of scope.values()) entries.push([entry.key, entry])
    return { entries, touches: [...this.#touches] }
  }

  #put(key: Key, entry: Entry | null): void {
    const scope = scopeOf(key)
    const known = this.#scopes.get(scope)
    if (entry !== null) {
      if (known === undefined) this.#scopes.set(scope, new Map([[key, entry]]))
      else known.set(key, entry)
    } else if (known?.delete(key) === true && known.size === 0) this.#scopes.delete(scope)
  }
}
