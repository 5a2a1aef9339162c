import type { Runtime } from '../../core/index.ts'

/**
 * Waits, and says how much is left about every second; rejects with the signal's reason as soon as it is aborted.
 */
export async function waitSpan(
  spanMs: number,
  options: {
    readonly runtime: Pick<Runtime, 'after' | 'monotonic'>
    readonly signal: AbortSignal
    readonly onRest?: (restMs: number) => void
  },
): Promise<void> {
  const { runtime, signal, onRest } = options
  const endMs = runtime.monotonic() + spanMs
  for (let restMs = spanMs; restMs > 0; restMs = endMs - runtime.monotonic()) {
    signal.throwIfAborted()
    onRest?.(restMs)
    await waitOnce(Math.min(restMs, STEP_MS), runtime, signal)
  }
  signal.throwIfAborted()
}

const STEP_MS = 1_000

function waitOnce(delayMs: number, runtime: Pick<Runtime, 'after'>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = runtime.after(delayMs, done)
    signal.addEventListener('abort', done, { once: true })
  })
}

/**
 * Asks again and again until `look` finds something; undefined where it did not within the span. What `look` throws counts
 * as not found, but for an interruption.
 */
export async function waitUntil<T>(
  spanMs: number,
  options: {
    readonly runtime: Pick<Runtime, 'after' | 'monotonic'>
    readonly signal: AbortSignal
    readonly everyMs: number
  },
  look: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const { runtime, signal, everyMs } = options
  const endMs = runtime.monotonic() + spanMs
  for (;;) {
    const found = await look().catch(() => undefined)
    signal.throwIfAborted()
    if (found !== undefined) return found
    const restMs = endMs - runtime.monotonic()
    if (restMs <= 0) return undefined
    await waitOnce(Math.min(everyMs, restMs), runtime, signal)
  }
}
