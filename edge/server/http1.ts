import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Runtime } from '../../core/index.ts'
import type { ConnectionBudget } from './connection-budget.ts'
import { readRequest } from './read-request.ts'
import type { RequestHandler } from './request-handler.ts'

export interface Http1Options {
  readonly handler: RequestHandler
  readonly budget: ConnectionBudget
  readonly runtime: Pick<Runtime, 'after'>
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
  /** Requests under way on a connection: while there is one, a raw error answer would land in the middle of it. */
  readonly #underWay = new WeakMap<Socket, number>()
  #closing: Promise<void> | undefined
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
    const handle = (request: IncomingMessage, response: ServerResponse) => this.#handle(request, response)
    this.server.prependListener('connection', (socket: Socket) => this.admit(socket))
    this.server.on('request', handle)
    // Without a listener node would say 100 Continue and take a body that nobody reads.
    this.server.on('checkContinue', handle)
    this.server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.refuseBytes(error, socket as Socket))
    // Starts node's watch over slow connections, also where others accept them; done again when it listens.
    this.server.emit('listening')
  }

  /** Takes a connection that somebody else accepted, and admitted or not. What was read of it is put back (`unshift`) first. */
  serve(socket: Socket): void {
    this.server.emit('connection', socket)
  }

  /** Takes nothing new, lets answers under way finish for ten seconds, then cuts. Idempotent. */
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
      // Calls back with an error where it never listened; what counts is that nothing is open.
      this.server.close(() => this.#drained())
      this.server.closeIdleConnections()
    })
    return this.#closing
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

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const { handler, budget, secure } = this.#options
    const { socket } = request
    budget.wakes(socket)
    this.#underWay.set(socket, (this.#underWay.get(socket) ?? 0) + 1)
    response.once('close', () => {
      const left = (this.#underWay.get(socket) ?? 1) - 1
      this.#underWay.set(socket, left)
      if (left === 0) budget.rests(socket)
      if (this.#closing !== undefined) this.server.closeIdleConnections()
    })
    request.on('error', () => {})
    if (this.#closing !== undefined) response.setHeader('connection', 'close')
    handler.handle(readRequest(request, secure), response)
  }

  /** Answers bytes that are no request, as far as an answer can still be read, and closes. */
  refuseBytes(error: Pick<NodeJS.ErrnoException, 'code'>, socket: Socket): void {
    if (error.code === 'ECONNRESET' || error.code === 'EPIPE') {
      socket.destroy()
      return
    }
    this.#options.handler.counters.malformed++
    if (!socket.writable || (this.#underWay.get(socket) ?? 0) > 0) {
      socket.destroy()
      return
    }
    const status =
      error.code === 'HPE_HEADER_OVERFLOW'
        ? '431 Request Header Fields Too Large'
        : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? '408 Request Timeout'
          : '400 Bad Request'
    socket.end(
      `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${status.length + 1}\r\n\r\n${status}\n`,
      () => socket.destroy(),
    )
  }
}
