import t from 'tap'
import { type Change, type Entry, type Key, type SealEpochKey, silentLog } from '../../../core/index.ts'
import { buildZone } from '../../../dns/zone/build-zone.ts'
import { DnsProjection } from '../../../dns/zone/projection.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { serviceOf } from '../answering.ts'
import { aliasSet, ClusterState, domainSet, host, nodeJoin, recordSet } from '../cluster-state.ts'
import { serve } from '../server/served-zone.ts'
import { askWith } from '../server/server-conformance.ts'
import { zoneText } from './zone-text.ts'

const digest = (number: number) => `${number}`.padStart(43, 'd')
const challenge = (name: string, ...numbers: number[]): Change => ({
  kind: 'challenge.set',
  host: host(name),
  http: [],
  dns: numbers.map(digest),
  untilMs: 5,
})
const account = (directory: string, authorities?: string[]): Change => ({
  kind: 'certificate.account',
  directory,
  account: { epoch: 'a'.repeat(52) as SealEpochKey, box: 'AAAA' },
  ...(authorities === undefined ? {} : { authorities: authorities.map(host) }),
})
const record = (name: string, type: string, ...values: string[]) => recordSet('example.com', name, type, values)
const zoneOf = (cluster: ClusterState, apex = 'example.com') => {
  const zone = buildZone(cluster.state, host(apex))?.zone
  if (zone === undefined) throw new Error('there is no zone')
  return zone
}
const authorOf = (cluster: ClusterState) => (cluster.state.scope('challenge/example.com')[0] as Entry).author
const linesOf = (cluster: ClusterState, name: string, apex?: string) =>
  zoneText(zoneOf(cluster, apex))
    .split('\n')
    .filter((line) => line.replace('; ', '').startsWith(`${name}. `))
const txt = (name: string, number: number, ttl = 5) => `_acme-challenge.${name}. ${ttl} IN TXT "${digest(number)}"`

t.test('a set of all digests at the name, and nothing of it when they are gone', async (t) => {
  const cluster = new ClusterState()
  cluster.commit(nodeJoin(1, 'tokyo'), domainSet('example.com'), aliasSet('example.com', 'www.example.com'))
  const before = zoneOf(cluster)
  cluster.commit(challenge('example.com', 2, 1, 2), challenge('www.example.com', 3), challenge('example.org', 9))
  t.same(linesOf(cluster, '_acme-challenge.example.com'), [txt('example.com', 1), txt('example.com', 2)])
  t.same(linesOf(cluster, '_acme-challenge.www.example.com'), [txt('www.example.com', 3)])
  t.notMatch(zoneText(zoneOf(cluster)), /example\.org/)
  const during = zoneOf(cluster)
  t.ok(during.serial > before.serial, 'the serial moves')
  const author = authorOf(cluster)
  cluster.commit({ kind: 'challenge.remove', host: host('example.com'), author })
  cluster.commit({ kind: 'challenge.remove', host: host('www.example.com'), author })
  const soa = (text: string) => text.replaceAll(/SOA [^\n]*/g, '')
  t.equal(soa(zoneText(zoneOf(cluster))), soa(zoneText(before)))
  t.ok(zoneOf(cluster).serial > during.serial)
})

t.test('what was written at the name: CNAME stays alone, TXT stays beside', async (t) => {
  const cluster = new ClusterState()
  cluster.commit(nodeJoin(1, 'tokyo'), domainSet('example.com'))
  cluster.commit(record('_acme-challenge', 'CNAME', 'elsewhere.example.'), record('_acme-challenge.a', 'TXT', '"mine"'))
  cluster.commit(
    recordSet('example.com', '_acme-challenge.b', 'TXT', ['"mine"'], 2),
    record('a', 'CNAME', 'x.example.'),
  )
  cluster.commit(challenge('example.com', 1), challenge('a.example.com', 2), challenge('b.example.com', 3))
  t.same(linesOf(cluster, '_acme-challenge.example.com').length, 1)
  t.match(linesOf(cluster, '_acme-challenge.example.com')[0], /CNAME elsewhere/)
  t.same(linesOf(cluster, '_acme-challenge.a.example.com'), [
    txt('a.example.com', 2),
    '_acme-challenge.a.example.com. 5 IN TXT "mine"',
  ])
  t.same(linesOf(cluster, '_acme-challenge.b.example.com'), [
    txt('b.example.com', 3, 2),
    '_acme-challenge.b.example.com. 2 IN TXT "mine"',
  ])
})

