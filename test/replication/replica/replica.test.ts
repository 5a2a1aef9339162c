import t from 'tap'
import {
  type Change,
  encodeCanonical,
  MAX_STAMP_AHEAD_MS,
  type Operation,
  type OperationId,
  StateTable,
  silentLog,
} from '../../../core/index.ts'
import { createMemoryStore, type OperationStore, Replica } from '../../../replication/index.ts'
import { randomHistory, testSigner } from '../../support/histories.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { cluster, createChain, follow, recordChange } from '../chain.ts'
import { FakeRuntime } from '../fake-runtime.ts'

const open = (runtime = new FakeRuntime(1), store: OperationStore = createMemoryStore(runtime)) =>
  Replica.open({ store, cluster: cluster.id, runtime, log: silentLog })
const bytesOf = (operations: readonly Operation[]) => operations.map(({ bytes }) => bytes)
const idsOf = (operations: readonly Operation[]) => operations.map(({ id }) => id)

function stateBytes(replica: Replica): Buffer {
  const state = replica.state as StateTable
  const { entries, touches } = state.snapshot()
  const sorted = <T extends readonly [string, unknown]>(list: readonly T[]) =>
    [...list].sort((a, b) => (a[0] < b[0] ? -1 : 1))
  return Buffer.from(encodeCanonical([sorted(entries), sorted(touches)]))
}

async function created(runtime = new FakeRuntime(1), store = createMemoryStore(runtime)): Promise<Replica> {
  const replica = await open(runtime, store)
  await replica.submit([cluster.creation.bytes])
  return replica
}

for (const seed of seeds(25)) {
  t.test(`any order, duplication and grouping of merges gives equal bytes (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const history = randomHistory(random, cluster, { operations: 40, membership: 0.2, backdated: 0.2 })
    const runtime = new FakeRuntime(seed, 1_800_000_000_000)
    const store = createMemoryStore(runtime)
    const mirror = new StateTable()
    let first: Replica | undefined
    for (let i = 0; i < 3; i++) {
      await using replica = await open(runtime, i === 0 ? store : createMemoryStore(runtime))
      if (i === 0) replica.events.on('change', ({ delta }) => mirror.apply(delta))
      const arrivals = random.shuffle([...history, ...history.filter(() => random.chance(0.3))])
      const merges: Promise<unknown>[] = []
      while (arrivals.length > 0) {
        merges.push(replica.merge(bytesOf(arrivals.splice(0, 1 + random.integer(9)))))
        if (random.chance(0.5)) await Promise.all(merges)
      }
      await Promise.all(merges)
      first ??= replica
      t.same(replica.digest(), first.digest())
      t.same(replica.inventory.root(), first.inventory.root())
      t.ok(stateBytes(replica).equals(stateBytes(first)))
      t.same(replica.heads(), first.heads())
      t.same(replica.voids(), first.voids())
      for (const id of replica.pending()) t.notOk(replica.has(id), 'only what follows a refused operation waits')
    }
    await using reopened = await open(runtime, store)
    t.same(reopened.digest(), first?.digest())
    t.ok(stateBytes(reopened).equals(stateBytes(first as Replica)))
    t.same(encodeCanonical(mirrorEntries(mirror)), encodeCanonical(mirrorEntries(reopened.state as StateTable)))
  })

  t.test(`commits made side by side follow one another, and share writes (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const runtime = new FakeRuntime(seed)
    const store = createMemoryStore(runtime)
    let appends = 0
    const append = store.append.bind(store)
    store.append = (records) => {
      appends++
      return append(records)
    }
    await using replica = await created(runtime, store)
    const made: Promise<Operation>[] = []
    for (let i = 0; i < 20; i++) {
      made.push(replica.commit(cluster.operator, [recordChange(i)], `change ${i}`))
      if (random.chance(0.2)) await Promise.all(made)
      if (random.chance(0.2)) runtime.nowMs -= random.integer(10_000)
    }
    const operations = await Promise.all(made)
    let last: OperationId = cluster.creation.id
    for (const operation of operations) {
      t.same(operation.heads, [last])
      last = operation.id
    }
    t.ok(appends <= 20)
    t.same(idsOf(await Array.fromAsync(replica.history())), [...idsOf(operations).reverse(), cluster.creation.id])
  })
}

