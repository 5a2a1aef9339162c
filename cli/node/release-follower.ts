import {
  type Cancel,
  changedScopes,
  type DomainValue,
  findRelease,
  type Hostname,
  isMergeable,
  keys,
  type Log,
  type MergePlan,
  type OperationId,
  type Release,
  type ReleaseValue,
  type Runtime,
  type StateDelta,
  scopeKind,
  sidesOf,
} from '../../core/index.ts'
import { type Activation, findMergePlan, type ReleaseHistory, type Replica } from '../../replication/index.ts'
import type { Edge } from './edge-messages.ts'

/** A worker that failed to read a manifest may have met a disk that was busy or full. */
const RETRY_MS = 5000

/** What of a replica says what to serve, and whether it may lack something that it once knew. */
export type FollowedReplica = ReleaseHistory &
  Pick<Replica, 'damaged'> & { readonly fold: Pick<Replica['fold'], 'has'> }

/**
 * Carries releases from the state to the edge: tells the activation which release wins, and the edge which is whole.
 * `served` is what every worker has switched to. While operations may be lost, what is served gives way only to what is
 * known to follow it.
 */
export class ReleaseFollower implements Disposable {
  readonly #activation: Pick<Activation, 'active' | 'winner' | 'events'>
  readonly #edge: Pick<Edge, 'activate'>
  readonly #log: Log
  readonly #served = new Map<Hostname, OperationId>()
  readonly #changed: () => void
  readonly #runtime: Pick<Runtime, 'after'>
  readonly #retries = new Map<Hostname, Cancel>()
  /** The latest decision on each domain; an earlier one that comes late has lost. */
  readonly #decisions = new Map<Hostname, symbol>()
  /** Domains that serve what the state here does not say, since it may lack what did. */
  readonly #kept = new Set<Hostname>()
  readonly #unsubscribe: () => void
  #disposed = false

  constructor(ports: {
    activation: Pick<Activation, 'active' | 'winner' | 'events'>
    edge: Pick<Edge, 'activate'>
    log: Log
    runtime: Pick<Runtime, 'after'>
    changed: () => void
  }) {
    this.#activation = ports.activation
    this.#edge = ports.edge
    this.#log = ports.log
    this.#runtime = ports.runtime
    this.#changed = ports.changed
    this.#unsubscribe = this.#activation.events.on(
      'active',
      ({ domain, release }) => void this.#switch(domain, release),
    )
  }

  /** Serves what was served before a restart, then follows the state. */
  async begin(replica: FollowedReplica): Promise<void> {
    await Promise.all([...this.#activation.active()].map(([domain, release]) => this.#switch(domain, release)))
    for (const domain of new Set([...this.#activation.active().keys(), ...listDomainIds(replica)]))
      this.#decide(replica, domain)
  }

  follow(replica: FollowedReplica, delta: StateDelta): void {
    const domains = new Set<Hostname>()
    for (const scope of changedScopes(delta)) {
      // The scope of all domains together names none.
      if (scopeKind(scope) === 'domain' && scope.includes('/')) domains.add(scope.slice('domain/'.length) as Hostname)
      // Who is removed may take a side of a merge along, which changes no key.
      if (scopeKind(scope) === 'member')
        for (const domain of listDomainIds(replica)) if (isMerging(replica, domain)) domains.add(domain)
    }
    for (const domain of domains) this.#decide(replica, domain)
  }

  /** To be called when the replica has again all that it lost. */
  recovered(replica: FollowedReplica): void {
    const domains = [...this.#kept]
    this.#kept.clear()
    for (const domain of domains) this.#decide(replica, domain)
  }

  /** Tells the activation what the domain is to serve; of a merge once its base is known. */
  #decide(replica: FollowedReplica, domain: Hostname): void {
    const decision = Symbol(domain)
    this.#decisions.set(domain, decision)
    const isLive = replica.state.get(keys.domain(domain)) !== undefined
    const winner = (isLive ? findRelease(replica.state, domain) : undefined) ?? null
    const frontier = replica.frontier(keys.release(domain))
    const sides = frontier.map(({ value }) => value as ReleaseValue | undefined)
    const merges = winner !== null && isMerging(replica, domain) && isMergeable(sides)
    const ids = merges ? frontier.map(({ operation }) => operation) : winner === null ? [] : [winner.id]
    if (this.#mustKeep(replica, domain, ids)) return
    if (!merges) {
      this.#activation.winner(domain, winner)
      return
    }
    void this.#planMerge(replica, domain).then((plan) => {
      if (this.#disposed || this.#decisions.get(domain) !== decision) return
      this.#activation.winner(domain, plan ?? winner)
    })
  }

  /** True where what is served may be newer than all that is left here. */
  #mustKeep(replica: FollowedReplica, domain: Hostname, next: readonly OperationId[]): boolean {
    const active = this.#activation.active().get(domain)
    const follows = (id: OperationId) =>
      next.some((one) => one === id || (replica.fold.has(id) && replica.isAncestor(id, one)))
    if (replica.damaged === undefined || active === undefined || (sidesOf(active) ?? [active.id]).every(follows)) {
      this.#kept.delete(domain)
      return false
    }
    if (!this.#kept.has(domain)) this.#log.warn('release.kept', { domain, release: active.id })
    this.#kept.add(domain)
    return true
  }

  async #planMerge(replica: ReleaseHistory, domain: Hostname): Promise<MergePlan | undefined> {
    try {
      return await findMergePlan(replica, domain)
    } catch (error) {
      this.#log.error('release.merge-failed', { domain, error })
      return undefined
    }
  }

  /** The release that each domain serves here, oldest switch first. */
  get served(): ReadonlyMap<Hostname, OperationId> {
    return this.#served
  }

  /** Of the domains that serve a merge here: the releases that it was made from, greatest first. */
  get merged(): ReadonlyMap<Hostname, readonly OperationId[]> {
    const merged = new Map<Hostname, readonly OperationId[]>()
    for (const [domain, id] of this.#served) {
      const release = this.#activation.active().get(domain)
      const sides = release?.id === id ? sidesOf(release) : undefined
      if (sides !== undefined) merged.set(domain, sides)
    }
    return merged
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    this.#unsubscribe()
    for (const cancel of this.#retries.values()) cancel()
  }

  async #switch(domain: Hostname, release: Release | null): Promise<void> {
    try {
      await this.#edge.activate(domain, release)
    } catch (error) {
      // An edge that is being closed refuses what was under way.
      if (this.#disposed) return
      this.#log.error('release.switch-failed', { domain, release: release?.id, error })
      this.#retries.get(domain)?.()
      this.#retries.set(
        domain,
        this.#runtime.after(RETRY_MS, () => this.#retry(domain)),
      )
      return
    }
    // A later switch of the domain may have overtaken this one; the activation knows which one is meant.
    if (this.#activation.active().get(domain)?.id !== release?.id) return
    this.#served.delete(domain)
    if (release !== null) this.#served.set(domain, release.id)
    this.#changed()
  }

  #retry(domain: Hostname): void {
    this.#retries.delete(domain)
    void this.#switch(domain, this.#activation.active().get(domain) ?? null)
  }
}

const listDomainIds = ({ state }: ReleaseHistory): readonly Hostname[] => state.ids('domain') as Hostname[]

function isMerging({ state }: ReleaseHistory, domain: Hostname): boolean {
  const settings = state.get(keys.domain(domain))?.value as DomainValue | undefined
  return settings?.onConcurrent === 'merge'
}
