/**
 * Changes the network of the namespace that it runs in, and tells, a line of JSON each, what other programs then see and what
 * packets come through. Whoever starts it has made the namespaces `lan`, `peer` and `behind` (`network-worlds.sh`).
 */
import { execFile, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'
import { openNetworkControl } from '../../../../replication/mesh/netlink/index.ts'

const run = promisify(execFile)
const sh = async (...command: string[]): Promise<string> => (await run(command[0] as string, command.slice(1))).stdout
const tell = (what: string, value: unknown): void => void process.stdout.write(`${JSON.stringify({ what, value })}\n`)

const MESH = 'fd77:1:2::/48'
const PEERS = 'fd77:1:2:1::/64'
const US = 'fd77:1:2::1'
const FILTER = { interface: 'wawa0', mesh: MESH, peers: PEERS }

const program = (name: string): string[] => [process.execPath, ...process.execArgv, join(import.meta.dirname, name)]

using network = await openNetworkControl()

await network.setLink('wawa0', { mtu: 1380, isUp: true })
await network.setAddresses('wawa0', ['fd77:1:2::aa/128', '10.77.0.1/24', `${US}/128`])
await network.setAddresses('wawa0', [`${US}/128`])
await network.addRoutes('wawa0', [MESH])
await network.addRoutes('wawa0', [MESH])
await network.setAddresses('lan0', ['2001:db8:1::1/64', '10.9.0.1/24'])
await network.setAddresses('lan0', ['2001:db8:1::1/64', '10.9.0.2/24', '10.9.0.3/24'])
tell('addresses of one network', JSON.parse(await sh('ip', '-4', '-j', 'addr', 'show', 'lan0')))
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

/** Whether a connection comes through in time, asked from a namespace (`here`: ours). */
async function connects(from: string, address: string, port: number, seconds = 30): Promise<boolean> {
  const ask = ['timeout', String(seconds), 'bash', '-c', `exec 3<>/dev/tcp/${address}/${port} && read -r -n 1 <&3`]
  const command = from === 'here' ? ask : ['ip', 'netns', 'exec', from, ...ask]
  return await sh(...command).then(
    () => true,
    () => false,
  )
}

/** Whether an echo request (`ping-main.ts`) is answered. */
const pings = async (from: string, address: string): Promise<boolean> =>
  await sh('ip', 'netns', 'exec', from, 'timeout', '-s', 'KILL', '30', ...program('ping-main.ts'), address).then(
    () => true,
    () => false,
  )

/** Whether we are told that nobody listens there. */
async function isRefused(address: string, port: number): Promise<boolean> {
  const socket = createSocket('udp6')
  socket.connect(port, address)
  await once(socket, 'connect')
  const refused = once(socket, 'error').then(([error]) => (error as NodeJS.ErrnoException).code === 'ECONNREFUSED')
  socket.send('hello')
  const found = await Promise.race([refused, sh('sleep', '10').then(() => false)])
  socket.close()
  return found
}

/** Who reaches what. Who is to be held back is not waited for as long as the others. */
async function look(isFiltered: boolean): Promise<Record<string, boolean>> {
  const held = isFiltered ? 5 : undefined
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
  // Who is held back is waited for: all at once.
  const asked: Record<string, Promise<boolean>> = {
    'an external peer reaches us': connects('peer', US, 8787, held),
    'an external peer reaches our public address': connects('peer', '2001:db8:1::1', 8787, held),
    'we reach an external peer': connects('here', 'fd77:1:2:1::7', 9000),
    'an external peer pings us': pings('peer', US),
    'we are told that an external peer does not listen': isRefused('fd77:1:2:1::7', 9999),
    'an external peer reaches what is behind us': connects('peer', '2001:db8:2::2', 9000, held),
    'what is behind us reaches an external peer': connects('behind', 'fd77:1:2:1::7', 9000, held),
    'a neighbour reaches our mesh address past the mesh': connects('lan', US, 8787, held),
    'a neighbour reaches our public address': connects('lan', '2001:db8:1::1', 8787),
    'we reach ourselves': connects('here', US, 8787),
  }
  for (const [what, comes] of Object.entries(asked)) found[what] = await comes
  return found
}

tell('without a filter', await look(false))
await network.removeFilter('wawa0')
await network.setFilter(FILTER)
tell('with a filter', await look(true))
const before = await sh('nft', '-s', 'list', 'ruleset')
await network.setFilter(FILTER)
tell('set again it is the same', (await sh('nft', '-s', 'list', 'ruleset')) === before)
tell('nft', before)

const tableOf = async (name: string): Promise<unknown> => {
  const listed = JSON.parse(await sh('nft', '-s', '-j', 'list', 'table', 'inet', name)) as { nftables: unknown[] }
  const isOwn = (key: string) => !['handle', 'table', 'metainfo'].includes(key)
  return listed.nftables.map((entry) =>
    JSON.parse(JSON.stringify(entry, (key, value: unknown) => (isOwn(key) && value !== name ? value : undefined))),
  )
}
await sh(
  'nft',
  `table inet reference {
    chain input {
      type filter hook input priority -10; policy accept;
      iifname "wawa0" ip6 saddr ${PEERS} ct state established,related counter accept
      iifname "wawa0" ip6 saddr ${PEERS} icmpv6 type echo-request counter accept
      iifname "wawa0" ip6 saddr ${PEERS} counter drop
      iifname != "wawa0" iifname != "lo" ip6 daddr ${MESH} counter drop
      iifname != "wawa0" iifname != "lo" ip6 saddr ${MESH} counter drop
    }
    chain forward {
      type filter hook forward priority -10; policy accept;
      iifname "wawa0" counter drop
      oifname "wawa0" counter drop
    }
  }`,
)
tell('as we write it', await tableOf('makiatto_wawa0'))
tell('as nft writes it', await tableOf('reference'))
await sh('nft', 'delete', 'table', 'inet', 'reference')

// A table as another version may have left it: a chain that hangs elsewhere, and one more.
await network.removeFilter('wawa0')
await sh(
  'nft',
  'table inet makiatto_wawa0 { chain input { type filter hook input priority 5; }; chain more { type filter hook output priority 0; }; }',
)
await network.setFilter(FILTER)
tell('set over another it is the same', (await sh('nft', '-s', 'list', 'ruleset')) === before)

// Datagrams of an external peer all the while.
const flooded = createSocket('udp6')
flooded.bind(7000, '::')
await once(flooded, 'listening')
const seen = { peer: 0, own: 0 }
flooded.on('message', (_, { address }) => seen[address === 'fd77:1:2:1::7' ? 'peer' : 'own']++)
/** Until something has come from there; what came before that has been counted. */
async function hear(who: keyof typeof seen): Promise<void> {
  for (const before = seen[who]; seen[who] === before; await setImmediate())
    if (who === 'own') flooded.send('own', 7000, '::1')
}
const flood = spawn('ip', ['netns', 'exec', 'peer', ...program('flood-main.ts'), US, '7000'], { stdio: 'ignore' })
await network.removeFilter('wawa0')
await hear('peer')
await network.setFilter(FILTER)
await hear('own')
seen.peer = 0
const begun = performance.now()
for (let i = 0; i < 200; i++) await network.setFilter(FILTER)
tell('milliseconds a time', (performance.now() - begun) / 200)
await hear('own')
tell('came through while it was set anew', seen.peer)
await network.removeFilter('wawa0')
await hear('peer')
await network.setFilter(FILTER)
flood.kill('SIGKILL')
flooded.close()

await sh('nft', 'add', 'table', 'inet', 'owner')
await network.removeFilter('wawa0')
await network.removeFilter('wawa0')
tell('removed', (await sh('nft', 'list', 'ruleset')).trim())

// With none of the rights of the unit, and with them.
const asNobody = async (rights: string): Promise<unknown> => {
  const drop = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups']
  const caps = [`--inh-caps=-all,${rights}`, `--ambient-caps=-all,${rights}`, '--bounding-set', `-all,${rights}`]
  return JSON.parse(await sh(...drop, ...caps, ...program('rights-main.ts')))
}
tell('without the capability', await asNobody('+dac_read_search'))
tell('with the capability', await asNobody('+net_admin,+dac_read_search'))

await sh('sysctl', '-qw', 'net.ipv6.conf.behind0.disable_ipv6=1')
tell('without IPv6', [
  await network.setAddresses('behind0', ['fd77::1/128']).catch((error: unknown) => error),
  await network.addRoutes('behind0', ['fd77:9::/48']).catch((error: unknown) => error),
])
await sh('ip', '-6', 'route', 'add', 'prohibit', 'fd78::/64')

// Routes of the owner, as he may have made them: chosen before ours or not, hidden by a longer one, forbidding.
const OWNER = [
  ['unicast', 'dev', 'lan0'],
  ['unicast', 'dev', 'lan0', 'metric', '7'],
  ['unicast', 'via', '2001:db8:1::2', 'dev', 'lan0'],
  ['prohibit'],
  ['blackhole'],
]
const met = []
for (const [kind = '', ...words] of OWNER) {
  for (const isHidden of [false, true]) {
    if (isHidden) await sh('ip', '-6', 'route', 'add', 'fd79:1::/64', 'dev', 'lan0')
    await sh('ip', '-6', 'route', 'add', kind, 'fd79:1::/48', ...words)
    const before = await sh('ip', '-6', 'route', 'show', 'root', 'fd79:1::/48')
    const refused = await network.addRoutes('wawa0', ['fd79:1::/48']).catch((error: unknown) => error)
    const isLeft = (await sh('ip', '-6', 'route', 'show', 'root', 'fd79:1::/48')) === before
    met.push({ how: [kind, ...words, isHidden ? 'hidden' : ''].join(' '), refused: refused ?? null, isLeft })
    await sh('ip', '-6', 'route', 'flush', 'root', 'fd79:1::/48')
  }
}
tell('routes of the owner', met)
await sh('ip', '-6', 'route', 'add', 'fd79:1::/64', 'dev', 'lan0')
for (let i = 0; i < 2; i++) await network.addRoutes('wawa0', ['fd79:1::/48'])
tell('ours, hidden', JSON.parse(await sh('ip', '-6', '-j', 'route', 'show', 'exact', 'fd79:1::/48')))
tell('mtu to where it is forbidden', (await network.findPathMtu('fd78::1')) ?? null)

await network.deleteLink('wawa0')
await network.deleteLink('wawa0')
tell('deleted', (await network.findLink('wawa0')) ?? null)
server.close()
process.exit(0)