const mirrorEntries = (table: StateTable) => [...table.snapshot().entries].sort((a, b) => (a[0] < b[0] ? -1 : 1))

t.test('an operation is durable before it is folded, and folded before commit resolves', async (t) => {
  const runtime = new FakeRuntime(1)
  const store = createMemoryStore(runtime)
  await using replica = await created(runtime, store)
  const gate = Promise.withResolvers<void>()
  const append = store.append.bind(store)
  store.append = async (records) => {
    await gate.promise
    await append(records)
  }
  const events: string[] = []
  replica.events.on('stored', ({ operations, origin }) => {
    t.ok(replica.has(operations[0]!.id))
    t.equal(store.count, 2)
    t.equal(origin, undefined)
    events.push('stored')
  })
  replica.events.on('change', ({ operations }) => events.push(`change ${operations.length}`))
  const commit = replica.commit(cluster.operator, [recordChange(1)])
  const page = await replica.page(undefined, 10)
  t.equal(page.operations.length, 1)
  t.equal(replica.digest().count, 1)
  gate.resolve()
  const { id } = await commit
  t.same(events, ['stored', 'change 1'])
  t.same(replica.explain(id), { status: 'counted' })
  t.same((await replica.read(id))?.id, id)
})

t.test('a store that fails rejects the write, and nothing of it is folded', async (t) => {
  const runtime = new FakeRuntime(1)
  const store = createMemoryStore(runtime)
  await using replica = await created(runtime, store)
  const before = replica.digest()
  store.append = () => Promise.reject(Object.assign(new Error('no'), { code: 'MAKI_STORE_FAILED' }))
  const chain = createChain(3)
  await t.rejects(replica.commit(cluster.operator, [recordChange(1)]), { code: 'MAKI_STORE_FAILED' })
  await t.rejects(replica.submit(bytesOf(chain)), { code: 'MAKI_STORE_FAILED' })
  await t.rejects(replica.merge(bytesOf(chain)), { code: 'MAKI_STORE_FAILED' })
  t.same(replica.digest(), before)
  t.equal(replica.count, 1)
  t.notOk(replica.has(chain[1]!.id))
})

t.test('a listener that throws fails its round, and keeps nothing from the fold', async (t) => {
  const runtime = new FakeRuntime(1)
  await using replica = await created(runtime)
  const mirror = new StateTable()
  mirror.apply(replica.snapshot())
  replica.events.on('change', ({ delta }) => mirror.apply(delta))
  const off = replica.events.on('stored', () => {
    throw new Error('a bug')
  })
  await t.rejects(replica.commit(cluster.operator, [recordChange(1)]), { message: 'a bug' })
  off()
  const next = await replica.commit(cluster.operator, [recordChange(2)])
  t.same(replica.explain(next.id), { status: 'counted' })
  t.equal(replica.digest().count, 3)
  t.same(encodeCanonical(mirrorEntries(mirror)), encodeCanonical(mirrorEntries(replica.state as StateTable)))
})

t.test('a store that fails while something falls due ends nothing', async (t) => {
  const runtime = new FakeRuntime(1)
  const store = createMemoryStore(runtime)
  await using replica = await created(runtime, store)
  const aheadMs = MAX_STAMP_AHEAD_MS + 1
  await replica.merge([follow([cluster.creation], [recordChange(1)], { wallMs: runtime.nowMs + aheadMs }).bytes])
  t.equal(replica.held().length, 1)
  store.append = () => Promise.reject(new Error('no'))
  const unheard: unknown[] = []
  const hear = (error: unknown) => void unheard.push(error)
  process.on('unhandledRejection', hear)
  t.teardown(() => process.off('unhandledRejection', hear))
  const commit = replica.commit(cluster.operator, [recordChange(2)])
  runtime.advance(aheadMs)
  await t.rejects(commit, { message: 'no' })
  await new Promise((resolve) => setImmediate(resolve))
  t.same(unheard, [])
})

