import type { MemberKey } from '../../core/index.ts'

/** A node that serves blobs. */
export interface BlobPeer {
  readonly key: MemberKey
  /** Of its blob server: `http://[fd00::1]:8282`. */
  readonly url: string
}

/** What a peer did that puts it behind the others. */
export type PeerFault = 'lied' | 'stalled' | 'failed'

/** First and longest time behind the others; it doubles with each fault in a row. */
const PENALTY_MS: Record<PeerFault, readonly [number, number]> = {
  // Wrong bytes are a broken disk or a broken node: hours matter, not seconds.
  lied: [60_000, 3_600_000],
  stalled: [10_000, 300_000],
  // A node that restarts is back within seconds.
  failed: [2_000, 60_000],
}
/** One transfer hides the waits of another; more only share the same link. */
const TRANSFERS_PER_PEER = 2

/** Who gets the next request: the nearest that behaves and is not busy. No I/O; the time is passed in. */
export class PeerRanking {
  readonly #records = new Map<MemberKey, { faults: number; behindUntilMs: number; active: number }>()

  begin(key: MemberKey): void {
    this.#record(key).active += 1
  }

  end(key: MemberKey): void {
    this.#record(key).active -= 1
  }

  isFree(key: MemberKey): boolean {
    return this.#record(key).active < TRANSFERS_PER_PEER
  }

  isBehind(key: MemberKey, nowMs: number): boolean {
    return this.#record(key).behindUntilMs > nowMs
  }

  succeed(key: MemberKey): void {
    Object.assign(this.#record(key), { faults: 0, behindUntilMs: Number.NEGATIVE_INFINITY })
  }

  blame(key: MemberKey, fault: PeerFault, nowMs: number): void {
    const record = this.#record(key)
    const [firstMs, longestMs] = PENALTY_MS[fault]
    const untilMs = nowMs + Math.min(firstMs * 2 ** record.faults, longestMs)
    record.behindUntilMs = Math.max(record.behindUntilMs, untilMs)
    record.faults = Math.min(record.faults + 1, 30)
  }

  /** Forgets peers that are gone and owe nothing. */
  keep(keys: ReadonlySet<MemberKey>, nowMs: number): void {
    for (const [key, record] of this.#records)
      if (!keys.has(key) && record.active === 0 && record.behindUntilMs <= nowMs) this.#records.delete(key)
  }

  #record(key: MemberKey): { faults: number; behindUntilMs: number; active: number } {
    let record = this.#records.get(key)
    if (record === undefined) {
      record = { faults: 0, behindUntilMs: Number.NEGATIVE_INFINITY, active: 0 }
      this.#records.set(key, record)
    }
    return record
  }
}
