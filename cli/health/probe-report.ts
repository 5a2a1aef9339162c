import type { Runtime } from '../../core/index.ts'

/**
 * What one probe says about the service that it asked. `unknown`: nothing, because the fault lies with who asks (no
 * route to that family of addresses, a time in which this process stood still).
 */
export type ProbeReport =
  | { readonly kind: 'up'; readonly tookMs: number }
  | { readonly kind: 'down'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string }

/** Where a probe goes, and how long it may take in all. */
export interface ProbeOptions {
  /** An IP address, never a name: no resolver stands between a node and what it measures. */
  readonly host: string
  readonly port: number
  readonly timeoutMs: number
  readonly runtime: Pick<Runtime, 'after' | 'monotonic' | 'randomBytes'>
  /** Ends the probe at once; its outcome is then `unknown`. */
  readonly signal?: AbortSignal | undefined
}

/** Ends one probe; only the first call counts. */
export type Settle = (
  outcome: Omit<Extract<ProbeReport, { kind: 'up' }>, 'tookMs'> | Exclude<ProbeReport, { kind: 'up' }>,
) => void

/**
 * Runs a probe that ends exactly once: by its own word, by the time-out (`late()` says what was met until then) or by the
 * signal. `begin` returns what closes its socket, which is called in every case.
 */
export function settleOnce(
  options: Pick<ProbeOptions, 'timeoutMs' | 'runtime' | 'signal'>,
  late: () => string,
  begin: (settle: Settle) => () => void,
): Promise<ProbeReport> {
  const { runtime, timeoutMs, signal } = options
  const startedMs = runtime.monotonic()
  const { promise, resolve } = Promise.withResolvers<ProbeReport>()
  let close: (() => void) | undefined
  let isSettled = false
  const settle: Settle = (outcome) => {
    if (isSettled) return
    isSettled = true
    cancel()
    signal?.removeEventListener('abort', onAbort)
    close?.()
    resolve(outcome.kind === 'up' ? { kind: 'up', tookMs: runtime.monotonic() - startedMs } : outcome)
  }
  const onAbort = (): void => settle({ kind: 'unknown', reason: 'it was cancelled' })
  const cancel = runtime.after(timeoutMs, () => settle({ kind: 'down', reason: late() }))
  if (signal?.aborted === true) onAbort()
  else {
    signal?.addEventListener('abort', onAbort, { once: true })
    close = begin(settle)
    // It may have ended while it began.
    if (isSettled) close()
  }
  return promise
}
