import t from 'tap'
import { type Entry, type Hostname, type Key, keys, type OwnerName, StateTable } from '../../../core/index.ts'
import { type BuiltZone, buildZone } from '../../../dns/index.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { zoneText } from './zone-text.ts'

const apex = 'example.com' as Hostname

function entry(key: Key, value: unknown): [Key, Entry] {
  const id = 'a'.repeat(52)
  return [key, { key, value, operation: id, author: id, stamp: { wallMs: 1, counter: 0 } } as Entry]
}

function randomRecord(random: Random): [Key, Entry | null] {
  const name = `r${random.integer(6)}` as OwnerName
  const type = random.pick(['A', 'TXT', 'CNAME', 'MX'])
  const key = keys.record(apex, name, type)
  if (random.chance(0.3)) return [key, null]
  const good = { A: '10.0.0.1', TXT: '"x"', CNAME: 'y.example.net.', MX: '10 m.example.net.' }[type] as string
  const values = random.chance(0.2) ? ['nonsense '] : [good]
  return entry(key, { name, type, ttl: random.integer(300), values })
}

const describe = (built: BuiltZone | undefined) => built && [zoneText(built.zone), built.faults]

for (const seed of seeds(20)) {
  t.test(`a zone that is built again is the one that is built from nothing (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const state = new StateTable()
    state.apply({ entries: [entry(keys.domain(apex), { spa: false })], touches: [] })
    for (let step = 0; step < 20; step++) {
      state.apply({ entries: [randomRecord(random)], touches: [[keys.domain(apex), step]] })
      // A module that was just loaded has read nothing before.
      const fresh = (await import(`../../../dns/zone/build-zone.ts?${seed}-${step}`)) as { buildZone: typeof buildZone }
      t.strictSame(describe(buildZone(state, apex, [])), describe(fresh.buildZone(state, apex, [])))
    }
  })
}
