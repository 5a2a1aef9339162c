import t from 'tap'
import { type Change, MakiError, meshAddress, meshNetwork, meshPrefix, type NodeName } from '../../../core/index.ts'
import { startMesh } from '../../../replication/mesh/mesh.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { cluster } from '../chain.ts'
import { FakeRuntime, recordLog } from '../fake-runtime.ts'
import { FakeMachine } from './fake-network.ts'
import { joinMesh, memberAt, meshKey, stateOf } from './mesh-states.ts'

const { id } = cluster
const port = 51880
const own = joinMesh(0, { publicKey: meshKey(0), port }, { ipv4: '198.51.100.1' })
const joined = (number: number, key = number): Change =>
  joinMesh(number, { publicKey: meshKey(key), port }, { ipv4: `198.51.100.${number + 1}` })
const outsider: Change = {
  kind: 'peer.set',
  name: 'outside' as NodeName,
  publicKey: meshKey(50),
  endpoint: null,
  address: meshAddress(id, meshKey(50), 'peers'),
}

/** Lets what was begun come to its end. */
const settle = async () => {
  for (let i = 0; i < 60; i++) await new Promise((resolve) => setImmediate(resolve))
}

function begin(machine: FakeMachine, changes: readonly Change[], runtime = new FakeRuntime(1)) {
  const log = recordLog()
  const self = { key: memberAt(0), publicKey: meshKey(0), port }
  const mesh = startMesh({
    cluster: id,
    self,
    privateKey: new Uint8Array(32),
    interface: 'wawa0',
    state: stateOf(changes),
    runtime,
    log,
    openNetwork: machine.openNetwork,
    openTunnel: () => machine.openTunnel(self.publicKey, port),
    resolve: async () => ['203.0.113.77'],
    localAddresses: () => ['198.51.100.1'],
  })
  const advance = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 1_000) {
      runtime.advance(1_000)
      await settle()
    }
  }
  return { mesh, runtime, log, advance }
}

t.test('the interface has its address, route, filter and peers, and all is gone at the end', async (t) => {
  const machine = new FakeMachine()
  const { mesh } = begin(machine, [own, joined(1), outsider])
  await mesh.tried
  t.strictSame(machine.link, {
    mtu: 1420,
    isUp: true,
    addresses: [`${mesh.address}/128`],
    routes: [meshPrefix(id)],
  })
  t.strictSame(machine.filter, { interface: 'wawa0', mesh: meshPrefix(id), peers: meshNetwork(id, 'peers') })
  t.ok(machine.steps.indexOf('set-filter') < machine.steps.indexOf('open-tunnel'), 'filtered before it is there')
  t.match(
    machine.tunnel?.peers.map(({ endpoint, allowedIps }) => [endpoint?.host, allowedIps[0]]),
    [
      ['198.51.100.2', `${meshAddress(id, meshKey(1))}/128`],
      [undefined, `${meshAddress(id, meshKey(50), 'peers')}/128`],
    ],
  )
  t.strictSame([...mesh.addresses()], [meshAddress(id, meshKey(1))], 'external peers are no members')
  await mesh[Symbol.asyncDispose]()
  t.strictSame([machine.link, machine.tunnel, machine.filter], [undefined, undefined, undefined])
})

t.test('who hands over leaves all, and the next one touches nothing that is so', async (t) => {
  const machine = new FakeMachine()
  const first = begin(machine, [own, joined(1)])
  await first.mesh.tried
  machine.tunnel?.shake(meshKey(1), first.runtime.now(), { host: '203.0.113.5', port: 9 })
  await first.advance(4_000)
  first.mesh.handOver()
  await first.mesh[Symbol.asyncDispose]()
  t.ok(machine.link?.isUp)
  t.ok(machine.filter)
  const said = machine.tunnel?.changes.length
  const next = begin(machine, [own, joined(1)], first.runtime)
  await next.mesh.tried
  t.equal(machine.opened, 1)
  t.equal(machine.tunnel?.changes.length, said, 'nothing is said to a device that is as it should be')
  t.equal(machine.tunnel?.peers[0]?.endpoint?.host, '203.0.113.5')
  t.match(next.mesh.status().peers[0], { handshakeAgeMs: 4_000, silentMs: undefined })
  await next.mesh[Symbol.asyncDispose]()
})

t.test('without a packet filter nobody from outside is a peer, and that is said', async (t) => {
  const machine = new FakeMachine()
  machine.hasNftables = false
  const { mesh, log, advance } = begin(machine, [own, joined(1), outsider])
  await mesh.tried
  t.strictSame(
    machine.tunnel?.peers.map(({ publicKey }) => publicKey),
    [meshKey(1)],
  )
  t.match(mesh.status().troubles, [/external peers are left out.*no nftables/])
  machine.hasNftables = true
  await advance(32_000)
  t.equal(machine.tunnel?.peers.length, 2, 'as soon as there is one')
  t.strictSame(mesh.status().troubles, [])
  t.equal(log.events.filter(([event]) => event === 'mesh.unfiltered').length, 1, 'once')
  await mesh[Symbol.asyncDispose]()
})

