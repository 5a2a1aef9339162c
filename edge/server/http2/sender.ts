import type { BufferPool } from './buffer-pool.ts'
import {
  CODE,
  ConnectionFault,
  DEFAULT_WINDOW,
  FLAG,
  FRAME,
  FRAME_HEAD_BYTES,
  MAX_FRAME_BYTES,
  MAX_WINDOW,
} from './frames.ts'
import { MAX_TABLE_BYTES } from './hpack-table.ts'
import { Output } from './output.ts'
import type { Stream } from './stream.ts'

export interface SenderPorts {
  readonly pool: BufferPool
  /** False while more would only be held in memory. */
  readonly hasRoom: () => boolean
  /** The answer of a stream is over. */
  readonly ended: (stream: Stream) => void
}

/** An update of the size of the table, to nothing (RFC 7541 section 6.3). */
const NO_TABLE = 0x20

/** Sends answers within the windows that the client opens (RFC 9113 section 5.2). Streams take turns, a frame each. */
export class Sender {
  readonly output: Output
  readonly #ports: SenderPorts
  /** Of the connection. */
  #window = DEFAULT_WINDOW
  readonly #waiting = new Set<Stream>()
  #isPumping = false
  #resizing: 'no' | 'owed' | 'done' = 'no'

  constructor(ports: SenderPorts) {
    this.#ports = ports
    this.output = new Output(ports.pool)
  }

  /** The client keeps no table as large as we might use; it wants to hear that we know (RFC 7541 section 4.2). */
  limitTable(bytes: number): void {
    if (bytes < MAX_TABLE_BYTES && this.#resizing === 'no') this.#resizing = 'owed'
  }

  /** Throws a ConnectionFault where it becomes larger than windows can be. */
  open(bytes: number): void {
    this.#window += bytes
    if (this.#window > MAX_WINDOW) throw new ConnectionFault(CODE.flowControl, 'the window of the connection')
    this.pump()
  }

  /** Whether the client takes so many bytes of content at once. */
  fits(stream: Stream, bytes: number): boolean {
    return bytes <= this.#window && bytes <= stream.sendWindow
  }

  /** The whole of an answer that fits: [0, headBytes) is its encoded head. */
  answer(stream: Stream, bytes: Buffer, headBytes: number): void {
    const body = bytes.length - headBytes
    const frames = 2 + Math.ceil(body / MAX_FRAME_BYTES)
    this.output.reserve(bytes.length + frames * FRAME_HEAD_BYTES + 1)
    this.head(stream, bytes, headBytes, body === 0)
    if (body === 0) return
    for (let at = headBytes; at < bytes.length; at += MAX_FRAME_BYTES) {
      const end = Math.min(at + MAX_FRAME_BYTES, bytes.length)
      this.#data(stream, bytes, at, end, end === bytes.length)
    }
    this.#ports.ended(stream)
  }

  /** HEADERS and what it takes of CONTINUATION, with the first `length` bytes. */
  head(stream: Stream, block: Buffer, length: number, ends: boolean): void {
    const { output } = this
    const owed = this.#resizing === 'owed' ? 1 : 0
    let at = Math.min(length, MAX_FRAME_BYTES - owed)
    const flags = (ends ? FLAG.endStream : 0) | (at === length ? FLAG.endHeaders : 0)
    output.frameHead(at + owed, FRAME.headers, flags, stream.id)
    if (owed === 1) {
      output.byte(NO_TABLE)
      this.#resizing = 'done'
    }
    output.bytes(block, 0, at)
    while (at < length) {
      const end = Math.min(at + MAX_FRAME_BYTES, length)
      output.frameHead(end - at, FRAME.continuation, end === length ? FLAG.endHeaders : 0, stream.id)
      output.bytes(block, at, end)
      at = end
    }
    if (ends) this.#ports.ended(stream)
  }

  /** One piece of the content, at a time; `taken` is called when all of it has its place in frames. */
  data(stream: Stream, bytes: Buffer, ends: boolean, taken: () => void): void {
    stream.pending = bytes
    stream.pendingAt = 0
    stream.pendingEnds = ends
    stream.onTaken = taken
    this.#waiting.add(stream)
    this.pump()
  }

  /** After the last piece, which was not known to be it. */
  end(stream: Stream): void {
    this.output.frameHead(0, FRAME.data, FLAG.endStream, stream.id)
    this.#ports.ended(stream)
  }

  forget(stream: Stream): void {
    this.#waiting.delete(stream)
    stream.pending = undefined
    stream.onTaken = undefined
  }

  /** Sends what windows and room allow; when there is more of either. */
  pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    for (const stream of this.#waiting) {
      if (this.#window <= 0 || !this.#ports.hasRoom()) break
      if (stream.sendWindow > 0) this.#sendTurn(stream)
    }
    this.#isPumping = false
  }

  #sendTurn(stream: Stream): void {
    const { pending, pendingAt, pendingEnds, onTaken } = stream
    this.#waiting.delete(stream)
    if (pending === undefined) return
    const most = Math.min(this.#window, stream.sendWindow, MAX_FRAME_BYTES)
    const end = Math.min(pending.length, pendingAt + most)
    const isLast = end === pending.length
    this.#data(stream, pending, pendingAt, end, isLast && pendingEnds)
    if (!isLast) {
      stream.pendingAt = end
      this.#waiting.add(stream)
      return
    }
    stream.pending = undefined
    stream.onTaken = undefined
    if (pendingEnds) this.#ports.ended(stream)
    onTaken?.()
  }

  #data(stream: Stream, bytes: Buffer, start: number, end: number, ends: boolean): void {
    this.output.frameHead(end - start, FRAME.data, ends ? FLAG.endStream : 0, stream.id)
    this.output.bytes(bytes, start, end)
    this.#window -= end - start
    stream.sendWindow -= end - start
  }
}
