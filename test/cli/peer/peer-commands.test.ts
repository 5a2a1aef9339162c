import { join } from 'node:path'
import t from 'tap'
import { writeKeyFile } from '../../../cli/client/identity.ts'
import {
  findMember,
  formatWireGuardKey,
  keys,
  listPeers,
  type MemberKey,
  meshAddress,
  meshNetwork,
  type NodeName,
  type PeerView,
} from '../../../core/index.ts'
import { announceSchema, runInProcess, startTestCluster, type TestCluster, testKey } from '../support/test-cluster.ts'

const keyOf = (number: number) => formatWireGuardKey(new Uint8Array(32).fill(number))
const add = (name: string, number: number, ...flags: string[]) => [
  ...['peer', 'add', name, '--wg-pubkey', keyOf(number)],
  ...(flags.includes('--endpoint') ? [] : ['--endpoint', 'vpn.example.com']),
  ...flags,
]
const nodeKey = (number: number) => testKey(100 + number).key as MemberKey
const office = 'office' as NodeName

interface Row extends PeerView {
  addedAt: string
  configSince: string
  advice: string | null
}
interface Config {
  config: string
  asOf: string
  listenPort: number | null
  nodes: { name: string; endpoints: string[] }[]
  without: string[]
}

/** Nodes `one`, `two` and `three`: with public addresses, behind somebody else's, and with no part in the mesh. */
async function startMesh(): Promise<TestCluster> {
  const cluster = await startTestCluster({ nodes: ['one', 'two', 'three'] })
  await announceSchema(cluster)
  const [node] = cluster.nodes
  const addresses = { ipv4: '203.0.113.1', ipv6: '2001:db8::1' }
  await cluster.write(node!, [
    { kind: 'node.update', key: nodeKey(0), set: { addresses, mesh: { publicKey: keyOf(101), port: 51_880 } } },
    { kind: 'node.update', key: nodeKey(1), set: { mesh: { publicKey: keyOf(102), port: 51_880, endpoint: null } } },
  ])
  return cluster
}

const idOf = (stdout: string): string => (JSON.parse(stdout) as { operation: string }).operation

