import type {
  InputStream as WasiInputStream,
  OutputStream as WasiOutputStream,
} from '@bytecodealliance/preview2-shim/interfaces/wasi-io-streams'
import { CLOSED, explainFailure } from './input-stream.ts'
import { clampLength, GuestTrap, type Instance, Resource } from './instance.ts'
import { block, type Look, Pollable, READY, type Readiness } from './poll.ts'

/** Where bytes go. Each method may throw a StreamFailure, and nothing more is written then. */
export interface OutputSink {
  /** Bytes that can be taken now, 0 where it is to be waited; undefined when none are taken any more. */
  room(): number | undefined
  /** Takes all, no more than there is room for; does not keep the array. */
  write(bytes: Uint8Array): void
  /** True when all that was written has left. */
  flush(): boolean
  look(): Readiness
  /** Nobody writes any more. */
  close(): void
}

/** Of one write: what `check-write` grants at most. */
export const MAX_WRITE_BYTES = 64 * 1024
/** Of the writes that block: the contract of wasi:io/streams. */
const MAX_BLOCKING_BYTES = 4096

/**
 * `output-stream` of wasi:io/streams. As its contract says, a write of more than `check-write` granted traps, and so does a
 * blocking one of more than 4096 bytes.
 */
export class OutputStream extends Resource implements WasiOutputStream {
  readonly #instance: Instance
  readonly #sink: OutputSink
  #granted = 0
  #isFlushing = false
  #hasEnded = false

  constructor(instance: Instance, sink: OutputSink) {
    super(instance)
    this.#instance = instance
    this.#sink = sink
  }

  checkWrite(): bigint {
    this.#granted = this.#act(() => {
      if (this.#isFlushing) this.#isFlushing = !this.#sink.flush()
      const room = this.#sink.room()
      if (room === undefined) throw CLOSED
      return this.#isFlushing ? 0 : Math.min(room, MAX_WRITE_BYTES)
    })
    return BigInt(this.#granted)
  }

  write(contents: Uint8Array): void {
    if (this.#hasEnded) throw CLOSED
    if (contents.length > this.#granted)
      throw new GuestTrap(`${contents.length} bytes were written where check-write had granted ${this.#granted}`)
    this.#granted -= contents.length
    if (contents.length > 0) this.#act(() => this.#sink.write(contents))
  }

  flush(): void {
    this.#isFlushing = true
    this.checkWrite()
    this.#granted = 0
  }

  blockingFlush(): void {
    this.flush()
    while (this.#isFlushing) {
      block(this.#instance, this.#look)
      this.checkWrite()
    }
  }

  blockingWriteAndFlush(contents: Uint8Array): void {
    if (contents.length > MAX_BLOCKING_BYTES)
      throw new GuestTrap(`blocking-write-and-flush takes ${MAX_BLOCKING_BYTES} bytes, not ${contents.length}`)
    for (let at = 0; at < contents.length; ) {
      const room = this.#blockForRoom()
      this.write(contents.subarray(at, at + room))
      at += room
    }
    this.blockingFlush()
  }

  writeZeroes(len: bigint): void {
    if (len > BigInt(MAX_WRITE_BYTES)) throw new GuestTrap(`${len} zeroes were written, more than check-write grants`)
    this.write(new Uint8Array(Number(len)))
  }

  blockingWriteZeroesAndFlush(len: bigint): void {
    if (len > BigInt(MAX_BLOCKING_BYTES))
      throw new GuestTrap(`blocking-write-zeroes-and-flush takes ${MAX_BLOCKING_BYTES}, not ${len}`)
    this.blockingWriteAndFlush(new Uint8Array(Number(len)))
  }

  splice(src: WasiInputStream, len: bigint): bigint {
    return this.#splice(src.read(BigInt(clampLength(len, Number(this.checkWrite())))))
  }

  blockingSplice(src: WasiInputStream, len: bigint): bigint {
    if (len === 0n) return 0n
    return this.#splice(src.blockingRead(BigInt(clampLength(len, this.#blockForRoom()))))
  }

  subscribe(): Pollable {
    return new Pollable(this.#instance, this.#look)
  }

  protected override dropped(): void {
    this.#hasEnded = true
    this.#sink.close()
  }

  readonly #look: Look = () => (this.#hasEnded ? READY : this.#sink.look())

  #splice(bytes: Uint8Array): bigint {
    this.write(bytes)
    return BigInt(bytes.length)
  }

  /** Grants 1 or more. */
  #blockForRoom(): number {
    for (;;) {
      const room = Number(this.checkWrite())
      if (room > 0) return room
      block(this.#instance, this.#look)
    }
  }

  #act<T>(act: () => T): T {
    if (this.#hasEnded) throw CLOSED
    try {
      return act()
    } catch (failure) {
      this.#hasEnded = true
      throw explainFailure(this.#instance, failure)
    }
  }
}
