import t from 'tap'
import { HostMap } from '../../../edge/site/host-map.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

for (const seed of seeds(20)) {
  t.test(`it is a map, and each stays as it was (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const names = 1 + random.integer(random.pick([3, 100, 5_000]))
    const expected = new Map<string, number>()
    let map: HostMap<number> = HostMap.empty
    const before: { readonly map: HostMap<number>; readonly expected: ReadonlyMap<string, number> }[] = []
    for (let step = 0; step < 60; step++) {
      const changes = new Map(
        Array.from({ length: random.integer(200) }, () => [
          `d${random.integer(names)}.example`,
          random.chance(0.3) ? undefined : random.integer(1_000),
        ]),
      )
      if (step % 20 === 0) before.push({ map, expected: new Map(expected) })
      map = map.with(changes)
      for (const [name, value] of changes) {
        if (value === undefined) expected.delete(name)
        else expected.set(name, value)
      }
    }
    for (const one of [...before, { map, expected }]) {
      t.equal(one.map.size, one.expected.size)
      t.same(new Set(one.map.keys()), new Set(one.expected.keys()))
      const wrong = [...one.expected].filter(([name, value]) => one.map.get(name) !== value)
      t.strictSame(wrong, [])
      t.equal(one.map.get('nobody.example'), undefined)
    }
  })
}
