import './world/substitutes.ts'

import t, { type Test } from 'tap'
import { LONGEST_WAIT_MS } from '../../replication/replica/late-entries.ts'
import { createRandom, seeds } from '../support/seeds.ts'
import { checkAtRest, checkAwareness, countSlots, isConverged } from './checkers.ts'
import { simulate } from './simulate.ts'
import { Cluster, DOMAINS } from './world/cluster.ts'
import { Machine } from './world/machine.ts'
import { startNodeProcess } from './world/node-process.ts'
import { forgetProcesses } from './world/process-life.ts'
import { Scheduler } from './world/scheduler.ts'
import { installScheduler } from './world/substitutes.ts'

/** Generous: the work is the same whatever the machine, the time it takes is not. */
t.setTimeout(600_000)

const HOP_MS = 1000

/** A world without trouble, in virtual time until the test ends. */
function calm(seed: number, teardown: (end: () => void) => void): { scheduler: Scheduler; cluster: Cluster } {
  const scheduler = new Scheduler(seed)
  installScheduler(scheduler)
  teardown(() => {
    installScheduler(undefined)
    forgetProcesses()
  })
  return { scheduler, cluster: new Cluster(scheduler, createRandom(seed), seed) }
}

t.test('a seed gives the same run again, to the last byte', async (t) => {
  const hashes: string[] = []
  for (const seed of seeds(3)) {
    const first = await simulate({ seed })
    const second = await simulate({ seed })
    t.equal(second.traceHash, first.traceHash, `SEED=${seed}`)
    t.ok(first.events > 1000, 'things happened')
    hashes.push(first.traceHash)
  }
  t.equal(new Set(hashes).size, hashes.length, 'and another seed another one')
})

/** What one operation costs in a cluster of nodes that were all given the same seed file. */
async function spread(t: Test, nodes: number, isSilent: boolean): Promise<void> {
  const { scheduler, cluster } = calm(1, (end) => t.teardown(end))
  const hops = new Map<string, number>()
  let sentMs = Number.POSITIVE_INFINITY
  cluster.onStored = ({ machine }) => {
    if (scheduler.nowMs >= sentMs) hops.set(machine.name, Math.floor((scheduler.nowMs - sentMs) / HOP_MS))
  }
  cluster.isSilent = isSilent
  await cluster.found(nodes, [])
  await scheduler.runUntil(scheduler.nowMs + 3000)
  const pushed = () => cluster.running.reduce((sum, { gossip }) => sum + gossip.counters.updatesPushed, 0)
  const before = pushed()
  const { faults } = cluster.network
  faults.fixedMs = HOP_MS
  sentMs = scheduler.nowMs
  const [first] = cluster.running
  const write = first?.shared.replica.commit(cluster.signer('owner'), [
    { kind: 'domain.remove', domain: DOMAINS[0] as never },
  ])
  await scheduler.runUntil(sentMs + 4 * HOP_MS + 500)
  await write
  t.equal(hops.size, nodes, 'all have it')
  t.ok(Math.max(...hops.values()) <= 4, `${Math.max(...hops.values())} hops`)
  const perNode = (pushed() - before) / nodes
  t.ok(perNode < 10, `${perNode} messages a node`)
  faults.fixedMs = undefined
  await scheduler.runUntil(scheduler.nowMs + LONGEST_WAIT_MS)
  if (first === undefined) throw new Error('no node runs')
  const slots = [...(await scheduler.finish(countSlots(first))).values()]
  t.equal(slots.length, 3, 'the seed file has slots by now')
  t.ok(Math.max(...slots) <= 3, `${slots.join(', ')} slots`)
  t.comment(`${Math.max(...hops.values())} hops, ${perNode} messages a node, ${slots.join(', ')} slots`)
}

t.test('200 nodes, one operation: all have it after 4 hops, with less than 10 messages a node', async (t) => {
  await spread(t, 200, true)
})

t.test('the same with 40 nodes that speak of themselves meanwhile', async (t) => {
  await spread(t, 40, false)
})

t.test('two machines with one key are told apart and reported; the cluster goes on', async (t) => {
  for (const seed of seeds(2)) {
    const { scheduler, cluster } = calm(seed, (end) => t.teardown(end))
    await cluster.found(4)
    await scheduler.runUntil(scheduler.nowMs + 8000)
    const original = cluster.present[1]
    if (original === undefined) throw new Error('there are four nodes')
    const machine = new Machine({
      name: 'clone',
      host: '10.99.0.1',
      signer: original.machine.signer,
      place: { latitude: 0, longitude: 0 },
      scheduler,
      network: cluster.network,
      disk: original.machine.disk.clone(createRandom(seed)),
    })
    await scheduler.finish(
      startNodeProcess({
        machine,
        cluster: cluster.id,
        seed: [],
        bootstrap: cluster.addressesFor(original.machine),
        blobSource: { peers: () => [] },
        hear: () => {},
      }),
    )
    await scheduler.runUntil(scheduler.nowMs + 30_000)
    t.ok(cluster.cloned.has(original.machine.key), `reported (SEED=${seed})`)
    machine.kill()
    cluster.crash(original, 'kill')
    cluster.cloned.clear()
    await scheduler.runUntil(scheduler.nowMs + 60_000)
    t.ok(isConverged(cluster), 'all are equal')
    checkAwareness(cluster)
    await scheduler.finish(checkAtRest(cluster))
    t.strictSame(cluster.violations, [])
  }
})
