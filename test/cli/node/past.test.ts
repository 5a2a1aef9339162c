import t from 'tap'
import { foldUntil } from '../../../cli/node/past.ts'
import { type Operation, silentLog } from '../../../core/index.ts'
import { createMemoryStore, Replica } from '../../../replication/index.ts'
import { createChain } from '../../replication/chain.ts'
import { FakeRuntime } from '../../replication/fake-runtime.ts'

const chain = createChain(6)

async function open(operations: readonly Operation[]): Promise<Replica> {
  const runtime = new FakeRuntime(1)
  const store = createMemoryStore(runtime)
  await store.append(operations)
  const cluster = (chain[0] as Operation).id as string as Replica['cluster']
  return Replica.open({ store, cluster, runtime, log: silentLog })
}

t.test('an operation with all that it follows, or all until a time', async (t) => {
  await using replica = await open(chain)
  t.equal((await foldUntil(replica, chain[3]!.id)).digest().count, 4)
  t.equal((await foldUntil(replica, chain[3]!.id.slice(0, 20))).digest().count, 4)
  t.same((await foldUntil(replica, '2100-01-01')).digest(), replica.digest())
  t.equal((await foldUntil(replica, '2001-01-01')).digest().count, 0)
  await t.rejects(foldUntil(replica, 'last week'), { code: 'MAKI_INVALID' })
  await t.rejects(foldUntil(replica, '2222'), { code: 'MAKI_NOT_FOUND' })
})

t.test('what follows an operation that was lost is left out', async (t) => {
  await using replica = await open([...chain.slice(0, 3), ...chain.slice(4)])
  t.same((await foldUntil(replica, '2100-01-01')).digest(), replica.digest())
  t.equal((await foldUntil(replica, chain[5]!.id)).digest().count, 0)
})
