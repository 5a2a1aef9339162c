import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Server as NetServer, type Socket } from 'node:net'
import type { Runtime } from '../../core/index.ts'
import { ALLOW } from '../respond/index.ts'
import type { ConnectionBudget } from './connection-budget.ts'
import { Http1Connection } from './http1-connection.ts'
import { type ByteFault, findRawRefusal } from './raw-refusal.ts'
import { readRequest } from './read-request.ts'
import { findContent, findFramingFault } from './request-framing.ts'
import type { RequestHandler } from './request-handler.ts'
import { StreamedContent, type StreamedContentPorts } from './streamed-content.ts'

export interface Http1Options {
  readonly handler: RequestHandler
  readonly budget: ConnectionBudget
  readonly runtime: Pick<Runtime, 'after' | 'now'>
  /** The connections are TLS. */
  readonly secure: boolean
}

/** What nginx takes with its defaults, and node:http too. */
const MAX_HEADER_BYTES = 16 * 1024
const MAX_HEADERS = 200
/** Longer than a browser waits between the page and its last image, shorter than NAT tables forget. */
const KEEP_ALIVE_MS = 60_000
/** A head is a few packets; whoever takes longer holds a socket on purpose. */
const HEAD_TIMEOUT_MS = 15_000
const DRAIN_MS = 10_000
/** Longer than a request is on its way. */
export const LINGER_MS = 1_000
/** For the first request of a connection: whoever just connected on a busy machine has nothing else to ask by. */
export const FIRST_LINGER_MS = 5_000

/** How long a connection may take for what, in milliseconds; whoever serves HTTP/1.1 keeps to them. */
export interface Http1Limits {
  /** For a head to arrive. */
  readonly headMs: number
  /** Between requests. */
  readonly keepAliveMs: number
  /** With a request under way and nothing moving. */
  readonly stillMs: number
  /** How often they are looked at. */
  readonly checkEveryMs: number
}

/**
 * HTTP/1.1 on connections, by node:http. They come from `server` once it listens, or by `serve`, from whoever accepted them.
 * Nothing that a client sends ends the process: it is answered or cut, and counted.
 */
export class Http1 {
  readonly server: Server
  readonly limits: Http1Limits
  readonly #options: Http1Options
  readonly #open = new Set<Socket>()
  readonly #connections = new WeakMap<Socket, Http1Connection>()
  readonly #contents = new WeakMap<IncomingMessage, StreamedContent>()
  #closing: Promise<void> | undefined
  #isLingering = true
  #drained = () => {}

