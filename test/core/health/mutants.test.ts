import t from 'tap'
import type { HealthMonitorOptions } from '../../../core/index.ts'
import { Simulation } from './laws.ts'
import { loadMutant, MUTANTS, unhook } from './mutants.ts'

const WITHIN_SEEDS = 40

t.teardown(unhook)

/** The laws are worth their time when they notice what was put there to be noticed. */
for (const mutant of MUTANTS) {
  t.test(`law ${mutant.law} notices: ${mutant.name}`, async (t) => {
    const { HealthMonitor } = await loadMutant(mutant)
    const make = (options: HealthMonitorOptions) => new HealthMonitor(options)
    for (let seed = 1; seed <= WITHIN_SEEDS; seed++) {
      const violations = new Simulation({ seed, size: mutant.size, troubles: [mutant.trouble], make }).run()
      if (violations.some((violation) => violation.startsWith(mutant.law))) return t.pass(`found by seed ${seed}`)
    }
    return t.fail(`none of ${WITHIN_SEEDS} seeds finds it`)
  })
}
