import t from 'tap'
import { formatRdata } from '../../../dns/rdata/index.ts'
import { findTypeFault, formatType, OTHER_TYPES } from '../../../dns/wire/index.ts'
import { buildZone } from '../../../dns/zone/index.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { ClusterState, domainSet, host, nodeJoin, recordSet } from '../cluster-state.ts'
import { RANDOM_TYPES, randomRdata } from '../rdata/random-rdata.ts'

/** Operations of clients that are old, broken or malicious: whatever a record says, the rest of the zone is answered. */

const TYPES = [
  ...RANDOM_TYPES,
  ...OTHER_TYPES.keys(),
  'ALIAS',
  'TYPE1',
  'TYPE0',
  'TYPE41',
  'TYPE99999',
  'TYPE00065',
  'X',
]
const NAMES = ['@', '*', 'www', '*.www', 'a.b.c', 'dev', 'x.dev', `${'a'.repeat(63)}.${'b'.repeat(63)}`, '_tcp']

function hostileValue(random: Random): string {
  const text = formatRdata(randomRdata(random))
  const at = random.integer(text.length + 1)
  const junk = () =>
    random.pick(['"', '\\', '\\#', ' ', '\0', '\ud83d\ude00', '@', '.', '..', ',', '=', '\n', ';', '%', '256', '-1'])
  return random.pick([
    () => text,
    () => text.slice(0, at),
    () => text.slice(0, at) + junk() + text.slice(at),
    () => text.repeat(1 + random.integer(20)).slice(0, 5000),
    () => Array.from({ length: random.integer(12) }, junk).join(''),
    () => `\\# ${random.integer(9)} ${Buffer.from(random.bytes(random.integer(9))).toString('hex')}`,
    () => '0'.repeat(random.integer(3000)),
  ])()
}

for (const seed of seeds(20)) {
  t.test(`hostile records give faults, never an exception or an answer (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const cluster = new ClusterState()
    cluster.commit(domainSet('example.com'), nodeJoin(1, 'one'))
    for (let i = 0; i < 60; i++) {
      const values = Array.from({ length: 1 + random.integer(3) }, () => hostileValue(random))
      const type = random.pick(TYPES)
      const geo = random.chance(0.1)
      const change = recordSet('example.com', random.pick(NAMES), type, geo ? [] : values, random.integer(2 ** 31))
      cluster.commit(geo ? ({ ...change, geo: true } as typeof change) : change)
    }
    const built = buildZone(cluster.state, host('example.com'))
    if (built === undefined) throw new Error('there is no zone')
    const apexTypes = built.zone.listSets('example.com').map(({ type }) => formatType(type))
    for (const type of ['SOA', 'NS']) t.ok(apexTypes.includes(formatType(type === 'SOA' ? 6 : 2)), type)
    let written = 0
    for (const set of built.zone.sets()) {
      const isOurs = set.type === 6 && set.name === 'example.com'
      if (!isOurs && findTypeFault(set.type) !== undefined) t.fail(`${set.name} has ${formatType(set.type)}`)
      if (set.kind !== 'fixed') continue
      for (const data of set.rrset.rdata) written += formatRdata(data).length
    }
    t.ok(written > 0 && built.faults.length > 0, `${built.faults.length} faults`)
  })
}
