import t from 'tap'
import { coversName, judgeRenewal, type RenewalFacts } from '../../../core/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { certificateId, DAY, HOUR, heldFor, MAIN, NOW, OTHER } from './fixture.ts'

const FACTS: RenewalFacts = { revoked: false, directories: [MAIN, OTHER] }
const lasting = (lifeMs: number, number = 1) =>
  heldFor(['shop.com'], { id: certificateId(number), notAfterMs: NOW + lifeMs })

t.test('a third of its life is left, half of a short one, and a twentieth by chance', async (t) => {
  for (const [days, share] of [
    [398, 1 / 3],
    [90, 1 / 3],
    [45, 1 / 3],
    [10, 1 / 3],
    [9.9, 1 / 2],
    [6, 1 / 2],
    [1 / 24, 1 / 2],
  ] as const) {
    const lifeMs = days * DAY
    const left = Array.from({ length: 200 }, (_, i) => {
      const { dueMs, because } = judgeRenewal(lasting(lifeMs, i), FACTS)
      t.equal(because, 'due')
      return (NOW + lifeMs - dueMs) / lifeMs
    })
    t.ok(Math.min(...left) >= share - 1e-6 && Math.max(...left) <= share + 0.05 + 1e-6, `${days} days`)
    t.ok(Math.max(...left) - Math.min(...left) > 0.04, 'spread')
  }
})

t.test('at once: a key that others may know, revoked, another authority', async (t) => {
  t.match(judgeRenewal({ ...lasting(90 * DAY), exposed: true }, FACTS), { dueMs: 0, urgentMs: 0, because: 'exposed' })
  t.match(judgeRenewal(lasting(90 * DAY), { ...FACTS, revoked: true }), { dueMs: 0, urgentMs: 0, because: 'revoked' })
  const staged = { ...lasting(90 * DAY), directory: 'https://staging.example/directory' }
  t.match(judgeRenewal(staged, FACTS), { dueMs: 0, because: 'directory' })
  t.match(
    judgeRenewal({ ...lasting(90 * DAY), directory: OTHER }, FACTS),
    { because: 'due' },
    'one that helps out is fine',
  )
})

t.test('one that was imported is its owner’s for longer', async (t) => {
  const { directory: _, ...imported } = lasting(90 * DAY)
  const { dueMs, because } = judgeRenewal(imported, FACTS)
  t.equal(because, 'due')
  t.ok(dueMs > NOW + 70 * DAY && dueMs <= NOW + 75 * DAY)
  t.equal(
    judgeRenewal(imported, { ...FACTS, window: { startMs: 0, endMs: 1 } }).dueMs,
    dueMs,
    'no authority knows it as ours',
  )
  t.equal(judgeRenewal({ ...imported, exposed: true }, FACTS).dueMs, 0)
})

t.test('what an authority wishes: RFC 9773', async (t) => {
  const held = lasting(90 * DAY)
  const wish = (startMs: number, endMs: number) => judgeRenewal(held, { ...FACTS, window: { startMs, endMs } })
  const early = wish(NOW + 30 * DAY, NOW + 32 * DAY)
  t.ok(early.dueMs >= NOW + 30 * DAY && early.dueMs <= NOW + 32 * DAY, 'inside of its window')
  t.equal(early.because, 'authority')
  const late = wish(NOW + 65 * DAY, NOW + 66 * DAY)
  t.ok(late.dueMs >= NOW + 65 * DAY && late.because === 'due', 'later than we would')
  const never = wish(NOW + 89 * DAY, NOW + 1000 * DAY)
  t.equal(never.dueMs, NOW + 75 * DAY, 'not later than is safe')
  t.equal(wish(0, 1).dueMs, NOW + DAY, 'a window that is over: at once, but not while it is new')
  for (const [startMs, endMs] of [
    [5, 5],
    [NOW + DAY, NOW],
    [Number.NaN, NOW],
    [NOW, Number.NaN],
  ] as const)
    t.equal(wish(startMs, endMs).dueMs, judgeRenewal(held, FACTS).dueMs, 'no window')
})

for (const seed of seeds(200))
  t.test(`always while it is valid, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const lifeMs = Math.floor(HOUR * 2 ** (random.next() * 14))
    const held = { ...lasting(lifeMs, seed), ...(random.chance(0.3) ? { directory: OTHER } : {}) }
    const edge = () => NOW + Math.floor((random.next() * 4 - 1.5) * lifeMs)
    const window = random.chance(0.7) ? { startMs: edge(), endMs: edge() } : undefined
    const { dueMs, urgentMs, ownMs } = judgeRenewal(held, { ...FACTS, window })
    t.ok(dueMs <= urgentMs && urgentMs < held.notAfterMs && dueMs > held.notBeforeMs)
    t.ok(ownMs <= urgentMs)
    t.ok(held.notAfterMs - urgentMs >= lifeMs / 6 - 1, 'a sixth of its life is left when it gets urgent')
    t.same(judgeRenewal(held, { ...FACTS, window }), judgeRenewal(held, { ...FACTS, window }))
  })

t.test('which names a certificate is valid for', async (t) => {
  t.ok(coversName(['shop.com'], 'shop.com'))
  t.ok(coversName(['*.shop.com'], 'www.shop.com'))
  t.notOk(coversName(['*.shop.com'], 'shop.com'))
  t.notOk(coversName(['*.shop.com'], 'a.b.shop.com'))
  t.notOk(coversName(['*.shop.com'], '*.b.shop.com'))
  t.ok(coversName(['*.shop.com'], '*.shop.com'))
  t.notOk(coversName(['*.com'], '*.shop.com'))
})
