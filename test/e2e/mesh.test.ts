import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Change, Hostname } from '../../core/index.ts'
import { Child } from '../support/child.ts'
import { eventually } from '../support/eventually.ts'
import { MeshCluster, type MeshNode } from './support/mesh-cluster.ts'
import type { Host } from './support/network.ts'
import { ROOT, Scene } from './support/scene.ts'

// The runner of all tests bounds the file's time.
t.setTimeout(0)

const domain = (name: string): Change => ({
  kind: 'domain.set',
  domain: name as Hostname,
  spa: false,
  onConcurrent: 'latest',
  previews: true,
})

/** What comes of a connection: `closed` without a byte, the bytes that came, or the fault. */
async function connect(host: Host, address: string, port: number): Promise<string> {
  const [program, ...args] = [...host.wrapper, process.execPath, '-e', CONNECT, address, String(port)]
  await using child = new Child(program as string, args)
  await child.ended
  return child.output
}

const CONNECT = `
const [, address, port] = process.argv
const socket = require('node:net').connect({ host: address, port: Number(port), timeout: 1500 })
socket.on('connect', () => socket.write('GET /blobs/x HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'))
socket.on('data', () => end('answered'))
socket.on('close', () => end('closed'))
socket.on('error', (error) => end(error.code === 'ECONNRESET' || error.code === 'EPIPE' ? 'closed' : error.code))
socket.on('timeout', () => end('nothing'))
function end(word) { console.log(word); process.exit() }
`

const handshakes = async ({ host, interface: name }: MeshNode): Promise<number> => {
  const lines = (await host.run('wg', 'show', name, 'latest-handshakes')).trim().split('\n')
  return lines.filter((line) => Number(line.split('\t')[1]) > 0).length
}

const links = async ({ host }: MeshNode): Promise<string> => await host.run('ip', '-o', 'link')

