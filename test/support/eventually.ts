import { setTimeout as pause } from 'node:timers/promises'

/** Four minutes of looks: only what never comes meets the bound, also on a machine with much else to do. */
const TRIES = 4800
const PAUSE_MS = 50

/**
 * Looks again and again until `look` gives something other than undefined, and gives that. For the borders to real
 * processes alone, where nothing tells of the event: what another process serves, writes or leaves. Rejects, naming what
 * was waited for and what the last look met, when the bound is reached.
 */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  options: { readonly tries?: number } = {},
): Promise<T> {
  const { tries = TRIES } = options
  let last: unknown
  for (let i = 0; i < tries; i++) {
    if (i > 0) await pause(PAUSE_MS)
    try {
      const found = await look()
      if (found !== undefined) return found
      last = undefined
    } catch (error) {
      last = error
    }
  }
  const met = last === undefined ? '' : `; the last look met: ${last instanceof Error ? last.message : String(last)}`
  throw new Error(`waited in vain, ${tries} times, for this: ${what}${met}`, { cause: last })
}
