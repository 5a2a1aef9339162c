import t from 'tap'
import { createMemoryStore, StoreScrub } from '../../../replication/index.ts'
import { cluster, createChain } from '../chain.ts'
import { FakeRuntime, recordLog } from '../fake-runtime.ts'

const chain = createChain(250)

/** Lets a scrub go on until it is through. */
async function through(scrub: StoreScrub, runtime: FakeRuntime) {
  let ended = false
  void scrub.done.then(() => {
    ended = true
  })
  while (!ended) {
    runtime.advance(1000)
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  return await scrub.done
}

t.test('a scrub looks at every operation and names what is not what its id says', async (t) => {
  const runtime = new FakeRuntime(1)
  const store = createMemoryStore(runtime)
  const altered = chain.map(({ id, bytes }, i) => {
    const copy = new Uint8Array(bytes)
    // In the body; the signature is no part of what the id stands for.
    if (i === 30 || i === 249) copy[copy.length - 3] = (copy[copy.length - 3] as number) ^ 1
    return { id, bytes: copy }
  })
  await store.append(altered)
  const log = recordLog()
  await using scrub = new StoreScrub({ store, cluster: cluster.id, runtime, log })
  t.same(await through(scrub, runtime), { looked: 250, wrong: 2 })
  t.same(
    log.events.filter(([event]) => event === 'store.altered').map(([, { operation }]) => operation),
    [chain[30]?.id, chain[249]?.id],
  )
})

t.test('a scrub can be ended at any time', async (t) => {
  const runtime = new FakeRuntime(1)
  const store = createMemoryStore(runtime)
  await store.append(chain)
  const log = recordLog()
  const scrub = new StoreScrub({ store, cluster: cluster.id, runtime, log })
  runtime.advance(100)
  await scrub[Symbol.asyncDispose]()
  t.ok((await scrub.done).looked < 250)
  t.equal(runtime.timers, 0)
  t.same(log.events, [])
})

t.test('a store that cannot be read ends the scrub, and nothing else', async (t) => {
  const runtime = new FakeRuntime(1)
  const store = createMemoryStore(runtime)
  await store.append(chain)
  const log = recordLog()
  const scrub = new StoreScrub({ store, cluster: cluster.id, runtime, log })
  await store.close()
  await through(scrub, runtime)
  t.equal(log.events[0]?.[0], 'store.scrub-failed')
})
