/** Upper bounds of the buckets, seconds: an answer takes some ten microseconds. */
export const QUERY_BOUNDS_S: readonly number[] = [
  0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.1,
]

/** Counts in buckets: `buckets[i]` are those up to bound i and above the one before; the last has what is above all. */
export interface QueryDurations {
  readonly buckets: readonly number[]
  readonly sum: number
}

/** How long answers took to make; noting one makes nothing. */
export class DurationCounts {
  readonly #buckets = new Float64Array(QUERY_BOUNDS_S.length + 1)
  #sum = 0

  note(seconds: number): void {
    let at = 0
    while (at < QUERY_BOUNDS_S.length && seconds > (QUERY_BOUNDS_S[at] as number)) at++
    this.#buckets[at] = (this.#buckets[at] as number) + 1
    this.#sum += seconds
  }

  snapshot(): QueryDurations {
    return { buckets: [...this.#buckets], sum: this.#sum }
  }
}
