import type { TLSSocket } from 'node:tls'
import { endGently } from '../../transport/index.ts'
import { FloodBudget } from '../flood-budget.ts'
import { StreamAnswerer } from './answer-request.ts'
import { Connection } from './connection.ts'
import { CODE, ConnectionFault } from './frames.ts'
import type { Http2Context } from './http2-context.ts'

/** Longer than a browser waits between the page and its last image, shorter than NAT tables forget. */
const KEEP_ALIVE_MS = 60_000
/** Held for a client that takes less than it asks for; then nothing more is read of it. */
const MAX_HELD_BYTES = 128 * 1024
/** Often enough that a flood of resets is seen before the next second. */
const CHECK_EVERY_DROPS = 64

/** One HTTP/2 connection on its socket: what is read together is answered together, in one write. */
export class ServedConnection {
  readonly socket: TLSSocket
  readonly #context: Http2Context
  readonly #connection: Connection
  readonly #flood: FloodBudget
  /** Of a frame that is not complete, or behind what had no room. */
  #kept: Buffer | undefined
  #isReading = false
  #willFlush = false
  #isResting = true
  #restTick = -1
  #restRequests = -1
  /** Since nothing was under way, and since the socket took something; monotonic milliseconds. */
  #restsSinceMs: number
  #movedMs: number
  #takenBytes = 0

  constructor(socket: TLSSocket, covers: (host: string) => boolean, context: Http2Context) {
    this.socket = socket
    this.#context = context
    const { handler, budget, runtime } = context
    this.#restsSinceMs = runtime.monotonic()
    this.#movedMs = this.#restsSinceMs
    this.#flood = new FloodBudget(this.#restsSinceMs)
    const client = { address: socket.remoteAddress ?? '', country: undefined }
    const isDirect = !handler.isProxy(socket.remoteAddress)
    const answerer = new StreamAnswerer(context, { client: () => client, covers, isDirect }, this.#flushSoon)
    const connection = new Connection({
      pool: context.pool,
      hasRoom: () => socket.writableLength + connection.streams.sender.output.length < MAX_HELD_BYTES,
      flush: this.#flushSoon,
      request: (stream, head) => answerer.answer(connection.streams, stream, head),
      dropped: () => {
        if (connection.streams.dropped % CHECK_EVERY_DROPS === 0) this.check()
      },
    })
    this.#connection = connection
    socket.on('data', this.#onData)
    socket.on('drain', this.#onDrain)
    socket.on('error', () => {})
    socket.on('close', this.#onClose)
    budget.rests(socket)
    this.#flush()
  }

  /** To be called about every second: ends a connection that floods, takes nothing, or has asked for nothing for a minute. */
  check(): void {
    const { runtime, handler } = this.#context
    const { streams, windows, requests, isOver, isClosing } = this.#connection
    if (isOver) return
    const nowMs = runtime.monotonic()
    const { bytesRead, bytesWritten, writableLength } = this.socket
    const traffic = {
      bytesRead,
      bytesWritten,
      requests,
      contentBytes: windows.readBytes,
      answered: streams.answered,
      dropped: streams.dropped,
    }
    const takenBytes = bytesWritten - writableLength
    if (takenBytes !== this.#takenBytes || writableLength === 0) this.#movedMs = nowMs
    this.#takenBytes = takenBytes
    if (this.#flood.exceeds(traffic, nowMs)) {
      handler.counters.http2Calmed++
      this.#end(CODE.calm)
    } else if (nowMs - this.#movedMs > handler.timeoutMs + KEEP_ALIVE_MS) this.socket.destroy()
    else if (streams.size === 0 && nowMs - this.#restsSinceMs > KEEP_ALIVE_MS && !isClosing) this.close()
  }

  /** Takes no further request (GOAWAY), and ends when those under way are answered. */
  close(): void {
    if (this.#connection.isOver || this.#connection.isClosing) return
    this.#connection.close(CODE.none)
    this.#flush()
    this.#settle()
  }

  /** Ends it, with what is under way. */
  destroy(): void {
    if (!this.#connection.isOver) this.#end(CODE.none)
  }

  readonly #onData = (chunk: Buffer): void => {
    const kept = this.#kept
    this.#kept = undefined
    this.#read(kept === undefined ? chunk : Buffer.concat([kept, chunk]))
  }

  readonly #onDrain = (): void => {
    const kept = this.#kept
    this.#kept = undefined
    this.#connection.streams.sender.pump()
    this.#read(kept)
    if (!this.socket.writableNeedDrain) this.socket.resume()
  }

  readonly #onClose = (): void => {
    this.#kept = undefined
    this.#connection.abandon()
  }

  #read(bytes: Buffer | undefined): void {
    const connection = this.#connection
    if (connection.isOver) return
    this.#isReading = true
    try {
      if (bytes !== undefined) {
        const read = connection.receive(bytes)
        // A copy: a few bytes must not hold the whole of what came with them.
        if (read < bytes.length) this.#kept = Buffer.from(bytes.subarray(read))
      }
    } catch (error) {
      this.#fail(error instanceof ConnectionFault ? error.code : CODE.internal)
    }
    this.#isReading = false
    this.#flush()
    this.#settle()
  }

  /** The client broke the protocol: it is told, and the connection ends. */
  #fail(code: number): void {
    this.#context.handler.counters.malformed++
    const { socket } = this
    this.#connection.close(code)
    this.#connection.abandon()
    this.#flush()
    endGently(socket, this.#context.runtime)
    socket.resume()
  }

  #end(code: number): void {
    const { socket } = this
    this.#connection.close(code)
    this.#connection.abandon()
    this.#flush()
    socket.pause()
    socket.end(() => socket.destroy())
  }

  /** At the end of the turn, together with what others write in it. */
  readonly #flushSoon = (): void => {
    if (this.#isReading || this.#willFlush) return
    this.#willFlush = true
    process.nextTick(() => {
      this.#willFlush = false
      this.#flush()
      this.#settle()
    })
  }

  #flush(): void {
    const taken = this.#connection.streams.sender.output.take()
    if (taken === undefined) return
    if (this.socket.destroyed || this.socket.writableEnded) {
      taken.release()
      return
    }
    // Who takes nothing is not read either: what it asks for would only be held.
    if (!this.socket.write(taken.bytes, taken.release) && !this.#connection.isOver) this.socket.pause()
  }

  /** What comes of having answered, or of having begun to. */
  #settle(): void {
    const { streams, isClosing, isOver, requests } = this.#connection
    const { budget, runtime, date } = this.#context
    const { socket } = this
    if (isOver) return
    if (streams.size > 0) {
      if (this.#isResting) budget.wakes(socket)
      this.#isResting = false
      this.#restTick = -1
      return
    }
    if (isClosing) {
      this.#connection.abandon()
      endGently(socket, runtime)
      socket.resume()
      return
    }
    if (this.#isResting && (this.#restTick === date.tick || this.#restRequests === requests)) return
    this.#isResting = true
    this.#restTick = date.tick
    this.#restRequests = requests
    this.#restsSinceMs = runtime.monotonic()
    budget.wakes(socket)
    budget.rests(socket)
  }
}
