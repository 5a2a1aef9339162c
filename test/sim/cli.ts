import { availableParallelism } from 'node:os'
import { DELIBERATE_FAULTS, type DeliberateFault, findFault } from './deliberate-faults.ts'
import { runSeeds } from './seed-runner.ts'

/**
 * `npm run simulate -- [--seeds N] [--from N] [--fault NAME]` many seeds in as many processes as there are cores,
 * `npm run simulate -- --seed N [--fault NAME]` one of them, `npm run simulate -- --faults` shows that each deliberate
 * fault is found. TRACE=1 prints what happened, line by line.
 */

const args = process.argv.slice(2)
const argument = (flag: string): string | undefined => (args.includes(flag) ? args[args.indexOf(flag) + 1] : undefined)
const numberOf = (flag: string, fallback: number): number => Number(argument(flag) ?? fallback)
const only = argument('--seed') ?? process.env.SEED

if (args.includes('--faults')) process.exitCode = (await tryFaults()) ? 0 : 1
else {
  const from = only === undefined ? numberOf('--from', 1) : Number(only)
  const count = only === undefined ? numberOf('--seeds', 100) : 1
  process.exitCode = (await trySeeds(from, from + count - 1, argument('--fault'))) ? 0 : 1
}

async function trySeeds(from: number, to: number, faultName: string | undefined): Promise<boolean> {
  if (faultName !== undefined && findFault(faultName) === undefined) throw new Error(`there is no fault ${faultName}`)
  const startMs = performance.now()
  const failed: number[] = []
  let runs = 0
  let events = 0
  let acknowledged = 0
  const jobs = Math.min(availableParallelism(), to - from + 1)
  const work = async (first: number): Promise<void> => {
    for await (const result of runSeeds({ from: first, to, step: jobs, fault: faultName })) {
      runs++
      events += result.events ?? 0
      acknowledged += result.acknowledged ?? 0
      if (result.violations.length > 0) {
        failed.push(result.seed)
        console.log(`seed ${result.seed}:`)
        for (const { promise, detail } of result.violations.slice(0, 5)) console.log(`  ${promise}: ${detail}`)
        console.log(
          `  again: npm run simulate -- --seed ${result.seed}${faultName === undefined ? '' : ` --fault ${faultName}`}`,
        )
      }
      if (runs % 100 === 0) console.log(`${runs} of ${to - from + 1}, ${failed.length} failed`)
    }
  }
  await Promise.all(Array.from({ length: jobs }, (_, i) => work(from + i)))
  const seconds = (performance.now() - startMs) / 1000
  console.log(
    `${runs} seeds in ${seconds.toFixed(0)} s (${(runs / seconds).toFixed(2)} a second): ${events} events, ` +
      `${acknowledged} operations acknowledged, ${failed.length} failed${failed.length === 0 ? '' : `: ${failed.join(' ')}`}`,
  )
  return failed.length === 0 && runs === to - from + 1
}

/** Each fault on its own: found, within the seeds that it says, or not. */
async function tryFaults(): Promise<boolean> {
  const queue = [...DELIBERATE_FAULTS]
  let missed = 0
  const work = async (): Promise<void> => {
    for (let fault = queue.shift(); fault !== undefined; fault = queue.shift()) if (!(await tryFault(fault))) missed++
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
  console.log(`${DELIBERATE_FAULTS.length - missed} of ${DELIBERATE_FAULTS.length} deliberate faults found`)
  return missed === 0
}

async function tryFault({ name, what, withinSeeds }: DeliberateFault): Promise<boolean> {
  for await (const { seed, violations } of runSeeds({ from: 1, to: withinSeeds, step: 1, fault: name })) {
    const [first] = violations
    if (first === undefined) continue
    console.log(`${name} (${what}): found by seed ${seed}: ${first.promise}: ${first.detail.slice(0, 160)}`)
    return true
  }
  console.log(`${name} (${what}): NOT found within ${withinSeeds} seeds`)
  return false
}
