import { constants } from 'node:crypto'
import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { type Log, MakiError, type Runtime } from '../../core/index.ts'
import { bareContext, type CertificateStore, TLS_PROFILE } from '../tls/index.ts'
import { listen } from '../transport/index.ts'
import type { ConnectionBudget } from './connection-budget.ts'
import { type Covers, setCovers } from './connection-cover.ts'
import type { HttpCounters } from './counters.ts'

export interface TlsListenOptions {
  readonly host: string
  readonly port: number
  /** A socket that is bound already, to be listened on instead. */
  readonly fd?: number | undefined
  readonly certificates: CertificateStore
  /** Equal keys on all workers and nodes let a client resume with any of them; 48 random bytes, of this process alone when absent. */
  readonly ticketKeys?: Uint8Array | undefined
  readonly handshakeTimeoutMs?: number | undefined
}

export interface TlsServerOptions extends TlsListenOptions {
  readonly reusePort: boolean
  readonly budget: ConnectionBudget
  readonly counters: HttpCounters
  readonly runtime: Pick<Runtime, 'after'>
  readonly log: Log
  /** Take a connection with its handshake done, by what it chose (ALPN, RFC 7301). */
  readonly http1: (socket: TLSSocket) => void
  readonly http2: (socket: TLSSocket, covers: Covers) => void
}

/** A handshake is two or three packets each way; whoever takes longer holds a socket on purpose. */
const HANDSHAKE_TIMEOUT_MS = 10_000
/** Of the budget of connections; beyond it the handshake that began first gives way. */
const HANDSHAKE_SHARE = 0.25
const LEAST_HANDSHAKES = 16
/** For handshakes that had begun when the server closes: a client on a busy machine takes seconds for one. */
const LAST_HANDSHAKES_MS = 5_000
/** How long a client may come back without a whole handshake. */
const SESSION_S = 6 * 3600
/** Where sessions hold: every node of ours. Unless it is said, node makes it of how the process was started. */
const SESSION_CONTEXT = 'makiatto'

/**
 * Accepts TLS connections and finds their certificate by the name that the client asks for (SNI, RFC 6066 section 3). A name
 * without certificate, and a client that names none, get a fatal alert: never the certificate of somebody else.
 */
export class TlsServer {
  readonly #options: TlsServerOptions
  readonly #server: Server
  readonly #bare = bareContext()
  /** Handshakes under way, the longest first. */
  readonly #shaking = new Map<string, Socket>()
  readonly #maxShaking: number
  #settled = () => {}

  private constructor(options: TlsServerOptions) {
    this.#options = options
    const { certificates, budget, counters } = options
    this.#maxShaking = Math.max(LEAST_HANDSHAKES, Math.floor(budget.max * HANDSHAKE_SHARE))
    this.#server = createServer({
      ...TLS_PROFILE,
      ALPNProtocols: ['h2', 'http/1.1'],
      honorCipherOrder: false,
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
      handshakeTimeout: options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
      sessionTimeout: SESSION_S,
      sessionIdContext: SESSION_CONTEXT,
      noDelay: true,
      ...(options.ticketKeys === undefined ? {} : { ticketKeys: Buffer.from(options.ticketKeys) }),
      SNICallback: (name, done) => {
        try {
          done(null, certificates.find(name)?.context ?? this.#bare)
        } catch {
          // A context that was built before and cannot be built again.
          done(null, this.#bare)
        }
      },
    })
    this.#server.prependListener('connection', (socket: Socket) => this.#begin(socket))
    this.#server.on('secureConnection', (socket) => this.#secured(socket))
    this.#server.on('tlsClientError', (_error, socket) => {
      counters.tlsFailed++
      socket.destroy()
    })
  }

  /** Listens. Rejects with MAKI_PORT_IN_USE or MAKI_CONFIG. */
  static async start(options: TlsServerOptions): Promise<TlsServer> {
    const { host, port, fd, reusePort, log } = options
    const tls = new TlsServer(options)
    await listen(tls.#server, { host, port, fd, reusePort, exclusive: reusePort }, `${host}:${port}`)
    tls.#server.on('error', (error) => log.error('https.server-failed', { message: error.message }))
    log.info('https.listening', tls.address)
    return tls
  }

  get address(): { readonly host: string; readonly port: number } {
    const address = this.#server.address()
    if (address === null || typeof address === 'string')
      throw new MakiError('MAKI_INTERNAL', 'the HTTPS server has no address')
    return { host: address.address, port: address.port }
  }

  /** Sessions begun with other keys are not resumed any more: their clients make a whole handshake. */
  setTicketKeys(keys: Uint8Array): void {
    this.#server.setTicketKeys(Buffer.from(keys))
  }

  /**
   * Accepts nothing more. Resolves when the handshakes under way are done, whose connections go to HTTP like the others;
   * those that take longer than five seconds are ended.
   */
  async close(): Promise<void> {
    this.#server.close()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#settled = () => {
      if (this.#shaking.size === 0) resolve()
    }
    const cancel = this.#options.runtime.after(LAST_HANDSHAKES_MS, () => {
      for (const socket of this.#shaking.values()) socket.destroy()
      this.#shaking.clear()
      resolve()
    })
    this.#settled()
    await promise
    cancel()
  }

  #begin(socket: Socket): void {
    const { budget } = this.#options
    if (budget.count + this.#shaking.size >= budget.max) {
      socket.destroy()
      return
    }
    if (this.#shaking.size >= this.#maxShaking) {
      const [first] = this.#shaking.values()
      first?.destroy()
    }
    const name = nameOf(socket)
    this.#shaking.set(name, socket)
    socket.once('close', () => {
      if (this.#shaking.get(name) !== socket) return
      this.#shaking.delete(name)
      this.#settled()
    })
  }

  #secured(socket: TLSSocket): void {
    const { certificates, counters, http1, http2 } = this.#options
    socket.on('error', () => {})
    this.#shaking.delete(nameOf(socket))
    // Absent also where a session of TLS 1.2 is resumed.
    const name = typeof socket.servername === 'string' ? socket.servername : undefined
    const shown = name === undefined ? undefined : certificates.find(name)
    // Of a session from before its certificate was removed.
    if (name !== undefined && shown === undefined) {
      counters.tlsFailed++
      socket.destroy()
      this.#settled()
      return
    }
    counters.tlsHandshakes++
    if (socket.isSessionReused()) counters.tlsResumed++
    const covers: Covers = shown?.covers ?? ((host) => certificates.has(host))
    setCovers(socket, covers)
    if (socket.alpnProtocol === 'h2') http2(socket, covers)
    else http1(socket)
    this.#settled()
  }
}

/** Of the two ends of a connection; node tells of the raw socket before, and of the TLS socket after the handshake. */
const nameOf = ({ remoteAddress, remotePort, localAddress }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localAddress}`
