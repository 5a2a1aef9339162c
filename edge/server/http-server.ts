import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type BlobHash, type BlobReader, type Log, MakiError, type Runtime } from '../../core/index.ts'
import { type HostFallback, type Learnt, type Need, type Plan, refuse, type SiteRequest } from '../respond/index.ts'
import type { SiteTable } from '../site/index.ts'
import { listen } from '../transport/index.ts'
import { Answerer } from './answerer.ts'
import { type HttpCounters, newCounters } from './counters.ts'
import { sendPlan } from './send-plan.ts'

export interface HttpServerOptions {
  /** The table to answer from; asked once for each request. */
  readonly table: () => SiteTable
  readonly blobs: BlobReader
  /** The name of this node, said in every answer. */
  readonly node: string
  readonly host: string
  /** 0 takes any free port; see `HttpServer.address`. */
  readonly port: number
  readonly log: Log
  readonly runtime: Runtime
  /** SO_REUSEPORT, so that several workers own one port. */
  readonly reusePort?: boolean | undefined
  /** Requests over it get 503 at once. */
  readonly maxConcurrentRequests?: number | undefined
  /**
   * Sockets held at once. From three quarters of it, the one that rested longest since its last answer gives way to a
   * new one; beyond it, new ones are closed unheard.
   */
  readonly maxConnections?: number | undefined
  /** How long a request may take to arrive, an answer to begin, and a client to take a fair part of a body. */
  readonly requestTimeoutMs?: number | undefined
  readonly fallback?: HostFallback | undefined
  /** See `AnswererOptions`. */
  readonly learn?: ((need: Need) => Promise<Learnt>) | undefined
  /** Told of a blob that should be here and could not be read as a whole, so that it is looked after. */
  readonly onBlobFailed?: ((hash: BlobHash) => void) | undefined
  readonly revalidate?: boolean | undefined
}

export interface HttpServer extends AsyncDisposable {
  readonly address: { readonly host: string; readonly port: number }
  readonly counters: Readonly<HttpCounters>
  /** Takes no new connection and no new request, lets answers under way finish for ten seconds, then cuts. Idempotent. */
  close(): Promise<void>
}

/** What nginx takes with its defaults, and node:http too. */
const MAX_HEADER_BYTES = 16 * 1024
const MAX_HEADERS = 200
/** Longer than a browser waits between the page and its last image, shorter than NAT tables forget. */
const KEEP_ALIVE_MS = 60_000
/** A head is a few packets; whoever takes longer holds a socket on purpose. */
const HEAD_TIMEOUT_MS = 15_000
/** Far from what a process may open (files, peers and the store need some too), and some 100 MB. */
const MAX_CONNECTIONS = 8192
const DRAIN_MS = 10_000
const OVERLOAD_RETRY_S = '1'

/**
 * Serves sites over HTTP/1.1. Resolves when it listens; rejects with MAKI_PORT_IN_USE or MAKI_CONFIG. Nothing that a
 * client or a file does ends the process: it is answered or cut, and counted.
 */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const requestTimeoutMs = options.requestTimeoutMs ?? 60_000
  const checkEveryMs = Math.min(5_000, requestTimeoutMs)
  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: Math.min(HEAD_TIMEOUT_MS, requestTimeoutMs),
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: checkEveryMs,
    noDelay: true,
    // A missing Host is ours to answer, like every other fault.
    requireHostHeader: false,
  })
  server.maxHeadersCount = MAX_HEADERS
  // A connection on which nothing moves in either direction; late enough for the others to answer with 408 first.
  server.timeout = requestTimeoutMs + 2 * checkEveryMs
  server.maxConnections = options.maxConnections ?? MAX_CONNECTIONS
  const handler = new RequestHandler(server, options, requestTimeoutMs)
  const { host, port, reusePort = false } = options
  await listen(server, { host, port, reusePort, exclusive: reusePort }, `${host}:${port}`)
  server.on('error', (error) => options.log.error('http.server-failed', { message: error.message }))
  const address = server.address()
  if (address === null || typeof address === 'string')
    throw new MakiError('MAKI_INTERNAL', 'the HTTP server has no address')
  options.log.info('http.listening', { host: address.address, port: address.port })
  const close = () => handler.close()
  return {
    address: { host: address.address, port: address.port },
    counters: handler.counters,
    close,
    [Symbol.asyncDispose]: close,
  }
}

