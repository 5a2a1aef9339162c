import type { Runtime } from '../../core/index.ts'

/** The wall clock may run so far ahead of the monotonic one between two looks; beyond that somebody set it. */
const SLACK_MS = 10 * 60 * 1000

/** Notices when the wall clock was set ahead: what then seems to have run out may have been renewed a minute ago. */
export class ClockWatch {
  readonly #runtime: Pick<Runtime, 'now' | 'monotonic'>
  readonly #distrustMs: number
  #wallMs: number
  #monotonicMs: number
  #distrustUntilMs = Number.NEGATIVE_INFINITY

  /** After a jump the clock is distrusted for `distrustMs`. */
  constructor(runtime: Pick<Runtime, 'now' | 'monotonic'>, distrustMs: number) {
    this.#runtime = runtime
    this.#distrustMs = distrustMs
    this.#wallMs = runtime.now()
    this.#monotonicMs = runtime.monotonic()
  }

  /** False from the look that found the clock set ahead, until time enough has really passed. */
  isTrusted(): boolean {
    const [wallMs, monotonicMs] = [this.#runtime.now(), this.#runtime.monotonic()]
    const aheadMs = wallMs - this.#wallMs - (monotonicMs - this.#monotonicMs)
    this.#wallMs = wallMs
    this.#monotonicMs = monotonicMs
    if (aheadMs > SLACK_MS) this.#distrustUntilMs = monotonicMs + this.#distrustMs
    return monotonicMs >= this.#distrustUntilMs
  }
}
