/**
 * The candidate that was most likely meant by a mistyped word: the nearest, else the only one that begins with it
 * (`alias` for `aliases`); undefined when none is near.
 */
export function findNearest(word: string, candidates: Iterable<string>): string | undefined {
  const longer: string[] = []
  // A third of the letters wrong is a typing error; more is another word.
  let bound = Math.max(1, Math.floor(word.length / 3))
  let nearest: string | undefined
  for (const candidate of candidates) {
    if (word.length > 2 && candidate.toLowerCase().startsWith(word.toLowerCase())) longer.push(candidate)
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance > bound || (distance === bound && nearest !== undefined)) continue
    bound = distance
    nearest = candidate
  }
  return nearest ?? (longer.length === 1 ? longer[0] : undefined)
}

/** Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min((last[j] as number) + 1, (row[j - 1] as number) + 1, (last[j - 1] as number) + (same ? 0 : 1))
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) cost = Math.min(cost, (beforeLast[j - 2] as number) + 1)
      row.push(cost)
    }
    beforeLast = last
    last = row
  }
  return last[b.length] as number
}
