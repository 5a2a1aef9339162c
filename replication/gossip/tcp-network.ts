import { connect, createServer, type Server, type Socket } from 'node:net'
import { listenTcp } from './listen-tcp.ts'
import type { Connection, ConnectionListener, Listener, Network, NetworkAddress } from './network.ts'

/** A peer that is gone without a word is noticed by TCP too, after this much idleness. */
const KEEPALIVE_MS = 10_000

/** Byte streams over TCP: small frames are sent at once, dead peers are noticed. */
export const tcpNetwork: Network = {
  async listen(at, accept, failed): Promise<Listener> {
    const server = createServer()
    await listenTcp(server, at)
    server.on('connection', (socket) => accept(new TcpConnection(socket)))
    server.on('error', failed)
    const bound = server.address() as { address: string; port: number }
    return { address: { host: bound.address, port: bound.port }, close: () => closeServer(server) }
  },
  connect: (to) => new TcpConnection(connect(to)),
}

/** A socket as a connection; takes it over. */
export class TcpConnection implements Connection {
  readonly #socket: Socket
  readonly #remote: NetworkAddress | undefined

  constructor(socket: Socket) {
    this.#socket = socket
    // Kept, for a socket that is gone no longer says it.
    this.#remote = remoteOf(socket)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEPALIVE_MS)
    // Until somebody listens: an error without a listener would end the process.
    socket.on('error', () => {})
  }

  get remote(): NetworkAddress | undefined {
    return this.#remote ?? remoteOf(this.#socket)
  }

  get writable(): boolean {
    return this.#socket.writable
  }

  get queuedBytes(): number {
    return this.#socket.writableLength
  }

  attach(listener: ConnectionListener): void {
    const socket = this.#socket
    socket.on('data', (chunk: Uint8Array) => listener.received(chunk))
    socket.on('error', (error) => listener.failed(error.message))
    socket.on('end', () => listener.ended())
    socket.on('close', () => listener.closed())
    if (socket.connecting) socket.once('connect', () => listener.opened())
    else queueMicrotask(() => listener.opened())
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes)
  }

  onceDrained(call: () => void): void {
    this.#socket.once('drain', call)
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  close(): void {
    this.#socket.destroySoon()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

/** Takes no more; resolves when the connections that came in have ended too. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}

/** The other side of a socket; undefined while it is not known. */
export function remoteOf(socket: Socket): NetworkAddress | undefined {
  if (socket.remoteAddress === undefined) return undefined
  return { host: socket.remoteAddress.replace(/^::ffff:/, ''), port: socket.remotePort ?? 0 }
}
