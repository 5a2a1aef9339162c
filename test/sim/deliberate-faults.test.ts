import { readFileSync } from 'node:fs'
import t from 'tap'
import { DELIBERATE_FAULTS, QUICK_FAULTS } from './deliberate-faults.ts'
import { runSeeds } from './seed-runner.ts'

/** Generous: the work is the same whatever the machine, the time it takes is not. */
t.setTimeout(600_000)

t.test('each fault fits the source that it changes', async (t) => {
  for (const { name, edits } of DELIBERATE_FAULTS)
    for (const { file, find, replace } of edits) {
      const source = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')
      t.not(source.replace(find, replace), source, `${name} in ${file}`)
    }
})

/** The simulator is worth its time when it finds what was put there to be found. All: `npm run simulate -- --faults`. */
for (const { name, what, withinSeeds } of QUICK_FAULTS) {
  t.test(`found: ${what} (${name})`, async (t) => {
    for await (const { seed, violations } of runSeeds({ from: 1, to: withinSeeds, step: 1, fault: name })) {
      if (violations[0] === undefined) continue
      t.comment(`seed ${seed}: ${violations[0].promise}`)
      t.pass(`found by seed ${seed}`)
      return
    }
    t.fail(`none of ${withinSeeds} seeds finds it`)
  })
}
