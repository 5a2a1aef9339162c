import { createServer, type Server, type Socket } from 'node:net'
import { MakiError } from '../../core/index.ts'
import { listen } from '../transport/index.ts'
import { ConnectionBudget } from './connection-budget.ts'
import type { HttpCounters } from './counters.ts'
import { FastPath } from './fast/index.ts'
import { Http1 } from './http1.ts'
import { type Https, startHttps } from './https.ts'
import { type HandlerOptions, RequestHandler } from './request-handler.ts'
import type { TlsListenOptions } from './tls-server.ts'

export interface HttpServerOptions extends HandlerOptions {
  readonly host: string
  /** 0 takes any free port; see `HttpServer.address`. */
  readonly port: number
  /** SO_REUSEPORT, so that several workers own one port. */
  readonly reusePort?: boolean | undefined
  /** A socket that is bound already, to be listened on instead. */
  readonly fd?: number | undefined
  /**
   * Sockets held at once. From three quarters of it, the one that has asked for nothing for the longest gives way to a
   * new one; beyond it, new ones are closed unheard.
   */
  readonly maxConnections?: number | undefined
  /** Undefined: no HTTPS, and nobody is sent there. */
  readonly tls?: TlsListenOptions | undefined
  /** False: node:http reads every request itself. The answers are the same. */
  readonly fast?: boolean | undefined
}

export interface HttpServer extends AsyncDisposable {
  readonly address: { readonly host: string; readonly port: number }
  /** Undefined where there is none. */
  readonly https: Pick<Https, 'address' | 'setTicketKeys'> | undefined
  readonly counters: Readonly<HttpCounters>
  /** What was answered, in labels and buckets. */
  readonly counts: RequestHandler['counts']
  /** Takes no new connection and no new request, lets answers under way finish for ten seconds, then cuts. Idempotent. */
  close(): Promise<void>
}

/** Far from what a process may open (files, peers and the store need some too), and some 100 MB. */
const MAX_CONNECTIONS = 8192

/** Serves sites over HTTP/1.1. Resolves when it listens; rejects with MAKI_PORT_IN_USE or MAKI_CONFIG. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { host, port, log, runtime, fd, reusePort = false } = options
  let https: Https | undefined
  const handler = new RequestHandler({
    ...options,
    get httpsPort() {
      return https?.address.port
    },
  })
  const budget = new ConnectionBudget(options.maxConnections ?? MAX_CONNECTIONS, {
    isProxy: (address) => handler.isProxy(address),
  })
  const http = new Http1({ handler, budget, runtime, secure: false })
  const fast =
    options.fast === false ? undefined : await FastPath.start({ handler, budget, runtime, http, secure: false })
  const server = fast === undefined ? http.server : createServer({ noDelay: true, allowHalfOpen: true })
  if (fast !== undefined)
    server.on('connection', (socket: Socket) => {
      if (http.admit(socket)) fast.serve(socket)
    })
  // First, so that whoever comes in clear can be sent there.
  if (options.tls !== undefined)
    https = await startHttps({ ...options, ...options.tls, fd: options.tls.fd, handler, budget, reusePort })
  try {
    await listen(server, { host, port, fd, reusePort, exclusive: reusePort }, `${host}:${port}`)
  } catch (error) {
    await https?.close()
    throw error
  }
  server.on('error', (error) => log.error('http.server-failed', { message: error.message }))
  const address = server.address()
  if (address === null || typeof address === 'string')
    throw new MakiError('MAKI_INTERNAL', 'the HTTP server has no address')
  log.info('http.listening', { host: address.address, port: address.port })
  let closing: Promise<void> | undefined
  const closeBoth = async () => void (await Promise.all([closeAll(http, fast, server), https?.close()]))
  const close = () => (closing ??= closeBoth())
  return {
    address: { host: address.address, port: address.port },
    https,
    counters: handler.counters,
    get counts() {
      return handler.counts
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function closeAll(http: Http1, fast: FastPath | undefined, server: Server): Promise<void> {
  if (fast !== undefined) server.close()
  fast?.close()
  await http.close()
  fast?.[Symbol.dispose]()
}
