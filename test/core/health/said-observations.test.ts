import t from 'tap'
import { FACES } from '../../../core/health/probe-target.ts'
import { buildSaid, MAX_REASON_LENGTH, readSaid, type SeenFace } from '../../../core/health/said-observations.ts'
import { encodeCanonical, MAX_SAID_BYTES } from '../../../core/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { keyOf } from './world.ts'

for (const seed of seeds(30)) {
  t.test(`what is said is small, sorted and understood, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const seen: SeenFace[] = Array.from({ length: random.integer(60) }, (_, i) => keyOf(i)).flatMap((key) =>
      FACES.filter(() => random.chance(0.7)).map((face) => ({
        key,
        face,
        state: random.chance(0.4) ? 'up' : 'down',
        reason: random.chance(0.2) ? undefined : 'é\n'.repeat(random.integer(60)),
      })),
    )
    const said = buildSaid(seen)
    t.same(JSON.stringify(buildSaid(random.shuffle(seen))), JSON.stringify(said), 'whatever the order')
    t.ok(encodeCanonical(said).length <= MAX_SAID_BYTES + 3, 'with the head of the map')
    let told = 0
    for (const { key, face, state } of seen) {
      const word = readSaid(structuredClone(said), key).get(face)
      if (word === undefined) continue
      told += 1
      t.equal(word === true ? 'up' : 'down', state)
      if (word !== true) t.match(word, /^[\x20-\x7e]{0,60}$/)
    }
    // Ten others of a small cluster, and twice what a sample gives on average.
    t.ok(told >= Math.min(seen.length, 4 * 15))
  })
}

t.test('whatever is not understood is as if it were not said', async (t) => {
  const key = keyOf(1)
  for (const said of [undefined, null, 7, 'up', [], {}, { [key]: null }, { [key]: [] }, { [key]: { w4: 1, x: true } }])
    t.same([...readSaid(said, key)], [])
  t.same(
    [...readSaid({ [key]: { w4: true, w6: 'timed out', d4: false, d6: {} } }, key)],
    [
      ['w4', true],
      ['w6', 'timed out'],
    ],
  )
  t.same([...readSaid(JSON.parse('{"__proto__":{"w4":true}}'), '__proto__' as never)], [['w4', true]])
  t.same([...readSaid({}, '__proto__' as never)], [], 'nothing is inherited')
  t.equal(
    readSaid({ [key]: { w4: `\u001b[2J${'x'.repeat(100_000)}` } }, key).get('w4'),
    `?[2J${'x'.repeat(MAX_REASON_LENGTH - 4)}`,
  )
})
