import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import * as Y from 'yjs'
import { type Operation, silentLog } from '../../../core/index.ts'
import { createMemoryStore, type MergeReport, type OperationStore, SharedReplica } from '../../../replication/index.ts'
import { LONGEST_WAIT_MS } from '../../../replication/replica/late-entries.ts'
import { parseUpdate } from '../../../replication/replica/update-reader.ts'
import { encodeUpdate } from '../../../replication/replica/update-writer.ts'
import { randomHistory, testSigner } from '../../support/histories.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { cluster, createChain, follow, recordChange } from '../chain.ts'
import { FakeRuntime, recordLog } from '../fake-runtime.ts'

let runs = 0
const clocks = new Set<FakeRuntime>()
function open(
  t: Test,
  options: { store?: OperationStore; index?: string; log?: typeof silentLog; runtime?: FakeRuntime } = {},
): Promise<SharedReplica> {
  const { runtime = new FakeRuntime(++runs, 1_800_000_000_000) } = options
  clocks.add(runtime)
  const store = options.store ?? createMemoryStore(runtime)
  t.teardown(() => store.close())
  const { index, log = silentLog } = options
  return SharedReplica.open({ store, cluster: cluster.id, runtime, log, index })
}

/** So long that what has no slot got one where it is: all have met, and no peer has brought one. */
function enterLate(...nodes: SharedReplica[]): void {
  for (const node of nodes) node.diff(new Uint8Array([0]))
  for (const runtime of clocks) runtime.advance(2 * LONGEST_WAIT_MS)
}

const bytesOf = (operations: readonly Operation[]) => operations.map(({ bytes }) => bytes)

/** Merges all at once, as they come by a link. */
async function pull(to: SharedReplica, from: SharedReplica, origin?: number): Promise<MergeReport[]> {
  const reports: Promise<MergeReport>[] = []
  for await (const update of from.diff(to.stateVector())) reports.push(to.mergeUpdate(update, origin))
  return Promise.all(reports)
}

async function exchange(a: SharedReplica, b: SharedReplica): Promise<MergeReport[]> {
  return [...(await pull(a, b, 1)), ...(await pull(b, a, 2))]
}

/** The whole of a small document. */
async function readDocument(node: SharedReplica): Promise<Uint8Array> {
  const updates = await Array.fromAsync(node.diff(new Uint8Array([0])))
  return updates.length === 1 ? (updates[0] as Uint8Array) : Y.mergeUpdates(updates)
}

const isDiffering = (nodes: readonly SharedReplica[]) =>
  new Set(nodes.map(({ inventory }) => Buffer.from(inventory.root()).toString('hex'))).size > 1

/** Of reads of the store that no caller waits for. */
async function until(isDone: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000 && !isDone(); turn++) await new Promise((resolve) => setImmediate(resolve))
}

