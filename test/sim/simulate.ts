import './world/substitutes.ts'
import { createRandom, type Random } from '../support/seeds.ts'
import { Mallory, type Powers } from './adversaries/mallory.ts'
import {
  checkAtRest,
  checkAwareness,
  checkMemory,
  checkServed,
  checkSlots,
  checkStorm,
  isConverged,
  STORM,
} from './checkers.ts'
import { MembershipEvents } from './membership-events.ts'
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
  readonly powers?: Partial<Powers>
  /** Every disk says that it has synced, and has not. */
  readonly lyingDisks?: boolean
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
  const nodes = options.nodes ?? drawSize(random)
  const some = (probability: number) => random.chance(probability)
  const troubles: Troubles = {
    partitions: some(0.7),
    crashes: some(0.5),
    power: some(0.7),
    disks: some(0.2),
    flips: some(0.25),
    clocks: some(0.25),
    network: some(0.6),
    laptops: some(0.4),
    ...options.troubles,
  }
  await cluster.found(nodes)
  for (const { machine } of cluster.members) machine.disk.faults.lies = options.lyingDisks ?? false
  watchForStorms(cluster)
  const workload = new Workload(cluster, createRandom(random.integer(2 ** 32)))
  const nemesis = new Nemesis(cluster, createRandom(random.integer(2 ** 32)), troubles)
  const evil = random.chance(0.5)
  const powers: Powers = {
    document: evil && some(0.7),
    awareness: evil,
    overreach: evil && some(0.5),
    operator: evil && some(0.5),
    ...options.powers,
  }
  const mallory = new Mallory(cluster, createRandom(random.integer(2 ** 32)), powers)
  const membership = new MembershipEvents(cluster, createRandom(random.integer(2 ** 32)), workload)
  const tellResult = (convergedMs = Number.NaN): SimulationResult => ({
    seed,
    nodes,
    violations: cluster.violations,
    traceHash: scheduler.traceHash(),
    events: scheduler.events,
    virtualMs: scheduler.nowMs,
    operations: workload.made,
    acknowledged: cluster.acknowledged.size,
    troubles: { ...nemesis.done, ...mallory.done, ...membership.done },
    complaints: Object.fromEntries(cluster.complaints),
    convergedMs,
  })
  workload.begin(random.pick([1500, 3000, 6000]))
  nemesis.begin(random.pick([1500, 4000]))
  mallory.begin(random.pick([600, 1500]))
  const lengthMs = random.pick([20_000, 30_000, 45_000])
  scheduleMembership(scheduler, random, membership, lengthMs, powers.operator)
  await scheduler.runUntil(scheduler.nowMs + lengthMs)
  for (const member of cluster.present)
    if (member.process !== undefined) checkMemory(cluster, member.machine.name, member.process)
  if (scheduler.isStopped) return tellResult()
  workload.stop()
  nemesis.end()
  mallory.end()
  await scheduler.runUntil(scheduler.nowMs + 5000)
  if (scheduler.isStopped) return tellResult()
  const mendedMs = scheduler.nowMs
  try {
    await settle(cluster, workload, membership)
  } catch (thrown) {
    // What stopped the run is a violation that stands in the result.
    if (scheduler.isStopped) return tellResult()
    throw thrown
  }
  const withinMs = LIVENESS_MS + (troubles.clocks ? HELD_MS : 0)
  const converged = await waitFor(scheduler, mendedMs + withinMs, () => isConverged(cluster))
  const convergedMs = scheduler.nowMs - mendedMs
  if (!converged)
    cluster.violate('liveness', `not all equal ${withinMs / 1000} s after all was mended: ${tellCounts(cluster)}`)
  const clean = await scheduler.finish(checkAtRest(cluster))
  const copied =
    (mallory.done.flood ?? 0) + (mallory.done.gap ?? 0) + (mallory.done.squat ?? 0) + (mallory.done.replay ?? 0)
  await scheduler.finish(checkSlots(cluster, copied))
  if (clean !== undefined) membership.check(mallory, (a, b) => clean.has(a) && clean.has(b) && clean.isAncestor(a, b))
  // Heartbeats tell of a restart within seconds; links are back by now.
  await scheduler.runUntil(scheduler.nowMs + 35_000)
  checkAwareness(cluster)
  for (const fault of scheduler.faults) cluster.violate('no crash', fault)
  return tellResult(convergedMs)
}

/** Most are small: they do the most in a second. Beyond nine not everybody is linked with everybody. */
function drawSize(random: Random): number {
  if (random.chance(0.01)) return 13 + random.integer(28)
  return random.pick([3, 3, 3, 3, 3, 4, 4, 4, 5, 5, 6, 6, 8, 11])
}

/** How often a storm is looked for: one that is not stopped at once has no end. */
const STORM_LOOK_MS = 50

/** Looks again and again whether somebody speaks without end; a storm ends the run, which would not end by itself. */
function watchForStorms(cluster: Cluster, looks = 0, since = 0): void {
  const isFirst = looks % (1000 / STORM_LOOK_MS) === 0
  const before = isFirst ? cluster.network.counts.segments : since
  cluster.scheduler.after(STORM_LOOK_MS, () => {
    checkStorm(cluster, cluster.network.counts.segments - before)
    if (cluster.violations.some(({ promise }) => promise === STORM)) cluster.scheduler.stop()
    else watchForStorms(cluster, looks + 1, before)
  })
}

/** Some of what an owner may do about members, at some times. */
function scheduleMembership(
  scheduler: Scheduler,
  random: Random,
  events: MembershipEvents,
  lengthMs: number,
  stolen: boolean,
): void {
  const sometime = (from: number, act: () => void) => scheduler.after(lengthMs * (from + random.next() * 0.4), act)
  if (random.chance(0.3)) sometime(0.1, () => events.join('late'))
  if (random.chance(0.15)) sometime(0, () => events.remove())
  if (random.chance(0.2)) sometime(0.1, () => events.grant())
  if (random.chance(stolen ? 0.7 : 0.1)) sometime(0.4, () => events.revoke())
  else if (random.chance(0.2)) sometime(0.2, () => events.retire())
}

/**
 * What people do when the trouble is over: hand over what waits. After a change of members the owner tells every node,
 * for some may not speak to each other any more.
 */
async function settle(cluster: Cluster, workload: Workload, membership: MembershipEvents): Promise<void> {
  const { scheduler } = cluster
  const attempts = 60
  for (const laptop of cluster.laptops)
    if (!(await scheduler.finish(workload.exchange(laptop, attempts))))
      cluster.violate('liveness', `${laptop.machine.name} reaches no node`)
  if (Object.keys(membership.done).length === 0) return
  const owner = cluster.laptop('owner')
  for (const member of cluster.present) await scheduler.finish(owner.exchange(cluster.remote(owner.machine, member)))
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
