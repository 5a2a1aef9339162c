import type { OutgoingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import { Writable } from 'node:stream'
import type { AnswerStream } from '../send-plan.ts'
import { formatHead } from './answer-head.ts'
import type { DateClock } from './date.ts'
import { sendFile } from './send-file.ts'

export interface WriterOptions {
  readonly socket: Socket
  readonly method: 'GET' | 'HEAD'
  readonly date: DateClock
  readonly keepAliveS: number
  /** Whether this is the last answer of the connection; asked when the head is written. */
  readonly isLast: () => boolean
  /** Answers of up to this many bytes, head and body, are kept for `captured`; 0 keeps none. */
  readonly captureBytes: number
  /** sendfile(2) works here, and on this socket. */
  readonly sendsFiles: boolean
}

/** The bytes of an answer as they were sent. */
export interface CapturedAnswer {
  readonly bytes: Buffer
  /** As they were given: the very object. */
  readonly headers: OutgoingHttpHeaders
  readonly dateAt: number
  readonly dateTick: number
  readonly headBytes?: number | undefined
}

/** Writes one answer on a raw socket, as node:http's ServerResponse would; the socket stays open behind it. */
export class AnswerWriter extends Writable implements AnswerStream {
  headersSent = false
  /** The connection ends with this answer. */
  isEnd = false
  /** Sent past the socket, by `sendFile`. */
  filedBytes = 0
  readonly sendFile: AnswerStream['sendFile']
  readonly #options: WriterOptions
  readonly #onSocketClose = () => this.destroy()
  #head: string | undefined
  #captured: Buffer[] | undefined
  #capturedBytes = 0
  #headers: OutgoingHttpHeaders = {}
  #dateAt = 0
  #dateTick = 0

  constructor(options: WriterOptions) {
    super({ highWaterMark: 64 * 1024 })
    this.#options = options
    if (options.captureBytes > 0) this.#captured = []
    this.sendFile = options.sendsFiles ? (fd, start, end, passed) => this.#sendFile(fd, start, end, passed) : undefined
    options.socket.once('close', this.#onSocketClose)
  }

  writeHead(status: number, headers: OutgoingHttpHeaders): this {
    const { date, isLast, keepAliveS, method } = this.#options
    const last = isLast()
    const head = formatHead(status, headers, { date, method, last, keepAliveS })
    this.headersSent = true
    this.isEnd = last || head.endless
    this.#head = head.text
    this.#headers = headers
    this.#dateAt = head.dateAt
    this.#dateTick = date.tick
    if (this.isEnd) this.#captured = undefined
    return this
  }

  /** Undefined unless it was small and all of it was sent. */
  get captured(): CapturedAnswer | undefined {
    if (this.#captured === undefined || !this.writableFinished) return undefined
    const bytes = Buffer.concat(this.#captured)
    return { bytes, headers: this.#headers, dateAt: this.#dateAt, dateTick: this.#dateTick }
  }

  async #sendFile(fd: number, start: number, end: number, passed: (bytes: number) => void): Promise<void> {
    this.#captured = undefined
    const { socket } = this.#options
    await new Promise<void>((resolve, reject) => {
      socket.write(this.#takeHead(), 'latin1', (error) => (error ? reject(error) : resolve()))
    })
    await sendFile(socket, { fd, start, end }, (bytes) => {
      this.filedBytes += bytes
      passed(bytes)
    })
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    const head = this.#head === undefined ? undefined : Buffer.from(this.#takeHead(), 'latin1')
    const bytes = head === undefined ? chunk : Buffer.concat([head, chunk])
    this.#keep(bytes)
    this.#options.socket.write(bytes, done)
  }

  override _final(done: (error?: Error | null) => void): void {
    const { socket } = this.#options
    if (this.#head === undefined) {
      done(socket.destroyed ? new Error('the connection is closed') : null)
      return
    }
    const head = Buffer.from(this.#takeHead(), 'latin1')
    this.#keep(head)
    socket.write(head, done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const { socket } = this.#options
    socket.off('close', this.#onSocketClose)
    // Half an answer is no answer: what came next would be read as the rest of it.
    if (!this.writableFinished) socket.destroy()
    done(error)
  }

  #takeHead(): string {
    const head = this.#head ?? ''
    this.#head = undefined
    return head
  }

  #keep(bytes: Buffer): void {
    if (this.#captured === undefined) return
    this.#capturedBytes += bytes.length
    if (this.#capturedBytes > this.#options.captureBytes) this.#captured = undefined
    else this.#captured.push(bytes)
  }
}
