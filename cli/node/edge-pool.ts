import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  asMakiError,
  type BlobHash,
  type Hostname,
  type Log,
  MakiError,
  type Release,
  type Runtime,
  type StateDelta,
  StateTable,
} from '../../core/index.ts'
import type { AliasAddresses, ExplainQuestion, Explanation } from '../../dns/index.ts'
import { addCounts } from './counts.ts'
import type { Edge, EdgeAddresses, EdgeCounters, EdgeMessage, EdgeOptions, Standings } from './edge-messages.ts'
import { WORKER_MARK, WorkerHandle } from './worker-handle.ts'

interface PoolOptions {
  readonly edge: EdgeOptions
  readonly workers: number
  /** Folder where workers leave their process ids. */
  readonly register: string
  readonly runtime: Runtime
  readonly log: Log
  /** Told of blobs that a worker could not read as a whole. */
  readonly onBlobFailed?: (hash: BlobHash) => void
}

const FIRST_RETRY_MS = 100
/** A worker that dies at every start is tried this often, so that a broken one costs little. */
const LAST_RETRY_MS = 5000
/** A worker that lived this long was healthy; the next retry starts small again. */
const HEALTHY_MS = 30_000

/**
 * The edge in processes of its own that share the ports by SO_REUSEPORT. A worker that dies is replaced and told the whole
 * state. Workers outlive a control process that is killed; the next one takes over and sends them away.
 */
export class EdgePool implements Edge {
  readonly #options: PoolOptions
  readonly #state = new StateTable()
  readonly #active = new Map<Hostname, Release | null>()
  readonly #workers = new Set<WorkerHandle>()
  /** The last of each kind that replaces the one before, for workers to come. */
  readonly #said = new Map<EdgeMessage['type'], EdgeMessage>()
  /** Started by `prepare` and told nothing yet. */
  #idle: WorkerHandle[] = []
  readonly #retries = new Set<() => void>()
  #addresses: EdgeAddresses = { dns: undefined, http: undefined }
  #closing = false

  constructor(options: PoolOptions) {
    this.#options = { ...options, edge: { ...options.edge, reusePort: true } }
  }

  /** Starts the workers' processes, which take a while to load: they hear and answer nothing before `listen`. */
  prepare(): this {
    while (this.#idle.length < this.#options.workers) this.#idle.push(this.#fork())
    return this
  }

  async listen(): Promise<EdgeAddresses> {
    try {
      this.#addresses = await this.#launch()
      await Promise.all(Array.from({ length: this.#options.workers - 1 }, () => this.#launch()))
      await this.#dismissOrphans()
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

  reloadPlaces(): void {
    for (const worker of this.#workers) worker.send({ type: 'reload-places' })
  }

  #say(message: EdgeMessage): void {
    this.#said.set(message.type, message)
    for (const worker of this.#workers) worker.send(message)
  }

  async activate(domain: Hostname, release: Release | null): Promise<void> {
    this.#active.set(domain, release)
    const failures = await Promise.all([...this.#workers].map((worker) => this.#activateOn(worker, domain, release)))
    const failure = failures.find((error) => error !== undefined)
    if (failure !== undefined) throw failure
  }

  async counters(): Promise<EdgeCounters> {
    const all = await Promise.allSettled(
      [...this.#workers].map((worker) => worker.call((call) => ({ type: 'count', call }))),
    )
    const counted = all.flatMap((result) => (result.status === 'fulfilled' ? [result.value as EdgeCounters] : []))
    return counted.reduce<EdgeCounters>(addCounts, { dns: undefined, http: undefined })
  }

  async explain(question: ExplainQuestion): Promise<Explanation> {
    const [worker] = this.#workers
    if (worker === undefined)
      throw new MakiError('MAKI_UNREACHABLE', 'no edge worker runs here at the moment', {
        hint: 'Workers that end are replaced within seconds: ask again. If it stays so, look at the log of the node.',
      })
    return (await worker.call((call) => ({ type: 'explain', call, question }))) as Explanation
  }

  async close(): Promise<void> {
    this.#closing = true
    for (const cancel of this.#retries) cancel()
    await Promise.all([...this.#workers, ...this.#idle].map((worker) => worker.stop()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** The ports that the first worker got, so that all share them also when the system chose. */
  #bound(): EdgeOptions {
    const { edge } = this.#options
    const { dns, http } = this.#addresses
    return {
      ...edge,
      dns: edge.dns && { ...edge.dns, port: dns?.port ?? edge.dns.port },
      http: edge.http && { ...edge.http, port: http?.port ?? edge.http.port },
    }
  }

  /** A worker hears everything before it listens, so that nobody is answered from empty tables. */
  async #launch(retryMs = FIRST_RETRY_MS): Promise<EdgeAddresses> {
    const { runtime, log, register } = this.#options
    const options = this.#bound()
    const worker = this.#takeIdle() ?? this.#fork()
    const startedAt = runtime.monotonic()
    worker.send({ type: 'state', delta: this.#state.snapshot() })
    for (const message of this.#said.values()) worker.send(message)
    this.#workers.add(worker)
    await Promise.all([...this.#active].map(([domain, release]) => this.#activateOn(worker, domain, release)))
    let addresses: EdgeAddresses
    try {
      addresses = (await worker.call((call) => ({ type: 'listen', call, options }))) as EdgeAddresses
    } catch (error) {
      this.#workers.delete(worker)
      await worker.stop()
      throw error
    }
    log.info('worker.started', { pid: worker.pid })
    void worker.ended.then(async (how) => {
      this.#workers.delete(worker)
      if (this.#closing) return
      log.error('worker.died', { pid: worker.pid, how })
      await rm(join(register, String(worker.pid)), { force: true })
      this.#retry(runtime.monotonic() - startedAt > HEALTHY_MS ? FIRST_RETRY_MS : retryMs)
    })
    return addresses
  }

  #fork(): WorkerHandle {
    const { register, onBlobFailed } = this.#options
    return new WorkerHandle(this.#bound(), register, onBlobFailed)
  }

  /** One that died before it was needed is as if it had never been. */
  #takeIdle(): WorkerHandle | undefined {
    this.#idle = this.#idle.filter(({ hasEnded }) => !hasEnded)
    return this.#idle.shift()
  }

  #retry(delayMs: number): void {
    const { runtime, log } = this.#options
    const nextMs = Math.min(delayMs * 2, LAST_RETRY_MS)
    const cancel = runtime.after(delayMs, () => {
      this.#retries.delete(cancel)
      if (this.#closing) return
      this.#launch(nextMs).catch((error) => {
        // Sent away while it started.
        if (this.#closing) return
        log.error('worker.start-failed', { error })
        this.#retry(nextMs)
      })
    })
    this.#retries.add(cancel)
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

  /** Ends the workers that a killed control process left serving, now that there are others. */
  async #dismissOrphans(): Promise<void> {
    const ours = new Set([...this.#workers].map(({ pid }) => pid))
    const { register, log } = this.#options
    for (const name of await readdir(register).catch(() => [])) {
      const pid = Number(name)
      if (!Number.isSafeInteger(pid) || ours.has(pid)) continue
      if (await isWorker(pid, register)) {
        process.kill(pid, 'SIGTERM')
        log.info('worker.orphan-dismissed', { pid })
      } else await rm(join(register, name), { force: true })
    }
  }
}

/** A process id may have been given to somebody else since it was noted. */
async function isWorker(pid: number, register: string): Promise<boolean> {
  try {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8')
    return command.includes(WORKER_MARK) && command.includes(register)
  } catch {
    return false
  }
}
