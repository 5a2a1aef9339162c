import type { Cancel, Log, Runtime } from '../../core/index.ts'
import { createRandom } from '../support/seeds.ts'

/** Time that stands still until `advance`, and seeded chance. */
export class FakeRuntime implements Runtime {
  nowMs: number
  readonly #random: ReturnType<typeof createRandom>
  readonly #timers = new Set<{ readonly atMs: number; readonly call: () => void }>()

  constructor(seed: number, nowMs = 1_700_000_100_000) {
    this.#random = createRandom(seed)
    this.nowMs = nowMs
  }

  get timers(): number {
    return this.#timers.size
  }

  now = () => this.nowMs
  monotonic = () => this.nowMs
  random = () => this.#random.next()
  randomBytes = (length: number) => this.#random.bytes(length)

  after = (delayMs: number, call: () => void): Cancel => {
    const timer = { atMs: this.nowMs + delayMs, call }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Moves the clock on and calls what is due by then, in order of time. */
  advance(ms: number): void {
    const endMs = this.nowMs + ms
    for (;;) {
      const due = [...this.#timers].filter((timer) => timer.atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (due === undefined) break
      this.#timers.delete(due)
      this.nowMs = Math.max(this.nowMs, due.atMs)
      due.call()
    }
    this.nowMs = endMs
  }
}

/** Keeps the event words and data of what was logged. */
export function recordLog(): Log & { readonly events: [event: string, data: Record<string, unknown>][] } {
  const events: [string, Record<string, unknown>][] = []
  const note = (event: string, data: Record<string, unknown> = {}) => void events.push([event, data])
  return { events, debug: note, info: note, warn: note, error: note }
}
