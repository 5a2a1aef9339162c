import t from 'tap'
import { simulate } from './simulate.ts'

/** Seeds of the simulator as one test each. `SEED=…` replays one of them. */
export async function runSeedTest(from: number, to: number): Promise<void> {
  // Generous: the work is the same whatever the machine, the time it takes is not.
  t.setTimeout(600_000)
  const only = process.env.SEED === undefined ? undefined : Number(process.env.SEED)
  const done = { acknowledged: 0, crashes: 0, attacks: 0 }
  for (let seed = only ?? from; seed <= (only ?? to); seed++) {
    await t.test(`whatever goes wrong, the promises hold (SEED=${seed})`, async (t) => {
      const { violations, acknowledged, troubles } = await simulate({ seed })
      t.strictSame(violations, [], `again: npm run simulate -- --seed ${seed}`)
      done.acknowledged += acknowledged
      done.crashes += (troubles.power ?? 0) + (troubles.kill ?? 0)
      done.attacks += (troubles.delete ?? 0) + (troubles.fork ?? 0) + (troubles.forge ?? 0)
    })
  }
  if (only !== undefined) return
  t.ok(done.acknowledged > to - from, 'something was acknowledged')
  t.ok(done.crashes > 0 && done.attacks > 0, 'and something went wrong')
}
