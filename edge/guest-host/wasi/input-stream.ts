import type {
  StreamErrorClosed,
  StreamErrorLastOperationFailed,
  InputStream as WasiInputStream,
} from '@bytecodealliance/preview2-shim/interfaces/wasi-io-streams'
import { clampLength, type Instance, Resource } from './instance.ts'
import { IoError, type IoFailure } from './io-error.ts'
import { block, type Look, Pollable, READY, type Readiness } from './poll.ts'

/** Where bytes come from. */
export interface InputSource {
  /** At most `most` bytes (1 or more), empty when there are none yet, undefined when no more come. Throws a StreamFailure. */
  read(most: number): Uint8Array | undefined
  look(): Readiness
  /** Nobody reads any more. */
  close(): void
}

/** Thrown by what is behind a stream: its operation failed, and nothing more comes of it. */
export class StreamFailure {
  readonly failure: IoFailure

  constructor(failure: IoFailure) {
    this.failure = failure
  }
}

/** Of one read. */
export const MAX_READ_BYTES = 64 * 1024
/** Asked for at least, and kept: a guest that reads byte by byte costs an ask per so many. */
const READ_AHEAD_BYTES = 16 * 1024
export const CLOSED: StreamErrorClosed = { tag: 'closed' }
const NOTHING = new Uint8Array(0)

/** `input-stream` of wasi:io/streams. A read of any length gives no more than MAX_READ_BYTES. */
export class InputStream extends Resource implements WasiInputStream {
  readonly #instance: Instance
  readonly #source: InputSource
  #kept: Uint8Array = NOTHING
  #hasEnded = false

  constructor(instance: Instance, source: InputSource) {
    super(instance)
    this.#instance = instance
    this.#source = source
  }

  read(len: bigint): Uint8Array {
    const most = clampLength(len, MAX_READ_BYTES)
    if (this.#hasEnded) throw CLOSED
    if (most === 0) return NOTHING
    if (this.#kept.length === 0) this.#fetch(Math.max(most, READ_AHEAD_BYTES))
    const given = this.#kept.subarray(0, most)
    this.#kept = this.#kept.subarray(given.length)
    return given
  }

  blockingRead(len: bigint): Uint8Array {
    for (;;) {
      const bytes = this.read(len)
      if (bytes.length > 0 || len === 0n) return bytes
      block(this.#instance, this.#look)
    }
  }

  skip(len: bigint): bigint {
    return BigInt(this.read(len).length)
  }

  blockingSkip(len: bigint): bigint {
    return BigInt(this.blockingRead(len).length)
  }

  subscribe(): Pollable {
    return new Pollable(this.#instance, this.#look)
  }

  protected override dropped(): void {
    this.#kept = NOTHING
    this.#hasEnded = true
    this.#source.close()
  }

  readonly #look: Look = () => (this.#hasEnded || this.#kept.length > 0 ? READY : this.#source.look())

  #fetch(most: number): void {
    let bytes: Uint8Array | undefined
    try {
      bytes = this.#source.read(most)
    } catch (failure) {
      this.#hasEnded = true
      throw explainFailure(this.#instance, failure)
    }
    this.#hasEnded = bytes === undefined
    if (bytes === undefined) throw CLOSED
    this.#kept = bytes
  }
}

/** What a guest learns of a failure; anything else goes on as it is. */
export function explainFailure(instance: Instance, failure: unknown): unknown {
  if (!(failure instanceof StreamFailure)) return failure
  const error: StreamErrorLastOperationFailed = {
    tag: 'last-operation-failed',
    val: new IoError(instance, failure.failure),
  }
  return error
}

/** Ends at once: standard input. */
export const noInput: InputSource = { read: () => undefined, look: () => READY, close() {} }
