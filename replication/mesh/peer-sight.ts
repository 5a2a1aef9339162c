import type { TunnelPeer } from './ports.ts'

/** A session of WireGuard carries nothing after so long without a new handshake (REJECT_AFTER_TIME). */
export const FRESH_MS = 180_000
/**
 * Whoever gets data answers within 10 seconds, if only with an empty packet, and who gets no answer begins a handshake 5 seconds
 * later: so much silence, with two handshakes begun in it, is no peer that has nothing to say.
 */
const DEAF_MS = 25_000
const DEAF_BYTES = 2 * 148

/** What one peer's counters say of it over time. Goes by its own clock, not by that of the device: that one may jump. Sans-IO. */
export class PeerSight {
  readonly #beganMs: number
  /** As the device said it last. */
  #handshake: number | undefined
  #handshakeMs: number | undefined
  #received = 0
  #sent = 0
  /** When something was received last, and how much had been sent by then. */
  #heardMs: number
  #sentWhenHeard = 0
  /** Since when it does not answer. */
  #silentSinceMs: number | undefined
  #isFirst = true

  constructor(nowMs: number) {
    this.#beganMs = nowMs
    this.#heardMs = nowMs
  }

  look(device: TunnelPeer | undefined, { nowMs, wallMs }: { readonly nowMs: number; readonly wallMs: number }): void {
    const { lastHandshakeMs, receivedBytes = 0, sentBytes = 0 } = device ?? {}
    // A device that was opened again counts from nothing.
    if (sentBytes < this.#sent || receivedBytes < this.#received) this.#sentWhenHeard = 0
    if (lastHandshakeMs !== this.#handshake) {
      this.#handshake = lastHandshakeMs
      // What was there before us is as old as it says; what is new happened since we looked last.
      const ageMs = this.#isFirst ? Math.max(0, wallMs - (lastHandshakeMs ?? 0)) : 0
      this.#handshakeMs = lastHandshakeMs === undefined ? undefined : nowMs - ageMs
      this.#hear(nowMs, sentBytes)
    }
    if (receivedBytes !== this.#received) this.#hear(nowMs, sentBytes)
    this.#received = receivedBytes
    this.#sent = sentBytes
    this.#isFirst = false
    if (this.isWorking(nowMs)) this.#silentSinceMs = undefined
    else this.#silentSinceMs ??= this.#handshakeMs === undefined ? this.#beganMs : nowMs
  }

  /** A handshake that still holds, and answers where answers are due. */
  isWorking(nowMs: number): boolean {
    const ageMs = this.handshakeAgeMs(nowMs)
    if (ageMs === undefined || ageMs >= FRESH_MS) return false
    return nowMs - this.#heardMs < DEAF_MS || this.#sent - this.#sentWhenHeard < DEAF_BYTES
  }

  /** Something was sent since something was heard. */
  get isUnanswered(): boolean {
    return this.#sent > this.#sentWhenHeard
  }

  handshakeAgeMs(nowMs: number): number | undefined {
    return this.#handshakeMs === undefined ? undefined : nowMs - this.#handshakeMs
  }

  /** For how long it has not answered; undefined while it does. */
  silentMs(nowMs: number): number | undefined {
    return this.#silentSinceMs === undefined ? undefined : nowMs - this.#silentSinceMs
  }

  #hear(nowMs: number, sentBytes: number): void {
    this.#heardMs = nowMs
    this.#sentWhenHeard = sentBytes
  }
}
