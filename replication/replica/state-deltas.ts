import type { Entry, Key, Scope, StateDelta } from '../../core/index.ts'

/** One delta that does what `deltas` do one after another. */
export function mergeDeltas(deltas: readonly StateDelta[]): StateDelta {
  const [only] = deltas
  if (only !== undefined && deltas.length === 1) return only
  const entries = new Map<Key, Entry | null>()
  const touches = new Map<Scope, number>()
  for (const delta of deltas) {
    for (const [key, entry] of delta.entries) entries.set(key, entry)
    for (const [scope, count] of delta.touches) touches.set(scope, count)
  }
  return { entries: [...entries], touches: [...touches] }
}
