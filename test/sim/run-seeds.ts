import { findFault, plantFault } from './deliberate-faults.ts'
import type { SimulationOptions, SimulationResult } from './simulate.ts'

/**
 * Runs seeds in this process, one after another, and prints each result as a line of JSON:
 * `run-seeds.ts FROM TO [STEP] [--fault NAME]`. With a fault it ends at the first seed that finds it.
 */

const args = process.argv.slice(2)
const at = args.indexOf('--fault')
const faultName = at === -1 ? undefined : args[at + 1]
const [from = 1, to = from, step = 1] = args.filter((arg) => /^\d+$/.test(arg)).map(Number)
const fault = faultName === undefined ? undefined : findFault(faultName)
if (faultName !== undefined && fault === undefined) throw new Error(`there is no deliberate fault ${faultName}`)
if (fault !== undefined) plantFault(fault)
// Only now: the fault is planted into what is loaded from here on.
const { simulate } = await import('./simulate.ts')

for (let seed = from; seed <= to; seed += step) {
  const options: SimulationOptions = { ...fault?.options, seed, ...(process.env.TRACE === undefined ? {} : { tell }) }
  const result = await simulateSafely(options)
  process.stdout.write(`${JSON.stringify(result)}\n`)
  if (fault !== undefined && result.violations.length > 0) break
}

/** A run that throws has found something too. */
async function simulateSafely(options: SimulationOptions): Promise<Pick<SimulationResult, 'seed' | 'violations'>> {
  try {
    return await simulate(options)
  } catch (error) {
    const detail = error instanceof Error ? String(error.stack) : String(error)
    return { seed: options.seed, violations: [{ promise: 'no crash', detail }] }
  }
}

function tell(line: string): void {
  process.stderr.write(line)
}