t.test('a clock that was put back signs nothing that would be held', async (t) => {
  const runtime = new FakeRuntime(1)
  await using replica = await created(runtime)
  runtime.nowMs += 3_600_000
  const ahead = await replica.commit(cluster.operator, [recordChange(1)])
  runtime.nowMs -= 3_600_000
  await t.rejects(replica.commit(cluster.operator, [recordChange(2)]), { code: 'MAKI_OPERATION_REFUSED' })
  t.same([replica.count, replica.held(), replica.heads()[0]?.id], [2, [], ahead.id])
  runtime.nowMs += 3_600_000 - MAX_STAMP_AHEAD_MS
  const next = await replica.commit(cluster.operator, [recordChange(2)])
  t.same(replica.explain(next.id), { status: 'counted' })
})

t.test('submit takes all or nothing', async (t) => {
  const chain = createChain(6)
  const stranger = follow([chain[5]!], [recordChange(1)], { signer: testSigner(77) })
  const orphan = follow([stranger], [recordChange(2)])
  const garbled = new Uint8Array(Buffer.from(chain[3]!.bytes))
  garbled[3]! ^= 1
  const runtime = new FakeRuntime(1)
  const ahead = follow([chain[5]!], [recordChange(3)], { wallMs: runtime.nowMs + MAX_STAMP_AHEAD_MS + 1 })
  const stale = { ...chain[5]!, bytes: chain[5]!.bytes.subarray(0, 40) }
  const bad: [string, Uint8Array, string][] = [
    ['a stranger', stranger.bytes, 'MAKI_OPERATION_REFUSED'],
    ['an unknown head', orphan.bytes, 'MAKI_CONFLICT'],
    ['a wrong signature', garbled, 'MAKI_OPERATION_INVALID'],
    ['cut bytes', stale.bytes, 'MAKI_OPERATION_INVALID'],
    ['a stamp ahead', ahead.bytes, 'MAKI_OPERATION_REFUSED'],
  ]
  for (const [name, bytes, code] of bad) {
    const store = createMemoryStore(runtime)
    await using replica = await open(runtime, store)
    await t.rejects(replica.submit([...bytesOf(chain), bytes]), { code }, name)
    t.equal(store.count, 0, name)
    t.equal(replica.count, 0)
    t.same(replica.heads(), [])
    t.same((await replica.submit(bytesOf(chain))).accepted, idsOf(chain), 'the good ones alone are taken after')
    t.same(await replica.submit(bytesOf(chain)), { accepted: [], known: idsOf(chain) })
  }
})

t.test('what is to be prepared for operations is prepared when they would be taken, and before they are', async (t) => {
  const chain = createChain(4)
  const stranger = follow([chain[3]!], [recordChange(1)], { signer: testSigner(77) })
  await using replica = await created()
  const prepared: unknown[] = []
  const prepare = async (fresh: readonly Operation[]) => {
    prepared.push(...idsOf(fresh))
    t.equal(replica.count, 1)
  }
  await t.rejects(replica.submit([...bytesOf(chain), stranger.bytes], prepare), { code: 'MAKI_OPERATION_REFUSED' })
  t.same(prepared, [])
  const fails = () => Promise.reject(new Error('a file is missing'))
  await t.rejects(replica.submit(bytesOf(chain), fails), { message: 'a file is missing' })
  t.same([replica.count, replica.heads().map(({ id }) => id)], [1, [cluster.creation.id]])
  t.same((await replica.submit(bytesOf(chain), prepare)).accepted, idsOf(chain.slice(1)))
  t.same(prepared, idsOf(chain.slice(1)), 'only what is new')
})