  constructor(options: Http1Options) {
    this.#options = options
    const { timeoutMs } = options.handler
    const checkEveryMs = Math.min(5_000, timeoutMs)
    const headMs = Math.min(HEAD_TIMEOUT_MS, timeoutMs)
    this.limits = { headMs, keepAliveMs: KEEP_ALIVE_MS, stillMs: timeoutMs + 2 * checkEveryMs, checkEveryMs }
    this.server = createServer({
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: headMs,
      requestTimeout: timeoutMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: checkEveryMs,
      noDelay: true,
      // A missing Host is ours to answer, like every other fault.
      requireHostHeader: false,
    })
    this.server.maxHeadersCount = MAX_HEADERS
    // A connection on which nothing moves in either direction; late enough for the others to answer with 408 first.
    this.server.timeout = this.limits.stillMs
    // A client may say that it has asked all that it wants, and wait for the answer (RFC 9112 section 9.6).
    Object.assign(this.server, { httpAllowHalfOpen: true })
    const handle = (request: IncomingMessage, response: ServerResponse) =>
      this.#connectionOf(request.socket).take(request, response)
    this.server.prependListener('connection', (socket: Socket) => this.admit(socket))
    this.server.on('request', handle)
    // Without a listener node would say 100 Continue and take a body that nobody reads.
    this.server.on('checkContinue', handle)
    // And answer other expectations by itself.
    this.server.on('checkExpectation', handle)
    // No proxy is to be had here. Without a listener node would hang up.
    this.server.on('connect', (_request, socket) =>
      this.#connectionOf(socket as Socket).refuse({ status: '405 Method Not Allowed', fields: `allow: ${ALLOW}\r\n` }),
    )
    this.server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.refuseBytes(error, socket as Socket))
    // Starts node's watch over slow connections, also where others accept them; done again when it listens.
    this.server.emit('listening')
  }

  /** Takes a connection that somebody else accepted, and admitted or not. What was read of it is put back (`unshift`) first. */
  serve(socket: Socket): void {
    this.server.emit('connection', socket)
  }

  /**
   * Accepts nothing new, and answers what is under way or still comes on connections, each of which it closes with its
   * answer. Who asks nothing for a second is closed then, or for five who has asked nothing yet: a request may be on its way
   * that a cut would lose. After ten seconds all are cut. Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      const cancel = this.#options.runtime.after(DRAIN_MS, () => {
        for (const socket of this.#open) socket.destroy()
      })
      this.#drained = () => {
        if (this.#open.size > 0) return
        cancel()
        resolve()
      }
      // Not the close of node:http, which cuts whoever has asked nothing yet. Calls back with an error where it never
      // listened; what counts is that nothing is open.
      NetServer.prototype.close.call(this.server, () => this.#drained())
      this.#linger(FIRST_LINGER_MS / LINGER_MS)
    })
    return this.#closing
  }

  /** While a first request is awaited, node:http is not told: it would cut whoever has asked nothing yet. */
  #linger(rounds: number): void {
    this.#options.runtime.after(LINGER_MS, () => {
      const isAwaited = [...this.#open].some((socket) => !this.#connections.has(socket))
      if (rounds > 1 && isAwaited) {
        this.#linger(rounds - 1)
        return
      }
      this.#isLingering = false
      this.server.close(() => this.#drained())
    })
  }

  /**
   * Counts a connection among those that are drained by `close`. False where there is no place for it: it was closed.
   * One that was admitted before is no new one.
   */
  admit(socket: Socket): boolean {
    if (this.#open.has(socket)) return true
    if (!this.#options.budget.admit(socket)) return false
    this.#open.add(socket)
    socket.once('close', () => {
      this.#open.delete(socket)
      if (this.#closing !== undefined) this.#drained()
    })
    return true
  }

  #connectionOf(socket: Socket): Http1Connection {
    const known = this.#connections.get(socket)
    if (known !== undefined) return known
    const { budget, runtime } = this.#options
    const connection = new Http1Connection(socket, {
      answer: (request, response) => this.#answer(request, response),
      lost: (request) => this.#contents.get(request)?.drop(),
      rests: () => budget.rests(socket),
      runtime,
    })
    this.#connections.set(socket, connection)
    return connection
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { handler, budget, secure } = this.#options
    budget.wakes(request.socket)
    response.once('close', () => {
      if (this.#closing !== undefined && !this.#isLingering) this.server.closeIdleConnections()
    })
    request.on('error', () => {})
    const fault = findFramingFault(request)
    const { expect, upgrade } = request.headers
    // Node drops what came together with a request to upgrade that it does not follow.
    const isLast = this.#closing !== undefined || fault?.ends === true || upgrade !== undefined
    // Who waits for leave to send its content may send it after all, or not: nobody can say what comes next, unless it has come.
    if (isLast || expect !== undefined) response.setHeader('connection', 'close')
    const content = openContent(request, {
      invite: expect === undefined ? undefined : () => response.writeContinue(),
      complete: () => {
        if (expect !== undefined && !isLast && !response.headersSent) response.removeHeader('connection')
      },
    })
    if (content !== undefined) this.#contents.set(request, content)
    const asked = readRequest(request, secure, content)
    handler.handle(asked, response, 'http/1.1', fault && handler.refuse(asked, fault.status))
  }

  /** Answers bytes that are no request, as far as an answer can still be read, and closes. */
  refuseBytes(error: ByteFault, socket: Socket): void {
    if (error.code === 'ECONNRESET' || error.code === 'EPIPE') {
      socket.destroy()
      return
    }
    this.#options.handler.counters.malformed++
    this.#connectionOf(socket).refuse(findRawRefusal(error))
  }
}

function openContent(
  request: IncomingMessage,
  ports: Pick<StreamedContentPorts, 'invite' | 'complete'>,
): StreamedContent | undefined {
  const content = findContent(request)
  return (
    content &&
    new StreamedContent(request, { ...content, ...ports, isFollowed: true, cut: () => request.socket.destroy() })
  )
}
