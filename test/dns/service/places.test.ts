import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { listDatabases } from '../../../cli/node/geo-databases.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { type Change, MakiError, silentLog } from '../../../core/index.ts'
import { NameService, type PlaceFiles, type PlaceRule, startDnsServer } from '../../../dns/index.ts'
import { recordLog } from '../../replication/fake-runtime.ts'
import { type City, cities, layouts, vincentyKm } from '../../support/cities.ts'
import { writeMmdb } from '../../support/mmdb.ts'
import { ClusterState, domainSet, nodeJoin } from '../cluster-state.ts'
import { encodeQuery } from '../dns-client.ts'
import { askWith } from '../server/server-conformance.ts'
import { rawQuery, readMessage } from '../wire-message.ts'

/** Where clients are, from the files to the answers that a resolver gets. */

const folder = t.testdir()
const log = recordLog()

interface Parts {
  readonly places: PlaceFiles
  readonly readRules?: (file: string) => Promise<readonly PlaceRule[]>
  readonly nodes: readonly City[]
}

function serviceOf({ places, readRules = async () => [], nodes }: Parts): NameService {
  const cluster = new ClusterState()
  const joins = nodes.map(({ latitude, longitude }, i): Change => {
    const join = nodeJoin(i + 1, `n${i + 1}`, { ipv4: addressOf(i) })
    return { ...join, place: { latitude, longitude } } as Change
  })
  cluster.commit(domainSet('example.com'))
  for (let i = 0; i < joins.length; i += 20) cluster.commit(...joins.slice(i, i + 20))
  const options = { places, readRules, log, runtime: systemRuntime, answers: 1, authorities: [], rateLimit: 0 }
  const service = new NameService({ ...options, cookieSecret: '00'.repeat(16), nsid: undefined, version: undefined })
  service.refresh(cluster.state, cluster.scopes)
  return service
}

const addressOf = (node: number): string => `198.51.100.${node + 1}`

async function serve(t: { teardown(fn: () => unknown): void }, parts: Parts) {
  const service = serviceOf(parts)
  await service.loadPlaces()
  t.teardown(() => service.close())
  const server = await startDnsServer({
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    runtime: systemRuntime,
    reusePort: false,
    rateLimit: 0,
    service,
  })
  t.teardown(() => server.close())
  const ask = async (subnet: string) => {
    const got = await askWith('kdig', server.address, `+subnet=${subnet}`, 'example.com', 'A')
    return {
      address: got.answer[0]?.split(/\s+/).at(-1),
      scope: /CLIENT-SUBNET: \S+\/(\d+)\s/.exec(`${got.text} `)?.[1],
    }
  }
  return { service, server, ask }
}

const amsterdam = { name: 'amsterdam', latitude: 52.37, longitude: 4.89 }
const newYork = { name: 'new-york', latitude: 40.71, longitude: -74.01 }
const singapore = { name: 'singapore', latitude: 1.35, longitude: 103.82 }

t.test('a fresh install answers geographically: networks that everybody knows, three nodes, kdig', async (t) => {
  const databases = listDatabases({ dns: {}, node: { data_dir: folder } } as Parameters<typeof listDatabases>[0])
  t.equal(databases.length, 1)
  const { ask } = await serve(t, {
    places: { databases, overrides: undefined },
    nodes: [amsterdam, newYork, singapore],
  })
  const expected: readonly [string, City][] = [
    ['193.0.6.0/24', amsterdam],
    ['141.1.0.0/16', amsterdam],
    ['2001:67c:2e8::/48', amsterdam],
    ['192.149.252.0/24', newYork],
    ['18.0.0.0/16', newYork],
    ['200.160.2.0/24', newYork],
    ['2001:500:13::/48', newYork],
    ['202.12.29.0/24', singapore],
    ['203.116.1.0/24', singapore],
    ['133.1.0.0/16', singapore],
    ['2001:dc0::/32', singapore],
  ]
  const nodes = [amsterdam, newYork, singapore]
  for (const [subnet, city] of expected) {
    const { address, scope } = await ask(subnet)
    t.equal(address, addressOf(nodes.indexOf(city)), `${subnet} is sent to ${city.name}`)
    t.ok(Number(scope) > 0, `with a scope: ${scope}`)
  }
})

