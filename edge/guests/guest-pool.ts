import type { Log, Runtime } from '../../core/index.ts'
import type { PreparedFiles } from '../component-builder/index.ts'
import type { GuestOutcome, GuestSpec } from '../guest-contract/index.ts'
import { FairQueue } from './fair-queue.ts'
import { GuestProcess, type ProcessRun } from './guest-process.ts'
import { ProcessShelf } from './process-shelf.ts'

export interface GuestPoolOptions {
  /** Processes of this worker, all together. */
  readonly maxProcesses: number
  /** That start before anybody asks, so that a component's first request does not wait for one. */
  readonly spares: number
  /** The most that any guest may have in one memory. */
  readonly maxMemoryBytes: number
  /** For tests; what is left out is as `USUAL` says. */
  readonly limits?: Partial<PoolLimits>
}

/** Bounds on what guests may cost a worker. */
export interface PoolLimits {
  /** Requests that wait for a process; further ones are refused. */
  readonly maxWaiting: number
  readonly maxWaitingOfDomain: number
  /** A request that could not begin for so long is refused. */
  readonly mostWaitMs: number
  /** A process that has nothing to do for so long is ended, and gives its memory back. */
  readonly idleMs: number
  /** A process is replaced after so many runs: what leaks in it does not grow for ever. */
  readonly runsPerProcess: number
  /** A process that holds so much more than its guest may, when it rests, is replaced. */
  readonly restMemoryBytes: number
}

export interface GuestPoolPorts {
  readonly runtime: Runtime
  readonly log: Log
}

/** Since the start; `processes` and `waiting` are of now. */
export interface GuestCounts {
  readonly processes: number
  readonly waiting: number
  readonly started: number
  readonly runs: number
  /** Runs that were refused for want of room. */
  readonly busy: number
  /** Processes that were killed, or died, by reason. */
  readonly lost: Readonly<Record<string, number>>
}

const MIB = 1024 * 1024
const USUAL: PoolLimits = {
  maxWaiting: 1024,
  maxWaitingOfDomain: 256,
  mostWaitMs: 10_000,
  idleMs: 60_000,
  runsPerProcess: 20_000,
  restMemoryBytes: 256 * MIB,
}
/** So many runs of a process come between two looks at its memory. */
const RUNS_PER_LOOK = 50

interface Job {
  readonly spec: GuestSpec
  readonly read: () => Promise<PreparedFiles>
  readonly run: ProcessRun
  readonly resolve: (outcome: GuestOutcome) => void
  cancel: () => void
}

/**
 * Hands runs to processes, each of which belongs to one guest. Fair between domains: see `FairQueue`. Memory follows use: a guest that
 * nobody asks for has no process.
 */
export class GuestPool implements AsyncDisposable {
  readonly #options: GuestPoolOptions
  readonly #limits: PoolLimits
  readonly #ports: GuestPoolPorts
  readonly #queue: FairQueue<Job>
  readonly #shelf: ProcessShelf
  #spares: GuestProcess[] = []
  readonly #all = new Set<GuestProcess>()
  readonly #counts = { started: 0, runs: 0, busy: 0 }
  readonly #lost = new Map<string, number>()
  #running = 0
  #closed = false

  constructor(options: GuestPoolOptions, ports: GuestPoolPorts) {
    this.#options = options
    this.#limits = { ...USUAL, ...options.limits }
    this.#ports = ports
    this.#shelf = new ProcessShelf(this.#limits.idleMs, ports.runtime)
    // One place is left for others, whatever a domain asks for.
    this.#queue = new FairQueue(Math.max(1, Math.min(options.maxProcesses - 1, Math.ceil(options.maxProcesses * 0.75))))
  }

