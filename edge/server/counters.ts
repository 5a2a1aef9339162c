/** What an HTTP server did since it started. */
export interface HttpCounters {
  requests: number
  /** Under way now. */
  active: number
  /** Decided anew; the others were remembered. */
  decided: number
  /** Answers of files that may be encoded, and those of them that were. */
  variantHits: number
  variantMisses: number
  /** Answers by the first digit of their status; index 0 and 1 stay empty. */
  readonly responses: number[]
  /** Ended before the whole answer was handed to the system: by the client, a time-out or a failed blob. */
  aborted: number
  /** Bytes that were no request. */
  malformed: number
  /** Refused because too many were under way. */
  overloaded: number
  /** A blob that was missing, short, or too slow. */
  blobFailures: number
  /** Requests that the fast path read, and those of them that were answered from memory. */
  fast: number
  remembered: number
  /** Connections that the fast path gave to node:http. */
  handedOver: number
  /** TLS handshakes that came to an end, and those of them that resumed a session. */
  tlsHandshakes: number
  tlsResumed: number
  /** TLS connections without a handshake: no certificate for the name, no common version, garbage, too slow. */
  tlsFailed: number
  /** HTTP/2 connections, and those of them that were ended because they flooded. */
  http2Connections: number
  http2Calmed: number
}

export function newCounters(): HttpCounters {
  return {
    requests: 0,
    active: 0,
    decided: 0,
    variantHits: 0,
    variantMisses: 0,
    responses: [0, 0, 0, 0, 0, 0],
    aborted: 0,
    malformed: 0,
    overloaded: 0,
    blobFailures: 0,
    fast: 0,
    remembered: 0,
    handedOver: 0,
    tlsHandshakes: 0,
    tlsResumed: 0,
    tlsFailed: 0,
    http2Connections: 0,
    http2Calmed: 0,
  }
}
