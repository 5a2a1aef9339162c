import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import type { WireGuardKey } from '../../../core/index.ts'
import type { Tunnel, TunnelPeer, TunnelPeerChange } from '../../../replication/mesh/ports.ts'
import { createRandom } from '../../support/seeds.ts'
import {
  bringUp,
  CABLE,
  dumpOurs,
  holdPort,
  INSIDE,
  newKey,
  Other,
  OUR_PORT,
  OURS,
  openOurs,
  Stream,
  sh,
  textOf,
  type World,
} from './tunnel-world.ts'

/** What every `Tunnel` keeps; `run` rejects where it does not, and gives what was measured. */
export interface Law {
  readonly title: string
  run(world: World): Promise<Readonly<Record<string, number>> | undefined>
}

/** The laws that a kind is held to: of what is alike but for its seed less where all of it is emulated. */
export const lawsOf = (kind: Tunnel['kind']): readonly Law[] =>
  kind === 'userspace' ? TUNNEL_LAWS : TUNNEL_LAWS.filter(({ title }) => !/^seed [3-9]:/.test(title))

/** The suite for each kind of `Tunnel`; without tap, since it also runs where only a kernel and Node are. */
const TUNNEL_LAWS: readonly Law[] = [
  {
    title: 'it opens with our key and our port, as wg sees it, and leaves nothing behind',
    async run(world) {
      const { privateKey, publicKey } = newKey()
      {
        await using tunnel = await openOurs(world, privateKey)
        assert.equal(tunnel.kind, world.kind)
        assert.equal(tunnel.interface, OURS)
        assert.deepEqual(await tunnel.status(), { publicKey, listenPort: OUR_PORT, peers: [] })
        const { device, peers } = await dumpOurs()
        assert.deepEqual(device.slice(0, 3), [textOf(privateKey), publicKey, String(OUR_PORT)])
        assert.equal(peers.size, 0)
      }
      await assertNothingLeft(world)
      return undefined
    },
  },
  ...(['ipv4', 'ipv6'] as const).map(
    (family): Law => ({
      title: `over ${family} it shakes hands with another WireGuard, and status says what wg says`,
      async run(world) {
        const { privateKey, publicKey } = newKey()
        await using tunnel = await openOurs(world, privateKey)
        await using other = await Other.open(world, publicKey, family)
        const unknown: TunnelPeerChange = {
          publicKey: newKey().publicKey,
          allowedIps: ['10.9.8.0/24'],
          keepaliveSecs: 7,
        }
        await tunnel.apply({ peers: [peerOf(other), unknown] })
        await bringUp()
        const beforeMs = world.runtime.now()
        await using stream = await Stream.start()
        await stream.more(100)
        assert.deepEqual((await stream.stop()).lost, 0)
        const { peers } = await tunnel.status()
        const known = peers.find((peer) => peer.publicKey === other.publicKey) as TunnelPeer
        assert.deepEqual(known.endpoint, { host: CABLE[family].there, port: other.endpoint.port })
        assert.deepEqual(known.allowedIps, [`${INSIDE.there}/128`])
        assert.ok(
          known.lastHandshakeMs !== undefined && known.lastHandshakeMs >= beforeMs - 1000,
          `${known.lastHandshakeMs}`,
        )
        assert.ok(known.lastHandshakeMs <= world.runtime.now() + 1000)
        assert.ok(known.receivedBytes > 20_000 && known.sentBytes > 20_000)
        await assertAgrees(tunnel)
        return undefined
      },
    }),
  ),
  {
    title: 'a change of fifty peers loses no packet of another one, nor does one that says the same again',
    async run(world) {
      const { privateKey, publicKey } = newKey()
      await using tunnel = await openOurs(world, privateKey)
      await using other = await Other.open(world, publicKey)
      await tunnel.apply({ peers: [peerOf(other)] })
      await bringUp()
      await using stream = await Stream.start()
      const random = createRandom(1)
      const keys = Array.from({ length: 50 }, () => newKey().publicKey)
      const costs: number[] = []
      for (let round = 0; round < 10; round++) {
        const startMs = world.runtime.monotonic()
        await tunnel.apply({
          peers: [...keys.map((key, i) => makePeer(random, key, i)), { ...peerOf(other), keepaliveSecs: round }],
        })
        costs.push(world.runtime.monotonic() - startMs)
        await stream.more(50)
      }
      await tunnel.apply({ peers: keys.map((key) => ({ publicKey: key, remove: true })) })
      await tunnel.apply({ privateKey, listenPort: OUR_PORT, peers: [peerOf(other)] })
      await stream.more(50)
      const { sent, lost } = await stream.stop()
      assert.equal(lost, 0, `${lost} of ${sent} datagrams were lost`)
      assert.equal((await tunnel.status()).peers.length, 1)
      return { fiftyPeersMs: costs.toSorted((a, b) => a - b)[5] as number, datagrams: sent }
    },
  },
  {
    title: 'whoever opens it next finds its peers, and their sessions go on',
    async run(world) {
      const { privateKey, publicKey } = newKey()
      const first = await openOurs(world, privateKey)
      await using other = await Other.open(world, publicKey)
      await first.apply({ peers: [peerOf(other)] })
      await bringUp()
      await using stream = await Stream.start()
      const before = await world.network.findLink(OURS)
      const { peers } = await first.status()
      first.handOver()
      await first[Symbol.asyncDispose]()
      await stream.more(50)
      await using second = await openOurs(world, privateKey)
      await stream.more(50)
      assert.deepEqual((await stream.stop()).lost, 0)
      assert.deepEqual((await world.network.findLink(OURS))?.index, before?.index)
      const after = await second.status()
      assert.equal(after.peers.length, 1)
      assert.equal(after.peers[0]?.lastHandshakeMs, peers[0]?.lastHandshakeMs, 'the same session')
      return undefined
    },
  },
  {
    title: 'what wg sets by hand is seen, and a key that is given anew is taken',
    async run(world) {
      const { privateKey } = newKey()
      await using tunnel = await openOurs(world, privateKey)
      const peer = newKey().publicKey
      await sh(
        'wg',
        'set',
        OURS,
        'listen-port',
        '40000',
        'peer',
        peer,
        'endpoint',
        '[2001:db8::9]:999',
        'persistent-keepalive',
        '11',
        'allowed-ips',
        'fd00::9/128,10.1.0.0/16',
      )
      const { listenPort, peers } = await tunnel.status()
      assert.equal(listenPort, 40_000)
      assert.deepEqual(
        peers.map((one) => ({ ...one, allowedIps: one.allowedIps.toSorted() })),
        [
          {
            publicKey: peer,
            endpoint: { host: '2001:db8::9', port: 999 },
            allowedIps: ['10.1.0.0/16', 'fd00::9/128'],
            keepaliveSecs: 11,
            lastHandshakeMs: undefined,
            receivedBytes: 0,
            sentBytes: 0,
          },
        ],
      )
      const next = newKey()
      await tunnel.apply({ privateKey: next.privateKey, listenPort: 40_001 })
      assert.equal((await tunnel.status()).publicKey, next.publicKey)
      assert.equal((await dumpOurs()).device[2], '40001')
      return undefined
    },
  },
  ...Array.from({ length: 8 }, (_, i) => i + 1).map(
    (seed): Law => ({
      title: `seed ${seed}: after any changes it has what they say, and wg agrees`,
      async run(world) {
        const random = createRandom(seed)
        const { privateKey } = newKey()
        await using tunnel = await openOurs(world, privateKey)
        const keys = Array.from({ length: 12 }, () => newKey().publicKey)
        const model = new Map<
          WireGuardKey,
          { endpoint: TunnelPeer['endpoint']; keepaliveSecs: number; allowedIps: Set<string> }
        >()
        for (let round = 0; round < 6; round++) {
          const changes = random
            .shuffle(keys)
            .slice(0, 1 + random.integer(keys.length))
            .map((key) => makeChange(random, key))
          await tunnel.apply({ peers: changes })
          for (const change of changes) applyToModel(model, change)
          const { peers } = await tunnel.status()
          assert.deepEqual(
            new Map(
              peers.map((peer) => [peer.publicKey, [peer.endpoint, peer.keepaliveSecs, peer.allowedIps.toSorted()]]),
            ),
            new Map(
              [...model].map(([key, has]) => [key, [has.endpoint, has.keepaliveSecs, [...has.allowedIps].sort()]]),
            ),
          )
          await assertAgrees(tunnel)
        }
        return undefined
      },
    }),
  ),
  {
    title: 'a hundred peers, and one with a thousand networks, go in and come out',
    async run(world) {
      await using tunnel = await openOurs(world, newKey().privateKey)
      const networks = Array.from({ length: 1000 }, (_, i) => `fd01::${(i + 1).toString(16)}/128`)
      const wide = newKey().publicKey
      const random = createRandom(7)
      const others = Array.from({ length: 120 }, (_, i) => makePeer(random, newKey().publicKey, i))
      await tunnel.apply({
        peers: [...others.slice(0, 60), { publicKey: wide, allowedIps: networks }, ...others.slice(60)],
      })
      const { peers } = await tunnel.status()
      assert.equal(peers.length, 121)
      const found = peers.find((peer) => peer.publicKey === wide)
      assert.deepEqual(new Set(found?.allowedIps), new Set(networks))
      for (const other of others) {
        const peer = peers.find(({ publicKey }) => publicKey === other.publicKey)
        assert.deepEqual([peer?.allowedIps, peer?.endpoint], [other.allowedIps, other.endpoint])
      }
      await tunnel.apply({ peers: [{ publicKey: wide, allowedIps: ['fd02::/64'] }] })
      const less = (await tunnel.status()).peers.find((peer) => peer.publicKey === wide)
      assert.deepEqual(less?.allowedIps, ['fd02::/64'])
      return undefined
    },
  },
  {
    title: 'a port that is taken, of either family, is said, and nothing is left',
    async run(world) {
      for (const address of ['127.0.0.1', '::1']) {
        await using _held = await holdPort(OUR_PORT, address)
        await assert.rejects(openOurs(world, newKey().privateKey), { code: 'MAKI_PORT_IN_USE' })
        await assertNothingLeft(world)
      }
      return undefined
    },
  },
  {
    title: 'an interface that is somebody else’s is left as it is',
    async run(world) {
      await sh('ip', 'link', 'add', OURS, 'type', 'veth', 'peer', 'name', 'end')
      await assert.rejects(openOurs(world, newKey().privateKey), { code: 'MAKI_CONFLICT', message: /is left as it is/ })
      await sh('ip', 'link', 'delete', OURS)
      const { privateKey, publicKey } = newKey()
      await using tunnel = await openOurs(world, privateKey)
      await tunnel.apply({ peers: [{ publicKey: newKey().publicKey, allowedIps: ['fd00::5/128'] }] })
      const before = await tunnel.status()
      await assert.rejects(openOurs(world, newKey().privateKey, OUR_PORT + 1), { code: 'MAKI_CONFLICT' })
      assert.deepEqual(await tunnel.status(), before)
      assert.equal(before.publicKey, publicKey)
      return undefined
    },
  },
  {
    title: 'a change that no device could take is refused whole',
    async run(world) {
      await using tunnel = await openOurs(world, newKey().privateKey)
      const before = await tunnel.status()
      const good: TunnelPeerChange = { publicKey: newKey().publicKey, allowedIps: ['fd00::1/128'] }
      const wrong: TunnelPeerChange = { publicKey: newKey().publicKey, endpoint: { host: 'example.com', port: 1 } }
      await assert.rejects(tunnel.apply({ listenPort: 40_000, peers: [good, wrong] }), { code: 'MAKI_INVALID' })
      assert.deepEqual(await tunnel.status(), before)
      return undefined
    },
  },
  {
    title: 'it says when its interface is deleted, and is opened anew after that',
    async run(world) {
      const { privateKey, publicKey } = newKey()
      await using tunnel = await openOurs(world, privateKey)
      await sh('ip', 'link', 'delete', OURS)
      assert.match(await tunnel.gone, /wawa0/)
      await assert.rejects(tunnel.status(), { code: 'MAKI_UNREACHABLE' })
      await assert.rejects(tunnel.apply({ listenPort: 40_000 }), { code: 'MAKI_UNREACHABLE' })
      await using next = await openOurs(world, privateKey)
      assert.equal((await next.status()).publicKey, publicKey)
      await tunnel[Symbol.asyncDispose]()
      assert.equal((await next.status()).publicKey, publicKey, 'the end of one that is gone is not that of the next')
      return undefined
    },
  },
]