for (const seed of seeds(15)) {
  t.test(`replicas that exchange updates converge, whatever is written where (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const nodes = await Promise.all([1, 2, 3].map(() => open(t)))
    const history = randomHistory(random, cluster, { operations: 30, membership: 0.1, backdated: 0.1 })
    await nodes[0]!.mergeOperations([cluster.creation.bytes])
    for (const operation of history) {
      const node = random.pick(nodes)
      await node.mergeOperations([operation.bytes])
      if (random.chance(0.3)) await exchange(random.pick(nodes), random.pick(nodes))
      if (random.chance(0.2) && node.replica.heads().length > 0)
        await node.replica.commit(cluster.operator, [recordChange(random.integer(100))])
    }
    // Of what each lacks only the first waits for a head that is nowhere in a slot: a round brings one more.
    for (let round = 0; round < 4 || (round < 30 && isDiffering(nodes)); round++) {
      // What came before its heads, and has no slot yet.
      enterLate(...nodes)
      for (const a of nodes) {
        for (const b of nodes) {
          for (const report of await exchange(a, b)) t.same(report.refused, [])
          const lacking = b.inventory.table()
          t.equal(lacking.length, 256 * 36)
        }
      }
    }
    const [first, ...others] = nodes
    for (const other of others) {
      t.same(other.replica.digest(), first!.replica.digest())
      t.same(other.inventory.root(), first!.inventory.root())
    }
    t.same(first!.documentFaults, { deleted: 0, replaced: 0 })
  })

  t.test(
    `every write is told once, with the link that it came by, and updates alone suffice (SEED=${seed})`,
    async (t) => {
      const random = createRandom(seed)
      const a = await open(t)
      const b = await open(t)
      let line: Promise<unknown> = Promise.resolve()
      const origins: (number | undefined)[] = []
      a.onUpdate((update, origin) => {
        origins.push(origin)
        line = line.then(() => b.mergeUpdate(update, 5))
      })
      const echoes: (number | undefined)[] = []
      b.onUpdate((_update, origin) => echoes.push(origin))
      await a.replica.submit([cluster.creation.bytes])
      const writes: Promise<unknown>[] = []
      for (let i = 0; i < 20; i++) {
        writes.push(a.replica.commit(cluster.operator, [recordChange(i)]))
        if (random.chance(0.3)) await Promise.all(writes)
      }
      await Promise.all(writes)
      const foreign = follow([cluster.creation], [recordChange(50)])
      await a.mergeOperations([foreign.bytes], 9)
      await a.mergeOperations([foreign.bytes], 9)
      t.equal(origins.length, 21, 'a peer may have a slot for what came by id')
      enterLate(a)
      await until(() => origins.length > 21)
      await line
      t.same(b.replica.digest(), a.replica.digest())
      t.same(
        origins,
        Array.from({ length: 22 }, () => undefined),
      )
      t.ok(echoes.length > 0 && echoes.every((origin) => origin === 5))
      t.equal(echoes.length, origins.length)
    },
  )
}

for (const seed of seeds(12)) {
  t.test(`updates that overtake one another give no operation a second slot (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const nodes = await Promise.all([1, 2, 3, 4].map(() => open(t)))
    const underWay: [SharedReplica, Uint8Array, number][] = []
    for (const [i, node] of nodes.entries())
      node.onUpdate((update, origin) => {
        for (const [k, peer] of nodes.entries()) if (k !== i && k !== origin) underWay.push([peer, update, i])
      })
    const deliver = async () => {
      const [one] = underWay.splice(random.integer(underWay.length), 1)
      if (one !== undefined) t.same((await one[0].mergeUpdate(one[1], one[2])).refused, [])
    }
    await nodes[0]!.replica.submit([cluster.creation.bytes])
    while (underWay.length > 0) await deliver()
    for (let i = 0; i < 40; i++) {
      await random.pick(nodes).replica.commit(cluster.operator, [recordChange(i)])
      while (underWay.length > 0 && random.chance(0.7)) await deliver()
    }
    while (underWay.length > 0) await deliver()
    for (let round = 0; round < 2; round++)
      for (const a of nodes)
        for (const b of nodes) if (a !== b) for (const { gap } of await exchange(a, b)) t.notOk(gap)
    for (const node of nodes) {
      t.equal(node.replica.count, 41)
      const slots = [...Y.decodeStateVector(node.stateVector()).values()].reduce((sum, clock) => sum + clock, 0)
      t.equal(slots, 41, 'one slot each')
    }
  })
}

t.test('an update heard twice is passed on once', async (t) => {
  const a = await open(t)
  const b = await open(t)
  await a.replica.submit(bytesOf(createChain(3)))
  const update = await readDocument(a)
  let told = 0
  b.onUpdate(() => told++)
  const [first, second] = await Promise.all([b.mergeUpdate(update, 1), b.mergeUpdate(update, 2)])
  t.equal(first.added.length + second.added.length, 3)
  t.equal(told, 1)
})

t.test('an update with one bad entry is not applied; what is good in it is stored', async (t) => {
  const chain = createChain(4)
  const stranger = follow([chain[3]!], [recordChange(1)], { signer: testSigner(70) })
  const bad: [string, string, Uint8Array][] = [
    ['a stranger', stranger.id, stranger.bytes],
    ['another id', stranger.id, chain[2]!.bytes],
  ]
  for (const [name, id, bytes] of bad) {
    const node = await open(t)
    await node.mergeOperations(bytesOf(chain.slice(0, 2)))
    const before = node.stateVector()
    const doc = new Y.Doc()
    for (const { id, bytes } of chain.slice(2)) doc.getMap('operations').set(id, new Uint8Array(bytes))
    doc.getMap('operations').set(id, new Uint8Array(bytes))
    const report = await node.mergeUpdate(Y.encodeStateAsUpdate(doc))
    t.equal(report.refused.length, 1, name)
    t.equal(report.added.length, 2, name)
    t.same(node.stateVector(), before, name)
    t.equal(node.replica.count, 4)
  }
})

