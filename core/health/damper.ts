import type { Standing } from './standing.ts'

/** How long a verdict of down holds at least, the first time. */
export const FIRST_HOLD_MS = 30_000
/** Each time that it falls again doubles the hold, up to here. */
export const MAX_HOLD_MS = 600_000
/** Up for so long, and what was before is forgotten. */
export const QUIET_MS = 600_000

/**
 * Keeps an address that flaps from being answered with: down is believed at once, for no visitor may be sent to a dead node
 * because of damping, and up only when the hold is over. Until then it is `held`.
 */
export class Damper {
  #standing: Standing = 'up'
  #sinceMs: number
  #votedDown = false
  #holdMs = 0
  #holdUntilMs = 0

  constructor(nowMs: number) {
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
      const quiet = this.#standing === 'up' && nowMs - this.#sinceMs >= QUIET_MS
      this.#holdMs = quiet || this.#holdMs === 0 ? FIRST_HOLD_MS : Math.min(2 * this.#holdMs, MAX_HOLD_MS)
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
