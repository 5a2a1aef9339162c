import {
  asMakiError,
  type BlobHash,
  type Cancel,
  type Hostname,
  type Log,
  MakiError,
  type Release,
  type Runtime,
  type StateDelta,
  StateTable,
} from '../../core/index.ts'
import type { AliasAddresses, ExplainQuestion, Explanation } from '../../dns/index.ts'
import { type HostCertificate, VariantTable } from '../../edge/index.ts'
import type { Edge, EdgeAddresses, EdgeCounters, EdgeMessage, EdgeOptions, Standings } from './edge-messages.ts'
import type { AskControl, EdgeRelease } from './edge-questions.ts'
import { dismissOrphans, forgetWorker } from './orphans.ts'
import type { WorkerHandle } from './worker-handle.ts'
import { WorkerPlace } from './worker-place.ts'
import { WorkerTally } from './worker-tally.ts'
import { type WatchLimits, WorkerWatch } from './worker-watch.ts'

export interface PoolOptions {
  readonly edge: EdgeOptions
  readonly workers: number
  /** Folder where workers leave their process ids. */
  readonly register: string
  readonly runtime: Runtime
  readonly log: Log
  /** Told of blobs that a worker could not read as a whole. */
  readonly onBlobFailed?: (hash: BlobHash) => void
  readonly limits?: Partial<WatchLimits> | undefined
  /** Answers what workers ask. */
  readonly onAsked?: AskControl | undefined
}

const FIRST_RETRY_MS = 100
/** A worker that dies at every start is tried this often, so that a broken one costs little. */
const LAST_RETRY_MS = 5000
/** Who waits in the queue of a place waits so long for a successor; then the other places take its visitors. */
const HOLD_QUEUE_MS = 1000
/** A worker that lived this long was healthy; the next retry starts small again. */
const HEALTHY_MS = 30_000

/**
 * The edge in processes of its own that share the ports by SO_REUSEPORT. A worker that dies is replaced and told the whole
 * state; so is one that is wedged, or holds too much memory. Workers outlive a control process that is killed; the next
 * one takes over and sends them away.
 */
export class EdgePool implements Edge {
  readonly #options: PoolOptions
  readonly #state = new StateTable()
  readonly #active = new Map<Hostname, Release>()
  readonly #kept = new Map<Hostname, readonly EdgeRelease[]>()
  readonly #workers = new Set<WorkerHandle>()
  readonly #places: readonly WorkerPlace[]
  readonly #tally = new WorkerTally()
  readonly #watch: WorkerWatch
  /** The last of each kind that replaces the one before, for workers to come. */
  readonly #said = new Map<EdgeMessage['type'], EdgeMessage>()
  /** Encodings that lie ready, for workers to come. */
  readonly #variants = new VariantTable()
  readonly #retries = new Set<Cancel>()
  #addresses: EdgeAddresses = { dns: undefined, http: undefined }
  #prepareFailed: unknown
  #closing = false

  constructor(options: PoolOptions) {
    this.#options = { ...options, edge: { ...options.edge, reusePort: true } }
    const { register, onBlobFailed, onAsked, workers, runtime, log, limits } = options
    this.#watch = new WorkerWatch({ runtime, log, limits, outgrown: (worker) => void this.#renew(worker) })
    this.#places = Array.from(
      { length: workers },
      () =>
        new WorkerPlace({
          register,
          onBlobFailed,
          onAsked,
          onAlive: (worker, counters, rssBytes) => {
            // One that has ended is counted already; its last words may come after that.
            if (!this.#workers.has(worker)) return
            this.#tally.hear(worker.pid, counters)
            this.#watch.hear(worker, rssBytes)
          },
        }),
    )
  }

