import type { Standing } from './standing.ts'

/** How long a verdict of down holds, in check intervals: at first, and at most for one that falls again and again. */
const FIRST_HOLD_INTERVALS = 3
const MAX_HOLD_INTERVALS = 60

/** Milliseconds. */
export interface HoldTimes {
  /** How long a verdict of down holds at least, the first time. */
  readonly firstMs: number
  /** Each time that it falls again doubles the hold, up to here. */
  readonly maxMs: number
  /** Up for so long, and what was before is forgotten. */
  readonly quietMs: number
}

/** For probes so far apart: 30 s, 10 min and 10 min for the default of 10 s. */
export const holdTimes = (intervalMs: number): HoldTimes => ({
  firstMs: FIRST_HOLD_INTERVALS * intervalMs,
  maxMs: MAX_HOLD_INTERVALS * intervalMs,
  quietMs: MAX_HOLD_INTERVALS * intervalMs,
})

/**
 * Keeps an address that flaps from being answered with: down is believed at once, for no visitor may be sent to a dead node
 * because of damping, and up only when the hold is over. Until then it is `held`.
 */
export class Damper {
  readonly #times: HoldTimes
  #standing: Standing = 'up'
  #sinceMs: number
  #votedDown = false
  #holdMs = 0
  #holdUntilMs = 0

  constructor(nowMs: number, times: HoldTimes) {
    this.#times = times
    this.#sinceMs = nowMs
  }

  get standing(): Standing {
    return this.#standing
  }

  /** When it got its standing. */
  get sinceMs(): number {
    return this.#sinceMs
  }

  /** To be told the vote of the moment; returns what it makes of it. */
  judge(votedDown: boolean, nowMs: number): Standing {
    if (votedDown && !this.#votedDown) {
      const { firstMs, maxMs, quietMs } = this.#times
      const quiet = this.#standing === 'up' && nowMs - this.#sinceMs >= quietMs
      this.#holdMs = quiet || this.#holdMs === 0 ? firstMs : Math.min(2 * this.#holdMs, maxMs)
      this.#holdUntilMs = nowMs + this.#holdMs
    }
    this.#votedDown = votedDown
    this.#become(votedDown ? 'down' : nowMs < this.#holdUntilMs ? 'held' : 'up', nowMs)
    return this.#standing
  }

  #become(standing: Standing, nowMs: number): void {
    if (standing === this.#standing) return
    this.#standing = standing
    this.#sinceMs = nowMs
  }
}
