import t from 'tap'
import { seeds } from '../../support/seeds.ts'
import { DAY, HOUR } from './fixture.ts'
import { World } from './world.ts'

t.setTimeout(0)

const total = { worlds: 0, issued: 0, starts: 0, failures: 0, plans: 0, days: 0 }

for (const [days, count] of [
  [90, 15],
  [45, 25],
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
/** Nothing goes wrong: each certificate when it is due, and nothing else. */
for (const days of [90, 45, 6]) {
  for (const seed of seeds(3)) {
    t.test(`quiet, certificates of ${days} days, seed ${seed}`, async (t) => {
      const world = new World({ seed, lifeMs: days * DAY, calm: true })
      const { faults, failures, starts, issued, horizonMs } = world.run()
      t.same(faults, [])
      t.equal(failures, 0)
      t.equal(starts, issued)
      const share = days < 10 ? 1 / 2 : 1 / 3
      const least = Math.floor(horizonMs / (days * DAY * (1 - share)))
      const most = Math.ceil(horizonMs / (days * DAY * (1 - share - 1 / 20) - 2 * HOUR))
      const counts = world.countIssued()
      t.same([...counts.keys()].sort(), ['alone.net', 'blog.org', 'shop.com'])
      for (const [name, count] of counts)
        t.ok(count >= least && count <= most, `${name}: ${count}, ${least} to ${most}`)
    })
  }
}

t.teardown(() => t.comment(JSON.stringify(total)))