const peerOf = (other: Other): TunnelPeerChange => ({
  publicKey: other.publicKey,
  endpoint: other.endpoint,
  allowedIps: [`${INSIDE.there}/128`],
})

type Random = ReturnType<typeof createRandom>

const makeEndpoint = (random: Random): { host: string; port: number } => ({
  host: random.pick(['198.51.100.99', '2001:db8::99']),
  port: 1 + random.integer(65_535),
})

const makePeer = (random: Random, publicKey: WireGuardKey, i: number): TunnelPeerChange => ({
  publicKey,
  endpoint: makeEndpoint(random),
  keepaliveSecs: 0,
  allowedIps: [`fd99::${(i + 1).toString(16)}/128`],
})

/** Networks are few, so that peers take them from each other. */
function makeChange(random: Random, publicKey: WireGuardKey): TunnelPeerChange {
  if (random.chance(0.2)) return { publicKey, remove: true }
  const networks = random.shuffle([
    '10.0.0.0/8',
    '10.1.0.0/16',
    '10.1.0.7/32',
    'fd00::/48',
    'fd00::1/128',
    'fd00::2/128',
    '::/0',
    '0.0.0.0/0',
  ])
  return {
    publicKey,
    ...(random.chance(0.5) ? { endpoint: makeEndpoint(random) } : {}),
    ...(random.chance(0.5) ? { keepaliveSecs: random.pick([0, 25, 65_535]) } : {}),
    ...(random.chance(0.6) ? { allowedIps: networks.slice(0, random.integer(5)) } : {}),
  }
}