t.test('a zone inside another has its own; names that are too long have none', async (t) => {
  const cluster = new ClusterState()
  cluster.commit(nodeJoin(1, 'tokyo'), domainSet('example.com'), domainSet('shop.example.com'))
  const long = `${'a.'.repeat(117)}example.com`
  cluster.commit(challenge('shop.example.com', 1), challenge(long, 2))
  t.same(linesOf(cluster, '_acme-challenge.shop.example.com', 'shop.example.com'), [txt('shop.example.com', 1)])
  t.notMatch(zoneText(zoneOf(cluster)), digest(2))
})

t.test('dig and kdig: answers, names above, and wildcards that go on', async (t) => {
  const cluster = new ClusterState()
  cluster.commit(nodeJoin(1, 'tokyo'), domainSet('example.com'), domainSet('bare.example'))
  cluster.commit(record('*', 'A', '198.51.100.1'), record('cut', 'NS', 'ns.example.net.'))
  const projection = new DnsProjection(silentLog)
  projection.refresh(cluster.state, cluster.scopes)
  const server = await serve({ service: serviceOf(() => projection.table) })
  t.teardown(() => server.close())
  const put = (...changes: Change[]) => {
    const scopes = cluster.commit(...changes)
    const keys: Key[] = cluster.deltas.at(-1)?.entries.map(([key]) => key) ?? []
    projection.refresh(cluster.state, scopes, keys)
  }
  const all = Array.from({ length: 20 }, (_, i) => i)
  for (const program of ['dig', 'kdig'] as const) {
    const ask = (...question: string[]) => askWith(program, server.address, ...question)
    t.match(await ask('_acme-challenge.www.bare.example', 'TXT'), { status: 'NXDOMAIN' })
    put(challenge('example.com', 1), challenge('a.b.example.com', ...all), challenge('cut.example.com', 1))
    put(challenge('www.bare.example', 4))
    t.same((await ask('_acme-challenge.example.com', 'TXT')).answer, [txt('example.com', 1)])
    t.match(await ask('_acme-challenge.example.com', 'A'), { status: 'NOERROR', answer: { length: 0 } })
    t.match(await ask('+bufsize=512', '_acme-challenge.a.b.example.com', 'TXT'), { answer: { length: 20 } }, 'by TCP')
    t.match(await ask('a.b.example.com', 'A'), { answer: { length: 1 } }, 'the wildcard stands for it all the while')
    t.match(await ask('b.example.com', 'A'), { answer: { length: 1 } })
    t.match(await ask('_acme-challenge.cut.example.com', 'TXT'), { answer: { length: 0 } }, 'others answer for it')
    t.same((await ask('_acme-challenge.www.bare.example', 'TXT')).answer, [txt('www.bare.example', 4)])
    t.match(await ask('www.bare.example', 'A'), { status: 'NOERROR', answer: { length: 0 } }, 'an empty non-terminal')
    const author = authorOf(cluster)
    for (const name of ['example.com', 'a.b.example.com', 'cut.example.com', 'www.bare.example'])
      put({ kind: 'challenge.remove', host: host(name), author })
    t.match(await ask('www.bare.example', 'A'), { status: 'NXDOMAIN' })
    t.match(await ask('_acme-challenge.example.com', 'TXT'), { answer: { length: 0 } })
  }
})

