/** What a series of measurements comes to. */
export interface Summary {
  readonly count: number
  readonly min: number
  readonly median: number
  readonly p95: number
  readonly max: number
}

/** Throws a RangeError for an empty series. */
export function summarize(values: readonly number[]): Summary {
  if (values.length === 0) throw new RangeError('there is nothing to summarize')
  const sorted = [...values].sort((a, b) => a - b)
  return {
    count: sorted.length,
    min: sorted[0] as number,
    median: quantile(sorted, 0.5),
    p95: quantile(sorted, 0.95),
    max: sorted.at(-1) as number,
  }
}

/** The ratio of ours to the peer, round by round: both were measured in the same round, under the same load. */
export function ratios(ours: readonly number[], peers: readonly number[]): Summary {
  return summarize(ours.map((value, i) => value / (peers[i] as number)))
}

/** Nearest rank, so that every quantile is a value that was measured. */
function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * q) - 1)] as number
}
