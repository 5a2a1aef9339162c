import type { ProbeOutcome } from './probe-target.ts'

/** Results in a row that it takes to change an observation. */
export interface Thresholds {
  readonly failures: number
  readonly successes: number
}

/** What one node has seen of one service at one address. */
export interface Observation {
  readonly state: 'up' | 'down'
  /** When it became so. */
  readonly sinceMs: number
  /** When a probe last said anything. */
  readonly atMs: number
  /** Of the failure that made it down; later ones may say otherwise, and what is said should not change with each. */
  readonly reason: string | undefined
}

/**
 * Makes an observation of raw results: the first success counts at once, `failures` in a row are needed for down, and
 * `successes` in a row to come up from it. Unknown before. While probes can tell nothing it says nothing, and goes on from
 * what it knew when they can again.
 */
export class Observer {
  readonly #thresholds: Thresholds
  #observation: Observation | undefined
  /** Results in a row against what is observed. */
  #against = 0
  #unable = false

  constructor(thresholds: Thresholds) {
    this.#thresholds = thresholds
  }

  record(outcome: ProbeOutcome, reason: string | undefined, nowMs: number): void {
    this.#unable = outcome === 'unable'
    if (outcome === 'unable') {
      this.#against = 0
      return
    }
    const known = this.#observation
    this.#against = known?.state === outcome ? 0 : this.#against + 1
    if (this.#against >= this.#needed(outcome)) {
      this.#against = 0
      this.#observation = { state: outcome, sinceMs: nowMs, atMs: nowMs, reason }
    } else if (known !== undefined) {
      this.#observation = { ...known, atMs: nowMs }
    }
  }

  /** What is seen, unless no probe could tell anything for `maxAgeMs`, or the last one could not. */
  observation(nowMs: number, maxAgeMs: number): Observation | undefined {
    const known = this.#observation
    return known === undefined || this.#unable || nowMs - known.atMs > maxAgeMs ? undefined : known
  }

  /** Results in a row that make the outcome what is observed. */
  #needed(outcome: Observation['state']): number {
    if (this.#observation?.state === outcome) return Number.POSITIVE_INFINITY
    if (outcome === 'down') return this.#thresholds.failures
    return this.#observation === undefined ? 1 : this.#thresholds.successes
  }
}
