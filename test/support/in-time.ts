/** Four minutes, as for `eventually`: only what never comes meets it, also on a machine with much else to do. */
const PATIENCE_MS = 240_000

/**
 * What `work` gives; rejects when it has not ended after four minutes, and names what was waited for and what `tell` says
 * of it then. A test that hangs says no more than its name; this says where.
 */
export async function inTime<T>(what: string, work: Promise<T>, tell: () => string = () => ''): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`waited in vain for this: ${what}\n${tell()}`)), PATIENCE_MS)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
