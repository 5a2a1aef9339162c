import type { Server } from 'node:net'
import { MakiError } from '../../core/index.ts'

const NO_IPV6 = ['EAFNOSUPPORT', 'EADDRNOTAVAIL']

/**
 * Resolves when the server listens; port 0 takes a free one. `::` becomes `0.0.0.0` where there is no IPv6. Rejects with MAKI_PORT_IN_USE when another process holds
 * the port, MAKI_CONFIG when the address cannot be bound; the server is then closed.
 */
export function listenTcp(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      if (host === '::' && NO_IPV6.includes(cause.code ?? '')) {
        listenTcp(server, { host: '0.0.0.0', port }).then(resolve, reject)
        return
      }
      const where = `${host}:${port}`
      reject(
        cause.code === 'EADDRINUSE'
          ? new MakiError('MAKI_PORT_IN_USE', `gossip cannot listen on ${where}: another process does`, {
              cause,
              hint: `Find it with: ss -ltnp 'sport = :${port}'`,
            })
          : new MakiError('MAKI_CONFIG', `gossip cannot listen on ${where}: ${cause.message}`, {
              cause,
              hint: 'Check replication.addr in the daemon config.',
            }),
      )
    })
    server.listen(port, host, () => {
      server.removeAllListeners('error')
      resolve()
    })
  })
}