for (const seed of seeds(10)) {
  t.test(`what a peer sent without its heads is stored once when a client hands it in (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const chain = createChain(8)
    const runtime = new FakeRuntime(seed)
    const store = createMemoryStore(runtime)
    await using replica = await open(runtime, store)
    await replica.merge(bytesOf(random.shuffle(chain.slice(2)).slice(0, 1 + random.integer(6))))
    t.ok(replica.pending().length > 0)
    t.same((await replica.submit(bytesOf(random.shuffle(chain)))).accepted, idsOf(chain))
    t.equal(store.count, chain.length)
    t.same(replica.pending(), [])
    t.same((await replica.page(undefined, 100)).operations, bytesOf(chain))
  })
}

t.test('one batch may admit an author and carry what it wrote, in any order', async (t) => {
  const guest = testSigner(40)
  const change: Change = { kind: 'operator.add', key: guest.key, name: 'guest', role: 'operator' }
  const admit = follow([cluster.creation], [change])
  const written = follow([admit], [recordChange(1)], { signer: guest })
  await using replica = await open()
  t.same((await replica.submit(bytesOf([written, admit, cluster.creation]))).accepted.length, 3)
  t.same(replica.voids(), [])
  t.ok(replica.isMember(guest.key))
  await using other = await open()
  t.same((await other.merge(bytesOf([written, admit, cluster.creation]))).refused, [])
  t.same(other.digest(), replica.digest())
})

t.test('merge takes what is right, waits for heads, and names what is missing', async (t) => {
  const chain = createChain(6)
  const stranger = follow([chain[1]!], [recordChange(1)], { signer: testSigner(77) })
  await using replica = await open()
  const origins: unknown[] = []
  replica.events.on('stored', ({ operations, origin }) => origins.push([operations.length, origin]))
  const report = await replica.merge(
    [...bytesOf([chain[0]!, chain[1]!, chain[4]!, chain[5]!, stranger]), new Uint8Array(90)],
    7,
  )
  t.same(report.added, [chain[0]!.id, chain[1]!.id])
  t.same(report.missing, [chain[3]!.id])
  t.equal(report.refused.length, 2)
  t.same([...replica.pending()].sort(), [chain[4]!.id, chain[5]!.id].sort())
  t.same(replica.explain(chain[4]!.id), { status: 'pending' })
  t.same(replica.explain(chain[3]!.id), { status: 'absent' })
  t.notOk(replica.has(chain[4]!.id))

  const second = await replica.merge(bytesOf([chain[3]!, chain[4]!]))
  t.same(second.missing, [chain[2]!.id])
  const third = await replica.merge(bytesOf([chain[2]!, chain[0]!]))
  t.same([...third.added].sort(), idsOf(chain.slice(2)).sort(), 'what waited comes with it')
  t.equal(third.known, 1)
  t.same(replica.pending(), [])
  t.same(origins, [
    [2, 7],
    [4, undefined],
  ])
})

for (const seed of seeds(10)) {
  t.test(`what lies ahead of the clock is stored, passed on and folded when due (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const runtime = new FakeRuntime(seed)
    const store = createMemoryStore(runtime)
    const chain = createChain(3)
    const aheadMs = MAX_STAMP_AHEAD_MS + 1 + random.integer(3_600_000)
    const ahead = follow([chain[2]!], [recordChange(1)], { wallMs: runtime.nowMs + aheadMs })
    const after = follow([ahead], [recordChange(2)], { wallMs: runtime.nowMs + aheadMs + random.integer(50_000) })
    const aside = follow([chain[1]!], [recordChange(3)])
    await using replica = await open(runtime, store)
    const report = await replica.merge(bytesOf(random.shuffle([...chain, ahead, after, aside])))
    t.equal(report.added.length, 6)
    t.same([...replica.held()].sort(), [ahead.id, after.id].sort())
    t.same(replica.explain(after.id), { status: 'held', dueMs: after.stamp.wallMs - MAX_STAMP_AHEAD_MS })
    t.ok(replica.has(after.id))
    t.equal(replica.digest().count, 4)
    const own = await replica.commit(cluster.operator, [recordChange(4)])
    t.notOk(own.heads.includes(after.id), 'nothing follows what is held')

    await using restarted = await open(runtime, store)
    t.same([...restarted.held()].sort(), [ahead.id, after.id].sort())

    runtime.advance(ahead.stamp.wallMs - MAX_STAMP_AHEAD_MS - runtime.nowMs - 1)
    await replica.merge([])
    t.equal(replica.held().length, 2, 'not a millisecond before')
    const folded: string[] = []
    replica.events.on('change', ({ operations }) => folded.push(...idsOf(operations)))
    runtime.advance(120_000)
    await replica.merge([])
    await restarted.merge([])
    t.same(folded, [ahead.id, after.id])
    t.same(replica.held(), [])
    t.same(restarted.digest(), replica.digest())
    t.ok(stateBytes(restarted).equals(stateBytes(replica)))
    t.equal(runtime.timers, 0)
  })
}

