import t from 'tap'
import { TYPE_CODES } from '../../../dns/wire/codes.ts'
import { buildZone } from '../../../dns/zone/build-zone.ts'
import { lookUp } from '../../../dns/zone/look-up.ts'
import type { Zone } from '../../../dns/zone/zone.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { ClusterState, domainSet, host, nodeJoin, recordSet } from '../cluster-state.ts'

const { A, AAAA, TXT, MX } = TYPE_CODES
const ID = 'abcdefghijklmnopqrstuvwxyz234567'
const random26 = (random: Random, length = 26) => Array.from({ length }, () => random.pick([...ID])).join('')

/** What a question gets, in words. */
function look(zone: Zone, name: string, type: number): string {
  const found = lookUp(zone, name, type)
  switch (found.kind) {
    case 'set':
      return `${found.set.kind} of ${found.wildcard ?? found.set.name}`
    case 'delegation':
      return `delegation to ${found.cut.name}`
    default:
      return found.kind
  }
}

function zoneOf(cluster: ClusterState): Zone {
  return buildZone(cluster.state, host('example.com'))?.zone as Zone
}

for (const seed of seeds(50)) {
  t.test(`every host of the form of a preview answers as the apex does, and no other (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const cluster = new ClusterState()
    const hasIpv6 = random.chance(0.5)
    cluster.commit(nodeJoin(1, 'tokyo', hasIpv6 ? {} : { ipv6: null }), domainSet('example.com'))
    const wildcard = random.chance(0.5)
    if (wildcard) cluster.commit(recordSet('example.com', '*', 'TXT', ['"made up"']))
    const zone = zoneOf(cluster)
    const length = 26 + random.integer(27)
    const name = `${random26(random, length)}--preview.example.com`
    t.equal(look(zone, name, A), `nodes of ${name}`, 'the nodes, whatever releases there are')
    t.equal(look(zone, name, AAAA), hasIpv6 ? `nodes of ${name}` : 'nodata')
    t.equal(look(zone, name, TXT), 'nodata', 'and nothing else: a wildcard does not reach a name that exists')
    t.equal(look(zone, name, MX), 'nodata')
    t.equal(look(zone, `below.${name}`, A), 'nxdomain', 'nothing is below it')
    t.notOk(zone.lists(name), 'it is made up as a wildcard’s names are, and counted with them')
    const others = [
      `${random26(random, 25)}--preview.example.com`,
      `${random26(random, 53)}--preview.example.com`,
      `${random26(random, 25)}1--preview.example.com`,
      `${random26(random)}-preview.example.com`,
      `${random26(random)}--previews.example.com`,
      `x.${random26(random)}.example.com`,
      `${random26(random)}--preview.www.example.com`,
      `--preview.example.com`,
    ]
    for (const other of others) t.equal(look(zone, other, A), wildcard ? 'nodata' : 'nxdomain', other)
  })
}

t.test('an owner who wants none has none', async (t) => {
  const cluster = new ClusterState()
  const name = `${'a'.repeat(26)}--preview.example.com`
  cluster.commit(nodeJoin(1, 'tokyo'), { ...domainSet('example.com'), previews: false } as never)
  t.equal(look(zoneOf(cluster), name, A), 'nxdomain')
  cluster.commit(domainSet('example.com'))
  t.equal(look(zoneOf(cluster), name, A), `nodes of ${name}`, 'and may change his mind')
})

t.test('what is written at the very name stands instead; what is written below does not take its place', async (t) => {
  const cluster = new ClusterState()
  const [one, two, three] = ['a', 'b', 'c'].map((letter) => `${letter.repeat(26)}--preview`) as [string, string, string]
  cluster.commit(nodeJoin(1, 'tokyo'), domainSet('example.com'))
  cluster.commit(
    recordSet('example.com', one, 'TXT', ['"mine"']),
    recordSet('example.com', `below.${two}`, 'TXT', ['"mine"']),
    recordSet('example.com', three, 'NS', ['ns.example.net.']),
  )
  const zone = zoneOf(cluster)
  t.equal(look(zone, `${one}.example.com`, TXT), `fixed of ${one}.example.com`)
  t.equal(look(zone, `${one}.example.com`, A), 'nodata', 'the name is the owner’s as a whole')
  t.equal(look(zone, `${two}.example.com`, A), `nodes of ${two}.example.com`)
  t.equal(look(zone, `below.${two}.example.com`, TXT), `fixed of below.${two}.example.com`)
  t.equal(look(zone, `${three}.example.com`, A), `delegation to ${three}.example.com`)
})