  get counts(): GuestCounts {
    const { size: processes } = this.#all
    return { processes, waiting: this.#queue.size, ...this.#counts, lost: Object.fromEntries(this.#lost) }
  }

  /** Process ids of those that run. */
  get pids(): number[] {
    return [...this.#all].map(({ pid }) => pid)
  }

  /** Starts the processes that are to lie ready; where there is no room, in the place of those that have rested longest. */
  start(): void {
    const { spares, maxProcesses } = this.#options
    if (this.#closed) return
    while (this.#spares.length < spares) {
      // Of a few that are all in use now and then, none is ended for one that may be of use.
      const mayEnd = this.#shelf.size > maxProcesses / 2
      if (this.#all.size >= maxProcesses && !(mayEnd && this.#shelf.endOldest())) return
      const process = this.#startOrNone()
      if (process === undefined) return
      this.#spares.push(process)
    }
  }

  /** Runs a guest when its turn has come; `read` gives its code where no process has it. Never rejects. */
  run(spec: GuestSpec, read: () => Promise<PreparedFiles>, run: ProcessRun): Promise<GuestOutcome> {
    const { domain } = spec
    const isFull =
      this.#queue.size >= this.#limits.maxWaiting || this.#queue.waitingOf(domain) >= this.#limits.maxWaitingOfDomain
    if (this.#closed || isFull) {
      run.services.close()
      return Promise.resolve(this.#refuse(this.#closed ? 'closed' : 'busy', 'too many requests wait for a place'))
    }
    return new Promise((resolve) => {
      const job: Job = { spec, read, run, resolve, cancel: () => {} }
      job.cancel = this.#ports.runtime.after(this.#limits.mostWaitMs, () => {
        if (!this.#queue.remove(domain, job)) return
        run.services.close()
        resolve(this.#refuse('busy', 'it waited too long for a place'))
      })
      this.#queue.add(domain, job)
      this.#dispatch()
    })
  }

  /** Binds a process to a guest before anybody asks, where there is a place that nobody uses. */
  async warm(spec: GuestSpec, read: () => Promise<PreparedFiles>): Promise<void> {
    if (this.#closed || this.#shelf.has(spec.key) || this.#running > 0) return
    const process = this.#takeSpare()
    if (process === undefined) return
    try {
      if ((await process.bind(spec, await read())).kind === 'bound') this.#shelf.rest(spec.key, process)
      else await process.close()
    } catch (error) {
      this.#ports.log.debug('guests.not-warmed', { domain: spec.domain, function: spec.name, error })
      await process.close()
    }
    this.start()
  }

  /** Ends all processes; what waits or runs ends with them. */
  async close(): Promise<void> {
    this.#closed = true
    for (const { cancel, run, resolve } of this.#queue.drain()) {
      cancel()
      run.services.close()
      resolve(this.#refuse('closed', 'the server is going away'))
    }
    this.#shelf.clear()
    await Promise.all([...this.#all].map((process) => process.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #refuse(why: 'busy' | 'closed' | 'unfit' | 'died', detail: string): GuestOutcome {
    if (why === 'busy') this.#counts.busy++
    return { kind: 'failed', why, detail, cpuMs: 0 }
  }

  #dispatch(): void {
    while (!this.#closed && this.#running < this.#options.maxProcesses) {
      const next = this.#queue.take()
      if (next === undefined) return
      const { item, owner } = next
      item.cancel()
      this.#running++
      const fromMs = this.#ports.runtime.monotonic()
      void this.#work(item).then(() => {
        this.#running--
        this.#queue.end(owner, this.#ports.runtime.monotonic() - fromMs)
        this.#dispatch()
      })
    }
  }

  /** Holds its place until the process rests, since making the next instance is work for the same domain. Never rejects. */
  async #work(job: Job): Promise<void> {
    const { spec, run, resolve } = job
    const taken = await this.#obtain(job)
    if ('kind' in taken) {
      run.services.close()
      return resolve(taken)
    }
    this.#counts.runs++
    resolve(await taken.run(run))
    await this.#shelf.settle(spec.key, taken, this.#mayGoOn(taken, spec))
    if (taken.hasEnded) this.#note(taken)
  }

  async #mayGoOn(process: GuestProcess, { maxMemoryBytes }: GuestSpec): Promise<boolean> {
    const { runsPerProcess, restMemoryBytes } = this.#limits
    if (!(await process.rested) || process.hasEnded) return false
    const isLookedAt = process.count % RUNS_PER_LOOK === 0
    const bytes = isLookedAt ? ((await process.memoryBytes()) ?? 0) : 0
    if (!this.#closed && process.count < runsPerProcess && bytes <= restMemoryBytes + maxMemoryBytes) return true
    void process.close()
    return false
  }

  #note({ pid, count, why }: GuestProcess): void {
    // By us, and for no fault of its own.
    if (why === 'closed') return
    this.#lost.set(why, (this.#lost.get(why) ?? 0) + 1)
    this.#ports.log.warn('guests.process-lost', { pid, why, runs: count })
    // The next request is not to wait for a start.
    this.start()
  }

  async #obtain({ spec, read }: Job): Promise<GuestProcess | GuestOutcome> {
    const rested = await this.#shelf.take(spec.key)
    if (rested !== undefined) return rested
    // The last: one that was killed may not be gone yet, and no more run than may.
    const process = this.#takeSpare() ?? this.#replaceIdle() ?? this.#startOrNone()
    if (process === undefined) return this.#refuse('busy', 'no process could be started')
    let binding: Awaited<ReturnType<GuestProcess['bind']>>
    try {
      binding = await process.bind(spec, await read())
    } catch (error) {
      void process.close()
      return this.#refuse('busy', `its code could not be read: ${String(error)}`)
    } finally {
      this.start()
    }
    if (binding.kind === 'bound') return process
    if (binding.kind === 'unfit') return this.#refuse('unfit', binding.detail)
    return this.#refuse(this.#closed ? 'closed' : 'died', 'its process ended while it was being made ready')
  }

  #takeSpare(): GuestProcess | undefined {
    for (let spare = this.#spares.shift(); spare !== undefined; spare = this.#spares.shift())
      if (!spare.hasEnded) return spare
    return this.#all.size < this.#options.maxProcesses ? this.#startOrNone() : undefined
  }

  /** In the place of the one that has rested longest. */
  #replaceIdle(): GuestProcess | undefined {
    return this.#shelf.endOldest() ? this.#startOrNone() : undefined
  }

  /** Undefined where the system gives no more processes: that is no fault of the guest. */
  #startOrNone(): GuestProcess | undefined {
    try {
      const process = new GuestProcess(this.#options.maxMemoryBytes, this.#ports)
      this.#counts.started++
      this.#all.add(process)
      void process.ended.then(() => this.#all.delete(process))
      return process
    } catch (error) {
      this.#ports.log.error('guests.process-not-started', { error })
      return undefined
    }
  }
}