t.test('no other zone and no other name is built anew', async (t) => {
  const apexes = Array.from({ length: 30 }, (_, i) => `site${i}.example`)
  const cluster = new ClusterState()
  cluster.commit(nodeJoin(1, 'tokyo'), ...apexes.map((apex) => domainSet(apex)))
  const projection = new DnsProjection(silentLog)
  projection.refresh(cluster.state, cluster.scopes)
  for (const apex of apexes) projection.table.find(apex)?.serial
  const before = [projection.builds, projection.table.find('site5.example')]
  const scopes = cluster.commit(challenge('www.site4.example', 1))
  projection.refresh(
    cluster.state,
    scopes,
    cluster.deltas.at(-1)?.entries.map(([key]) => key),
  )
  t.ok(projection.table.find('site4.example')?.findName('_acme-challenge.www.site4.example'))
  t.same([projection.builds, projection.table.find('site5.example')], before)
})

t.test('CAA names the authorities that the cluster has accounts at', async (t) => {
  const cluster = new ClusterState()
  cluster.commit(nodeJoin(1, 'tokyo'), domainSet('example.com'), domainSet('own.example'))
  cluster.commit(recordSet('own.example', '@', 'CAA', ['0 issue "mine.example"']))
  const projection = new DnsProjection(silentLog, ['configured.example'])
  const caa = (apex = 'example.com') =>
    zoneText(projection.table.find(apex) as never)
      .split('\n')
      .flatMap((line) => / CAA (.*)/.exec(line)?.[1] ?? [])
  const put = (...changes: Change[]) => projection.refresh(cluster.state, cluster.commit(...changes))
  projection.refresh(cluster.state, cluster.scopes)
  t.same(caa(), ['0 issue "configured.example"', '0 issuewild "configured.example"'])
  const before = projection.table.find('example.com')?.serial ?? 0
  put(account('https://b.example/dir', ['b.example']))
  put(account('https://a.example/dir', ['a.example', 'b.example']))
  t.ok((projection.table.find('example.com')?.serial ?? 0) > before)
  t.same(caa(), ['0 issue "a.example"', '0 issuewild "a.example"', '0 issue "b.example"', '0 issuewild "b.example"'])
  t.same(caa('own.example'), ['0 issue "mine.example"'], 'what was written replaces ours')
  put(account('https://c.example/dir'))
  t.same(caa(), [], 'one that nobody knows the name of must not be forbidden')
})

for (const seed of seeds(40)) {
  t.test(`challenges that come and go step by step (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const cluster = new ClusterState()
    cluster.commit(nodeJoin(1, 'tokyo'), domainSet('example.com'))
    const projection = new DnsProjection(silentLog)
    projection.refresh(cluster.state, cluster.scopes)
    const hosts = ['example.com', 'www.example.com', 'a.b.example.com', 'b.example.com', 'example.net']
    const draw = (): Change => {
      const name = random.pick(hosts)
      const author = cluster.state.scope(`challenge/${name}`)[0]?.author
      if (random.chance(0.3) && author !== undefined) return { kind: 'challenge.remove', host: host(name), author }
      if (random.chance(0.5)) return challenge(name, ...(random.chance(0.2) ? [] : [random.integer(9)]))
      if (random.chance(0.1)) return domainSet(random.pick(['b.example.com', 'example.net']))
      if (random.chance(0.1))
        return { kind: 'domain.remove', domain: host(random.pick(['b.example.com', 'example.net'])) }
      if (random.chance(0.1)) return account('https://a.example/dir', random.chance(0.5) ? ['a.example'] : undefined)
      const label = random.pick(['_acme-challenge', '_acme-challenge.b', '*', 'b', '*.b'])
      return random.chance(0.5) ? record(label, 'TXT', '"x"') : record(label, 'CNAME', 'x.example.')
    }
    for (let step = 0; step < 40; step++) {
      const scopes = cluster.commit(draw())
      projection.refresh(
        cluster.state,
        scopes,
        cluster.deltas.at(-1)?.entries.map(([key]) => key),
      )
      if (random.chance(0.3)) continue
      for (const apex of ['example.com', 'b.example.com', 'example.net'].map(host)) {
        const fresh = buildZone(cluster.state, apex)?.zone
        const kept = projection.table.get(apex)
        const [expected, found] = [fresh && zoneText(fresh), kept && zoneText(kept)]
        if (expected !== found) t.equal(found, expected, `${apex} after step ${step}`)
      }
    }
    t.pass('at every step')
  })
}
