import t from 'tap'
import { MAX_ALL_WATCH, OBSERVERS, WatchPlan } from '../../../core/health/watch-plan.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { keyOf } from './world.ts'

const keys = (count: number) => Array.from({ length: count }, (_, i) => keyOf(i))

t.test('in small clusters everybody who is heard watches everybody else', async (t) => {
  const all = keys(MAX_ALL_WATCH)
  const plan = new WatchPlan(all)
  for (const target of all) t.same(plan.observersOf(target, new Set(all)).length, MAX_ALL_WATCH - 1)
  t.same(plan.observersOf(keyOf(0), new Set([keyOf(0), keyOf(3)])), [keyOf(3)])
})

for (const seed of seeds(8)) {
  t.test(`in large ones a sample, stable and replaced, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const all = random.shuffle(keys(MAX_ALL_WATCH + 1 + random.integer(40)))
    const heard = new Set(all)
    const plan = new WatchPlan(all)
    const others = new WatchPlan([...all].reverse())
    const joined = keyOf(1000)
    const larger = new WatchPlan([...all, joined])
    for (const target of all) {
      const observers = plan.observersOf(target, heard)
      t.equal(observers.length, OBSERVERS)
      t.notOk(observers.includes(target))
      t.same(others.observersOf(target, heard), observers, 'all agree')
      const after = larger.observersOf(target, new Set([...all, joined]))
      const kept = after.filter((one) => one !== joined)
      t.same(kept, observers.slice(0, kept.length), 'a join moves only what becomes its own')
      const [silent] = observers
      const rest = new Set(all.filter((one) => one !== silent))
      t.same(plan.observersOf(target, rest).slice(0, OBSERVERS - 1), observers.slice(1), 'one takes over')
      t.equal(plan.observersOf(target, rest).length, OBSERVERS)
    }
  })
}