t.test('nodes that know each other by their seeds alone form one network', async (t) => {
  await using scene = await Scene.open()
  // Two names: one that leads there, and that of a node which is behind a NAT, say.
  const endpoints = { [NAMED]: () => 'b.mesh.example:51880', [HIDDEN]: () => null }
  await using mesh = await MeshCluster.make(scene, { others: ['stranger'], endpoints })
  const [a, b, c] = [mesh.node(0), mesh.node(1), mesh.node(2)]
  t.strictSame([b.daemon.name, c.daemon.name], [NAMED, HIDDEN])
  const hosts = scene.path('hosts')
  writeFileSync(hosts, '127.0.0.1 localhost\n')
  const named = ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"', hosts]
  for (const { daemon, host } of mesh.nodes) daemon.wrapper = [...host.wrapper, ...named]
  // One has IPv6 alone, and another will have IPv4 alone.
  await c.host.run('ip', 'addr', 'del', `${c.host.ipv4}/24`, 'dev', 'eth0')
  // What stands between it and the others lets nothing in that it did not ask for.
  for (const rule of [
    'add table inet nat',
    'add chain inet nat before { type filter hook prerouting priority 0; policy accept; }',
    'add rule inet nat before iifname eth0 udp dport 51880 ct state new drop',
  ])
    await c.host.run('nft', rule)
  await mesh.start()

  await t.test(
    'who has a name is reached as soon as it leads somewhere, and who is hidden begins itself',
    async (t) => {
      await eventually('a and c to shake hands', async () => ((await handshakes(a)) >= 1 ? true : undefined))
      writeFileSync(hosts, `127.0.0.1 localhost\n${b.host.ipv4} b.mesh.example\n${b.host.ipv6} b.mesh.example\n`)
      await mesh.cluster.commit(domain('one.example'))
      const all = await mesh.cluster.agreement()
      t.ok(all.every(({ nodes }) => nodes.every(({ up }) => up)))
      for (const node of mesh.nodes)
        await eventually(`both handshakes of ${node.daemon.name}`, async () =>
          (await handshakes(node)) === 2 ? true : undefined,
        )
      const report = await mesh.report(a)
      t.match(report, { kind: 'userspace', mtu: 1420, address: a.address, port: 51_880 })
      for (const { handshakeAgeMs, silentMs } of report.peers) {
        t.type(handshakeAgeMs, 'number')
        t.equal(silentMs, null)
      }
      t.equal(
        (await a.host.run('wg', 'show', a.interface, 'persistent-keepalive')).match(/\t25/g)?.length,
        1,
        'for c alone',
      )
    },
  )

  await t.test('gossip and blobs are for members alone', async (t) => {
    const listening = await a.host.run('ss', '-ltnH')
    for (const port of [8787, 8282])
      t.strictSame(listening.match(new RegExp(`\\S+:${port}\\b`, 'g')), [`[${a.address}]:${port}`])
    t.equal(await connect(b.host, a.address, 8282), 'answered', 'a member')
    for (const port of [8787, 8282]) t.equal(await connect(a.host, a.address, port), 'closed', `itself at ${port}`)
    const metrics = await a.daemon.client.metrics()
    t.match(metrics, /\nmakiatto_mesh_refused_total 2\n/)
    const page = readFileSync(join(ROOT, 'docs', 'metrics.md'), 'utf8')
    const names = new Set(metrics.match(/(?<=^)makiatto_mesh_\w+/gm))
    t.strictSame([...names].sort(), [...new Set(page.match(/makiatto_mesh_\w+/g))].sort(), 'each is documented')
    const stranger = mesh.network.host('stranger')
    await stranger.run('ip', '-6', 'route', 'add', `${a.address}/128`, 'via', a.host.ipv6)
    t.equal(await connect(stranger, a.address, 8282), 'nothing', 'a neighbour without WireGuard')
  })

  await t.test('a node that moves is found', async (t) => {
    await b.host.run('ip', 'addr', 'del', `${b.host.ipv4}/24`, 'dev', 'eth0')
    await b.host.run('ip', 'addr', 'del', `${b.host.ipv6}/64`, 'dev', 'eth0')
    const moved = await mesh.network.addAddress(b.daemon.name, 77)
    writeFileSync(hosts, `127.0.0.1 localhost\n${moved} b.mesh.example\n`)
    await mesh.cluster.commit(domain('two.example'))
    await mesh.cluster.agreement()
    const endpoint = await eventually('a to have the new address', async () => {
      const lines = await a.host.run('wg', 'show', a.interface, 'endpoints')
      return lines.includes(moved) ? lines : undefined
    })
    t.match(endpoint, `${moved}:51880`)
  })

  await t.test('a daemon that hands over, or is killed, leaves its tunnel to the next', async (t) => {
    for (const end of ['handOver', 'killControl'] as const) {
      const before = await handshakes(a)
      await a.daemon[end]()
      t.match(await links(a), a.interface)
      t.equal(await handshakes(a), before, end)
      await a.daemon.start()
      t.ok(await a.daemon.event('tunnel.adopted'))
      await mesh.cluster.agreement()
    }
  })

  await t.test('who is removed is nobody to the others at once', async (t) => {
    await mesh.cluster.commit({ kind: 'node.remove', key: mesh.cluster.keyOf(c.daemon), how: 'retire' })
    await eventually('c to be no peer', async () => {
      const peers = await b.host.run('wg', 'show', b.interface, 'peers')
      return peers.includes(c.publicKey) ? undefined : true
    })
    t.notMatch(await connect(c.host, b.address, 8282), /answered/)
  })

  await t.test('at its end nothing is left', async (t) => {
    await a.daemon.stop()
    t.notMatch(await links(a), a.interface)
    t.equal((await a.host.run('nft', 'list', 'ruleset')).trim(), '')
    t.notMatch(await a.host.run('ip', '-6', 'route'), 'fd')
  })
})

const NAMED = 'node2'
const HIDDEN = 'node3'