t.test('a commit does not follow what is held, nor what waits with it to be stored and will be', async (t) => {
  const runtime = new FakeRuntime(1)
  const store = createMemoryStore(runtime)
  await using replica = await created(runtime, store)
  const gate = Promise.withResolvers<void>()
  const append = store.append.bind(store)
  const rounds: number[] = []
  store.append = async (records) => {
    rounds.push(records.length)
    await gate.promise
    await append(records)
  }
  const first = replica.commit(cluster.operator, [recordChange(1)])
  const ahead = follow([cluster.creation], [recordChange(2)], { wallMs: runtime.nowMs + MAX_STAMP_AHEAD_MS + 1 })
  const merge = replica.merge([ahead.bytes])
  // A page reads the store, so the merge has been queued by the time that it is here.
  await replica.page(undefined, 1)
  const second = replica.commit(cluster.operator, [recordChange(3)])
  gate.resolve()
  await merge
  t.same((await second).heads, [(await first).id])
  t.same(rounds, [1, 2], 'both waited for the same write')
  t.same(replica.held(), [ahead.id])
})

t.test('pages go on where the cursor stands, and start over for another store', async (t) => {
  const chain = createChain(25)
  await using replica = await open()
  await replica.submit(bytesOf(chain))
  const seen: Uint8Array[] = []
  let cursor: string | undefined
  for (let more = true; more; ) {
    const page = await replica.page(cursor, 10)
    seen.push(...page.operations)
    cursor = page.cursor
    more = page.more
  }
  t.same(seen, bytesOf(chain))
  t.same(await replica.page(cursor, 10), { operations: [], cursor, more: false })
  for (const other of ['x.3', 'nonsense', '', `${cursor}9999999999999999`, '.', `${cursor?.split('.')[0]}.-1`]) {
    t.equal((await replica.page(other, 10)).operations.length, 10)
  }
})

t.test('history of a key is what counts for it, newest first', async (t) => {
  await using replica = await created()
  const made: Operation[] = []
  for (let i = 0; i < 6; i++)
    made.push(await replica.commit(cluster.operator, [recordChange(i, i % 2 === 0 ? 'even' : 'odd')]))
  const history = await Array.fromAsync(replica.history('domain/example.com/rrset/even/A'))
  t.same(idsOf(history), idsOf(made.filter((_, i) => i % 2 === 0).reverse()))
})

