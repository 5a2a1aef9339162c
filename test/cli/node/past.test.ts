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

t.test(
  'replays wait for one another, the last one is asked again for free, and an operation that arrives changes it',
  async (t) => {
    await using replica = await open(chain.slice(0, 5))
    let reading = 0
    let most = 0
    let reads = 0
    const source = {
      inventory: replica.inventory,
      ids: () => replica.ids(),
      read: (id: Operation['id']) => replica.read(id),
      async *history() {
        reads++
        most = Math.max(most, ++reading)
        try {
          yield* replica.history()
        } finally {
          reading--
        }
      },
    }
    const years = ['2100-01-01', '2100-01-01', '2101-01-01', '2102-01-01', '2102-01-01']
    const folds = await Promise.all(years.map((year) => foldUntil(source, year)))
    t.same(
      folds.map((fold) => fold.digest().count),
      [5, 5, 5, 5, 5],
    )
    t.equal(most, 1, 'one at a time')
    t.equal(reads, 3)
    await foldUntil(source, '2102-01-01')
    t.equal(reads, 3, 'the last is kept')
    await replica.merge([chain[5]!.bytes])
    t.equal((await foldUntil(source, '2102-01-01')).digest().count, 6)
  },
)

t.test('a replay that failed is tried again', async (t) => {
  await using replica = await open(chain)
  let broken = true
  const source = {
    inventory: replica.inventory,
    ids: () => replica.ids(),
    read: (id: Operation['id']) => replica.read(id),
    history() {
      if (broken) throw new Error('the disk is gone')
      return replica.history()
    },
  }
  await t.rejects(foldUntil(source, '2100-01-01'), /gone/)
  broken = false
  t.equal((await foldUntil(source, '2100-01-01')).digest().count, 6)
})
