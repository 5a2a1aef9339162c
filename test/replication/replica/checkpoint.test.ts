import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { encodeCanonical, keys, MAX_STAMP_AHEAD_MS, type Operation, type StateTable } from '../../../core/index.ts'
import { createMemoryStore, type OperationStore, Replica } from '../../../replication/index.ts'
import { domains, randomHistory, shuffleCausally } from '../../support/histories.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { cluster, createChain, follow, recordChange } from '../chain.ts'
import { FakeRuntime, recordLog } from '../fake-runtime.ts'

const bytesOf = (operations: readonly Operation[]) => operations.map(({ bytes }) => bytes)

function open(store: OperationStore, file: string, options: { runtime?: FakeRuntime; minOperations?: number } = {}) {
  const { runtime = new FakeRuntime(1), minOperations = 1 } = options
  const log = recordLog()
  const opening = Replica.open({ store, cluster: cluster.id, runtime, log, checkpoint: { file, minOperations } })
  return opening.then((replica) => ({ replica, log }))
}

async function describe(replica: Replica, history: readonly Operation[]) {
  const { entries, touches } = (replica.state as StateTable).snapshot()
  const byName = <T extends readonly [string, unknown]>(list: readonly T[]) =>
    [...list].sort((a, b) => (a[0] < b[0] ? -1 : 1))
  const past: string[] = []
  for await (const { id } of replica.history()) past.push(id)
  return {
    state: Buffer.from(encodeCanonical([byName(entries), byName(touches)])).toString('hex'),
    digest: replica.digest(),
    inventory: replica.inventory.root(),
    count: replica.count,
    heads: replica.heads(),
    conflicts: replica.conflicts(),
    voids: replica.voids(),
    held: replica.held(),
    members: byName([...replica.fold.members]),
    blame: byName(entries).map(([key, entry]) => [key, entry?.operation, entry?.author, entry?.via]),
    sides: entries.map(([key]) => [key, replica.frontier(key), replica.mergeBase(key)]).sort(),
    standing: history.map(({ id }) => replica.explain(id)),
    past,
  }
}

/** Counts what is read of a store one by one or in lists. */
function countReads(store: OperationStore): OperationStore & { reads: number } {
  const counted = Object.create(store) as OperationStore & { reads: number }
  counted.reads = 0
  counted.list = async (from, limit) => {
    const records = await store.list(from, limit)
    counted.reads += records.length
    return records
  }
  // A getter of a class with private members does not work through a prototype.
  Object.defineProperties(counted, { count: { get: () => store.count }, id: { get: () => store.id } })
  counted.append = (records) => store.append(records)
  counted.read = (id) => store.read(id)
  counted.sequence = (id) => store.sequence(id)
  return counted
}

