import t, { type Test } from 'tap'
import type { OperationStore } from '../../../replication/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { createChain } from '../chain.ts'

const chain = createChain(120)

/** What every OperationStore promises. `open` gives a fresh, empty store; the suite closes it. */
export function testStore(name: string, open: (t: Test) => Promise<OperationStore>): void {
  t.test(`${name}: a new store is empty and has a name of its own`, async (t) => {
    await using store = await open(t)
    await using other = await open(t)
    t.equal(store.count, 0)
    t.same(await store.list(0, 10), [])
    t.match(store.id, /^[a-z2-7]{26}$/)
    t.not(store.id, other.id)
    t.equal(await store.read(chain[0]!.id), undefined)
    t.equal(store.sequence(chain[0]!.id), undefined)
  })

  for (const seed of seeds(10)) {
    t.test(`${name}: whatever is appended side by side is listed in order of the calls (SEED=${seed})`, async (t) => {
      const random = createRandom(seed)
      await using store = await open(t)
      const calls: Promise<void>[] = []
      for (let from = 0; from < chain.length; ) {
        const length = random.integer(12)
        calls.push(store.append(chain.slice(from, from + length)))
        from += length
        if (random.chance(0.2)) await Promise.all(calls)
      }
      await Promise.all(calls)
      t.equal(store.count, chain.length)
      const from = random.integer(chain.length)
      const limit = random.integer(40)
      t.same(
        await store.list(from, limit),
        chain.slice(from, from + limit).map(({ id, bytes }) => ({ id, bytes })),
      )
      t.same(await store.list(chain.length, 5), [])
      t.same(await store.list(0, 0), [])
      for (const { id, bytes } of random.shuffle(chain).slice(0, 10)) {
        t.same(await store.read(id), bytes)
        t.equal(
          store.sequence(id),
          chain.findIndex((operation) => operation.id === id),
        )
      }
    })
  }

  t.test(`${name}: hands out plain bytes that are not the caller's`, async (t) => {
    await using store = await open(t)
    const operation = chain[0]!
    const bytes = new Uint8Array(operation.bytes)
    const done = store.append([{ id: operation.id, bytes }])
    bytes.fill(0)
    await done
    const read = await store.read(operation.id)
    t.same(read, operation.bytes)
    t.equal(read?.constructor, Uint8Array)
  })

  t.test(`${name}: an operation is kept once, whoever passes it again`, async (t) => {
    await using store = await open(t)
    const [first, second, third] = chain as [(typeof chain)[0], (typeof chain)[0], (typeof chain)[0]]
    const under = store.append([first])
    const mistake = { code: 'MAKI_INTERNAL' }
    await t.rejects(store.append([second, first]), mistake, 'while it is being written')
    await under
    await t.rejects(store.append([first]), mistake, 'when it is there')
    await t.rejects(store.append([second, third, second]), mistake, 'within one call')
    t.equal(store.count, 1)
    await store.append([second, third])
    t.equal(store.count, 3, 'the store goes on')
  })

  t.test(`${name}: appending nothing is nothing`, async (t) => {
    await using store = await open(t)
    await store.append([])
    t.equal(store.count, 0)
  })

  t.test(`${name}: close waits for appends, can be called again, and refuses what comes after`, async (t) => {
    const store = await open(t)
    const append = store.append(chain)
    await store.close()
    await append
    await store.close()
    await t.rejects(store.append(chain.slice(0, 1)), { code: 'MAKI_STORE_FAILED' })
    await t.rejects(store.list(0, 1), { code: 'MAKI_STORE_FAILED' })
    await t.rejects(store.read(chain[0]!.id), { code: 'MAKI_STORE_FAILED' })
  })
}
