/** What a connection did since it was opened. */
export interface Traffic {
  readonly bytesRead: number
  readonly bytesWritten: number
  readonly requests: number
  /** Of the bytes read, the content of requests that somebody wanted. */
  readonly contentBytes: number
  /** Requests of which the whole answer was sent. */
  readonly answered: number
  /** Requests that ended before their answer, whoever ended them. */
  readonly dropped: number
}

/** Bytes that belong to no request: settings, pings, priorities, window updates, empty frames. */
const FREE_BYTES = 256 * 1024
const FREE_BYTES_PER_S = 16 * 1024
/** The largest head that is read at all; a request that was taken pays for as much. */
const BYTES_PER_REQUEST = 16 * 1024
/** Content comes in frames; those of a byte each are no way to send it. */
const BYTES_PER_CONTENT_BYTE = 1 + 1 / 16
/** A client tells that it took what was sent: 26 bytes for a frame of 16 KiB, less wherever it gathers them. */
const WRITTEN_PER_BYTE = 64
/** A browser that leaves a page drops what it had asked for, a hundred streams at most. */
const FREE_DROPS = 200
const FREE_DROPS_PER_S = 5
/** What was answered speaks for a client, but not for ever. */
const DROPS_PER_ANSWER = 0.5

/**
 * How much a connection may ask for without taking answers: two leaky buckets, of bytes that are no requests and of requests
 * that are dropped. It bounds what HTTP/2 lets a client do for nothing, whichever frames it does it with: rapid reset
 * (CVE-2023-44487) and its variants in which we are made to reset (CVE-2025-8671), floods of pings, settings, priorities,
 * window updates and empty frames (CVE-2019-9511 to 9518).
 */
export class FloodBudget {
  #bytes = FREE_BYTES
  #drops = FREE_DROPS
  #seen: Traffic = { bytesRead: 0, bytesWritten: 0, requests: 0, contentBytes: 0, answered: 0, dropped: 0 }
  #atMs: number

  constructor(nowMs: number) {
    this.#atMs = nowMs
  }

  /** True once the connection has done more than it may. `nowMs` only grows, and so does what it did. */
  exceeds(traffic: Traffic, nowMs: number): boolean {
    const seconds = (nowMs - this.#atMs) / 1000
    const seen = this.#seen
    const paid =
      (traffic.requests - seen.requests) * BYTES_PER_REQUEST +
      (traffic.bytesWritten - seen.bytesWritten) / WRITTEN_PER_BYTE +
      seconds * FREE_BYTES_PER_S
    // Below zero where somebody takes what came earlier.
    const free =
      traffic.bytesRead - seen.bytesRead - (traffic.contentBytes - seen.contentBytes) * BYTES_PER_CONTENT_BYTE
    this.#bytes = Math.min(FREE_BYTES, Math.min(FREE_BYTES, this.#bytes + paid) - free)
    const forgiven = (traffic.answered - seen.answered) * DROPS_PER_ANSWER + seconds * FREE_DROPS_PER_S
    this.#drops = Math.min(FREE_DROPS, this.#drops + forgiven) - (traffic.dropped - seen.dropped)
    this.#seen = traffic
    this.#atMs = nowMs
    return this.#bytes < 0 || this.#drops < 0
  }
}
