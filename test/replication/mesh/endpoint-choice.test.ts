import t from 'tap'
import { type ChoiceInput, EndpointChoice, KEEPALIVE_SECS } from '../../../replication/mesh/endpoint-choice.ts'
import type { MeshPlan, MeshPlanPeer } from '../../../replication/mesh/mesh-plan.ts'
import { NameLookups } from '../../../replication/mesh/name-lookups.ts'
import type { TunnelPeer } from '../../../replication/mesh/ports.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { meshKey } from './mesh-states.ts'
import { type SimulatedHost, WireSimulation } from './wire-simulation.ts'

/** Three candidates on each side, each tried with each, and the seconds between looks. */
const BOUND_S = 130

function makeHost(random: Random, number: number): SimulatedHost {
  const families = random.integer(4)
  const ipv4 = families === 1 ? undefined : `198.51.100.${number}`
  const ipv6 = families === 0 ? undefined : `2001:db8::${number}`
  const nat = ipv4 !== undefined && random.chance(0.3)
  const known = [ipv6, nat && random.chance(0.7) ? undefined : ipv4].filter((host) => host !== undefined)
  const candidates = random.chance(0.15) ? [] : known.map((host) => ({ host, port: 51_880 }))
  const startS = random.integer(25)
  return { key: meshKey(random.integer(200)), ipv4, ipv6, firewall: random.chance(0.5), nat, candidates, startS }
}

/** Whether there is a way at all: a family that both have, that is cut in no direction, and that one of them or both can open. */
function canTalk(network: WireSimulation, a: SimulatedHost, b: SimulatedHost): boolean {
  return ([4, 6] as const).some((family) => {
    const has = (host: SimulatedHost) => (family === 4 ? host.ipv4 : host.ipv6) !== undefined
    if (!has(a) || !has(b) || network.isCut(a, b, family) || network.isCut(b, a, family)) return false
    const isNatted = (host: SimulatedHost) => family === 4 && host.nat
    const isKnown = (host: SimulatedHost) =>
      !isNatted(host) && host.candidates.some(({ host: at }) => at.includes(':') === (family === 6))
    const isOpen = (host: SimulatedHost) => !host.firewall && isKnown(host)
    return isOpen(a) || isOpen(b) || (isKnown(a) && isKnown(b))
  })
}

