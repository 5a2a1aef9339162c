import t from 'tap'
import { chordSquared, distanceKm, isPlace, unitVector } from '../../../core/index.ts'
import { cities, vincentyKm } from '../../support/cities.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

t.test('great-circle distances agree with a formula of its own, near and far', async (t) => {
  const [first] = cities
  const near = cities.map((city) => ({ ...city, latitude: city.latitude + 0.0001 }))
  const pairs = cities.flatMap((city, i) => [
    [city, first ?? city] as const,
    [city, near[i] ?? city] as const,
    [city, { ...city, latitude: -city.latitude, longitude: city.longitude - 179.999 }] as const,
  ])
  for (const [a, b] of pairs) {
    const differenceKm = Math.abs(distanceKm(a, b) - vincentyKm(a, b))
    if (differenceKm > 0.001) t.fail(`${a.name} ${b.name}: ${differenceKm} km`)
  }
  t.ok(distanceKm({ latitude: 10, longitude: 179 }, { latitude: 10, longitude: -181 }) < 1e-6, 'longitudes go around')
})

for (const seed of seeds(20)) {
  t.test(`chords order places as distances do, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const place = (around = 0, spread = 90) => ({
      latitude: Math.max(-90, Math.min(90, around + (random.next() * 2 - 1) * spread)),
      longitude: (random.next() * 2 - 1) * 180,
    })
    for (let i = 0; i < 200; i++) {
      const [from, a, b] = [place(), place(), random.chance(0.5) ? place() : place(0, 0.01)]
      const [nearKm, farKm] = [distanceKm(from, a), distanceKm(from, b)]
      if (Math.abs(nearKm - farKm) < 0.01) continue
      const isNearer = chordSquared(unitVector(from), unitVector(a)) < chordSquared(unitVector(from), unitVector(b))
      if (isNearer !== nearKm < farKm) t.fail('another order', { from, a, b })
    }
    const one = place()
    t.equal(chordSquared(unitVector(one), unitVector({ ...one })), 0)
  })
}

t.test('what is a place', async (t) => {
  t.ok(isPlace({ latitude: -90, longitude: 180 }))
  for (const latitude of [90.01, Number.NaN, Number.POSITIVE_INFINITY, '52', null, undefined])
    t.notOk(isPlace({ latitude, longitude: 0 }), String(latitude))
  t.notOk(isPlace({ latitude: 0, longitude: -180.5 }))
})