  /** Starts the workers' processes, which take a while to load: they hear and answer nothing before `listen`. */
  prepare(): this {
    try {
      for (const place of this.#places) place.occupy(this.#bound())
    } catch (error) {
      // Told where it is waited for.
      this.#prepareFailed = error
    }
    return this
  }

  async listen(): Promise<EdgeAddresses> {
    try {
      if (this.#prepareFailed !== undefined) throw this.#prepareFailed
      const [first, ...others] = this.#places as [WorkerPlace, ...WorkerPlace[]]
      this.#addresses = await this.#launch(first)
      await Promise.all(others.map((place) => this.#launch(place)))
      await dismissOrphans(this.#options, new Set([...this.#workers].map(({ pid }) => pid)))
    } catch (error) {
      await this.close()
      throw error
    }
    return this.#addresses
  }

  apply(delta: StateDelta): void {
    this.#state.apply(delta)
    for (const worker of this.#workers) worker.send({ type: 'state', delta })
  }

  setStandings(standings: Standings): void {
    this.#say({ type: 'standings', standings })
  }

  setAliases(addresses: readonly AliasAddresses[]): void {
    this.#say({ type: 'aliases', addresses })
  }

  setCertificates(certificates: readonly HostCertificate[]): void {
    this.#say({ type: 'certificates', certificates })
  }

  setTicketKeys(keys: Uint8Array): void {
    this.#say({ type: 'ticket-keys', keys })
  }

  setVariants(records: Uint8Array): void {
    this.#variants.apply(records)
    for (const worker of this.#workers) worker.send({ type: 'variants', records })
  }

  setReleases(domain: Hostname, releases: readonly EdgeRelease[]): void {
    if (releases.length === 0) this.#kept.delete(domain)
    else this.#kept.set(domain, releases)
    for (const worker of this.#workers) worker.send({ type: 'releases', domain, releases })
  }

  reloadPlaces(): void {
    for (const worker of this.#workers) worker.send({ type: 'reload-places' })
  }

  #say(message: EdgeMessage): void {
    this.#said.set(message.type, message)
    for (const worker of this.#workers) worker.send(message)
  }

  async activate(domain: Hostname, release: Release | null): Promise<void> {
    if (release === null) this.#active.delete(domain)
    else this.#active.set(domain, release)
    const failures = await Promise.all([...this.#workers].map((worker) => this.#activateOn(worker, domain, release)))
    const failure = failures.find((error) => error !== undefined)
    if (failure !== undefined) throw failure
  }

  /** A worker that does not answer in time counts as it last said. */
  async counters(): Promise<EdgeCounters> {
    const answers = [...this.#workers].map(async (worker) => {
      const counters = (await worker.call((call) => ({ type: 'count', call }))) as EdgeCounters
      if (this.#workers.has(worker)) this.#tally.hear(worker.pid, counters)
    })
    await this.#watch.patiently(Promise.allSettled(answers))
    return this.#tally.total
  }

  async explain(question: ExplainQuestion): Promise<Explanation> {
    const [worker] = this.#workers
    if (worker === undefined)
      throw new MakiError('MAKI_UNREACHABLE', 'no edge worker runs here at the moment', {
        hint: 'Workers that end are replaced within seconds: ask again. If it stays so, look at the log of the node.',
      })
    return (await worker.call((call) => ({ type: 'explain', call, question }))) as Explanation
  }

  /** Lets go of the workers: they serve on with what they know, until the next control process sends them away. */
  handOver(): void {
    this.#closing = true
    this.#watch[Symbol.dispose]()
    for (const worker of this.#workers) worker.letGo()
    this.#workers.clear()
  }

  async close(): Promise<void> {
    this.#closing = true
    this.#watch[Symbol.dispose]()
    for (const cancel of this.#retries) cancel()
    // First: a socket that only control still held would take visitors whom nobody answers.
    for (const place of this.#places) place.release()
    await Promise.all([...this.#workers, ...this.#places.flatMap(({ idle }) => idle ?? [])].map((w) => w.stop()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** The ports that the first worker got, so that all share them also when the system chose. */
  #bound(): EdgeOptions {
    const { edge } = this.#options
    const [first] = this.#places
    const http = first?.addressOf('http') ?? this.#addresses.http
    const https = first?.addressOf('https') ?? this.#addresses.https
    const { dns } = this.#addresses
    return {
      ...edge,
      dns: edge.dns && { ...edge.dns, port: dns?.port ?? edge.dns.port },
      http: edge.http && {
        ...edge.http,
        port: http?.port ?? edge.http.port,
        https: edge.http.https && { ...edge.http.https, port: https?.port ?? edge.http.https.port },
      },
    }
  }

  /** A worker hears everything before it listens, so that nobody is answered from empty tables. */
  async #launch(place: WorkerPlace, retryMs = FIRST_RETRY_MS): Promise<EdgeAddresses> {
    const { runtime, log } = this.#options
    const worker = place.occupy(this.#bound())
    place.take()
    const options = place.listening(this.#bound())
    const startedAt = runtime.monotonic()
    worker.send({ type: 'state', delta: this.#state.snapshot() })
    for (const message of this.#said.values()) worker.send(message)
    worker.send({ type: 'variants', records: this.#variants.snapshot() })
    for (const [domain, releases] of this.#kept) worker.send({ type: 'releases', domain, releases })
    this.#workers.add(worker)
    // From here on: one that hangs while it starts would keep its place, or the whole start, for ever.
    this.#watch.begin(worker)
    await Promise.all([...this.#active].map(([domain, release]) => this.#activateOn(worker, domain, release)))
    let addresses: EdgeAddresses
    try {
      addresses = (await worker.call((call) => ({ type: 'listen', call, options }))) as EdgeAddresses
    } catch (error) {
      this.#workers.delete(worker)
      this.#watch.end(worker)
      await worker.stop()
      throw error
    }
    log.info('worker.started', { pid: worker.pid })
    void worker.ended.then(async (how) => {
      this.#workers.delete(worker)
      this.#watch.end(worker)
      this.#tally.retire(worker.pid, !this.#closing && !worker.isDismissed)
      if (this.#closing) return
      await forgetWorker(this.#options.register, worker.pid)
      if (worker.isDismissed) return
      log.error('worker.died', { pid: worker.pid, how })
      this.#retry(place, runtime.monotonic() - startedAt > HEALTHY_MS ? FIRST_RETRY_MS : retryMs)
    })
    return addresses
  }

  #retry(place: WorkerPlace, delayMs: number): void {
    const { runtime, log } = this.#options
    const nextMs = Math.min(delayMs * 2, LAST_RETRY_MS)
    if (delayMs > HOLD_QUEUE_MS) place.release()
    const cancel = runtime.after(delayMs, () => {
      this.#retries.delete(cancel)
      if (this.#closing) return
      this.#launch(place, nextMs).catch((error) => {
        // Sent away while it started.
        if (this.#closing) return
        log.error('worker.start-failed', { error })
        this.#retry(place, nextMs)
      })
    })
    this.#retries.add(cancel)
  }

  /** Puts another worker in the place of one, which answers what is under way and ends: nobody notices. */
  async #renew(worker: WorkerHandle): Promise<void> {
    const { log } = this.#options
    const place = this.#places.find((one) => one.holds(worker))
    if (place === undefined || this.#closing || !this.#workers.has(worker)) return
    try {
      await this.#launch(place)
      await worker.stop()
    } catch (error) {
      if (!this.#closing) log.error('worker.start-failed', { error })
    }
  }

  /** Why it does not serve the release; undefined also for a worker that is gone, whose successor starts with it. */
  async #activateOn(worker: WorkerHandle, domain: Hostname, release: Release | null): Promise<MakiError | undefined> {
    try {
      await worker.call((call) => ({ type: 'activate', call, domain, release }))
      return undefined
    } catch (error) {
      this.#options.log.error('worker.activate-failed', { pid: worker.pid, domain, error })
      return worker.hasEnded ? undefined : asMakiError(error)
    }
  }
}
