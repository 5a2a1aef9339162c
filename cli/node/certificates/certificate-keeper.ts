import {
  asMakiError,
  type Cancel,
  type CertificateDuty,
  type CertificateName,
  type CertificatePlan,
  type CertificateView,
  type Change,
  type Log,
  listExposed,
  listNodes,
  type MemberKey,
  planCertificates,
  RANK_PATIENCE_MS,
  type Runtime,
  type SealEpochKey,
  type Signer,
} from '../../../core/index.ts'
import type { CertificatesReport } from '../../../edge/index.ts'
import type { CertificateRing, GossipService, Replica, SealOpener } from '../../../replication/index.ts'
import { Accounts } from './accounts.ts'
import { HostFindings } from './host-findings.ts'
import type { LookUpHost } from './look-up-host.ts'
import { RenewalWatch } from './renewal-watch.ts'
import { findObstacle, type Obstacle, reportPlan } from './report.ts'
import { reportExposed, revokeCertificate } from './revoke-certificate.ts'
import { runOrder } from './run-order.ts'
import type { CertificateSettings } from './settings.ts'
import { shownByAll } from './sight.ts'

export interface CertificateKeeperOptions {
  readonly settings: CertificateSettings
  readonly replica: Replica
  readonly gossip: Pick<GossipService, 'awareness' | 'events'>
  readonly signer: Signer
  readonly seals: SealOpener
  readonly epoch: () => Promise<SealEpochKey>
  readonly ring: CertificateRing
  readonly lookUp: LookUpHost
  /** Looks again at least so often, milliseconds. */
  readonly checkMs: number
  readonly version: string
  readonly runtime: Runtime
  readonly log: Log
}

/** Neighbours are found first: who begins alone would order what others have. */
const STARTING_MS = 5_000
/** What changes at once is looked at together. */
const GATHER_MS = 250
/** After something could not be done or written down; twice as long each time. */
const PAUSE_MS = 30_000
const MAX_PAUSE_MS = 3_600_000
/** Challenges that are ended together. */
const MOST_ENDS = 100
/** A timer of the system reaches 24 days. */
const LONGEST_MS = 24 * 3_600_000

const NOTHING: CertificatePlan = { wanted: [], uncovered: [], duties: [], waiting: [], nextMs: undefined }

/** Orders, renews, replaces and revokes the cluster's certificates, as far as that is this node's to do: one thing after the other. */
export class CertificateKeeper implements AsyncDisposable {
  /** Orders of this node that ended, since its start. */
  readonly counts = { issued: 0, failed: 0 }
  readonly #options: CertificateKeeperOptions
  readonly #accounts: Accounts
  readonly #findings: HostFindings
  readonly #renewals: RenewalWatch
  readonly #end = new AbortController()
  readonly #unsubscribe: (() => void)[]
  readonly #running = new Set<CertificateName>()
  /** Since when each duty is there, and until when it is left alone. */
  readonly #duties = new Map<string, { readonly sinceMs: number; heldMs: number; failures: number }>()
  #plan = NOTHING
  #obstacle: Obstacle | undefined
  #nodes = ''
  #up = ''
  #cancel: Cancel
  /** When it looks next, by the clock that does not jump; at once, as it were, until it has begun. */
  #lookMs = Number.NEGATIVE_INFINITY
  #busy: Promise<void> | undefined

