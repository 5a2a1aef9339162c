import type { BlobHash } from './ids.ts'

/**
 * Time and chance, passed in. The one real implementation is `cli/system.ts`; the simulator has its own. Nothing
 * else in the project reads a clock, draws a random number or sets a timer.
 */
export interface Runtime {
  /** Wall clock, milliseconds since the Unix epoch; may jump. */
  now(): number
  /** Monotonic milliseconds from an arbitrary origin; never goes back. */
  monotonic(): number
  /** Uniform in [0, 1); for choices, never for secrets. */
  random(): number
  /** Cryptographically strong bytes, a fresh Uint8Array. */
  randomBytes(length: number): Uint8Array
  /** Calls once after `delayMs` unless cancelled first; the timer alone does not keep the process alive. */
  after(delayMs: number, call: () => void): Cancel
}

export type Cancel = () => void

/** Events with data: `log.info('zone.rebuilt', { apex, records })`. Never a secret, never a sentence to parse. */
export interface Log {
  debug(event: string, data?: Record<string, unknown>): void
  info(event: string, data?: Record<string, unknown>): void
  warn(event: string, data?: Record<string, unknown>): void
  error(event: string, data?: Record<string, unknown>): void
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** Read access to content-addressed bytes that are on this machine. */
export interface BlobReader {
  /** Size in bytes, or undefined when the blob is not here. Cheap: no bytes are read. */
  size(hash: BlobHash): Promise<number | undefined>
  /** All bytes of a small blob (a manifest, a component). Throws MAKI_BLOB_MISSING. */
  read(hash: BlobHash): Promise<Uint8Array>
  /**
   * Bytes [start, end) as a stream; end defaults to the size. Throws MAKI_BLOB_MISSING before the first byte. The
   * consumer may stop early by destroying the stream; the file is then closed.
   */
  stream(hash: BlobHash, range?: { start: number; end: number }): Promise<NodeJS.ReadableStream>
  /**
   * The path of the file that the blob is or would be, for who opens it by himself and compares its length; absent where
   * blobs are no files. Throws MAKI_INVALID for what is no hash.
   */
  path?(hash: BlobHash): string
}
