import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import type { Runtime } from '../../core/index.ts'
import { ipOctets } from '../wire/index.ts'
import { plainAddress } from './plain-address.ts'
import { type ConnectionLimits, TcpConnection } from './tcp-connection.ts'
import type { Listener, ListenOptions } from './udp.ts'

/** What one server grants its TCP clients. */
export interface TcpLimits extends ConnectionLimits {
  /** A connection beyond them takes the place of the one that asked least recently. */
  readonly maxConnections: number
  /** One client's connections beyond them are closed at once. An IPv6 client is its /64. */
  readonly maxConnectionsPerClient: number
}

const IPV6_CLIENT_OCTETS = 8

/** RFC 7766 section 6.2 asks for limits of this kind and leaves the numbers to us. */
export const TCP_LIMITS: TcpLimits = {
  idleMs: 10_000,
  maxAgeMs: 300_000,
  maxConnections: 1000,
  maxConnectionsPerClient: 50,
}

interface TcpOptions extends ListenOptions {
  /** Bound already; host and port say nothing then. */
  readonly fd?: number | undefined
  readonly runtime: Pick<Runtime, 'after'>
  readonly limits: TcpLimits
}

/** Answers connections. Rejects with the system's error when the address cannot be had. */
export async function listenTcp(options: TcpOptions): Promise<Listener> {
  const { host, port, fd, reusePort, responder, runtime, limits, log } = options
  /** Least recently active first. */
  const connections = new Set<TcpConnection>()
  const perClient = new Map<string, number>()
  let onRelease = () => {}

  const accept = (socket: Socket) => {
    const client = clientOf(socket.remoteAddress)
    const count = perClient.get(client) ?? 0
    if (count >= limits.maxConnectionsPerClient) {
      responder.countShed()
      socket.on('error', () => {})
      socket.destroy()
      return
    }
    const [quietest] = connections
    if (connections.size >= limits.maxConnections && quietest !== undefined) {
      responder.countShed()
      connections.delete(quietest)
      quietest.close()
    }
    perClient.set(client, count + 1)
    const connection: TcpConnection = new TcpConnection(socket, responder, runtime, limits, {
      onActivity: () => {
        if (connections.delete(connection)) connections.add(connection)
      },
      onClose: () => {
        connections.delete(connection)
        const left = (perClient.get(client) ?? 1) - 1
        if (left === 0) perClient.delete(client)
        else perClient.set(client, left)
        onRelease()
      },
    })
    connections.add(connection)
  }

  const server = createServer({ allowHalfOpen: true }, accept)
  const listening = once(server, 'listening')
  server.listen(fd === undefined ? { host, port, reusePort } : { fd })
  await listening
  server.on('error', (error) => log.warn('dns.tcp.error', { host, port, error }))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const connection of connections) connection.finish()
      await closed
      // The server is closed a moment before its connections have let go of what they own.
      while (perClient.size > 0) {
        await new Promise<void>((done) => {
          onRelease = done
        })
      }
    },
  }
}

/** Equal for addresses of one client: whoever holds one IPv6 address holds its /64. A socket that is gone already has none. */
export function clientOf(remoteAddress = ''): string {
  const address = plainAddress(remoteAddress)
  const octets = address.includes(':') ? ipOctets(address) : undefined
  return octets === undefined ? address : `${Buffer.from(octets.subarray(0, IPV6_CLIENT_OCTETS)).toString('hex')}/64`
}