class RequestHandler {
  readonly counters = newCounters()
  readonly #server: Server
  readonly #options: HttpServerOptions
  readonly #answerer: Answerer
  readonly #timeoutMs: number
  readonly #maxActive: number
  /** Requests under way on a connection: while there is one, a raw error answer would land in the middle of it. */
  readonly #underWay = new WeakMap<object, number>()
  /** Connections that were answered and ask for nothing, longest ago first. */
  readonly #resting = new Set<Socket>()
  #connections = 0
  #closing: Promise<void> | undefined

  constructor(server: Server, options: HttpServerOptions, timeoutMs: number) {
    this.#server = server
    this.#options = options
    this.#answerer = new Answerer(options)
    this.#timeoutMs = timeoutMs
    this.#maxActive = options.maxConcurrentRequests ?? 1024
    const handle = (request: IncomingMessage, response: ServerResponse) => this.#handle(request, response)
    server.on('connection', (socket: Socket) => this.#admit(socket))
    server.on('request', handle)
    // Without a listener node would say 100 Continue and take a body that nobody reads.
    server.on('checkContinue', handle)
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#refuseBytes(error, socket as Socket))
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      const cancel = this.#options.runtime.after(DRAIN_MS, () => this.#server.closeAllConnections())
      this.#server.close(() => {
        cancel()
        resolve()
      })
      this.#server.closeIdleConnections()
    })
    return this.#closing
  }

  /** Who only holds a socket must not take the place of those who ask, nor the store's last file descriptor. */
  #admit(socket: Socket): void {
    this.#connections++
    socket.once('close', () => {
      this.#connections--
      this.#resting.delete(socket)
    })
    if (this.#connections <= this.#server.maxConnections * 0.75) return
    const [longest] = this.#resting
    longest?.destroy()
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request
    this.#resting.delete(socket)
    this.counters.requests++
    this.counters.active++
    this.#underWay.set(socket, (this.#underWay.get(socket) ?? 0) + 1)
    response.once('close', () => {
      this.counters.active--
      const left = (this.#underWay.get(socket) ?? 1) - 1
      this.#underWay.set(socket, left)
      if (left === 0 && !socket.destroyed) this.#resting.add(socket)
      if (!response.writableFinished) this.counters.aborted++
      if (this.#closing !== undefined) this.#server.closeIdleConnections()
    })
    // What goes wrong on the connection shows in 'close'; unheard, it would end the process.
    response.on('error', () => {})
    request.on('error', () => {})
    if (this.#closing !== undefined) response.setHeader('connection', 'close')
    const plan = this.#plan(request)
    if (plan instanceof Promise) void plan.then((late) => this.#send(late, response))
    else this.#send(plan, response)
  }

  #send(plan: Plan, response: ServerResponse): void {
    const { blobs, log, runtime } = this.#options
    this.counters.responses[Math.floor(plan.status / 100)]!++
    sendPlan(plan, response, { blobs, runtime, timeoutMs: this.#timeoutMs, node: this.#options.node }).catch(
      (error: unknown) => {
        this.counters.blobFailures++
        const fault = error instanceof MakiError ? error.code : error instanceof Error ? error.message : String(error)
        if (plan.body.kind === 'blob') this.#options.onBlobFailed?.(plan.body.hash)
        log.warn('http.body-failed', { hash: plan.body.kind === 'blob' ? plan.body.hash : null, fault })
      },
    )
  }

  #plan(request: IncomingMessage): Plan | Promise<Plan> {
    const asked = readRequest(request)
    if (this.counters.active > this.#maxActive) {
      this.counters.overloaded++
      return refuse(asked, 503, { 'makiatto-node': this.#options.node, 'retry-after': OVERLOAD_RETRY_S })
    }
    return this.#answerer.answer(asked)
  }

  #refuseBytes(error: NodeJS.ErrnoException, socket: Socket): void {
    if (error.code === 'ECONNRESET' || error.code === 'EPIPE') {
      socket.destroy()
      return
    }
    this.counters.malformed++
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

function readRequest(request: IncomingMessage): SiteRequest {
  const { headers, rawHeaders, socket } = request
  return {
    method: request.method ?? '',
    target: request.url ?? '',
    host: countHosts(rawHeaders) === 1 ? headers.host : undefined,
    secure: false,
    field: (name) => {
      const value = headers[name]
      return Array.isArray(value) ? value.join(', ') : value
    },
    client: () => ({ address: socket.remoteAddress ?? '', country: undefined }),
  }
}

/** node:http keeps the first of several Host headers; RFC 9112 section 3.2 has the request refused. */
function countHosts(rawHeaders: readonly string[]): number {
  let count = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length === 4 && name.toLowerCase() === 'host') count++
  }
  return count
}