t.test('what stands under a known id is not looked at, and not passed on', async (t) => {
  const chain = createChain(4)
  const node = await open(t)
  await node.mergeOperations(bytesOf(chain.slice(0, 2)))
  const told: Uint8Array[] = []
  node.onUpdate((update) => told.push(update))
  const slots = [2, 1, 3].map((i, clock) => {
    const { id, bytes } = chain[i]!
    return { client: 5, clock, id, bytes: i === 1 ? new Uint8Array(100) : new Uint8Array(bytes) }
  })
  t.match(await node.mergeUpdate(encodeUpdate(slots), 1), { added: { length: 2 }, known: 1, refused: [], gap: false })
  const whole = slots.map((slot, i) => ({ ...slot, bytes: new Uint8Array(chain[[2, 1, 3][i] as number]!.bytes) }))
  t.same(
    told.flatMap((update) => parseUpdate(update).slots),
    whole,
  )
  t.same(
    parseUpdate(await readDocument(node)).slots.filter(({ client }) => client === 5),
    whole,
  )
})

t.test('bytes that are no update are a fault of the sender, not of ours', async (t) => {
  const node = await open(t)
  const report = await node.mergeUpdate(new Uint8Array([1, 2, 3, 4, 5, 6]))
  t.equal(report.refused.length, 1)
  t.throws(() => node.diff(new Uint8Array([255, 255])), { code: 'MAKI_PROTOCOL' }, 'by the call itself')
})

t.test('an update whose operations wait for heads is a gap, and comes again with a sync step', async (t) => {
  const chain = createChain(3)
  const a = await open(t)
  const b = await open(t)
  await a.mergeOperations(bytesOf(chain))
  const next = await a.replica.commit(cluster.operator, [recordChange(7)])
  const doc = new Y.Doc()
  doc.getMap('operations').set(next.id, new Uint8Array(next.bytes))
  const report = await b.mergeUpdate(Y.encodeStateAsUpdate(doc))
  t.match(report, { gap: true, added: [], missing: [chain[2]!.id], refused: [] })
  t.same(b.stateVector(), new Uint8Array([0]))
  t.match(await pull(b, a), [{ gap: false, missing: [], refused: [] }])
  t.same(b.replica.digest(), a.replica.digest())
  t.same(b.stateVector(), a.stateVector())
})

t.test('deletions are counted, told with their link, and change nothing of what is stored', async (t) => {
  const log = recordLog()
  const node = await open(t, { log })
  await node.mergeOperations(bytesOf(createChain(3)))
  const doc = new Y.Doc()
  Y.applyUpdate(doc, await readDocument(node))
  const vector = Y.encodeStateVector(doc)
  doc.getMap('operations').delete(cluster.creation.id)
  await node.mergeUpdate(Y.encodeStateAsUpdate(doc, vector), 3)
  t.same(node.documentFaults, { deleted: 1, replaced: 0 })
  t.match(log.events, [['document.fault', { origin: 3, deleted: 1 }]])
  t.equal(node.replica.count, 3)
  t.same(await node.readOperations([cluster.creation.id, testSigner(1).key as never]), [cluster.creation.bytes])
})