t.test('a peer is added, listed, shown, undone and removed', async (t) => {
  await using cluster = await startMesh()
  const [node] = cluster.nodes
  const peers = () => listPeers(node!.replica.state)
  const address = meshAddress(cluster.cluster, keyOf(1), 'peers')
  t.match(await cluster.maki('peer', 'list'), { code: 0, stdout: /^There is no external peer: maki peer add NAME/ })

  const added = await cluster.maki(...add('Office', 1, '-m', 'for backups', '--json'))
  t.match(added, { code: 0, stderr: '' })
  t.match(JSON.parse(added.stdout), {
    changed: true,
    name: 'office',
    publicKey: keyOf(1),
    endpoint: 'vpn.example.com:51820',
    address,
    operation: String,
    node: 'one',
  })
  t.strictSame(peers(), [{ name: 'office', publicKey: keyOf(1), endpoint: 'vpn.example.com:51820', address }])
  const count = node!.replica.count
  t.match(await cluster.maki(...add('office', 1)), { code: 0, stdout: /office is so already; nothing was written/ })
  t.match(await cluster.maki(...add('one', 2)), { code: 4, stderr: /one is a machine of the cluster/ })
  t.match(await cluster.maki(...add('home', 101)), { code: 4, stderr: /is the key of one.*\nTry: .*wg pubkey/s })
  t.match(await cluster.maki(...add('home', 2, '--wg-address', address)), { code: 4, stderr: /address of office/ })
  t.match(await cluster.maki('peer', 'add', 'home', '--endpoint', 'none', '--wg-pubkey', 'x'), {
    code: 2,
    stderr: /no public key of WireGuard\nTry: .*wg pubkey/,
  })
  t.match(await cluster.maki('peer', 'add', 'home', '--wg-pubkey', keyOf(2)), {
    code: 2,
    stderr: /--endpoint is missing/,
  })
  t.equal(node!.replica.count, count, 'what is refused writes nothing')
  t.match(await cluster.maki(...add('home', 2, '--endpoint', '10.9.8.7')), {
    code: 0,
    stderr: /10\.9\.8\.7 is not public/,
  })

  const id = idOf(added.stdout)
  t.match(await cluster.maki('show', id), {
    code: 0,
    stdout:
      /for backups.*let the nodes reach the external peer office at vpn.*peer\/office\n.*- nothing\n.*\+ vpn\.example\.com:51820, fd/s,
  })
  t.match(await cluster.maki('history', '--key', 'peer/office'), { code: 0, stdout: /external peer office/ })
  t.match(await cluster.maki('blame', 'office'), { code: 0, stdout: /peer\/office.*vpn\.example\.com/s })
  t.match(await cluster.json('state', '--key', 'peer/office'), [
    { key: 'peer/office', value: { name: 'office', publicKey: keyOf(1), address } },
  ])
  t.equal((await cluster.json<unknown[]>('state', '--key', 'peer')).length, 2)

  t.match(await cluster.maki('peer', 'remove', 'office'), { code: 2, stderr: /Try: maki peer remove office --yes/ })
  const ask = (answer: string) =>
    runInProcess(['peer', 'remove', 'office'], { env: cluster.env, cwd: cluster.directory, answer })
  t.match(await ask('n'), { code: 1, stderr: /Remove the external peer office, at vpn.*nothing was written/ })
  t.equal(peers().length, 2)
  t.match(await ask('y'), { code: 0, stdout: 'Removed the external peer office at one.\n' })
  t.same(
    peers().map(({ name }) => name),
    ['home'],
  )
  t.match(await cluster.maki('peer', 'remove', 'office', '--force'), { code: 4, stderr: /no external peer "office"/ })
  t.match(await cluster.maki('peer', 'wg-config', 'hone'), { code: 4, stderr: /no external peer "hone"\nTry: home/ })

  const [removal] = await cluster.json<{ id: string }[]>('history', '--limit', '1')
  t.match(await cluster.maki('undo', removal!.id), { code: 0, stdout: /let the nodes reach the external peer office/ })
  t.equal(peers().length, 2)
  t.match(
    await cluster.maki('undo', idOf(added.stdout)),
    { code: 1, stdout: /stays peer\/office/ },
    'its writer is the undo',
  )
  const again = await cluster.json<{ operation: string }>('peer', 'remove', 'home', '--force')
  t.match(again, { name: 'home', operation: String, node: 'one' })
  const back = await cluster.json<{ operation: string }>(...add('home', 3))
  t.match(await cluster.maki('undo', back.operation), { code: 0, stdout: /remove the external peer home/ })
  t.same(
    peers().map(({ name }) => name),
    ['office'],
  )
})

t.test('what the peer is told, and since when it is so', async (t) => {
  await using cluster = await startMesh()
  const [node] = cluster.nodes
  await cluster.maki(...add('office', 1))
  const [own] = await cluster.json<Row[]>('peer', 'list')
  t.equal(own?.configSince, own?.addedAt, 'nothing has changed since')
  const address = own?.address
  const one = meshAddress(cluster.cluster, keyOf(101))
  const two = meshAddress(cluster.cluster, keyOf(102))
  const printed = await cluster.maki('peer', 'wg-config', 'office')
  t.match(printed, { code: 0, stderr: /left out, without a part in the mesh: three\n$/ })
  const head = (format: string) => `# The external peer office, for ${format}
# As of ${own?.addedAt}. When maki peer list shows a later time: maki peer wg-config office
[Interface]
# The private key is that of ${keyOf(1)}
`
  const nodes = `
[Peer]
# one
PublicKey = ${keyOf(101)}
AllowedIPs = ${one}/128
Endpoint = 203.0.113.1:51880
# Endpoint = [2001:db8::1]:51880
PersistentKeepalive = 25

[Peer]
# two
PublicKey = ${keyOf(102)}
AllowedIPs = ${two}/128
# It begins itself: nobody reaches it first.
PersistentKeepalive = 25
`
  t.equal(
    printed.stdout,
    `${head('wg setconf INTERFACE FILE')}# PrivateKey = <private-key>
# Put your own there, without the #; or, after each wg setconf: wg set INTERFACE private-key FILE
ListenPort = 51820
# ip address add ${address}/128 dev INTERFACE
# ip route add ${meshNetwork(cluster.cluster, 'nodes')} dev INTERFACE
${nodes}`,
  )
  t.equal(
    (await cluster.maki('peer', 'wg-config', 'office', '--format', 'wg-quick')).stdout,
    `${head('wg-quick up FILE')}PrivateKey = <private-key>
Address = ${address}/128
ListenPort = 51820
${nodes}`,
  )

  const moved = await cluster.write(node!, [{ kind: 'node.update', key: nodeKey(0), set: { drained: true } }])
  await cluster.maki('pull')
  t.match(
    await cluster.json<Row[]>('peer', 'list'),
    [{ configSince: own?.addedAt }],
    'visitors are none of its business',
  )
  t.ok(moved.id)
  const at = async () => (await cluster.json<Row[]>('peer', 'list'))[0]?.configSince
  const isoOf = ({ stamp }: { stamp: { wallMs: number } }) => new Date(stamp.wallMs).toISOString()
  const changes = [
    { kind: 'node.update', key: nodeKey(0), set: { addresses: { ipv4: null, ipv6: '2001:db8::2' } } },
    {
      kind: 'node.update',
      key: nodeKey(1),
      set: { mesh: { publicKey: keyOf(103), port: 1, endpoint: 'a.example:2' } },
    },
    { kind: 'node.remove', key: nodeKey(1), how: 'retire' },
  ] as const
  for (const change of changes) {
    const written = await cluster.write(node!, [change])
    t.equal(await at(), isoOf(written), change.kind)
    t.match(
      (await cluster.maki('peer', 'list')).stdout,
      new RegExp(`As of ${isoOf(written)}": maki peer wg-config office`),
    )
    t.equal((await cluster.json<Config>('peer', 'wg-config', 'office')).asOf, isoOf(written))
  }
  t.match(await cluster.json<Config>('peer', 'wg-config', 'office'), {
    listenPort: 51_820,
    nodes: [{ name: 'one', endpoints: ['[2001:db8::2]:51880'] }],
    without: ['three'],
    config: /^# The external peer office/,
  })
})