function applyToModel(
  model: Map<WireGuardKey, { endpoint: TunnelPeer['endpoint']; keepaliveSecs: number; allowedIps: Set<string> }>,
  change: TunnelPeerChange,
): void {
  if (change.remove === true) {
    model.delete(change.publicKey)
    return
  }
  const has = model.get(change.publicKey) ?? { endpoint: undefined, keepaliveSecs: 0, allowedIps: new Set<string>() }
  model.set(change.publicKey, has)
  if (change.endpoint !== undefined) has.endpoint = change.endpoint
  if (change.keepaliveSecs !== undefined) has.keepaliveSecs = change.keepaliveSecs
  if (change.allowedIps === undefined) return
  for (const other of model.values()) for (const network of change.allowedIps) other.allowedIps.delete(network)
  has.allowedIps = new Set(change.allowedIps)
}

async function assertAgrees(tunnel: Tunnel): Promise<void> {
  const { peers } = await tunnel.status()
  const said = await dumpOurs()
  assert.equal(peers.length, said.peers.size)
  for (const peer of peers) {
    const [, , endpoint, networks, handshake, , , keepalive] = said.peers.get(peer.publicKey) as readonly string[]
    const { host, port } = peer.endpoint ?? { host: '', port: 0 }
    assert.equal(
      peer.endpoint === undefined ? '(none)' : `${host.includes(':') ? `[${host}]` : host}:${port}`,
      endpoint,
    )
    assert.deepEqual(peer.allowedIps.toSorted(), networks === '(none)' ? [] : networks?.split(',').toSorted())
    assert.equal(Math.floor((peer.lastHandshakeMs ?? 0) / 1000), Number(handshake))
    assert.equal(peer.keepaliveSecs === 0 ? 'off' : String(peer.keepaliveSecs), keepalive)
  }
}

async function assertNothingLeft(world: World): Promise<void> {
  assert.equal(await world.network.findLink(OURS), undefined)
  assert.deepEqual(readdirSync('/run/wireguard'), [])
}
