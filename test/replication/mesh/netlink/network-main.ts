/**
 * Changes the network of the namespace that it runs in, and tells, a line of JSON each, what other programs then see and what
 * packets come through. Whoever starts it has made the namespaces `lan`, `peer` and `behind` (`network-worlds.sh`).
 */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { openNetworkControl } from '../../../../replication/mesh/netlink/index.ts'

const run = promisify(execFile)
const sh = async (...command: string[]): Promise<string> => (await run(command[0] as string, command.slice(1))).stdout
const tell = (what: string, value: unknown): void => void process.stdout.write(`${JSON.stringify({ what, value })}\n`)

const MESH = 'fd77:1:2::/48'
const PEERS = 'fd77:1:2:1::/64'
const US = 'fd77:1:2::1'
const FILTER = { interface: 'wawa0', mesh: MESH, peers: PEERS }

using network = await openNetworkControl()

await network.setLink('wawa0', { mtu: 1380, isUp: true })
await network.setAddresses('wawa0', ['fd77:1:2::aa/128', '10.77.0.1/24', `${US}/128`])
await network.setAddresses('wawa0', [`${US}/128`])
await network.addRoutes('wawa0', [MESH])
await network.addRoutes('wawa0', [MESH])
tell('link', await network.findLink('wawa0'))
tell('no link', (await network.findLink('none')) ?? null)
tell('ip link', JSON.parse(await sh('ip', '-j', 'link', 'show', 'wawa0')))
tell('ip addr', JSON.parse(await sh('ip', '-j', 'addr', 'show', 'wawa0')))
tell('ip route', JSON.parse(await sh('ip', '-6', '-j', 'route', 'show', 'dev', 'wawa0', 'proto', 'static')))
tell('mtu in the mesh', (await network.findPathMtu('fd77:1:2::9')) ?? null)
tell('mtu on the cable', (await network.findPathMtu('2001:db8:1::2')) ?? null)
tell('mtu to nowhere', (await network.findPathMtu('203.0.113.1')) ?? null)
tell('no such link', await network.setLink('none', { isUp: true }).catch((error: unknown) => error))
tell(
  'a kind that there is not',
  (await network.addWireGuardLink('wg9').catch((error: unknown) => (error as { code: string }).code)) ?? null,
)

const server = createServer((socket) => socket.on('error', () => {}).end('hello')).listen(8787, '::')
await once(server, 'listening')

/** Whether a connection comes through, asked from a namespace (`here`: ours). */
async function connects(from: string, address: string, port: number): Promise<boolean> {
  const ask = ['timeout', '1', 'bash', '-c', `exec 3<>/dev/tcp/${address}/${port} && read -r -n 1 <&3`]
  const command = from === 'here' ? ask : ['ip', 'netns', 'exec', from, ...ask]
  return await sh(...command).then(
    () => true,
    () => false,
  )
}

/** Who reaches what. */
async function look(): Promise<Record<string, boolean>> {
  // A peer's own address, or that of a node behind the same cable.
  const as = async (address: string): Promise<void> => {
    await sh('ip', '-n', 'peer', 'addr', 'flush', 'dev', 'up0', 'scope', 'global')
    await sh('ip', '-n', 'peer', 'addr', 'add', `${address}/128`, 'dev', 'up0', 'nodad')
    const route = ['ip', '-n', 'peer', '-6', 'route', 'replace']
    await sh(...route, 'fd77:1:2::/64', 'dev', 'up0', 'src', address)
    for (const network of ['2001:db8:1::/64', '2001:db8:2::/64'])
      await sh(...route, network, 'via', US, 'dev', 'up0', 'onlink', 'src', address)
  }
  await as('fd77:1:2::9')
  const found: Record<string, boolean> = { 'a node reaches us': await connects('peer', US, 8787) }
  await as('fd77:1:2:1::7')
  found['an external peer reaches us'] = await connects('peer', US, 8787)
  found['an external peer reaches our public address'] = await connects('peer', '2001:db8:1::1', 8787)
  found['we reach an external peer'] = await connects('here', 'fd77:1:2:1::7', 9000)
  found['an external peer reaches what is behind us'] = await connects('peer', '2001:db8:2::2', 9000)
  found['what is behind us reaches an external peer'] = await connects('behind', 'fd77:1:2:1::7', 9000)
  found['a neighbour reaches our mesh address past the mesh'] = await connects('lan', US, 8787)
  found['a neighbour reaches our public address'] = await connects('lan', '2001:db8:1::1', 8787)
  found['we reach ourselves'] = await connects('here', US, 8787)
  return found
}

tell('without a filter', await look())
await network.removeFilter('wawa0')
await network.setFilter(FILTER)
tell('with a filter', await look())
const before = await sh('nft', '-s', 'list', 'ruleset')
await network.setFilter(FILTER)
tell('set again it is the same', (await sh('nft', '-s', 'list', 'ruleset')) === before)
tell('nft', before)
await sh('nft', 'add', 'table', 'inet', 'owner')
await network.removeFilter('wawa0')
await network.removeFilter('wawa0')
tell('removed', (await sh('nft', 'list', 'ruleset')).trim())
await network.deleteLink('wawa0')
await network.deleteLink('wawa0')
tell('deleted', (await network.findLink('wawa0')) ?? null)
server.close()
process.exit(0)