t.test('200 cities at known networks, 10 layouts of nodes: the nearest of each', async (t) => {
  const file = join(folder, 'cities.mmdb')
  const entries = cities.map(({ latitude, longitude }, i) => [
    `${20 + i}.1.0.0/16`,
    { location: { latitude, longitude } },
  ])
  writeFileSync(file, writeMmdb(Object.fromEntries(entries)))
  for (const [number, layout] of layouts.entries()) {
    // The keys of test nodes are told apart by one byte.
    const nodes = layout.slice(0, 150)
    const { server, service } = await serve(t, { places: { databases: [file], overrides: undefined }, nodes })
    const wrong: unknown[] = []
    for (const [i, city] of cities.entries()) {
      const nearestKm = Math.min(...nodes.map((node) => vincentyKm(node, city)))
      // One in twenty by a real client, the others by the bytes that it would send.
      const address =
        i % 20 === number
          ? (await askWith('kdig', server.address, `+subnet=${20 + i}.1.7.0/24`, 'example.com', 'A')).answer[0]
              ?.split(/\s+/)
              .at(-1)
          : addressIn(service, Uint8Array.from([0, 1, 24, 0, 20 + i, 1, 7]))
      const node = nodes[Number(address?.split('.').at(-1)) - 1]
      if (node === undefined || vincentyKm(node, city) - nearestKm > 0.01) wrong.push({ city: city.name, address })
    }
    t.strictSame(wrong, [], `layout ${number}`)
  }
})

function addressIn(service: NameService, subnet: Uint8Array): string | undefined {
  const query = rawQuery({ name: 'example.com', type: 1, edns: { options: [[8, subnet]] } })
  const reply = service.reply(query, { address: '127.0.0.1', transport: 'udp' })
  if (reply.kind !== 'send') return undefined
  const [record] = readMessage(Buffer.from(reply.bytes)).answers
  return record === undefined ? undefined : [...record.data].join('.')
}

t.test('files that change are read without a question lost; broken ones leave what there was', async (t) => {
  const file = join(folder, 'live.mmdb')
  const [here, there] = [amsterdam, singapore].map((city) =>
    writeMmdb({ '127.0.0.0/8': { location: { latitude: city.latitude, longitude: city.longitude } } }),
  ) as [Buffer, Buffer]
  writeFileSync(file, here)
  let rules: readonly PlaceRule[] | undefined = []
  const readRules = async () => {
    if (rules === undefined) throw new MakiError('MAKI_CONFIG', 'places.toml:1: broken')
    return rules
  }
  const { service, server } = await serve(t, {
    places: { databases: [file], overrides: 'places.toml' },
    readRules,
    nodes: [amsterdam, singapore],
  })
  const ask = () => {
    const reply = service.reply(encodeQuery('example.com', 'A'), { address: '127.0.0.1', transport: 'udp' })
    return reply.kind === 'send'
      ? [...(readMessage(Buffer.from(reply.bytes)).answers[0]?.data ?? [])].at(-1)
      : undefined
  }
  t.equal(ask(), 1)
  const answered: unknown[] = []
  let isDone = false
  const asking = (async () => {
    while (!isDone) answered.push((await askWith('kdig', server.address, 'example.com', 'A')).answer.length)
  })()
  for (let i = 0; i < 10; i++) {
    writeFileSync(file, i % 2 === 0 ? there : here)
    const loading = service.loadPlaces()
    t.equal(ask(), i % 2 === 0 ? 1 : 2, 'from the old one until the new one is read')
    await Promise.all([loading, service.loadPlaces(), service.loadPlaces()])
    t.equal(ask(), i % 2 === 0 ? 2 : 1)
  }
  isDone = true
  await asking
  t.ok(answered.length > 0 && answered.every((count) => count === 1), `${answered.length} questions`)
  for (const broken of ['', 'no database', here.subarray(0, -30)]) {
    writeFileSync(file, broken)
    await service.loadPlaces()
    t.equal(ask(), 1, 'the last good one')
  }
  const network = { octets: Uint8Array.from([127, 0, 0, 0]), bits: 8 }
  rules = [{ network, target: { kind: 'node', node: 'n2' as never } }]
  await service.loadPlaces()
  t.equal(ask(), 2, 'a rule comes first')
  rules = undefined
  await service.loadPlaces()
  t.equal(ask(), 2, 'broken rules leave the old ones')
  t.match(log.events.filter(([event]) => event.endsWith('-failed')).length, 6)
})

t.test('the first file that can be read is taken', async (t) => {
  const good = join(folder, 'good.mmdb')
  copyFileSync(join(folder, 'cities.mmdb'), good)
  const bad = join(folder, 'bad.mmdb')
  writeFileSync(bad, readFileSync(good).subarray(0, 100))
  const first = (databases: string[]) => {
    const service = serviceOf({ places: { databases, overrides: undefined }, nodes: [amsterdam] })
    return service.loadPlaces().then(() => service.database?.file)
  }
  t.equal(await first([join(folder, 'none.mmdb'), bad, good]), good)
  t.equal(await first([bad]), undefined)
  t.equal(await first([]), undefined)
})
