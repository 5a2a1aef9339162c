import t from 'tap'
import { seeds } from '../../support/seeds.ts'
import { DAY } from './fixture.ts'
import { World } from './world.ts'

t.setTimeout(0)

const total = { worlds: 0, issued: 0, starts: 0, failures: 0, plans: 0, days: 0 }

for (const [days, count] of [
  [90, 60],
  [45, 60],
  [6, 80],
] as const) {
  for (const seed of seeds(count)) {
    t.test(`certificates of ${days} days, seed ${seed}`, async (t) => {
      const report = new World({ seed, lifeMs: days * DAY }).run()
      t.same(report.faults, [])
      total.worlds++
      total.issued += report.issued
      total.starts += report.starts
      total.failures += report.failures
      total.plans += report.plans
      total.days += report.horizonMs / DAY
    })
  }
}
t.teardown(() => t.comment(JSON.stringify(total)))
