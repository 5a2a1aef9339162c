import type { Socket } from 'node:net'
import type { Cancel, Runtime } from '../../core/index.ts'
import type { Asker } from '../message/index.ts'
import { plainAddress } from './plain-address.ts'
import type { Responder } from './responder.ts'

/** The length in front of every message (RFC 1035 section 4.2.2). */
const LENGTH_OCTETS = 2
/** Queries of one connection that are answered before others have their turn: a chunk can hold thousands. */
const QUERIES_PER_TURN = 64

/** How long a connection may last. */
export interface ConnectionLimits {
  /** Without a whole query, or without the client taking any of an answer, milliseconds (RFC 7766 section 6.2.3). */
  readonly idleMs: number
  /** From opening to closing, whatever happens, milliseconds. */
  readonly maxAgeMs: number
}

/** Longer than a question is on its way. */
const LAST_QUESTION_MS = 1_000

/** What the listener hears of a connection. */
export interface ConnectionHooks {
  /** A whole query came. */
  readonly onActivity: () => void
  readonly onClose: () => void
}

/**
 * One client's connection (RFC 7766): queries in any fragmentation, answered in order, as many at once as it likes. It
 * reads no further while the client does not take its answers, and closes on a message that deserves none.
 */
export class TcpConnection {
  readonly #socket: Socket
  readonly #responder: Responder
  readonly #runtime: Pick<Runtime, 'after'>
  readonly #limits: ConnectionLimits
  readonly #hooks: ConnectionHooks
  readonly #cancelAge: Cancel
  readonly #asker: Asker
  #cancelIdle: Cancel = () => {}
  /** Grows by doubling, so that neither bytes that trickle in nor lengths that promise much cost much. */
  #buffer = Buffer.alloc(0)
  #filled = 0
  #ended = false
  #blocked = false
  #hasAnswered = false
  /** What comes now is answered, and nothing after it. */
  #isLast = false

  constructor(
    socket: Socket,
    responder: Responder,
    runtime: Pick<Runtime, 'after'>,
    limits: ConnectionLimits,
    hooks: ConnectionHooks,
  ) {
    this.#socket = socket
    this.#responder = responder
    this.#runtime = runtime
    this.#limits = limits
    this.#hooks = hooks
    this.#asker = { address: plainAddress(socket.remoteAddress ?? ''), transport: 'tcp' }
    this.#cancelAge = runtime.after(limits.maxAgeMs, () => this.close())
    this.#restartIdle()
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('drain', () => this.#unblock())
    socket.on('end', () => this.#end())
    // A reset is an ordinary way to leave; `close` follows.
    socket.on('error', () => {})
    socket.on('close', () => this.#release())
  }

  close(): void {
    this.#socket.destroy()
  }

  /**
   * Closes when nothing is under way. A client that has asked nothing yet has a second for it: its question is on the way, and
   * a reset would lose it. Whoever rests between two questions asks again elsewhere (RFC 7766 section 6.2.4).
   */
  finish(): void {
    this.#isLast = true
    this.#cancelIdle()
    this.#cancelIdle = this.#runtime.after(LAST_QUESTION_MS, () => this.close())
    if (this.#hasAnswered) this.#endAfterLast()
  }

  #endAfterLast(): void {
    if (this.#filled === 0 && !this.#blocked && !this.#socket.destroyed)
      this.#socket.end(() => this.#socket.destroySoon())
  }

  #receive(chunk: Buffer): void {
    const needed = this.#filled + chunk.length
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2))
      this.#buffer.copy(grown, 0, 0, this.#filled)
      this.#buffer = grown
    }
    chunk.copy(this.#buffer, this.#filled)
    this.#filled = needed
    this.#answerAll()
  }

  #answerAll(): void {
    let start = 0
    this.#socket.cork()
    for (let answered = 0; !this.#blocked && !this.#socket.destroyed; answered++) {
      const end = this.#findEnd(start)
      if (end === undefined) break
      if (answered === QUERIES_PER_TURN) {
        this.#block()
        setImmediate(() => this.#unblock())
        break
      }
      this.#answerOne(this.#buffer.subarray(start + LENGTH_OCTETS, end))
      start = end
    }
    this.#socket.uncork()
    if (start > 0) this.#forget(start)
    if (this.#ended && !this.#blocked && !this.#socket.destroyed) this.#socket.end()
    else if (this.#isLast && this.#hasAnswered) this.#endAfterLast()
  }

  /** Where the message that starts there ends; undefined while it is not whole. */
  #findEnd(start: number): number | undefined {
    if (start + LENGTH_OCTETS > this.#filled) return undefined
    const end = start + LENGTH_OCTETS + this.#buffer.readUInt16BE(start)
    return end > this.#filled ? undefined : end
  }

  #answerOne(message: Uint8Array): void {
    this.#restartIdle()
    this.#hooks.onActivity()
    const bytes = this.#responder.reply(message, this.#asker)
    if (bytes === undefined) {
      this.close()
      return
    }
    const frame = Buffer.allocUnsafe(LENGTH_OCTETS + bytes.length)
    frame.writeUInt16BE(bytes.length)
    frame.set(bytes, LENGTH_OCTETS)
    this.#hasAnswered = true
    if (!this.#socket.write(frame)) this.#block()
  }

  /** Reads and answers nothing more for now. */
  #block(): void {
    this.#blocked = true
    this.#socket.pause()
  }

  #forget(octets: number): void {
    this.#filled -= octets
    const rest = this.#buffer.subarray(octets, octets + this.#filled)
    this.#buffer = this.#filled === 0 ? Buffer.alloc(0) : Buffer.from(rest)
  }

  #unblock(): void {
    if (!this.#blocked || this.#socket.destroyed) return
    this.#blocked = false
    this.#restartIdle()
    this.#answerAll()
    if (!this.#blocked) this.#socket.resume()
  }

  /** The client has asked all that it wants; what is whole by now is still answered. */
  #end(): void {
    this.#ended = true
    if (!this.#blocked) this.#answerAll()
  }

  #restartIdle(): void {
    if (this.#isLast) return
    this.#cancelIdle()
    this.#cancelIdle = this.#runtime.after(this.#limits.idleMs, () => this.close())
  }

  #release(): void {
    this.#cancelIdle()
    this.#cancelAge()
    this.#hooks.onClose()
  }
}