t.test('what somebody takes away by hand comes back; the MTU follows the ways', async (t) => {
  const machine = new FakeMachine()
  const { mesh, advance } = begin(machine, [own, joined(1)])
  await mesh.tried
  machine.filter = undefined
  if (machine.link !== undefined) machine.link.addresses = ['fd00::1/64']
  machine.path = () => 1400
  await advance(62_000)
  t.ok(machine.filter)
  t.strictSame(machine.link?.addresses, [`${mesh.address}/128`])
  t.equal(machine.link?.mtu, 1340)
  machine.path = () => 576
  await advance(62_000)
  t.equal(machine.link?.mtu, 1280, 'what IPv6 needs')
  machine.path = () => 9000
  await advance(62_000)
  t.equal(machine.link?.mtu, 1420, 'what the Internet carries')
  await mesh[Symbol.asyncDispose]()
})

t.test('a way that leads into the mesh itself does not narrow it', async (t) => {
  const machine = new FakeMachine()
  const { mesh, advance, runtime } = begin(machine, [own, joined(1)])
  await mesh.tried
  machine.path = (address) => (address.startsWith('fd') ? machine.link?.mtu : 1500)
  const host = meshAddress(id, meshKey(2))
  machine.tunnel?.shake(meshKey(1), runtime.now(), { host, port })
  const seen: number[] = []
  const unsubscribe = mesh.events.on('change', ({ mtu }) => void seen.push(mtu ?? 0))
  await advance(4_000)
  unsubscribe()
  t.ok(seen.length > 0)
  t.strictSame([...new Set(seen)], [1420])
  await mesh[Symbol.asyncDispose]()
})

t.test('a tunnel that is gone is opened again, and a node that does not answer is spoken of once', async (t) => {
  const machine = new FakeMachine()
  const { mesh, log, advance, runtime } = begin(machine, [own, joined(1)])
  await mesh.tried
  machine.destroy('somebody deleted it')
  await advance(4_000)
  t.equal(machine.opened, 2)
  t.equal(machine.tunnel?.peers.length, 1)
  t.match(log.events.find(([event]) => event === 'mesh.down')?.[1], { reason: 'somebody deleted it' })
  await advance(90_000)
  const events = (name: string) => log.events.filter(([event]) => event === name).length
  t.equal(events('mesh.silent'), 1)
  t.match(mesh.status().peers[0], { handshakeAgeMs: undefined, name: 'node-1' })
  machine.tunnel?.shake(meshKey(1), runtime.now())
  await advance(4_000)
  t.equal(events('mesh.heard'), 1)
  t.equal(mesh.status().peers[0]?.silentMs, undefined)
  await mesh[Symbol.asyncDispose]()
})

for (const seed of seeds(40)) {
  t.test(`whatever fails on the way, the tunnel ends as the state has it (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const machine = new FakeMachine()
    const runtime = new FakeRuntime(seed)
    let share = 0.3
    const codes = ['MAKI_UNREACHABLE', 'MAKI_UNSUPPORTED', 'MAKI_INTERNAL'] as const
    machine.fault = () => (random.chance(share) ? new MakiError(random.pick(codes), 'no luck') : undefined)
    const { mesh, advance } = begin(machine, [own], runtime)
    let changes: Change[] = []
    for (let round = 0; round < 6; round++) {
      changes = Array.from({ length: random.integer(6) }, (_, i) => joined(i + 1, 1 + random.integer(8)))
      mesh.follow(stateOf([own, ...changes]))
      if (random.chance(0.3)) machine.destroy('gone')
      await advance(random.integer(4) * 1_000)
      const keys = new Set(changes.map((one) => (one.kind === 'node.join' ? one.mesh?.publicKey : '')))
      t.equal(mesh.addresses().size, keys.size, 'who may connect is known at once')
    }
    share = 0
    await advance(65_000)
    const keys = new Set(changes.map((one) => (one.kind === 'node.join' ? one.mesh?.publicKey : '')))
    t.strictSame((machine.tunnel?.peers ?? []).map(({ publicKey }) => publicKey).sort(), [...keys].sort())
    t.strictSame(machine.link?.addresses, [`${mesh.address}/128`])
    await mesh[Symbol.asyncDispose]()
    t.strictSame([machine.link, machine.tunnel, machine.filter], [undefined, undefined, undefined])
    t.equal(runtime.timers, 0)
  })
}

t.test('a route of the owner leaves no interface and no filter behind, is said once, and waited out', async (t) => {
  const machine = new FakeMachine()
  const conflict = new MakiError('MAKI_CONFLICT', 'a route to eth1 has the network of the mesh')
  machine.fault = (step) => (step === 'add-routes' ? conflict : undefined)
  const { mesh, log, advance } = begin(machine, [own, joined(1)])
  await mesh.tried
  await advance(10_000)
  t.match(mesh.status(), { kind: undefined, troubles: [conflict.message] })
  t.equal(machine.link, undefined)
  t.equal(machine.filter, undefined)
  t.equal(log.events.filter(([event]) => event === 'mesh.failed').length, 1)
  machine.fault = () => undefined
  await advance(61_000)
  t.match(mesh.status(), { kind: 'userspace', troubles: [] })
  t.equal(machine.link?.routes.length, 1)
  await mesh[Symbol.asyncDispose]()
})
