import { statSync, utimesSync } from 'node:fs'
import { isMissing } from './blob-folder.ts'

/** Who was told that a blob is here has so long to publish what needs it: a weekend's train ride. */
export const LEASE_MS = 48 * 60 * 60 * 1000
/** A lease that is younger is not written again, so that asking twice costs nothing. */
const RENEW_AFTER_MS = 60 * 60 * 1000

/**
 * What the time of a lease means now. The file's modification time holds it, so it survives whatever the file survives,
 * costs nothing to read, and goes with the blob.
 *
 * - `held`: the blob may not go.
 * - `ahead`: renewed by a clock that was ahead of ours, or by ours before it was set back. It holds, and has to be counted
 *   from now on, or it would hold until that clock's day.
 * - `ended`: nobody can rely on it any more.
 */
export function judgeLease(renewedMs: number, nowMs: number): 'held' | 'ahead' | 'ended' {
  if (renewedMs > nowMs + RENEW_AFTER_MS) return 'ahead'
  return nowMs - renewedMs < LEASE_MS ? 'held' : 'ended'
}

/** When the lease of a file was renewed, milliseconds; undefined where there is no such file. */
export function readLease(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs
}

/** Renews in one turn, so that nothing can take the file away in between. False where there is no such file. */
export function renewLease(path: string, nowMs: number): boolean {
  const renewedMs = readLease(path)
  if (renewedMs === undefined) return false
  if (Math.abs(nowMs - renewedMs) < RENEW_AFTER_MS) return true
  try {
    utimesSync(path, nowMs / 1000, nowMs / 1000)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}