t.test('the index comes back from its file; what was stored without it is entered when no peer does', async (t) => {
  const index = join(t.testdir({}), 'document')
  const store = createMemoryStore(new FakeRuntime(99))
  const chain = createChain(40)
  const first = await open(t, { store, index })
  await first.mergeOperations(bytesOf(chain.slice(0, 30)))
  const vector = first.stateVector()
  await first[Symbol.asyncDispose]()
  const second = await open(t, { store, index })
  t.same(second.stateVector(), vector, 'nothing is entered again')
  await second.mergeOperations(bytesOf(chain.slice(30)))
  await second[Symbol.asyncDispose]()
  const whole = await readFile(index)
  const third = await open(t, { store, index })
  t.equal(Y.decodeStateVector(third.stateVector()).size, 2)
  enterLate(third)
  t.equal(Y.decodeStateVector(third.stateVector()).size, 2, 'all had one')
  await third[Symbol.asyncDispose]()

  const flipped = Buffer.from(whole)
  flipped[whole.length - 3] = (flipped[whole.length - 3] as number) ^ 4
  const cut = whole.subarray(0, whole.length - 1)
  const log = recordLog()
  for (const content of [Buffer.alloc(0), whole.subarray(0, 50), cut, flipped, Buffer.from('MKD1'.padEnd(99))]) {
    await writeFile(index, content)
    const node = await open(t, { store, index, log })
    const fresh = await open(t)
    enterLate(node)
    await exchange(node, fresh)
    t.same(fresh.replica.digest(), node.replica.digest())
    t.equal(fresh.replica.count, chain.length)
    await node[Symbol.asyncDispose]()
  }
  t.equal(log.events.filter(([event]) => event === 'document.index.lost').length, 2, 'of nothing is left')
})

for (const seed of seeds(10)) {
  t.test(`an index that is cut anywhere makes no replica differ (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const index = join(t.testdir({}), 'document')
    const store = createMemoryStore(new FakeRuntime(seed))
    const other = await open(t)
    await other.mergeOperations([cluster.creation.bytes])
    for (let life = 0; life < 5; life++) {
      const node = await open(t, { store, index })
      for (let i = 0; i < 5; i++) {
        if (random.chance(0.7)) await exchange(node, other)
        const writer = random.pick([node, other])
        if (writer.replica.count > 0) await writer.replica.commit(cluster.operator, [recordChange(random.integer(99))])
      }
      await node[Symbol.asyncDispose]()
      const content = await readFile(index)
      if (random.chance(0.7)) await writeFile(index, content.subarray(0, random.integer(content.length)))
    }
    const node = await open(t, { store, index })
    const fresh = await open(t)
    enterLate(node, other)
    for (let round = 0; round < 2; round++)
      for (const a of [node, other, fresh])
        for (const b of [node, other, fresh])
          if (a !== b) for (const report of await exchange(a, b)) t.notOk(report.gap)
    for (const one of [other, fresh]) {
      t.same(one.replica.digest(), node.replica.digest())
      t.same(one.stateVector(), node.stateVector())
    }
  })
}

for (const seed of seeds(12)) {
  t.test(`what all have from one file stands in few slots, however many have it (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const runtime = new FakeRuntime(10_000 + seed, 1_800_000_000_000)
    const chain = createChain(20)
    const nodes: SharedReplica[] = []
    for (let i = 0; i < 30; i++) {
      const store = createMemoryStore(new FakeRuntime(1000 * seed + i))
      await store.append(chain)
      nodes.push(await open(t, { store, runtime }))
    }
    const underWay: [SharedReplica, Uint8Array][] = []
    for (const node of nodes)
      node.onUpdate((update) => {
        for (const peer of random.shuffle(nodes).slice(0, 8)) if (peer !== node) underWay.push([peer, update])
      })
    runtime.advance(3 * LONGEST_WAIT_MS)
    for (const node of nodes) t.same(node.stateVector(), new Uint8Array([0]), 'nobody is there to hear')
    for (const node of nodes) node.diff(new Uint8Array([0]))
    for (let elapsedMs = 0; elapsedMs <= LONGEST_WAIT_MS; elapsedMs += 250) {
      runtime.advance(250)
      for (let turn = 0; turn < 30; turn++) await Promise.resolve()
      for (const [peer, update] of underWay.splice(0)) await peer.mergeUpdate(update, 1)
    }
    for (const a of nodes) await exchange(a, nodes[0]!)
    for (const a of nodes) await exchange(a, nodes[0]!)
    const slots = [...Y.decodeStateVector(nodes[0]!.stateVector()).values()].reduce((sum, clock) => sum + clock, 0)
    t.ok(slots >= 20 && slots <= 5 * 20, `${slots} slots of 20 operations on 30 nodes`)
    for (const node of nodes) t.same(node.stateVector(), nodes[0]!.stateVector())
  })
}

