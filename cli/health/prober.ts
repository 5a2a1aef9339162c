import type { Cancel, ProbeTarget, Runtime } from '../../core/index.ts'
import type { ProbeReport } from './probe-report.ts'
import { targetId } from './service-ports.ts'

export interface ProberOptions {
  readonly runtime: Pick<Runtime, 'after' | 'monotonic' | 'random'>
  /** From the end of one probe of a target to the next, give or take a tenth. */
  readonly intervalMs: number
  /** The longest that a probe may take by itself. */
  readonly timeoutMs: number
  readonly probe: (target: ProbeTarget, signal: AbortSignal) => Promise<ProbeReport>
  readonly onOutcome: (target: ProbeTarget, outcome: ProbeReport) => void
  /** How many probes are under way at most. */
  readonly atOnce?: number
}

/** For few targets; of many at most half, so that a round of silence takes two time-outs and no observation grows old. */
const AT_ONCE = 16
/** Each is two sockets, of the thousand that a process may have. */
const MAX_AT_ONCE = 256
/** Between nodes that started together, so that they do not probe in step for ever. */
const JITTER = 0.1
/**
 * A probe that took this much longer than it may was not answered late: this process stood still (a paused laptop, a
 * stopped process, a machine without time for us), and so it says nothing about the other side.
 */
const STALL_MS = 1_000

/** Probes each target in turn, for as long as it is a target: at once when it becomes one, then at each interval. */
export class Prober implements AsyncDisposable {
  readonly #options: ProberOptions
  readonly #targets = new Map<string, ProbeTarget>()
  readonly #timers = new Map<string, Cancel>()
  readonly #running = new Map<string, { readonly abort: AbortController; readonly ended: Promise<void> }>()
  /** Ids of targets that are due. */
  readonly #due = new Set<string>()
  #isClosed = false

  constructor(options: ProberOptions) {
    this.#options = options
  }

  /** Replaces the targets. What is known stays on its schedule; what is gone is asked no more and heard no more. */
  setTargets(targets: readonly ProbeTarget[]): void {
    if (this.#isClosed) return
    const next = new Map(targets.map((target) => [targetId(target), target]))
    for (const id of this.#targets.keys()) if (!next.has(id)) this.#forget(id)
    for (const [id, target] of next) {
      if (this.#targets.has(id)) continue
      this.#targets.set(id, target)
      // One that came back while its probe of before still ends is due again when that has ended.
      this.#due.add(id)
    }
    this.#fill()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    for (const id of [...this.#targets.keys()]) this.#forget(id)
    await Promise.all([...this.#running.values()].map(({ ended }) => ended))
  }

  #forget(id: string): void {
    this.#targets.delete(id)
    this.#due.delete(id)
    this.#timers.get(id)?.()
    this.#timers.delete(id)
    this.#running.get(id)?.abort.abort()
  }

  #fill(): void {
    const { atOnce = Math.min(Math.max(AT_ONCE, Math.ceil(this.#targets.size / 2)), MAX_AT_ONCE) } = this.#options
    for (const id of this.#due) {
      if (this.#running.size >= atOnce) return
      const target = this.#targets.get(id)
      if (target === undefined || this.#running.has(id)) continue
      this.#due.delete(id)
      const abort = new AbortController()
      // In the map before it ends, however soon that is.
      const ended = Promise.resolve().then(() => this.#probe(id, target, abort.signal))
      this.#running.set(id, { abort, ended })
    }
  }

  async #probe(id: string, target: ProbeTarget, signal: AbortSignal): Promise<void> {
    const { runtime, probe, onOutcome, timeoutMs } = this.#options
    const startedMs = runtime.monotonic()
    // A fault of ours must not end the watch, nor be taken for theirs.
    const failed = (error: unknown): ProbeReport => ({ kind: 'unknown', reason: String(error) })
    const outcome = signal.aborted ? failed('cancelled') : await probe(target, signal).catch(failed)
    this.#running.delete(id)
    const isStale = runtime.monotonic() - startedMs > timeoutMs + STALL_MS
    if (!signal.aborted) {
      this.#schedule(id)
      if (!isStale) onOutcome(target, outcome)
    }
    if (!this.#isClosed) this.#fill()
  }

  #schedule(id: string): void {
    const { runtime, intervalMs } = this.#options
    const delayMs = intervalMs * (1 - JITTER + 2 * JITTER * runtime.random())
    const cancel = runtime.after(delayMs, () => {
      this.#timers.delete(id)
      this.#due.add(id)
      this.#fill()
    })
    this.#timers.set(id, cancel)
  }
}
