import { MakiError } from './errors.ts'

/**
 * A hybrid logical clock value (Kulkarni et al., "Logical Physical Clocks", 2014): wall milliseconds since the Unix
 * epoch, then a counter. Greater than the stamps of all operations it follows, so order by stamp respects causality.
 */
export interface Stamp {
  readonly wallMs: number
  readonly counter: number
}

/** How far ahead of its own clock a replica lets an operation be made or handed in, and folds one from a peer. */
export const MAX_STAMP_AHEAD_MS = 5 * 60_000

/** Counters fit in 32 bits: four billion operations within one millisecond is no honest author. */
const MAX_COUNTER = 0xffff_ffff

export function compareStamps(a: Stamp, b: Stamp): number {
  return a.wallMs - b.wallMs || a.counter - b.counter
}

/** The total order of operations: stamp, then id. */
export function compareOperations(a: { stamp: Stamp; id: string }, b: { stamp: Stamp; id: string }): number {
  return compareStamps(a.stamp, b.stamp) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}

/** The least stamp that is not before `nowMs` and greater than every one of `seen`. */
export function nextStamp(nowMs: number, seen: Iterable<Stamp>): Stamp {
  let wallMs = Math.max(0, Math.floor(nowMs))
  let counter = 0
  for (const stamp of seen) {
    if (stamp.wallMs < wallMs || (stamp.wallMs === wallMs && stamp.counter < counter)) continue
    wallMs = stamp.wallMs
    counter = stamp.counter + 1
  }
  if (counter > MAX_COUNTER) return { wallMs: wallMs + 1, counter: 0 }
  return { wallMs, counter }
}

/** ISO 8601 time, with the counter only where it is not zero: `2026-11-22T10:00:00.000Z+3`. */
export function formatStamp(stamp: Stamp): string {
  const time = new Date(stamp.wallMs).toISOString()
  return stamp.counter === 0 ? time : `${time}+${stamp.counter}`
}

/** Latest wall time that a JavaScript Date can show; a stamp beyond it is refused as malformed. */
const MAX_WALL_MS = 8_640_000_000_000_000

export function stampFrom(wallMs: unknown, counter: unknown): Stamp {
  if (!Number.isSafeInteger(wallMs) || !Number.isSafeInteger(counter)) throw malformed()
  const stamp = { wallMs: wallMs as number, counter: counter as number }
  if (stamp.wallMs < 0 || stamp.wallMs > MAX_WALL_MS || stamp.counter < 0 || stamp.counter > MAX_COUNTER)
    throw malformed()
  return stamp
}

const malformed = () => new MakiError('MAKI_OPERATION_INVALID', 'the stamp of the operation is out of range')
