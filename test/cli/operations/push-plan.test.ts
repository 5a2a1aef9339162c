import t from 'tap'
import { listUnheard, planPush } from '../../../cli/operations/push-plan.ts'
import { type Entry, encodeCanonical, type Key, type Operation, silentLog } from '../../../core/index.ts'
import { createMemoryStore, Replica } from '../../../replication/index.ts'
import { FakeRuntime } from '../../replication/fake-runtime.ts'
import { admitSigners, createTestCluster, keepAdmitted, randomHistory } from '../../support/histories.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'

const cluster = createTestCluster()

async function open(operations: readonly Operation[]): Promise<Replica> {
  const runtime = new FakeRuntime(1)
  const store = createMemoryStore(runtime)
  const replica = await Replica.open({ store, cluster: cluster.id, runtime, log: silentLog })
  await replica.merge(operations.map(({ bytes }) => bytes))
  return replica
}

/** What nodes have: some operations, with all that they follow. */
function chooseHeard(random: Random, history: readonly Operation[]): Set<string> {
  const byId = new Map(history.map((operation) => [operation.id as string, operation]))
  const heard = new Set<string>([cluster.creation.id])
  const queue = random
    .shuffle(history)
    .slice(0, 1 + random.integer(12))
    .map(({ id }) => id as string)
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    if (heard.has(id)) continue
    heard.add(id)
    queue.push(...(byId.get(id)?.heads ?? []))
  }
  return heard
}

const valuesOf = (replica: Replica) =>
  new Map<Key, unknown>(replica.snapshot().entries.map(([key, entry]) => [key, (entry as Entry).value]))

const hex = (values: ReadonlyMap<Key, unknown>) =>
  Buffer.from(encodeCanonical([...values].sort(([a], [b]) => (a < b ? -1 : 1)))).toString('hex')

let members = 0
let conflicts = 0
for (const seed of seeds(40)) {
  t.test(`a dry run says exactly what a push makes of the nodes (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const membership = seed % 2 === 0 ? 0.2 : 0
    const history = keepAdmitted(
      randomHistory(random, cluster, { operations: 60, membership, backdated: 0.3, start: admitSigners(cluster) }),
    )
    const heard = chooseHeard(random, history)
    const waiting = history.filter(({ id }) => !heard.has(id))
    await using laptop = await open(history)
    await using node = await open(history.filter(({ id }) => heard.has(id)))
    const plan = await planPush(laptop, waiting)

    const predicted = valuesOf(node)
    const voidBefore = new Set(node.voids().map(({ operation }) => operation))
    for (const { key, before, after } of plan.changed) {
      t.same(predicted.get(key), before, `${key} before`)
      if (after === undefined) predicted.delete(key)
      else predicted.set(key, after)
    }
    await node.merge(waiting.map(({ bytes }) => bytes))
    t.equal(hex(predicted), hex(valuesOf(node)), 'the state after a real push')
    const isTheirs = (id: string) => heard.has(id)
    t.same(
      plan.becomeVoid,
      node.voids().filter(({ operation }) => isTheirs(operation) && !voidBefore.has(operation)),
      'what turns void',
    )
    const voidAfter = new Set(node.voids().map(({ operation }) => operation))
    t.same(
      new Set(plan.becomeCounted),
      new Set([...voidBefore].filter((id) => !voidAfter.has(id))),
      'what counts again',
    )
    t.same(
      plan.conflicts,
      node
        .conflicts()
        .filter(({ winner, losers }) => [winner, ...losers].some(({ operation }) => !isTheirs(operation))),
      'conflicts',
    )
    members += plan.becomeVoid.length + plan.becomeCounted.length
    conflicts += plan.conflicts.length
  })

  t.test(`what a node's operation follows is there, whatever is remembered (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const history = keepAdmitted(randomHistory(random, cluster, { operations: 30, membership: 0.02, backdated: 0.3 }))
    const heard = chooseHeard(random, history)
    await using laptop = await open(history)
    const own = history.filter(({ id }) => !heard.has(id) || random.chance(0.3))
    const others = history.filter((operation) => !own.includes(operation))
    const expected = own.filter(({ id }) => !others.some((other) => laptop.isAncestor(id, other.id)))
    t.same(
      listUnheard(laptop.fold, own).map(({ id }) => id),
      expected.map(({ id }) => id),
    )
  })
}

t.test('the seeds meet what they are for', async (t) => {
  if (process.env.SEED !== undefined) return
  t.ok(members >= 5, `${members} turned`)
  t.ok(conflicts > 10, `${conflicts} conflicts`)
})
