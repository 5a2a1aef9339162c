import t from 'tap'
import { type Change, type Key, type Log, type State, type StateDelta, silentLog } from '../../../core/index.ts'
import { buildZone } from '../../../dns/zone/build-zone.ts'
import { DnsProjection } from '../../../dns/zone/projection.ts'
import { randomChange, testSigner } from '../../support/histories.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { aliasSet, ClusterState, domainSet, drain, host, nodeJoin, recordSet } from '../cluster-state.ts'
import { zoneText } from './zone-text.ts'

function started(...changes: Change[]) {
  const cluster = new ClusterState()
  cluster.commit(...changes)
  const projection = new DnsProjection(silentLog)
  projection.refresh(cluster.state, cluster.scopes)
  buildAll(projection)
  return { cluster, projection }
}

function buildAll(projection: DnsProjection): void {
  while (projection.waiting > 0) projection.buildSome(() => true)
}

const keysOf = (delta: StateDelta | undefined): Key[] => delta?.entries.map(([key]) => key) ?? []

t.test('costs follow the change', async (t) => {
  const apexes = Array.from({ length: 40 }, (_, i) => `site${i}.example`)
  const { cluster, projection } = started(nodeJoin(1, 'tokyo'), ...apexes.map((apex) => domainSet(apex)))
  t.equal(projection.builds, 40)
  t.equal(projection.table.size, 40)
  const costs = (builds: number, title: string, ...changes: Change[]) => {
    const before = projection.builds
    projection.refresh(cluster.state, cluster.commit(...changes))
    buildAll(projection)
    t.equal(projection.builds - before, builds, title)
  }
  costs(1, 'a record', recordSet('site3.example', 'www', 'A', ['198.51.100.1']))
  costs(1, 'an alias', aliasSet('site3.example', 'www2.site3.example'))
  costs(2, 'an alias that moves', aliasSet('site4.example', 'www2.site3.example'))
  costs(2, 'two domains', domainSet('site5.example'), domainSet('site6.example'))
  costs(0, 'an operator', { kind: 'operator.add', key: testSigner(9).key, name: 'ada', role: 'operator' })
  costs(0, 'a node that is drained', drain(1))
  costs(40, 'a node that comes', nodeJoin(2, 'berlin'))
  costs(0, 'a domain that goes', { kind: 'domain.remove', domain: host('site7.example') })
  t.equal(projection.table.size, 39)
  t.equal(projection.table.get(host('site7.example')), undefined)
})

t.test('a zone is built when it is asked for, once, and not while it changes', async (t) => {
  const { cluster, projection } = started(nodeJoin(1, 'tokyo'), domainSet('a.example'), domainSet('b.example'))
  const before = projection.builds
  for (let i = 0; i < 10; i++) {
    const scopes = cluster.commit(recordSet('a.example', `r${i}`, 'A', ['198.51.100.1']), nodeJoin(2 + i, `n${i}`))
    projection.refresh(cluster.state, scopes, keysOf(cluster.deltas.at(-1)))
  }
  t.equal(projection.builds, before)
  t.equal(projection.waiting, 2)
  const zone = projection.table.find('r3.a.example')
  t.ok(zone?.findName('r9.a.example'), 'what came while nobody asked is in it')
  t.equal(projection.table.find('a.example'), zone)
  t.strictSame([projection.builds, projection.waiting], [before + 1, 1])
  t.equal(zone?.serial, buildZone(cluster.state, host('a.example'))?.zone.serial)
})

t.test('the table is swapped whole: a reader keeps what it took', async (t) => {
  const { cluster, projection } = started(nodeJoin(1, 'tokyo'), domainSet('a.example'), domainSet('b.example'))
  const taken = projection.table
  const before = taken.get(host('a.example'))
  projection.refresh(cluster.state, cluster.commit(recordSet('a.example', 'www', 'A', ['198.51.100.1'])))
  t.not(projection.table, taken)
  t.equal(taken.get(host('a.example')), before)
  t.notOk(taken.get(host('a.example'))?.findName('www.a.example'))
  t.ok(projection.table.get(host('a.example'))?.findName('www.a.example'))
  t.equal(projection.table.get(host('b.example')), taken.get(host('b.example')), 'an untouched zone is the same object')
})

for (const seed of seeds(60)) {
  t.test(`refreshing step by step gives what building everything gives (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const signers = [1, 2, 3].map((number) => testSigner(200 + number))
    const { cluster, projection } = started(domainSet('example.com'))
    let pending = new Set<string>()
    let known = cluster.deltas.length
    for (let step = 0; step < 40; step++) {
      for (const scope of cluster.commit(randomChange(random, signers))) pending.add(scope)
      if (random.chance(0.3)) continue
      const keys = cluster.deltas.slice(known).flatMap(keysOf)
      projection.refresh(cluster.state, pending, random.chance(0.8) ? keys : undefined)
      pending = new Set()
      known = cluster.deltas.length
      if (random.chance(0.3)) continue
      for (const apex of ['example.com', 'example.org', 'example.net'].map(host)) {
        const fresh = buildZone(cluster.state, apex)?.zone
        const kept = projection.table.get(apex)
        const [expected, found] = [fresh && zoneText(fresh), kept && zoneText(kept)]
        if (expected !== found) t.equal(found, expected, `${apex} after step ${step}`)
      }
    }
    t.pass('at every step')
  })
}

t.test('a faulty record is logged when it comes, not at every rebuild', async (t) => {
  const logged: unknown[] = []
  const log: Log = { ...silentLog, warn: (event, data) => logged.push({ event, ...data }) }
  const cluster = new ClusterState()
  cluster.commit(nodeJoin(1, 'tokyo'), domainSet('a.example'), recordSet('a.example', 'www', 'A', ['nonsense']))
  const projection = new DnsProjection(log)
  projection.refresh(cluster.state, cluster.scopes)
  buildAll(projection)
  t.match(logged, [{ event: 'zone.fault', apex: 'a.example', name: 'www.a.example', type: 'A' }])
  projection.refresh(cluster.state, cluster.commit(drain(1), nodeJoin(2, 'berlin')))
  buildAll(projection)
  t.equal(logged.length, 1)
  projection.refresh(cluster.state, cluster.commit(recordSet('a.example', 'b', 'A', ['worse'])))
  buildAll(projection)
  t.equal(logged.length, 3)
})

t.test('a zone that cannot be built stays as it was, and the others go on', async (t) => {
  const { cluster, projection } = started(nodeJoin(1, 'tokyo'), domainSet('bad.example'), domainSet('good.example'))
  const kept = projection.table.get(host('bad.example'))
  const broken: State = {
    get: (key) => cluster.state.get(key),
    ids: (kind) => cluster.state.ids(kind),
    touches: (scope) => cluster.state.touches(scope),
    scope(scope) {
      if (scope === 'domain/bad.example') throw new Error('broken')
      return cluster.state.scope(scope)
    },
  }
  const scopes = cluster.commit(
    recordSet('bad.example', 'www', 'A', ['198.51.100.1']),
    recordSet('good.example', 'www', 'A', ['198.51.100.1']),
  )
  projection.refresh(broken, scopes)
  t.equal(projection.table.get(host('bad.example')), kept)
  t.ok(projection.table.get(host('good.example'))?.findName('www.good.example'))
  projection.refresh(cluster.state, scopes)
  t.ok(projection.table.get(host('bad.example'))?.findName('www.bad.example'), 'and comes back when it can be')
})