t.test('a large set whose index is lost is not entered anew: peers tell it their slots', async (t) => {
  const log = recordLog()
  const chain = createChain(1100)
  const other = await open(t)
  await other.mergeOperations(bytesOf(chain))
  const store = createMemoryStore(new FakeRuntime(97))
  await store.append(chain)
  const node = await open(t, { store, log })
  t.match(log.events, [['document.incomplete', { operations: 1100 }]])
  t.same(node.stateVector(), new Uint8Array([0]))
  for (const report of await pull(node, other)) t.match(report, { added: [], refused: [], gap: false })
  t.same(node.stateVector(), other.stateVector())
})

t.test('what the store lost does not come back from the index, but from a peer', async (t) => {
  const index = join(t.testdir({}), 'document')
  const chain = createChain(20)
  const first = await open(t, { index })
  await first.mergeOperations(bytesOf(chain))
  await first[Symbol.asyncDispose]()
  const store = createMemoryStore(new FakeRuntime(98))
  await store.append([...chain.slice(0, 5), ...chain.slice(9)])
  const second = await open(t, { store, index })
  t.equal(second.replica.count, 16)
  const other = await open(t)
  await other.mergeOperations(bytesOf(chain))
  await exchange(second, other)
  t.equal(store.count, 20)
  t.same(second.replica.digest(), other.replica.digest())
})

t.test('a long answer comes in parts that are merged side by side', async (t) => {
  const a = await open(t)
  const b = await open(t)
  await a.mergeOperations(bytesOf(createChain(300)))
  const { slots } = parseUpdate(await readDocument(a))
  const filled = slots.map((slot) => ({ ...slot, bytes: slot.bytes as Uint8Array }))
  const cuts = [0, 120, 240, 245, 250, 300]
  const parts = cuts.slice(1).map((end, i) => encodeUpdate(filled.slice(cuts[i], end)))
  // What has more to verify takes longer, and is not overtaken.
  for (const report of await Promise.all(parts.map((part) => b.mergeUpdate(part, 1))))
    t.match(report, { gap: false, refused: [] })
  t.same(b.stateVector(), a.stateVector())
  t.same(b.replica.digest(), a.replica.digest())
})

for (const seed of seeds(4)) {
  t.test(`an index that was altered on disk is never believed (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const index = join(t.testdir({}), 'document')
    const store = createMemoryStore(new FakeRuntime(seed))
    const chain = createChain(20)
    const node = await open(t, { store, index })
    for (const operation of chain) await node.mergeOperations([operation.bytes])
    const before = new Map(parseUpdate(await readDocument(node)).slots.map((slot) => [slot.clock, slot]))
    const [client] = Y.decodeStateVector(node.stateVector()).keys()
    await node[Symbol.asyncDispose]()
    const whole = await readFile(index)
    for (let i = 0; i < 8; i++) {
      const altered = Buffer.from(whole)
      const at = random.integer(whole.length)
      altered[at] = (altered[at] as number) ^ (1 << random.integer(8))
      await writeFile(index, altered)
      const again = await open(t, { store, index })
      enterLate(again)
      const slots = parseUpdate(await readDocument(again)).slots.filter((slot) => slot.client === client)
      t.same(
        slots,
        slots.map(({ clock }) => before.get(clock)),
      )
      t.equal(new Set(parseUpdate(await readDocument(again)).slots.map(({ id }) => id)).size, chain.length)
      await again[Symbol.asyncDispose]()
    }
  })
}

t.test('a member that copies operations without end is refused, and others are not', async (t) => {
  const node = await open(t)
  await node.mergeOperations(bytesOf(createChain(3)))
  const { id, bytes } = cluster.creation
  let refused = ''
  let clock = 0
  for (; refused === '' && clock < 40_000; clock += 500) {
    const slots = Array.from({ length: 500 }, (_, i) => ({ client: 5, clock: clock + i, id, bytes }))
    refused = (await node.mergeUpdate(encodeUpdate(slots), 7)).refused[0] ?? ''
  }
  t.match(refused, /more copies/)
  t.ok(clock > 16_000 && clock < 18_500, `after ${clock}`)
  const honest = await open(t)
  await honest.mergeOperations(bytesOf(createChain(5)))
  for (const report of await pull(node, honest, 8)) t.match(report, { refused: [], gap: false })
  t.equal(node.replica.count, 5)
})
