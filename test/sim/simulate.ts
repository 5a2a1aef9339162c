import './world/substitutes.ts'
import { createRandom } from '../support/seeds.ts'
import { checkAtRest, checkAwareness, checkMemory, checkServed, isConverged } from './checkers.ts'
import { Nemesis, type Troubles } from './nemesis.ts'
import { Workload } from './workload.ts'
import { Cluster, type Violation } from './world/cluster.ts'
import { forgetProcesses } from './world/process-life.ts'
import { Scheduler } from './world/scheduler.ts'
import { installScheduler } from './world/substitutes.ts'

export interface SimulationOptions {
  readonly seed: number
  /** Hears each line of the trace. */
  readonly tell?: ((line: string) => void) | undefined
  readonly troubles?: Partial<Troubles>
  /** Nodes at the beginning; drawn from the seed otherwise. */
  readonly nodes?: number
}

export interface SimulationResult {
  readonly seed: number
  readonly nodes: number
  readonly violations: readonly Violation[]
  readonly traceHash: string
  readonly events: number
  readonly virtualMs: number
  readonly operations: number
  readonly acknowledged: number
  readonly troubles: Readonly<Record<string, number>>
  readonly complaints: Readonly<Record<string, number>>
  readonly convergedMs: number
}

/** From the moment when all is mended to the moment when all are equal: retries of 30 s, silence of 30 s, twice. */
const LIVENESS_MS = 180_000
/** A clock that was ahead by at most so much left operations that are held until then. */
const HELD_MS = 12 * 60_000

/** Runs one seed: a cluster, people who change it, and everything that goes wrong; then mends it and looks. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const { seed } = options
  const scheduler = new Scheduler(seed, options.tell)
  installScheduler(scheduler)
  const onUnhandled = (error: unknown) =>
    scheduler.faults.push(`unhandled: ${error instanceof Error ? error.stack : String(error)}`)
  process.on('unhandledRejection', onUnhandled)
  try {
    return await run(scheduler, options)
  } finally {
    process.off('unhandledRejection', onUnhandled)
    installScheduler(undefined)
    forgetProcesses()
  }
}

async function run(scheduler: Scheduler, options: SimulationOptions): Promise<SimulationResult> {
  const { seed } = options
  const random = createRandom(seed ^ 0x5eed)
  const cluster = new Cluster(scheduler, createRandom(random.integer(2 ** 32)), seed)
  cluster.onServe = (member, _domain, release, blobs) => checkServed(cluster, member, release, blobs)
  const nodes = options.nodes ?? random.pick([3, 3, 3, 4, 4, 5, 6])
  const some = (probability: number) => random.chance(probability)
  const troubles: Troubles = {
    partitions: some(0.7),
    crashes: some(0.5),
    power: some(0.7),
    disks: some(0.2),
    flips: some(0.25),
    clocks: some(0.25),
    network: some(0.6),
    ...options.troubles,
  }
  await cluster.found(nodes)
  const workload = new Workload(cluster, createRandom(random.integer(2 ** 32)))
  const nemesis = new Nemesis(cluster, createRandom(random.integer(2 ** 32)), troubles)
  workload.begin(random.pick([1500, 3000, 6000]))
  nemesis.begin(random.pick([1500, 4000]))
  await scheduler.runUntil(scheduler.nowMs + random.pick([20_000, 30_000, 45_000]))
  for (const member of cluster.present)
    if (member.process !== undefined) checkMemory(cluster, member.machine.name, member.process)
  workload.stop()
  nemesis.end()
  await scheduler.runUntil(scheduler.nowMs + 5000)
  const mendedMs = scheduler.nowMs
  await settle(cluster, workload)
  const withinMs = LIVENESS_MS + (troubles.clocks ? HELD_MS : 0)
  const converged = await waitFor(scheduler, mendedMs + withinMs, () => isConverged(cluster))
  const convergedMs = scheduler.nowMs - mendedMs
  if (!converged)
    cluster.violate('liveness', `not all equal ${withinMs / 1000} s after all was mended: ${tellCounts(cluster)}`)
  await scheduler.finish(checkAtRest(cluster))
  // Heartbeats tell of a restart within seconds; links are back by now.
  await scheduler.runUntil(scheduler.nowMs + 35_000)
  checkAwareness(cluster)
  for (const fault of scheduler.faults) cluster.violate('no crash', fault)
  return {
    seed,
    nodes,
    violations: cluster.violations,
    traceHash: scheduler.traceHash(),
    events: scheduler.events,
    virtualMs: scheduler.nowMs,
    operations: workload.made,
    acknowledged: cluster.acknowledged.size,
    troubles: nemesis.done,
    complaints: Object.fromEntries(cluster.complaints),
    convergedMs,
  }
}

/** What people do when the trouble is over: hand over what waits. */
async function settle(cluster: Cluster, workload: Workload): Promise<void> {
  for (const laptop of cluster.laptops) await cluster.scheduler.finish(workload.exchange(laptop))
}

/** As `runUntil`, but looks only now and then. */
async function waitFor(scheduler: Scheduler, untilMs: number, isDone: () => boolean): Promise<boolean> {
  while (scheduler.nowMs < untilMs) {
    if (isDone()) return true
    await scheduler.runUntil(scheduler.nowMs + 500)
  }
  return isDone()
}

function tellCounts(cluster: Cluster): string {
  return cluster.present
    .map(({ machine, process }) => {
      if (process === undefined) return `${machine.name} does not run`
      const { replica } = process.shared
      return `${machine.name} ${replica.count} stored, ${replica.held().length} held, ${process.gossip.peers().length} peers`
    })
    .join('; ')
}
