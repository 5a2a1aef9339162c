import { createServer } from 'node:net'
import type { Network } from '../gossip/network.ts'
import { closeServer, remoteOf, TcpConnection, tcpNetwork } from '../gossip/tcp-network.ts'
import { listenAhead } from './mesh-listener.ts'

/** Who may connect to what listens on the mesh, asked before a byte of theirs is read. */
export interface MeshGate {
  /** An address in RFC 5952 notation. */
  accepts(host: string): boolean
}

/** TCP in the mesh: listens before the tunnel is up, and ends at once whoever has not the address of another member. */
export const createMeshNetwork = (gate: MeshGate): Network => ({
  async listen(at, accept, failed) {
    const server = createServer()
    await listenAhead(server, at)
    server.on('connection', (socket) => {
      if (gate.accepts(remoteOf(socket)?.host ?? '')) accept(new TcpConnection(socket))
      else socket.destroy()
    })
    server.on('error', failed)
    const bound = server.address() as { address: string; port: number }
    return { address: { host: bound.address, port: bound.port }, close: () => closeServer(server) }
  },
  connect: (to) => tcpNetwork.connect(to),
})