t.test('two that both begin themselves have no way to each other, and a peer of IPv6 is sent there', async (t) => {
  await using cluster = await startMesh()
  const peer = (name: string, number: number, endpoint: string) =>
    cluster.maki('peer', 'add', name, '--wg-pubkey', keyOf(number), '--endpoint', endpoint)
  await peer('phone', 1, 'none')
  await peer('six', 2, '[2001:db8::99]:4500')
  const phone = await cluster.maki('peer', 'wg-config', 'phone')
  t.match(phone, { code: 0, stderr: /neither phone nor two can be reached first/ })
  t.notMatch(phone.stdout, /ListenPort/)
  t.match(await cluster.json<Config>('peer', 'wg-config', 'six'), {
    listenPort: 4500,
    nodes: [{ endpoints: ['[2001:db8::1]:51880', '203.0.113.1:51880'] }, { endpoints: [] }],
  })
})

t.test('one name that two give to different peers at once is a conflict, and is settled', async (t) => {
  await using cluster = await startMesh()
  const [node] = cluster.nodes
  const address = meshAddress(cluster.cluster, keyOf(2), 'peers')
  await cluster.maki('pull')
  t.match(await cluster.maki(...add('office', 1, '--offline')), {
    code: 0,
    stderr: /waits? here for the next exchange/,
  })
  const theirs = await cluster.write(node!, [
    { kind: 'peer.set', name: office, publicKey: keyOf(2), endpoint: null, address },
  ])
  await cluster.maki('push')
  t.match(await cluster.maki('conflicts'), { code: 1, stdout: /peer\/office.*an external peer, fd.* in the mesh/s })
  t.match(await cluster.maki('conflicts', 'resolve', 'peer/office', '--take', theirs.id), { code: 0 })
  t.match(await cluster.json<Row[]>('peer', 'list'), [{ name: 'office', publicKey: keyOf(2), endpoint: null }])
  t.match(await cluster.maki('conflicts'), { code: 0 })
})

t.test('nodes of an older version and deployers', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one'] })
  t.match(await cluster.maki(...add('office', 1)), {
    code: 4,
    stderr: /one would not understand peer\.set: older versions run there\nTry: .*maki machine upgrade one/,
  })
  await announceSchema(cluster)
  const ci = testKey(7)
  const file = join(cluster.directory, 'ci.key')
  await writeKeyFile(file, new Uint8Array(32).fill(7), 'ci')
  await cluster.maki('operator', 'add', 'ci', ci.key, '--role', 'deployer', '--domain', 'example.com')
  const [node] = cluster.nodes
  t.ok(findMember(node!.replica.state, ci.key))
  t.match(await cluster.maki(...add('office', 1, '--key', file)), { code: 4, stderr: /would not count|only operators/ })
  t.equal(node!.replica.state.get(keys.peer(office)), undefined)
})
