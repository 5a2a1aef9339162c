import t from 'tap'
import { respond } from '../../../dns/service/index.ts'
import { countLabels, lastLabels, type NameKey, parentName } from '../../../dns/wire/index.ts'
import { buildZone, type Zone } from '../../../dns/zone/index.ts'
import { ZoneTable } from '../../../dns/zone/zone-table.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { contextOf } from '../answering.ts'
import { ClusterState, domainSet, host, nodeJoin, recordSet } from '../cluster-state.ts'
import { rawQuery, readMessage } from '../wire-message.ts'

/** Anybody can ask for names of 127 labels; the way to their answer is neither long nor another than by the definition. */

function tableOf(cluster: ClusterState, ...apexes: string[]): ZoneTable {
  return ZoneTable.of(apexes.flatMap((apex) => buildZone(cluster.state, host(apex))?.zone ?? []))
}

/** How often a zone was looked into. */
function watchZone(zone: Zone): { looks: number } {
  const seen = { looks: 0 }
  const plain = zone.findName.bind(zone)
  zone.findName = (name) => {
    seen.looks += 1
    return plain(name)
  }
  return seen
}

t.test('the longest question that there is costs little more than a short one', async (t) => {
  const cluster = new ClusterState()
  cluster.commit(domainSet('example.com'), nodeJoin(1, 'one'))
  cluster.commit(
    recordSet('example.com', '*.wild', 'A', ['192.0.2.1']),
    recordSet('example.com', 'cut', 'NS', ['ns.example.net.']),
  )
  const zone = buildZone(cluster.state, host('example.com'))?.zone
  if (zone === undefined) throw new Error('there is no zone')
  const seen = watchZone(zone)
  const context = contextOf({ table: ZoneTable.of([zone]) })
  for (const [below, rcode, answers] of [
    ['example.com', 3, 0],
    ['wild.example.com', 0, 1],
    ['cut.example.com', 0, 0],
  ] as const) {
    for (const labels of [1, 118]) {
      seen.looks = 0
      const reply = respond(rawQuery({ name: `${'a.'.repeat(labels)}${below}` }), context)
      if (reply.kind === 'drop') throw new Error('there is no reply')
      t.match(readMessage(Buffer.from(reply.bytes)), { rcode, answers: { length: answers } })
      if (seen.looks > 16) t.fail(`${labels} labels below ${below}: ${seen.looks} names looked up`)
    }
  }
})

t.test('a referral of a thousand servers is cut without looking for all their addresses', async (t) => {
  const cluster = new ClusterState()
  cluster.commit(domainSet('example.com'), nodeJoin(1, 'one'))
  const servers = Array.from({ length: 1000 }, (_, i) => `n${i}.farm`)
  cluster.commit(
    recordSet(
      'example.com',
      'farm',
      'NS',
      servers.map((name) => `${name}.example.com.`),
    ),
  )
  for (let i = 0; i < servers.length; i += 250)
    cluster.commit(...servers.slice(i, i + 250).map((name) => recordSet('example.com', name, 'A', ['192.0.2.9'])))
  const zone = buildZone(cluster.state, host('example.com'))?.zone
  if (zone === undefined) throw new Error('there is no zone')
  const seen = watchZone(zone)
  for (const transport of ['udp', 'tcp'] as const) {
    seen.looks = 0
    const reply = respond(
      rawQuery({ name: 'x.farm.example.com' }),
      contextOf({ table: ZoneTable.of([zone]), transport }),
    )
    if (reply.kind === 'drop') throw new Error('there is no reply')
    const { truncated, authorities, additionals } = readMessage(Buffer.from(reply.bytes))
    t.equal(truncated, transport === 'udp')
    if (transport === 'tcp')
      t.ok(authorities.length === 1000 && additionals.length >= 100, `${additionals.length} glue`)
    t.ok(seen.looks < 3000, `${seen.looks} names looked up`)
  }
})

t.test('a CNAME counts as one answer, whatever type is asked for', async (t) => {
  const cluster = new ClusterState()
  cluster.commit(domainSet('example.com'), nodeJoin(1, 'one'))
  cluster.commit(recordSet('example.com', 'c', 'CNAME', ['far.example.net.']))
  const context = contextOf({ table: tableOf(cluster, 'example.com') })
  const accounts = Array.from({ length: 200 }, (_, i) => {
    const reply = respond(rawQuery({ name: 'c.example.com', type: 300 + i }), context)
    return reply.kind === 'send' ? reply.unproven?.account : undefined
  })
  t.equal(new Set(accounts).size, 1)
  t.type(accounts[0], 'string')
})

/** Few labels, so that names meet. */
const randomName = (random: Random, most: number): NameKey =>
  Array.from({ length: random.integer(most + 1) }, () => random.pick(['a', 'b', '\\046', 'ccc'])).join('.')

for (const seed of seeds(50)) {
  t.test(`the zone of a name is the longest apex above it (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const cluster = new ClusterState()
    cluster.commit(nodeJoin(1, 'one'))
    const apexes = [
      ...new Set(Array.from({ length: 6 }, () => `${randomName(random, 4)}.x.y`.replace(/^\.|\\046/g, 'd'))),
    ]
    for (const apex of apexes) cluster.commit(domainSet(apex))
    let table = tableOf(cluster, ...apexes)
    if (random.chance(0.5)) table = table.with([[host(apexes[0] as string), undefined]])
    const known = new Set(table.apexes())
    for (let i = 0; i < 200; i++) {
      const name = `${randomName(random, 6)}.x.y`.replace(/^\./, '')
      let expected: NameKey | undefined = name
      while (expected !== undefined && !known.has(expected)) expected = parentName(expected)
      if (table.find(name)?.apex !== expected) t.fail(`${name} is in ${table.find(name)?.apex}, not ${expected}`)
      const labels = name.split('.')
      const some = 1 + random.integer(8)
      if (countLabels(name) !== labels.length) t.fail(`${name} has ${countLabels(name)} labels`)
      if (lastLabels(name, some) !== labels.slice(-some).join('.'))
        t.fail(`${some} of ${name}: ${lastLabels(name, some)}`)
    }
    t.equal(countLabels(''), 0)
    t.equal(lastLabels('', 3), '')
  })
}
