import type { Readable } from 'node:stream'

/**
 * Bytes of a stream, taken when somebody wants them: what nobody takes stays in the stream's buffer, which then reads no
 * more. `changed` is called whenever there may be more to take, or an end.
 */
export class ByteReader {
  readonly #stream: Readable
  #hasEnded = false

  constructor(stream: Readable, changed: () => void) {
    this.#stream = stream
    stream.on('readable', () => {
      // An end is told of only to who reads at it.
      if (stream.readableLength === 0) stream.read(0)
      changed()
    })
    stream.on('end', () => {
      this.#hasEnded = true
      changed()
    })
  }

  get isReady(): boolean {
    return this.#hasEnded || this.#stream.readableLength > 0
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** At most `length` bytes; none where there are none yet, or no more. */
  take(length: number): Uint8Array {
    const bytes = Math.min(length, this.#stream.readableLength)
    const taken: unknown = bytes > 0 ? this.#stream.read(bytes) : null
    if (this.#stream.readableLength === 0) this.#stream.read(0)
    return taken instanceof Uint8Array ? taken : new Uint8Array(0)
  }
}
