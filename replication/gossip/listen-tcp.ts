import type { Server } from 'node:net'
import { MakiError } from '../../core/index.ts'

/**
 * Resolves when the server listens; port 0 takes a free one. Rejects with MAKI_PORT_IN_USE when another process holds
 * the port, MAKI_CONFIG when the address cannot be bound; the server is then closed.
 */
export function listenTcp(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
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
