import t from 'tap'
import { formatWireGuardKey } from '../../../core/index.ts'
import { diffTunnel, isEmptyChange, type WantedTunnel } from '../../../replication/mesh/plan-difference.ts'
import type { TunnelChange, TunnelPeer, TunnelStatus } from '../../../replication/mesh/ports.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'

const keys = Array.from({ length: 8 }, (_, i) => formatWireGuardKey(new Uint8Array(32).fill(i + 1)))
const hosts = ['2001:db8::1', '198.51.100.1', '2001:db8:0:0::2', '2001:db8::2']
const nets = ['fd00::1/128', 'fd00::2/128', 'fd00::3/128', 'fd00::4/128']

/** What WireGuard does with a change: an address that one peer gets is taken from whoever had it. */
function apply(status: TunnelStatus, change: TunnelChange): TunnelStatus {
  const peers = new Map(status.peers.map((peer) => [peer.publicKey, peer]))
  for (const { publicKey, remove, ...rest } of change.peers ?? []) {
    if (remove) {
      peers.delete(publicKey)
      continue
    }
    const known: TunnelPeer = peers.get(publicKey) ?? {
      publicKey,
      endpoint: undefined,
      allowedIps: [],
      keepaliveSecs: 0,
      lastHandshakeMs: undefined,
      receivedBytes: 0,
      sentBytes: 0,
    }
    for (const one of peers.values()) {
      const left = one.allowedIps.filter((net) => rest.allowedIps?.includes(net) !== true)
      if (one.publicKey !== publicKey) peers.set(one.publicKey, { ...one, allowedIps: left })
    }
    peers.set(publicKey, { ...known, ...rest })
  }
  const own = change.privateKey === undefined ? {} : { publicKey: keys[change.privateKey[0] as number] }
  return { ...status, ...own, listenPort: change.listenPort ?? status.listenPort, peers: [...peers.values()] }
}

const draw = <T>(random: Random, items: readonly T[], most: number): T[] =>
  random.shuffle(items).slice(0, random.integer(most + 1))

function makeWanted(random: Random): WantedTunnel {
  const free = random.shuffle(nets)
  const own = random.integer(2)
  return {
    publicKey: keys[own] as (typeof keys)[0],
    privateKey: new Uint8Array(32).fill(own),
    listenPort: random.pick([51880, 51881]),
    peers: draw(random, keys.slice(2), 4).map((publicKey) => ({
      publicKey,
      allowedIps: free.splice(0, random.integer(3)),
      keepaliveSecs: random.pick([0, 25]),
      endpoint: random.chance(0.5) ? { host: random.pick(hosts), port: 51880 } : undefined,
    })),
  }
}

for (const seed of seeds(300)) {
  t.test(`a change makes it what is wanted, names nothing else, and is empty then (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    let status: TunnelStatus = { publicKey: undefined, listenPort: 0, peers: [] }
    for (let round = 0; round < 4; round++) {
      const before = new Map(status.peers.map((peer) => [peer.publicKey, peer]))
      const wanted = makeWanted(random)
      const change = diffTunnel(status, wanted)
      status = apply(status, change)
      t.equal(status.publicKey, wanted.publicKey)
      t.equal(status.listenPort, wanted.listenPort)
      t.strictSame(status.peers.map(({ publicKey }) => publicKey).sort(), wanted.peers.map((p) => p.publicKey).sort())
      for (const { publicKey, allowedIps, keepaliveSecs, endpoint } of wanted.peers) {
        const peer = status.peers.find((one) => one.publicKey === publicKey)
        t.strictSame([...(peer?.allowedIps ?? [])].sort(), [...allowedIps].sort())
        t.equal(peer?.keepaliveSecs, keepaliveSecs)
        if (endpoint === undefined) t.equal(peer?.endpoint, before.get(publicKey)?.endpoint, 'what it found out stays')
      }
      for (const { publicKey, remove } of change.peers ?? [])
        if (remove) t.notOk(wanted.peers.some((peer) => peer.publicKey === publicKey))
      t.ok(isEmptyChange(diffTunnel(status, wanted)), 'what is so is not said again')
    }
  })
}

t.test('the same address in other words is no change', async (t) => {
  const [own, publicKey] = keys as [(typeof keys)[0], (typeof keys)[0]]
  const peer = { publicKey, allowedIps: ['fd00::1/128'], keepaliveSecs: 0 }
  const status: TunnelStatus = {
    publicKey: own,
    listenPort: 1,
    peers: [
      {
        ...peer,
        endpoint: { host: '2001:db8:0:0::2', port: 1 },
        lastHandshakeMs: undefined,
        receivedBytes: 0,
        sentBytes: 0,
      },
    ],
  }
  const wanted = { publicKey: own, privateKey: new Uint8Array(32), listenPort: 1 }
  t.strictSame(diffTunnel(status, { ...wanted, peers: [{ ...peer, endpoint: { host: '2001:db8::2', port: 1 } }] }), {})
})
