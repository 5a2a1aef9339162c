import type { OutgoingHttpHeaders } from 'node:http'
import { Writable } from 'node:stream'
import type { CapturedAnswer, DateClock } from '../fast/index.ts'
import type { AnswerStream } from '../send-plan.ts'
import { CODE } from './frames.ts'
import { encodeHead, type HeadBlock } from './hpack-encode.ts'
import type { Stream } from './stream.ts'
import type { Streams } from './streams.ts'

export interface StreamWriterOptions {
  readonly streams: Streams
  readonly stream: Stream
  readonly date: DateClock
  /** Called when there is something to write on the socket. */
  readonly flush: () => void
  /** Answers of up to this many bytes of content are kept for `captured`; 0 keeps none. */
  readonly captureBytes: number
}

/**
 * Writes one answer on a stream. One that is cut is ended with INTERNAL_ERROR, so that no client takes its part for the whole;
 * one whose client went is destroyed.
 */
export class StreamWriter extends Writable implements AnswerStream {
  headersSent = false
  readonly #options: StreamWriterOptions
  /** Until it is sent, together with what follows. */
  #head: HeadBlock | undefined
  #block: HeadBlock | undefined
  #headers: OutgoingHttpHeaders = {}
  #dateTick = 0
  /** Of the content; NaN where nothing says. */
  #leftBytes = Number.NaN
  #captured: Buffer[] | undefined
  #capturedBytes = 0

  constructor(options: StreamWriterOptions) {
    super({ highWaterMark: 64 * 1024 })
    this.#options = options
    if (options.captureBytes > 0) this.#captured = []
    options.stream.onCancel = () => this.destroy()
  }

  writeHead(status: number, headers: OutgoingHttpHeaders): this {
    const { date } = this.#options
    this.#head = encodeHead(status, headers, date.text)
    this.#block = this.#head
    this.headersSent = true
    this.#headers = headers
    this.#dateTick = date.tick
    this.#leftBytes = Number(headers['content-length'])
    return this
  }

  /** Undefined unless it was small and all of it was sent. */
  get captured(): CapturedAnswer | undefined {
    const block = this.#block
    if (this.#captured === undefined || block === undefined || !this.writableFinished) return undefined
    const bytes = Buffer.concat([block.bytes, ...this.#captured])
    const { dateAt } = block
    return { bytes, headers: this.#headers, dateAt, dateTick: this.#dateTick, headBytes: block.bytes.length }
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const { streams, stream, flush } = this.#options
    this.#putHead(false)
    this.#keep(chunk)
    this.#leftBytes -= chunk.length
    streams.sender.data(stream, chunk, this.#leftBytes === 0, done)
    flush()
  }

  override _final(done: () => void): void {
    const { streams, stream, flush } = this.#options
    if (!this.#putHead(true) && stream.isLocalOpen) streams.sender.end(stream)
    flush()
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const { streams, stream, flush } = this.#options
    stream.onCancel = undefined
    streams.reset(stream, CODE.internal)
    flush()
    done(error)
  }

  /** False where it was sent before. */
  #putHead(ends: boolean): boolean {
    const { streams, stream } = this.#options
    const head = this.#head
    this.#head = undefined
    if (head !== undefined && stream.isLocalOpen) streams.sender.head(stream, head.bytes, head.bytes.length, ends)
    return head !== undefined
  }

  #keep(chunk: Buffer): void {
    if (this.#captured === undefined) return
    this.#capturedBytes += chunk.length
    if (this.#capturedBytes > this.#options.captureBytes) this.#captured = undefined
    else this.#captured.push(chunk)
  }
}
