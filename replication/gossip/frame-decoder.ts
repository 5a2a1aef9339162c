import { MakiError } from '../../core/index.ts'
import { type Frame, LENGTH_BYTES, MAX_STRANGER_FRAME_BYTES, parseFrame } from './wire.ts'

/** Room taken for a body before any of it arrived: a length alone costs its sender nothing, so it buys nothing. */
const FIRST_ROOM_BYTES = 64 * 1024

/**
 * Takes frames out of a byte stream, however it is cut. Holds at most one frame. After it threw it must not be used
 * again: where the next frame starts is not known.
 */
export class FrameDecoder {
  /** Longest body accepted now, bytes; raised when the peer has proved who it is. Looked at for each frame. */
  limitBytes = MAX_STRANGER_FRAME_BYTES
  readonly #header = new Uint8Array(LENGTH_BYTES)
  #headerFilled = 0
  #length = 0
  #body = new Uint8Array(0)
  #filled = 0

  /** To be called at the end of the stream; throws MAKI_PROTOCOL when it ends within a frame. */
  end(): void {
    if (this.#headerFilled > 0) throw new MakiError('MAKI_PROTOCOL', 'the stream ends within a frame')
  }

  /**
   * Yields each frame that is complete with this chunk; the consumer may raise the limit between two. Throws
   * MAKI_PROTOCOL at a frame that is too long, empty, garbage or of the wrong shape.
   */
  *decode(chunk: Uint8Array): Generator<Frame> {
    let at = 0
    while (at < chunk.length) {
      if (this.#headerFilled < LENGTH_BYTES) {
        this.#header[this.#headerFilled++] = chunk[at++] as number
        if (this.#headerFilled === LENGTH_BYTES) this.#open()
        continue
      }
      const taken = Math.min(this.#length - this.#filled, chunk.length - at)
      this.#reserve(this.#filled + taken)
      this.#body.set(chunk.subarray(at, at + taken), this.#filled)
      this.#filled += taken
      at += taken
      if (this.#filled === this.#length) yield this.#close()
    }
  }

  #open(): void {
    this.#length = new DataView(this.#header.buffer).getUint32(0)
    if (this.#length === 0) throw new MakiError('MAKI_PROTOCOL', 'the frame is empty')
    if (this.#length > this.limitBytes)
      throw new MakiError('MAKI_PROTOCOL', `the frame has ${this.#length} bytes, ${this.limitBytes} are allowed`)
    this.#body = new Uint8Array(Math.min(this.#length, FIRST_ROOM_BYTES))
  }

  #close(): Frame {
    const body = this.#body
    this.#body = new Uint8Array(0)
    this.#headerFilled = 0
    this.#filled = 0
    return parseFrame(body)
  }

  #reserve(size: number): void {
    if (size <= this.#body.length) return
    const room = new Uint8Array(Math.min(this.#length, Math.max(size, this.#body.length * 2)))
    room.set(this.#body.subarray(0, this.#filled))
    this.#body = room
  }
}
