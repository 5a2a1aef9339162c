import {
  type Cancel,
  changedScopes,
  findRelease,
  type Hostname,
  type Log,
  listDomains,
  type OperationId,
  type Release,
  type Runtime,
  type StateDelta,
  scopeKind,
} from '../../core/index.ts'
import type { Activation, Replica } from '../../replication/index.ts'
import type { Edge } from './edge-messages.ts'

/** A worker that failed to read a manifest may have met a disk that was busy or full. */
const RETRY_MS = 5000

/**
 * Carries releases from the state to the edge: tells the activation which release wins, and the edge which is whole.
 * `served` is what every worker has switched to.
 */
export class ReleaseFollower implements Disposable {
  readonly #activation: Pick<Activation, 'active' | 'winner' | 'winners' | 'events'>
  readonly #edge: Pick<Edge, 'activate'>
  readonly #log: Log
  readonly #served = new Map<Hostname, OperationId>()
  readonly #changed: () => void
  readonly #runtime: Pick<Runtime, 'after'>
  readonly #retries = new Map<Hostname, Cancel>()
  readonly #unsubscribe: () => void
  #disposed = false

  constructor(ports: {
    activation: Pick<Activation, 'active' | 'winner' | 'winners' | 'events'>
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
  async begin(replica: Replica): Promise<void> {
    await Promise.all([...this.#activation.active()].map(([domain, release]) => this.#switch(domain, release)))
    this.#activation.winners(listDomains(replica.state).flatMap(({ release }) => release ?? []))
  }

  follow(replica: Replica, delta: StateDelta): void {
    for (const scope of changedScopes(delta)) {
      if (scopeKind(scope) !== 'domain') continue
      const domain = scope.slice('domain/'.length) as Hostname
      const live = replica.state.get(scope) !== undefined
      this.#activation.winner(domain, (live ? findRelease(replica.state, domain) : undefined) ?? null)
    }
  }

  /** The release that each domain serves here, oldest switch first. */
  get served(): ReadonlyMap<Hostname, OperationId> {
    return this.#served
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
