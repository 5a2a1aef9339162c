import t from 'tap'
import { type Entry, type Hostname, type Key, keys, type OwnerName, StateTable } from '../../../core/index.ts'
import { type BuiltZone, buildZone, composeZone } from '../../../dns/zone/build-zone.ts'
import { changeContent } from '../../../dns/zone/zone-content.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { zoneText } from './zone-text.ts'

const apex = 'example.com' as Hostname

function entry(random: Random, key: Key, value: unknown): [Key, Entry] {
  const id = 'a'.repeat(52)
  const stamp = { wallMs: 1 + random.integer(50), counter: 0 }
  return [key, { key, value, operation: id, author: id, stamp } as Entry]
}

const VALUES = {
  A: '10.0.0.1',
  TXT: '"x"',
  CNAME: 'y.example.net.',
  MX: '10 m.example.net.',
  NS: 'ns.example.net.',
  ALIAS: 'z.example.net.',
} as const

function randomChange(random: Random): [Key, Entry | null] {
  if (random.chance(0.15)) {
    const host = random.pick(['www.example.com', 'a.b.example.com', 'other.example.net']) as Hostname
    const key = random.pick([keys.alias(apex, host), keys.host(host)])
    if (random.chance(0.3)) return [key, null]
    return entry(random, key, { domain: random.pick([apex, 'example.org']) })
  }
  const labels = Array.from({ length: 1 + random.integer(4) }, () => random.pick(['a', 'b', 'www', 'ns']))
  const name = random.pick(['@', `*.${labels.join('.')}`, labels.join('.'), labels.join('.')]) as OwnerName
  const type = random.pick(Object.keys(VALUES) as (keyof typeof VALUES)[])
  const key = keys.record(apex, name, type)
  if (random.chance(0.4)) return [key, null]
  const geo = type === 'A' && random.chance(0.3)
  const values = geo ? [] : random.chance(0.1) ? ['non sense '] : [VALUES[type]]
  return entry(random, key, { name, type, ttl: random.integer(300), values, ...(geo ? { geo: true } : {}) })
}

const describe = (built: BuiltZone | undefined) => {
  if (built === undefined) throw new Error('there is no zone')
  const { zone, faults, aliases, content } = built
  const names = [...content.names].map(([name, { sets, children }]) => [name, sets.length, children] as const)
  return [zoneText(zone), faults, aliases, zone.hasCuts, names.sort(([a], [b]) => (a < b ? -1 : 1))]
}

for (const seed of seeds(40)) {
  t.test(`a zone that follows its changes is the one that is built from nothing (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const state = new StateTable()
    state.apply({ entries: [entry(random, keys.domain(apex), { spa: false })], touches: [] })
    let kept = buildZone(state, apex, [])
    for (let step = 0; step < 60; step++) {
      const entries = Array.from({ length: 1 + random.integer(3) }, () => randomChange(random))
      state.apply({ entries, touches: [[keys.domain(apex), step]] })
      if (kept === undefined) throw new Error('there is no zone')
      const content = changeContent(
        kept.content,
        state,
        entries.map(([key]) => key),
      )
      kept = composeZone(state, content, kept.setting, { before: kept })
      const [found, expected] = [describe(kept), describe(buildZone(state, apex, []))]
      if (JSON.stringify(found) !== JSON.stringify(expected)) t.strictSame(found, expected, `after step ${step}`)
    }
    t.pass('at every step')
  })
}

t.test('many names: all are found after each was put in and taken out', async (t) => {
  const random = createRandom(1)
  const state = new StateTable()
  const count = 3000
  const record = (i: number): [Key, Entry] => {
    const name = `h${i}.g${i % 50}` as OwnerName
    return entry(random, keys.record(apex, name, 'A'), { name, type: 'A', ttl: 60, values: ['10.0.0.1'] })
  }
  state.apply({
    entries: [entry(random, keys.domain(apex), {}), ...Array.from({ length: count }, (_, i) => record(i))],
    touches: [],
  })
  const full = buildZone(state, apex, [])
  if (full === undefined) throw new Error('there is no zone')
  t.equal([...full.content.names].length, count + 50 + 1)
  let content = full.content
  for (let i = 0; i < count; i++) {
    const [key] = record(i)
    state.apply({ entries: [[key, null]], touches: [] })
    content = changeContent(content, state, [key])
    if (i % 500 === 7) t.equal(content.names.get(`h${i}.g${i % 50}.example.com`), undefined)
  }
  t.strictSame(
    [...content.names].map(([name]) => name),
    [apex],
    'nothing is left behind',
  )
  t.ok(full.zone.findName('h1.g1.example.com'), 'what was built before is as it was')
})