for (const seed of seeds(30)) {
  t.test(`checkpoint and rest are the fold from scratch, wherever the cut lies (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const membership = seed % 2 === 0 ? 0.2 : 0.05
    const plain = randomHistory(random, cluster, { operations: 40, membership, backdated: 0.3 })
    const runtime = new FakeRuntime(seed)
    // Some lie ahead of the clock here, and become due after the restart.
    const aheadMs = runtime.nowMs + MAX_STAMP_AHEAD_MS
    const early = follow([random.pick(plain)], [recordChange(1)], { wallMs: aheadMs + 1000 })
    const later = follow([early, random.pick(plain)], [recordChange(2)])
    const history = [...shuffleCausally(random, plain), early, later]
    const file = join(t.testdir({}), 'checkpoint')
    const store = createMemoryStore(runtime)
    const cut = random.integer(history.length)
    {
      await using replica = (await open(store, file, { runtime })).replica
      await replica.submit([cluster.creation.bytes])
      // Checked in one go, so that what a cut leaves out does not keep the rest from being taken.
      await replica.merge(bytesOf(random.shuffle([early, later])))
      for (const operation of history.slice(0, cut)) await replica.merge([operation.bytes])
    }
    const counting = countReads(store)
    const { replica, log } = await open(counting, file, { runtime })
    t.notOk(
      log.events.some(([event]) => event === 'checkpoint.rebuilt'),
      'it is used',
    )
    if (cut > 10) t.ok(counting.reads < store.count, `${counting.reads} of ${store.count} read`)
    const scratch = await Replica.open({ store: await copyOf(store, runtime), cluster: cluster.id, runtime, log })
    t.same(await describe(replica, history), await describe(scratch, history), `after a restart at ${cut}`)
    for (const one of [replica, scratch]) {
      for (const operation of history.slice(cut)) await one.merge([operation.bytes])
      t.same(
        one.pending().filter((id) => one.has(id)),
        [],
      )
    }
    t.same(await describe(replica, history), await describe(scratch, history), 'after the rest')
    runtime.advance(10_000)
    // The rounds that the timers began are through when another one is.
    for (const one of [replica, scratch]) await one.merge([])
    t.same(replica.held(), [])
    t.same(await describe(replica, history), await describe(scratch, history), 'when what was held is due')
    await replica[Symbol.asyncDispose]()
    await scratch[Symbol.asyncDispose]()
  })
}

async function copyOf(store: OperationStore, runtime: FakeRuntime): Promise<OperationStore> {
  const copy = createMemoryStore(runtime)
  await copy.append(await store.list(0, store.count))
  return copy
}

t.test('a checkpoint that is damaged, or of something else, is told and built again', async (t) => {
  const chain = createChain(40)
  const file = join(t.testdir({}), 'checkpoint')
  const runtime = new FakeRuntime(1)
  const store = createMemoryStore(runtime)
  const { replica: first } = await open(store, file)
  await first.merge(bytesOf(chain))
  const expected = await describe(first, chain)
  await first[Symbol.asyncDispose]()
  const sound = await readFile(file)
  const cases: Record<string, (bytes: Buffer) => Buffer> = {
    empty: () => Buffer.alloc(0),
    'cut short': (bytes) => bytes.subarray(0, bytes.length - 1),
    'longer than it was': (bytes) => Buffer.concat([bytes, Buffer.alloc(3)]),
    garbage: (bytes) => Buffer.alloc(bytes.length, 7),
  }
  const random = createRandom(5)
  for (let i = 0; i < 30; i++) {
    const at = random.integer(sound.length)
    cases[`bit ${at} flipped`] = (bytes) => {
      const copy = Buffer.from(bytes)
      copy[at] = (copy[at] as number) ^ (1 << random.integer(8))
      return copy
    }
  }
  for (const [name, damage] of Object.entries(cases)) {
    await writeFile(file, damage(sound))
    const { replica, log } = await open(store, file, { minOperations: 1_000_000 })
    t.equal(log.events[0]?.[0], 'checkpoint.rebuilt', name)
    t.same(await describe(replica, chain), expected, name)
    await replica[Symbol.asyncDispose]()
  }

  await t.test('that of another store with the same operations', async (t) => {
    await writeFile(file, sound)
    const { replica, log } = await open(await copyOf(store, new FakeRuntime(9)), file)
    t.equal(log.events[0]?.[0], 'checkpoint.rebuilt')
    t.same(await describe(replica, chain), expected)
    await replica[Symbol.asyncDispose]()
  })

  await t.test('one that knows more than the store', async (t) => {
    await writeFile(file, sound)
    // The same name, and an older copy of the content.
    const older = createMemoryStore(new FakeRuntime(1))
    t.equal(older.id, store.id)
    await older.append(chain.slice(0, 20))
    const { replica, log } = await open(older, file)
    t.equal(log.events[0]?.[0], 'checkpoint.rebuilt')
    t.equal(replica.count, 20)
    t.equal(replica.digest().count, 20)
    await replica[Symbol.asyncDispose]()
  })

  await t.test('without damage it is used', async (t) => {
    await writeFile(file, sound)
    const counting = countReads(store)
    const { replica, log } = await open(counting, file)
    t.same(log.events, [])
    t.equal(counting.reads, 0, 'nothing is read of what it holds')
    t.same(await describe(replica, chain), expected)
    await replica[Symbol.asyncDispose]()
  })
})

t.test('a checkpoint that cannot be written stops nothing, and is tried again', async (t) => {
  const chain = createChain(10)
  const file = join(t.testdir({}), 'missing', 'checkpoint')
  const store = createMemoryStore(new FakeRuntime(1))
  const { replica, log } = await open(store, file)
  for (const operation of chain) await replica.merge([operation.bytes])
  t.ok(replica.state.get(keys.record(domains[0]!, 'r9' as never, 'A')))
  await replica[Symbol.asyncDispose]()
  t.ok(log.events.some(([event]) => event === 'checkpoint.failed'))
  const { replica: again, log: later } = await open(store, file)
  await again[Symbol.asyncDispose]()
  t.same(
    later.events.map(([event]) => event),
    ['checkpoint.failed'],
  )
})

t.test('few new operations write no checkpoint', async (t) => {
  const chain = createChain(12)
  const file = join(t.testdir({}), 'checkpoint')
  const store = createMemoryStore(new FakeRuntime(1))
  const { replica } = await open(store, file, { minOperations: 10 })
  await replica.merge(bytesOf(chain.slice(0, 9)))
  await replica[Symbol.asyncDispose]()
  await t.rejects(readFile(file), { code: 'ENOENT' })
  const { replica: again, log } = await open(store, file, { minOperations: 10 })
  await again.merge(bytesOf(chain))
  await again[Symbol.asyncDispose]()
  t.ok(await readFile(file))
  t.same(log.events, [['checkpoint.written', { operations: 12 }]])
})
