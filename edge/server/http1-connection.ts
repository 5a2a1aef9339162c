import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Runtime } from '../../core/index.ts'
import { endGently } from '../transport/index.ts'
import { formatRawRefusal, type RawRefusal } from './raw-refusal.ts'

/** Of requests that came at once on one connection, so many are worked on. */
const MAX_UNDER_WAY = 32
/** And so many wait; who sends more reads nothing. */
const MAX_WAITING = 256

interface Ports {
  readonly answer: (request: IncomingMessage, response: ServerResponse) => void
  /** The rest of its content will not be read: bytes came that are none of it, or none came any more. */
  readonly lost: (request: IncomingMessage) => void
  /** All that was asked is answered. */
  readonly rests: () => void
  readonly runtime: Pick<Runtime, 'after' | 'now'>
}

/**
 * What is under way on one connection. Requests that come at once are worked on a few at a time; bytes that are no request
 * are answered after all that came before them, and never in the middle of something.
 */
export class Http1Connection {
  readonly #socket: Socket
  readonly #ports: Ports
  readonly #waiting: [IncomingMessage, ServerResponse][] = []
  #underWay = 0
  /** The request that came last; while its content has not, nothing may be said but its answer. */
  #last: IncomingMessage | undefined
  #refusal: RawRefusal | undefined
  #isEnding = false

  constructor(socket: Socket, ports: Ports) {
    this.#socket = socket
    this.#ports = ports
    // By which node ends a connection after its last answer.
    socket.destroySoon = () => this.#end()
  }

  take(request: IncomingMessage, response: ServerResponse): void {
    // What comes behind the last answer is read and has none.
    if (this.#isEnding) return
    this.#last = request
    if (this.#underWay < MAX_UNDER_WAY) this.#begin(request, response)
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push([request, response])
    else this.#socket.destroy()
  }

  /** Ends the connection once everything before is answered; with this answer, where one can still be read as one. */
  refuse(refusal: RawRefusal): void {
    if (this.#refusal !== undefined || this.#isEnding) return
    this.#refusal = refusal
    if (this.#last?.complete === false) this.#ports.lost(this.#last)
    if (this.#underWay === 0) this.#sayLast(refusal)
  }

  #begin(request: IncomingMessage, response: ServerResponse): void {
    this.#underWay++
    response.once('close', () => {
      this.#underWay--
      this.#goOn()
    })
    this.#ports.answer(request, response)
  }

  #goOn(): void {
    if (this.#socket.destroyed) {
      this.#waiting.length = 0
      return
    }
    const next = this.#waiting.shift()
    if (next !== undefined) this.#begin(...next)
    else if (this.#underWay > 0) return
    else if (this.#refusal !== undefined) this.#sayLast(this.#refusal)
    else this.#ports.rests()
  }

  #sayLast(refusal: RawRefusal): void {
    const socket = this.#socket
    // In the middle of content the fault is the content's, whose request has its answer.
    if (socket.writable && this.#last?.complete !== false) {
      socket.write(formatRawRefusal(refusal, this.#ports.runtime.now()))
    }
    this.#end()
  }

  #end(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    endGently(this.#socket, this.#ports.runtime)
  }
}
