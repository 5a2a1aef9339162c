/**
 * Adds counters of one shape, number by number; a side that is undefined adds nothing, and a name that only one side has
 * counts as it is.
 */
export function addCounts<T>(a: T, b: T): T {
  if (a === undefined) return b
  if (b === undefined) return a
  if (typeof a === 'number') return (a + (b as number)) as T
  if (Array.isArray(a)) return a.map((item, i) => addCounts(item, (b as unknown[])[i])) as T
  const sum: Record<string, unknown> = { ...(b as object) }
  for (const [name, value] of Object.entries(a as object))
    sum[name] = addCounts(value, (b as Record<string, unknown>)[name])
  return sum as T
}
