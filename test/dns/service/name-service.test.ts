import { decode } from 'dns-packet'
import t from 'tap'
import { type Change, type Log, type Scope, type State, silentLog } from '../../../core/index.ts'
import { NameService } from '../../../dns/service/name-service.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { ClusterState, domainSet, drain, host, nodeJoin, nodeKey, recordSet } from '../cluster-state.ts'
import { encodeQuery } from '../dns-client.ts'
import { ManualTimers } from '../server/served-zone.ts'

/** Milliseconds between the slices in which zones are built. */
const SLICE_MS = 5

function start(options: { answers?: number; log?: Log } = {}) {
  const timers = new ManualTimers()
  const service = new NameService({
    log: options.log ?? silentLog,
    runtime: Object.assign(timers, { now: () => 0 }) as never,
    answers: options.answers ?? 1,
    authorities: ['ca.example'],
    places: { databases: [], overrides: undefined },
    readRules: async () => [],
    cookieSecret: '00'.repeat(16),
    rateLimit: 0,
    nsid: undefined,
    version: undefined,
  })
  return { service, timers }
}

function ask(service: NameService, name: string, type: 'A' | 'AAAA' | 'CAA' | 'SOA'): string[] {
  const reply = service.reply(encodeQuery(name, type), { address: '198.51.100.1', transport: 'udp' })
  if (reply.kind !== 'send') throw new Error('there is no answer')
  const { answers = [] } = decode(Buffer.from(reply.bytes))
  return answers.map((one) => ('data' in one ? String(one.data) : ''))
}

t.test('zones, nodes, standings and aliases come in one by one, and are answered from at once', async (t) => {
  const cluster = new ClusterState()
  const { service } = start()
  const tell = (...changes: Change[]) => service.refresh(cluster.state, cluster.commit(...changes))
  tell(domainSet('example.com'), nodeJoin(1, 'tokyo'))
  tell(recordSet('example.com', 'aim', 'ALIAS', ['origin.example.net.']))
  t.strictSame(ask(service, 'example.com', 'A'), ['192.0.2.1'])
  t.equal(ask(service, 'example.com', 'CAA').length, 2, 'of the authority that was named')
  tell(nodeJoin(2, 'berlin', { ipv6: null }))
  service.setStandings(new Map([[nodeKey(1), { ipv4: 'down', ipv6: 'up', behind: false }]]))
  t.strictSame(ask(service, 'example.com', 'A'), ['192.0.2.2'])
  t.strictSame(ask(service, 'example.com', 'AAAA'), ['2001:db8::1'])
  tell(drain(2))
  t.strictSame(ask(service, 'example.com', 'A'), ['192.0.2.2'], 'rather than one that is down')
  service.setAliases([{ target: 'origin.example.net', ipv4: ['203.0.113.9'], ipv6: [], ttl: 60 }])
  t.strictSame(ask(service, 'aim.example.com', 'A'), ['203.0.113.9'])
  tell({ kind: 'domain.remove', domain: host('example.com') })
  t.strictSame(ask(service, 'example.com', 'A'), [])
})

t.test('what nobody asks for is built in the background, a slice at a time, until the service ends', async (t) => {
  const faults: unknown[] = []
  const log: Log = { ...silentLog, warn: (event, data) => faults.push({ event, ...data }) }
  const { service, timers } = start({ log })
  const cluster = new ClusterState()
  const bad = recordSet('z7.example', 'www', 'A', ['nonsense'])
  const zones = Array.from({ length: 20 }, (_, i) => domainSet(`z${i}.example`))
  service.refresh(cluster.state, cluster.commit(nodeJoin(1, 'tokyo'), ...zones, bad))
  t.strictSame([faults.length, timers.pending], [0, 1])
  for (let i = 0; i < 30 && timers.pending > 0; i++) timers.fire(SLICE_MS)
  t.match(faults, [{ event: 'zone.fault', apex: 'z7.example', name: 'www.z7.example' }])
  t.equal(timers.pending, 0, 'and then it rests')
  service.refresh(cluster.state, cluster.commit(nodeJoin(2, 'berlin')))
  t.equal(timers.pending, 1)
  service.close()
  t.equal(timers.pending, 0)
})

for (const seed of seeds(20)) {
  t.test(`while nodes and records change, every answer is one of the moment (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const cluster = new ClusterState()
    const { service, timers } = start()
    let scopes = new Set<Scope>()
    let known = cluster.deltas.length
    const commit = (...changes: Change[]) => {
      for (const scope of cluster.commit(...changes)) scopes.add(scope)
    }
    const tell = (state: State) => {
      const keys = cluster.deltas.slice(known).flatMap(({ entries }) => entries.map(([key]) => key))
      service.refresh(state, scopes, random.chance(0.9) ? keys : undefined)
      known = cluster.deltas.length
      scopes = new Set()
    }
    commit(domainSet('a.example'), domainSet('b.example'), nodeJoin(1, 'n1'))
    for (const scope of cluster.scopes) scopes.add(scope)
    tell(cluster.state)
    const values = new Map<string, string>()
    let serial = 0
    for (let step = 0; step < 60; step++) {
      const name = `r${random.integer(4)}.${random.pick(['a', 'b'])}.example`
      const value = `198.51.100.${1 + random.integer(200)}`
      const [label = '', ...rest] = name.split('.')
      if (random.chance(0.6)) {
        commit(recordSet(rest.join('.'), label, 'A', [value]))
        values.set(name, value)
      } else commit(nodeJoin(1 + random.integer(3), `n${random.integer(3)}`, { drained: random.chance(0.5) }))
      tell(cluster.state)
      if (random.chance(0.3)) timers.fire(SLICE_MS)
      if (random.chance(0.3)) continue
      t.strictSame(ask(service, name, 'A'), values.has(name) ? [values.get(name)] : [])
      t.equal(ask(service, 'a.example', 'A').length, 1, 'never without an address')
      const next = service.table.find('a.example')?.serial ?? 0
      t.ok(next >= serial, 'the serial never goes back')
      serial = next
    }
  })
}
