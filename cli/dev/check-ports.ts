import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { asMakiError, MakiError } from '../../core/index.ts'
import { hasErrno } from '../client/identity.ts'
import { plainLine } from '../output/text.ts'
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
  const taken = new Map<string, string[]>()
  for (const wanted of nodes.flatMap(listPorts)) {
    const holder = await findHolder(wanted)
    if (holder === undefined) continue
    const { node, use, protocol, port } = wanted
    taken.set(holder, [...(taken.get(holder) ?? []), `${port} (${use} of ${node}, ${protocol.toUpperCase()})`])
  }
  if (taken.size === 0) return
  const lines = [...taken].map(([holder, ports]) => `\n  ${holder} holds ${ports.join(', ')}`)
  throw new MakiError('MAKI_PORT_IN_USE', `ports that the cluster needs are taken:${lines.join('')}`, {
    hint: 'End what holds them, or add others to the command: --http-port 9080 --dns-port 6300\n(with npm: npm start -- --http-port 9080 --dns-port 6300).',
  })
}

function listPorts({ name: node, ...ports }: NodeLayout): WantedPort[] {
  return [
    { node, use: 'HTTP', protocol: 'tcp', port: ports.httpPort },
    ...(ports.httpsPort === undefined ? [] : [{ node, use: 'HTTPS', protocol: 'tcp' as const, port: ports.httpsPort }]),
    { node, use: 'DNS', protocol: 'udp', port: ports.dnsPort },
    { node, use: 'DNS', protocol: 'tcp', port: ports.dnsPort },
    { node, use: 'gossip', protocol: 'tcp', port: ports.gossipPort },
    { node, use: 'blobs', protocol: 'tcp', port: ports.blobsPort },
  ]
}

/** What keeps a port from being opened, in words; undefined when it is free. */
async function findHolder({ node, use, protocol, port }: WantedPort): Promise<string | undefined> {
  try {
    await (protocol === 'tcp' ? tryTcp(port) : tryUdp(port))
    return undefined
  } catch (error) {
    if (hasErrno(error, 'EADDRINUSE')) return nameHolder(protocol, port)
    const why = hasErrno(error, 'EACCES')
      ? 'may not be opened by you'
      : `cannot be opened: ${asMakiError(error).message}`
    throw new MakiError('MAKI_USAGE', `port ${port}, which ${node} needs for ${use}, ${why}`, {
      cause: error,
      hint: 'Choose others, above 1023: maki dev --http-port 8080 --dns-port 5300',
    })
  }
}

async function nameHolder(protocol: 'tcp' | 'udp', port: number): Promise<string> {
  const holder = await findPortHolder(protocol, port)
  if (holder === undefined) return 'a process that is not yours to see (sudo ss -lntup shows it)'
  return `process ${holder.pid}${holder.command === '' ? '' : ` (${plainLine(holder.command)})`}`
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
