import t from 'tap'
import { MAX_HEADS, type Operation, type OwnerName, silentLog } from '../../../core/index.ts'
import { createMemoryStore, Replica } from '../../../replication/index.ts'
import { domains, testSigner } from '../../support/histories.ts'
import { cluster, follow, recordChange } from '../chain.ts'
import { FakeRuntime } from '../fake-runtime.ts'

const runtime = new FakeRuntime(1)
const open = () => Replica.open({ store: createMemoryStore(runtime), cluster: cluster.id, runtime, log: silentLog })
const deployer = testSigner(60)
const hash = 'ab'.repeat(32) as never
const publish = (domain: (typeof domains)[number]) =>
  ({ kind: 'release.publish', domain, manifest: hash, tree: hash, files: 0, bytes: 0, aliases: [] }) as const
const admit = (domain: (typeof domains)[number], wallMs: number) =>
  follow(
    [cluster.creation],
    [{ kind: 'operator.add', key: deployer.key, name: 'ci', role: 'deployer', domains: [domain] }],
    { wallMs },
  )

/** More concurrent operations than an operation can follow, all later than the rest. */
function crowd(heads: readonly Operation[] = [cluster.creation]): Operation[] {
  return Array.from({ length: MAX_HEADS + 8 }, (_, i) =>
    follow(heads, [recordChange(i, `crowd${i}`)], { wallMs: cluster.creation.stamp.wallMs + 1000 + i }),
  )
}

t.test('every addition of the author is followed, also when other tips are later', async (t) => {
  const first = admit(domains[0]!, cluster.creation.stamp.wallMs + 1)
  const second = admit(domains[1]!, cluster.creation.stamp.wallMs + 2)
  for (const domain of [domains[0]!, domains[1]!]) {
    await using replica = await open()
    await replica.submit([cluster.creation, first, second, ...crowd()].map(({ bytes }) => bytes))
    const operation = await replica.commit(deployer, [publish(domain)])
    t.equal(operation.heads.length, MAX_HEADS)
    t.same(replica.explain(operation.id), { status: 'counted' }, domain)
  }
})

t.test('the sides of the keys that are written are followed, so that they are replaced', async (t) => {
  await using replica = await open()
  const wallMs = cluster.creation.stamp.wallMs
  const sides = [1, 2].map((n) => follow([cluster.creation], [recordChange(n, 'here')], { wallMs: wallMs + n }))
  await replica.submit([cluster.creation, ...sides, ...crowd()].map(({ bytes }) => bytes))
  const key = `domain/${domains[0]}/rrset/here/A`
  t.equal(replica.frontier(key).length, 2)
  const operation = await replica.commit(cluster.operator, [recordChange(3, 'here' as OwnerName)])
  t.same(
    replica.frontier(key).map((side) => side.operation),
    [operation.id],
  )
  t.same(
    replica.conflicts().map((conflict) => conflict.key),
    [],
  )
})

t.test('with few tips all are followed', async (t) => {
  await using replica = await open()
  const tips = crowd().slice(0, MAX_HEADS)
  await replica.submit([cluster.creation, ...tips].map(({ bytes }) => bytes))
  const operation = await replica.commit(cluster.operator, [recordChange(1)])
  t.same(operation.heads, tips.map(({ id }) => id).toSorted(compareAsBytes(operation)))
  t.equal(replica.heads().length, 1)
})

/** Heads stand in the order of their bytes, which is that of the list itself. */
const compareAsBytes =
  ({ heads }: Operation) =>
  (a: (typeof heads)[number], b: (typeof heads)[number]) =>
    heads.indexOf(a) - heads.indexOf(b)