let talked = 0
for (const seed of seeds(250)) {
  t.test(`whatever pair can talk talks, and is left alone then (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const hosts = [makeHost(random, 1), makeHost(random, 2), makeHost(random, 3)]
    if (new Set(hosts.map(({ key }) => key)).size < 3) return
    const network = new WireSimulation(hosts, random.pick([6_000, 30_000, 120_000]))
    const pairs = hosts.flatMap((a, i) => hosts.slice(i + 1).map((b) => [a, b] as const))
    for (const [a, b] of pairs)
      for (const family of [4, 6] as const) {
        if (random.chance(0.2)) network.cut(a, b, family)
        if (random.chance(0.2)) network.cut(b, a, family)
      }
    const able = pairs.filter(([a, b]) => canTalk(network, a, b))
    talked += able.length
    const waiting = new Set(able)
    for (let second = 0; second < 25 + BOUND_S && waiting.size > 0; second++) {
      network.tick()
      for (const pair of waiting) if (network.isConnected(...pair)) waiting.delete(pair)
    }
    for (const [a, b] of waiting) t.fail(`${hosts.indexOf(a)} and ${hosts.indexOf(b)} did not meet`, { hosts })
    for (let second = 0; second < 450; second++) {
      network.tick()
      // Between two sessions of an idle pair there may be the moment in which that is noticed.
      if (second % 60 === 0) for (const [a, b] of able) t.ok(network.isConnected(a, b) || soon(network, a, b))
    }
    t.equal(network.overwritten, 0, 'no endpoint that works is written over')

    network.healAll()
    const open = pairs.filter(([a, b]) => canTalk(network, a, b))
    for (let second = 0; second < BOUND_S; second++) network.tick()
    for (const [a, b] of open) t.ok(network.isConnected(a, b) || soon(network, a, b), 'when cuts heal, too')
  })
}
t.test('two firewalls open for each other however far apart the rounds of both began', async (t) => {
  const dead = ['203.0.113.1', '203.0.113.2', '203.0.113.3']
  for (let startS = 0; startS < 40; startS++) {
    const host = (number: number): SimulatedHost => {
      const ipv4 = `198.51.100.${number + 1}`
      const candidates = [...dead, ipv4].map((host) => ({ host, port: 51_880 }))
      return {
        key: meshKey(number),
        ipv4,
        ipv6: undefined,
        firewall: true,
        nat: false,
        candidates,
        startS: number * startS,
      }
    }
    const [a, b] = [host(0), host(1)]
    const network = new WireSimulation([a, b], 6_000)
    for (let second = 0; second < startS + BOUND_S && !network.isConnected(a, b); second++) network.tick()
    t.ok(network.isConnected(a, b), `${startS} s apart`)
  }
})

t.test('most of that was not in vain', async (t) => void t.ok(talked * 3 > seeds(250).length))

function soon(network: WireSimulation, a: SimulatedHost, b: SimulatedHost): boolean {
  for (let second = 0; second < 40; second++) {
    network.tick()
    if (network.isConnected(a, b)) return true
  }
  return false
}

const peer = (changes: Partial<MeshPlanPeer> = {}): MeshPlanPeer => ({
  member: undefined,
  name: 'b',
  kind: 'node',
  publicKey: meshKey(1),
  address: 'fd00::2',
  candidates: [{ host: '198.51.100.2', port: 1 }],
  ...changes,
})

const device = (changes: Partial<TunnelPeer> = {}): TunnelPeer => ({
  publicKey: meshKey(1),
  endpoint: undefined,
  allowedIps: [],
  keepaliveSecs: 0,
  lastHandshakeMs: undefined,
  receivedBytes: 0,
  sentBytes: 0,
  ...changes,
})

const input = (one: MeshPlanPeer, peers: readonly TunnelPeer[], changes: Partial<ChoiceInput> = {}): ChoiceInput => ({
  plan: { network: 'fd00::/48', ownCandidates: [], peers: [one] } as Partial<MeshPlan> as MeshPlan,
  ownKey: meshKey(0),
  status: { publicKey: meshKey(0), listenPort: 1, peers },
  nowMs: 0,
  wallMs: 1_000_000,
  isBehindNat: false,
  hasRoute: () => true,
  ...changes,
})

t.test('a session from before this process, and an endpoint that it found out, stay', async (t) => {
  const choice = new EndpointChoice()
  const roamed = device({ endpoint: { host: '203.0.113.9', port: 7 }, lastHandshakeMs: 900_000 })
  const [told] = choice.step(input(peer(), [roamed])).peers
  t.match(told, { endpoint: undefined, keepaliveSecs: 0, isNudged: false, handshakeAgeMs: 100_000 })
  t.equal(told?.silentMs, undefined)
})

t.test('where the clock jumps, what is new happened now, and nothing is older than it is', async (t) => {
  const choice = new EndpointChoice()
  choice.step(input(peer(), [device()]))
  const shaken = device({ endpoint: { host: '198.51.100.2', port: 1 }, lastHandshakeMs: 5 })
  const look = (nowMs: number, wallMs: number) => choice.step(input(peer(), [shaken], { nowMs, wallMs })).peers[0]
  t.equal(look(2_000, 9e12)?.handshakeAgeMs, 0)
  t.equal(look(4_000, 0)?.handshakeAgeMs, 2_000)
})

t.test('who sends, begins handshakes and hears nothing does not wait for the session to end', async (t) => {
  const choice = new EndpointChoice()
  const at = { endpoint: { host: '198.51.100.2', port: 1 }, lastHandshakeMs: 1_000_000 }
  choice.step(input(peer(), [device({ ...at, sentBytes: 100 })]))
  const look = (nowMs: number, sentBytes: number, receivedBytes = 0) =>
    choice.step(input(peer(), [device({ ...at, sentBytes, receivedBytes })], { nowMs })).peers[0]
  t.equal(look(20_000, 5_000)?.silentMs, undefined, 'not yet')
  t.equal(look(30_000, 5_000)?.silentMs, 0)
  t.equal(look(32_000, 5_000, 32)?.silentMs, undefined, 'one packet is enough')
  t.equal(look(90_000, 5_064, 32)?.silentMs, undefined, 'who has nothing to say is not deaf')
})

t.test('keepalive where a NAT needs it, and an external peer is not spoken to unasked', async (t) => {
  const working = [device({ lastHandshakeMs: 1_000_000 })]
  const told = (one: MeshPlanPeer, changes: Partial<ChoiceInput> = {}, peers = working) =>
    new EndpointChoice().step(input(one, peers, changes)).peers[0]
  t.equal(told(peer())?.keepaliveSecs, 0)
  t.equal(told(peer(), { isBehindNat: true })?.keepaliveSecs, KEEPALIVE_SECS)
  t.equal(told(peer({ candidates: [] }))?.keepaliveSecs, KEEPALIVE_SECS, 'the other side is behind one')
  t.match(told(peer(), {}, []), { keepaliveSecs: KEEPALIVE_SECS, isNudged: true, endpoint: { port: 1 } })
  t.match(told(peer({ kind: 'peer' }), {}, []), { keepaliveSecs: 0, isNudged: false, endpoint: { port: 1 } })
})

t.test('names are looked up, again while they lead nowhere, and what they lead to is judged', async (t) => {
  const choice = new EndpointChoice()
  const named = peer({ candidates: [{ host: 'b.example', port: 9 }] })
  const look = (nowMs: number, peers: readonly TunnelPeer[] = []) => choice.step(input(named, peers, { nowMs }))
  t.strictSame(look(0).lookups, ['b.example'])
  t.strictSame(look(2_000).lookups, [], 'one at a time')
  choice.resolved('b.example', ['127.0.0.1', 'fd00::7', '203.0.113.1'], 3_000)
  t.strictSame(look(4_000).peers[0]?.endpoint, { host: '203.0.113.1', port: 9 })
  t.strictSame(look(10_000).lookups, [])
  t.strictSame(look(13_000).lookups, ['b.example'], 'while it does not answer')
  choice.resolved('b.example', [], 14_000)
  t.strictSame(look(16_000).peers[0]?.endpoint, { host: '203.0.113.1', port: 9 }, 'a resolver that fails takes nothing')
  const shaken = [device({ lastHandshakeMs: 1_040_000, endpoint: { host: '203.0.113.1', port: 9 } })]
  t.strictSame(look(80_000, shaken).lookups, [], 'it works')
  choice.resolved('b.example', ['203.0.113.2'], 81_000)
  t.equal(look(82_000, shaken).peers[0]?.endpoint, undefined, 'what works stays')
})

t.test('the name of an external peer that nobody speaks to is looked up once in a while', async (t) => {
  const choice = new EndpointChoice()
  const outside = peer({ kind: 'peer', candidates: [{ host: 'b.example', port: 9 }] })
  const look = (nowMs: number, sentBytes = 0) =>
    choice.step(input(outside, [device({ sentBytes })], { nowMs })).lookups.length
  t.equal(look(0), 1)
  choice.resolved('b.example', ['203.0.113.1'], 0)
  t.equal(look(290_000), 0)
  t.equal(look(292_000, 148), 1, 'spoken to in vain')
})

t.test('where the way is gone from here, another is tried at once', async (t) => {
  const choice = new EndpointChoice()
  const at = device({ endpoint: { host: '2001:db8::2', port: 1 }, lastHandshakeMs: 1_000_000 })
  const look = (hasRoute: (address: string) => boolean) => choice.step(input(peer(), [at], { hasRoute })).peers[0]
  t.equal(look(() => true)?.endpoint, undefined)
  t.match(
    look((address) => !address.includes(':')),
    { endpoint: { host: '198.51.100.2' }, isNudged: true },
  )
})

t.test('where WireGuard followed a peer into the mesh itself, it is told the way again', async (t) => {
  const choice = new EndpointChoice()
  const inside = 'fd00::2'
  const lost = device({ endpoint: { host: inside, port: 1 }, lastHandshakeMs: 1_000_000 })
  const told = choice.step(input(peer(), [lost])).peers[0]
  t.match(told, { endpoint: { host: '198.51.100.2' }, isNudged: true })
  const later = choice.step(input(peer(), [lost], { nowMs: 60_000 })).peers[0]
  t.equal(later?.endpoint?.host, '198.51.100.2', 'and not where it was heard last')
})

t.test('a family that leads nowhere from here is not tried', async (t) => {
  const both = peer({
    candidates: [
      { host: '2001:db8::2', port: 1 },
      { host: '198.51.100.2', port: 1 },
    ],
  })
  const hasRoute = (address: string) => !address.includes(':')
  t.equal(new EndpointChoice().step(input(both, [], { hasRoute })).peers[0]?.endpoint?.host, '198.51.100.2')
})

t.test('a name that leads to thousands of addresses leads to some of them', async (t) => {
  const names = new NameLookups()
  names.due(new Map([['many.example', false]]), 0)
  names.resolved(
    'many.example',
    Array.from({ length: 3000 }, (_, i) => `198.51.${i >> 8}.${i & 255}`),
    1,
  )
  t.equal(names.addresses('many.example').length, 16)
})
