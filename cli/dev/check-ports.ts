import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { asMakiError, MakiError } from '../../core/index.ts'
import { hasErrno } from '../identity.ts'
import { plainLine } from '../output.ts'
import { LOOPBACK, type NodeLayout } from './layout.ts'
import { findPortHolder } from './process-info.ts'

interface WantedPort {
  readonly node: string
  readonly use: string
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
}

/**
 * Throws MAKI_PORT_IN_USE that names every taken port with the process that holds it, or MAKI_USAGE for ports that this
 * user may not open. No other port is taken instead: scripts and bookmarks hold on to these.
 */
export async function checkPorts(nodes: readonly NodeLayout[]): Promise<void> {
  const taken: string[] = []
  for (const wanted of nodes.flatMap(listPorts)) {
    const fault = await tryPort(wanted)
    if (fault !== undefined) taken.push(fault)
  }
  if (taken.length === 0) return
  throw new MakiError('MAKI_PORT_IN_USE', taken.join('\n  '), {
    hint: 'End what holds them, or choose others: maki dev --http-port 9080 --dns-port 6300',
  })
}

function listPorts({ name: node, ...ports }: NodeLayout): WantedPort[] {
  return [
    { node, use: 'HTTP', protocol: 'tcp', port: ports.httpPort },
    { node, use: 'DNS', protocol: 'udp', port: ports.dnsPort },
    { node, use: 'DNS', protocol: 'tcp', port: ports.dnsPort },
    { node, use: 'gossip', protocol: 'tcp', port: ports.gossipPort },
    { node, use: 'blobs', protocol: 'tcp', port: ports.blobsPort },
  ]
}

async function tryPort({ node, use, protocol, port }: WantedPort): Promise<string | undefined> {
  const what = `port ${port} (${protocol.toUpperCase()}), which ${node} needs for ${use},`
  try {
    await (protocol === 'tcp' ? tryTcp(port) : tryUdp(port))
    return undefined
  } catch (error) {
    if (hasErrno(error, 'EACCES')) {
      throw new MakiError('MAKI_USAGE', `${what} may not be opened by you`, {
        cause: error,
        hint: 'Choose ports above 1023: maki dev --http-port 8080 --dns-port 5300',
      })
    }
    if (!hasErrno(error, 'EADDRINUSE')) return `${what} cannot be opened: ${asMakiError(error).message}`
    const holder = await findPortHolder(protocol, port)
    if (holder === undefined) return `${what} is taken by a process that is not yours to see (sudo ss -lntup shows it)`
    const command = holder.command === '' ? '' : `: ${plainLine(holder.command)}`
    return `${what} is taken by process ${holder.pid}${command}`
  }
}

async function tryTcp(port: number): Promise<void> {
  const server = createServer()
  server.listen({ host: LOOPBACK, port, exclusive: true })
  await once(server, 'listening')
  server.close()
  await once(server, 'close')
}

async function tryUdp(port: number): Promise<void> {
  const socket = createSocket('udp4')
  try {
    socket.bind({ address: LOOPBACK, port, exclusive: true })
    await once(socket, 'listening')
  } finally {
    socket.close()
  }
}
