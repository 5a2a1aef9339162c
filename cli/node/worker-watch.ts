import type { Cancel, Log, Runtime } from '../../core/index.ts'
import type { WorkerHandle } from './worker-handle.ts'

/** When a worker is sent away. */
export interface WatchLimits {
  /** A worker that said nothing for so long has an event loop that does not turn: killed. */
  readonly wedgedMs: number
  /** How often it is looked; several times within `wedgedMs`. */
  readonly lookMs: number
  /** A worker that holds more at several looks in a row is replaced; 0 for never. */
  readonly memoryBytes: number
  /** Between two replacements: what needs so much memory by right must not be started again and again. */
  readonly renewalMs: number
}

const LIMITS: WatchLimits = { wedgedMs: 30_000, lookMs: 5_000, memoryBytes: 1024 ** 3, renewalMs: 10 * 60_000 }
/** More than a moment: a few large answers come and go. */
const LOOKS_TOO_LARGE = 3
/** How long somebody who asks for counters waits for a worker that does not answer. */
const PATIENCE_MS = 2_000

export interface WatchOptions {
  readonly runtime: Pick<Runtime, 'monotonic' | 'after'>
  readonly log: Log
  readonly limits?: Partial<WatchLimits> | undefined
  /** This worker is to be replaced; it serves until then. */
  readonly outgrown: (worker: WorkerHandle) => void
}

interface Watched {
  heardAtMs: number
  looksTooLarge: number
}

/** Watches whether workers are alive, and how much memory they hold. */
export class WorkerWatch implements Disposable {
  readonly #limits: WatchLimits
  readonly #options: WatchOptions
  readonly #watched = new Map<WorkerHandle, Watched>()
  #lookedAtMs: number
  #renewedAtMs = Number.NEGATIVE_INFINITY
  #cancel: Cancel

  constructor(options: WatchOptions) {
    this.#limits = { ...LIMITS, ...options.limits }
    this.#options = options
    this.#lookedAtMs = options.runtime.monotonic()
    this.#cancel = this.#arm()
  }

  begin(worker: WorkerHandle): void {
    this.#watched.set(worker, { heardAtMs: this.#options.runtime.monotonic(), looksTooLarge: 0 })
  }

  end(worker: WorkerHandle): void {
    this.#watched.delete(worker)
  }

  /** It said that it is alive. */
  hear(worker: WorkerHandle, rssBytes: number): void {
    const watched = this.#watched.get(worker)
    if (watched === undefined) return
    const { memoryBytes, renewalMs } = this.#limits
    const nowMs = this.#options.runtime.monotonic()
    watched.heardAtMs = nowMs
    watched.looksTooLarge = memoryBytes > 0 && rssBytes > memoryBytes ? watched.looksTooLarge + 1 : 0
    if (watched.looksTooLarge < LOOKS_TOO_LARGE || nowMs - this.#renewedAtMs < renewalMs) return
    this.#renewedAtMs = nowMs
    this.#options.log.warn('worker.too-large', { pid: worker.pid, rssBytes, memoryBytes })
    this.#options.outgrown(worker)
  }

  /** Resolves with the work, or when it takes longer than whoever asks should wait. */
  async patiently(work: Promise<unknown>): Promise<void> {
    const late = Promise.withResolvers<void>()
    const cancel = this.#options.runtime.after(PATIENCE_MS, late.resolve)
    await Promise.race([work, late.promise])
    cancel()
  }

  [Symbol.dispose](): void {
    this.#cancel()
    this.#watched.clear()
  }

  #arm(): Cancel {
    return this.#options.runtime.after(this.#limits.lookMs, () => {
      this.#look()
      this.#cancel = this.#arm()
    })
  }

  #look(): void {
    const { runtime, log } = this.#options
    const { wedgedMs, lookMs } = this.#limits
    const nowMs = runtime.monotonic()
    const wasAway = nowMs - this.#lookedAtMs > 2 * lookMs
    this.#lookedAtMs = nowMs
    for (const [worker, watched] of this.#watched) {
      // It was we who heard nothing: a machine that slept, or a control process that was stopped.
      if (wasAway) watched.heardAtMs = nowMs
      const silentMs = Math.round(nowMs - watched.heardAtMs)
      if (silentMs <= wedgedMs) continue
      log.error('worker.wedged', { pid: worker.pid, silentMs })
      worker.kill()
    }
  }
}
