import './world/substitutes.ts'

import t from 'tap'
import type { Change, OperationId, OwnerName } from '../../core/index.ts'
import { createRandom, seeds } from '../support/seeds.ts'
import { checkAtRest, isConverged } from './checkers.ts'
import { Cluster, DOMAINS } from './world/cluster.ts'
import { forgetProcesses } from './world/process-life.ts'
import { Scheduler } from './world/scheduler.ts'
import { installScheduler } from './world/substitutes.ts'

/**
 * Every shape in which 3 and 5 nodes can be parted, one after another, with writes on every node of every side: what was
 * acknowledged is folded everywhere when all is healed, and all digests are equal.
 */

/** Generous: the work is the same whatever the machine, the time it takes is not. */
t.setTimeout(600_000)
/** Longer than a silent link is believed in. */
const CUT_MS = 45_000
const LIVENESS_MS = 180_000
/** The Bell numbers: the ways to part so many things. */
const SHAPES = new Map([
  [3, 5],
  [5, 52],
])

/** For each way to part `size` things the group of each. Restricted growth strings: each shape once. Pure. */
function listShapes(size: number): number[][] {
  let shapes: number[][] = [[]]
  for (let i = 0; i < size; i++)
    shapes = shapes.flatMap((shape) => {
      const groups = Math.max(-1, ...shape) + 2
      return Array.from({ length: groups }, (_, group) => [...shape, group])
    })
  return shapes
}

for (const [nodes, count] of SHAPES)
  for (const seed of seeds(nodes === 3 ? 3 : 1))
    t.test(`${nodes} nodes in all ${count} shapes (SEED=${seed})`, async (t) => {
      const shapes = createRandom(seed).shuffle(listShapes(nodes))
      t.equal(shapes.length, count)
      const scheduler = new Scheduler(seed)
      installScheduler(scheduler)
      t.teardown(() => {
        installScheduler(undefined)
        forgetProcesses()
      })
      const cluster = new Cluster(scheduler, createRandom(seed), seed)
      await cluster.found(nodes, [])
      await scheduler.runUntil(scheduler.nowMs + 8000)
      const owner = cluster.signer('owner')
      let written = 0
      const write = async (): Promise<readonly OperationId[]> => {
        const change = (value: number): Change => ({
          kind: 'record.set',
          domain: DOMAINS[0] as (typeof DOMAINS)[number],
          name: `r${value % 7}` as OwnerName,
          type: 'A',
          ttl: 300,
          values: [`192.0.2.${value % 250}`],
        })
        const made = cluster.running.map(({ shared }) => shared.replica.commit(owner, [change(written++)]))
        return (await Promise.all(made)).map(({ id }) => id)
      }
      for (const shape of shapes) {
        const hosts = cluster.present.map(({ machine }) => machine.host)
        for (const [i, a] of hosts.entries())
          for (const [j, b] of hosts.entries()) if (shape[i] !== shape[j]) cluster.network.cut(a, b)
        const ids = await scheduler.finish(write())
        for (const id of ids) cluster.acknowledged.set(id, { author: owner.key, atMs: scheduler.nowMs })
        await scheduler.runUntil(scheduler.nowMs + CUT_MS)
        const isOnOtherSide = cluster.running.flatMap(({ shared }, i) =>
          ids.filter((id, j) => shape[i] !== shape[j] && shared.has(id)),
        )
        const isMissing = cluster.running.flatMap(({ shared }, i) =>
          ids.filter((id, j) => shape[i] === shape[j] && !shared.has(id)),
        )
        t.strictSame([isOnOtherSide, isMissing], [[], []], `${shape.join('')}: within each side, and no further`)
        cluster.network.heal()
        const until = scheduler.nowMs + LIVENESS_MS
        while (!isConverged(cluster) && scheduler.nowMs < until) await scheduler.runUntil(scheduler.nowMs + 500)
        t.ok(isConverged(cluster), `${shape.join('')}: all equal again`)
      }
      await scheduler.finish(checkAtRest(cluster))
      t.strictSame(cluster.violations, [])
      t.equal(cluster.acknowledged.size, count * nodes)
    })