  constructor(options: CertificateKeeperOptions) {
    this.#options = options
    const { replica, gossip, ring, runtime, log, settings, lookUp } = options
    const changed = () => this.#lookSoon(GATHER_MS)
    this.#accounts = new Accounts({ ...options, commit: (changes) => this.#commit(changes) })
    this.#findings = new HostFindings({ lookUp, nodes: () => listNodes(replica.state), runtime, log, changed })
    this.#renewals = new RenewalWatch({
      accounts: this.#accounts,
      certificates: () => ring.all,
      directories: settings.directories,
      runtime,
      log,
      changed,
      signal: this.#end.signal,
    })
    this.#cancel = runtime.after(STARTING_MS, () => {
      this.#unsubscribe.push(
        replica.events.on('change', changed),
        ring.events.on('change', changed),
        gossip.events.on('awareness', () => this.#isOtherUp() && changed()),
      )
      this.#look()
    })
    this.#unsubscribe = []
  }

  /** What it made of the state last, for who asks why something has no certificate. */
  get report(): CertificatesReport {
    return reportPlan(this.#plan, this.#running, this.#obstacle)
  }

  /** What is under way is stopped; how far it came is written down already. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort(new Error('the node stops'))
    this.#cancel()
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    this.#findings[Symbol.dispose]()
    this.#renewals[Symbol.dispose]()
    await this.#busy
  }

  /** No later than was planned: what changes all the time does not put it off for ever. */
  #lookSoon(delayMs: number): void {
    const atMs = this.#options.runtime.monotonic() + delayMs
    if (this.#end.signal.aborted || this.#lookMs <= atMs) return
    this.#cancel()
    this.#lookMs = atMs
    this.#cancel = this.#options.runtime.after(delayMs, () => this.#look())
  }

  /** Nodes say something all the time; whether they are up is what orders depend on. */
  #isOtherUp(): boolean {
    const entries = this.#options.gossip.awareness.entries().filter(({ up }) => up)
    const before = this.#up
    this.#up = entries.map(({ key }) => key).join()
    return this.#up !== before
  }

  #look(): void {
    const { replica, runtime, checkMs } = this.#options
    this.#lookMs = Number.POSITIVE_INFINITY
    if (this.#end.signal.aborted || this.#busy !== undefined) return
    this.#watchNodes()
    const view = this.#view()
    this.#plan = planCertificates(view)
    this.#obstacle = findObstacle(replica)
    if (this.#obstacle !== undefined) {
      this.#lookSoon(checkMs)
      return
    }
    const nowMs = runtime.monotonic()
    const { due, nextMs } = this.#takeDue(nowMs)
    if (due !== undefined) {
      this.#busy = this.#do(due).finally(() => {
        this.#busy = undefined
        this.#lookSoon(GATHER_MS)
      })
      return
    }
    const planned = this.#plan.nextMs === undefined ? checkMs : Math.max(1000, this.#plan.nextMs - view.nowMs)
    this.#lookSoon(Math.min(checkMs, planned, Math.max(1, nextMs - nowMs), LONGEST_MS))
  }

  /** The first duty that is this node's now. */
  #takeDue(nowMs: number): { due: CertificateDuty | undefined; nextMs: number } {
    const present = new Set(this.#plan.duties.map(({ id }) => id))
    for (const id of [...this.#duties.keys()]) if (!present.has(id)) this.#duties.delete(id)
    let nextMs = Number.POSITIVE_INFINITY
    for (const duty of this.#plan.duties) {
      const known = this.#duties.get(duty.id) ?? { sinceMs: nowMs, heldMs: 0, failures: 0 }
      this.#duties.set(duty.id, known)
      const atMs = Math.max(known.sinceMs + duty.rank * RANK_PATIENCE_MS, known.heldMs)
      if (atMs <= nowMs) return { due: duty, nextMs: atMs }
      nextMs = Math.min(nextMs, atMs)
    }
    return { due: undefined, nextMs }
  }

  async #do(duty: CertificateDuty): Promise<void> {
    const { log, runtime } = this.#options
    log.debug('certificates.duty-begun', { duty: duty.id })
    try {
      await this.#carryOut(duty)
      log.debug('certificates.duty-ended', { duty: duty.id })
    } catch (error) {
      if (this.#end.signal.aborted) return
      log.warn('certificates.duty-failed', { duty: duty.id, error: asMakiError(error) })
      const known = this.#duties.get(duty.id)
      if (known === undefined) return
      known.heldMs = runtime.monotonic() + Math.min(PAUSE_MS * 2 ** known.failures, MAX_PAUSE_MS)
      known.failures++
    }
  }

  async #carryOut(duty: CertificateDuty): Promise<void> {
    const { signal } = this.#end
    switch (duty.kind) {
      case 'order': {
        const { name } = duty.wanted
        this.#running.add(name)
        try {
          this.counts[(await runOrder(duty, this.#context(), signal)) ? 'issued' : 'failed']++
        } finally {
          this.#running.delete(name)
        }
        return
      }
      case 'end-challenge':
        await this.#commit(this.#listEnds(duty))
        return
      case 'roll-account':
        return await this.#accounts.roll(duty.directory, signal)
      case 'revoke':
        return await revokeCertificate(duty.certificate, this.#context(), signal)
      case 'drop': {
        const { name, revoke } = duty
        const reported = revoke ? await reportExposed(name, this.#options) : []
        await this.#commit([...reported, { kind: 'certificate.remove', name }])
        return
      }
      default:
        duty satisfies never
    }
  }

  /** Whoever was a node may have left any number of them: many at once, that fit into one operation. */
  #listEnds({ rank: most }: CertificateDuty): readonly Change[] {
    const ends = this.#plan.duties.filter((duty) => duty.kind === 'end-challenge' && duty.rank <= most)
    return ends
      .slice(0, MOST_ENDS)
      .flatMap((duty) =>
        duty.kind === 'end-challenge' ? [{ kind: 'challenge.remove', host: duty.host, author: duty.author }] : [],
      )
  }

  #context(): Parameters<typeof runOrder>[1] & Parameters<typeof revokeCertificate>[1] {
    const { replica, gossip, signer, seals, epoch, ring, runtime, log, settings } = this.#options
    return {
      replica,
      seals,
      accounts: this.#accounts,
      view: () => this.#view(),
      epoch,
      commit: (changes) => this.#commit(changes),
      shown: (operation, signal) => shownByAll(operation, { replica, gossip, self: signer.key, runtime, log }, signal),
      heldOf: (name) => ring.all.find((one) => one.name === name),
      profile: settings.profile,
      runtime,
      log,
    }
  }

  #commit(changes: readonly Change[]): ReturnType<Replica['commit']> {
    return this.#options.replica.commit(this.#options.signer, changes)
  }

  #view(): CertificateView {
    const { replica, gossip, signer, ring, runtime, settings } = this.#options
    const up = new Set<MemberKey>([signer.key])
    for (const entry of gossip.awareness.entries()) if (entry.up) up.add(entry.key)
    const exposed = listExposed(replica).flatMap(({ what }) => (what.kind === 'account' ? [what.directory] : []))
    return {
      state: replica.state,
      self: signer.key,
      up,
      nowMs: runtime.now(),
      directories: settings.directories,
      facts: (host) => this.#findings.find(host),
      held: ring.held(replica),
      renewals: this.#renewals.windows,
      exposedAccounts: new Set(exposed),
      running: this.#running,
    }
  }

  #watchNodes(): void {
    const nodes = JSON.stringify(
      listNodes(this.#options.replica.state).map(({ name, ipv4, ipv6, nameserver }) => [name, ipv4, ipv6, nameserver]),
    )
    if (this.#nodes !== '' && nodes !== this.#nodes) this.#findings.recheck()
    this.#nodes = nodes
  }
}
