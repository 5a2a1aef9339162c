/** Minutes and seconds, `4:59`. Part of a second counts as a whole one. */
export function formatRest(restMs: number): string {
  const seconds = Math.ceil(Math.max(0, restMs) / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