t.test('nothing is signed without the cluster, by a stranger, malformed, after damage or after close', async (t) => {
  const runtime = new FakeRuntime(1)
  const store = createMemoryStore(runtime)
  const replica = await open(runtime, store)
  await t.rejects(replica.commit(cluster.operator, [recordChange(1)]), { code: 'MAKI_NOT_FOUND' })
  await replica.submit([cluster.creation.bytes])
  await t.rejects(replica.commit(testSigner(9), [recordChange(1)]), { code: 'MAKI_OPERATION_REFUSED' })
  await t.rejects(replica.commit(cluster.operator, [{ ...recordChange(1), ttl: -1 } as Change]), {
    code: 'MAKI_INVALID',
  })
  let damaged: { readable: number; lost: number } | undefined = { readable: 1, lost: 2 }
  Object.defineProperty(store, 'damaged', { get: () => damaged })
  store.markWhole = async () => {
    damaged = undefined
  }
  await t.rejects(replica.commit(cluster.operator, [recordChange(1)]), { code: 'MAKI_STORE_DAMAGED' })
  await replica.markWhole()
  await replica.commit(cluster.operator, [recordChange(1)])
  await replica[Symbol.asyncDispose]()
  await t.rejects(replica.commit(cluster.operator, [recordChange(1)]), { code: 'MAKI_STORE_FAILED' })
})

t.test('more than 16 heads: the greatest are followed', async (t) => {
  await using replica = await created()
  const forks = Array.from({ length: 20 }, (_, i) =>
    follow([cluster.creation], [recordChange(i)], { wallMs: 1000 + i }),
  )
  await replica.submit(bytesOf(forks))
  const operation = await replica.commit(cluster.operator, [recordChange(99)])
  const greatest = replica.heads().length === 5 ? operation.heads.length : 0
  t.equal(greatest, 16)
})

t.test('a member that forks keeps no other from writing', async (t) => {
  const [deployer, late] = [testSigner(41), testSigner(42)]
  const add = (key: typeof late.key, role: 'deployer' | 'operator'): Change => ({
    kind: 'operator.add',
    key,
    name: role,
    role,
    domains: [],
  })
  const runtime = new FakeRuntime(1)
  await using replica = await created(runtime)
  const first = await replica.commit(cluster.operator, [add(deployer.key, 'deployer')])
  const second = await replica.commit(cluster.operator, [add(late.key, 'operator')])
  const wallMs = runtime.nowMs + MAX_STAMP_AHEAD_MS / 2
  const forks = Array.from({ length: 20 }, (_, i) =>
    follow([first], [recordChange(i)], { signer: deployer, wallMs: wallMs + i }),
  )
  await replica.merge(bytesOf(forks))
  const [one, two] = await Promise.all([1, 2].map((i) => replica.commit(late, [recordChange(i)])))
  t.ok(one?.heads.includes(second.id))
  t.equal(one?.heads.length, 16)
  t.ok(two?.heads.includes(one!.id))
  t.same([replica.explain(one!.id), replica.explain(two!.id)], [{ status: 'counted' }, { status: 'counted' }])
})

t.test('what a damaged store lost waits for, and is folded when it is back', async (t) => {
  const chain = createChain(12)
  const runtime = new FakeRuntime(1)
  const store = createMemoryStore(runtime)
  await store.append([...chain.slice(0, 4), ...chain.slice(6)])
  await using replica = await open(runtime, store)
  t.equal(replica.digest().count, 4)
  t.equal(replica.pending().length, 6)
  t.ok(replica.has(chain[8]!.id))
  t.same((await replica.merge([chain[5]!.bytes])).missing, [chain[4]!.id])
  const report = await replica.merge([chain[4]!.bytes])
  t.same([...report.added].sort(), [chain[4]!.id, chain[5]!.id].sort(), 'what is stored is not stored again')
  t.equal(replica.digest().count, 12)
  t.equal(store.count, 12)
  await using again = await open(runtime, store)
  t.same(again.digest(), replica.digest())
})

t.test('a store of another cluster is refused', async (t) => {
  const runtime = new FakeRuntime(1)
  const store = createMemoryStore(runtime)
  await store.append(createChain(3))
  const other = cluster.creation.author as string as typeof cluster.id
  await t.rejects(Replica.open({ store, cluster: other, runtime, log: silentLog }), { code: 'MAKI_STORE_DAMAGED' })
})
