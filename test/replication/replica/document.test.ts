import t from 'tap'
import * as Y from 'yjs'
import { Document } from '../../../replication/replica/document.ts'
import { parseStateVector, parseUpdate } from '../../../replication/replica/update-reader.ts'
import { encodeUpdate } from '../../../replication/replica/update-writer.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { createChain } from '../chain.ts'
import { FakeRuntime } from '../fake-runtime.ts'
import { type DocumentPeer, IndexPeer, YjsPeer } from './document-peer.ts'

const chain = createChain(60)
const all = chain.map(({ id }) => id).toSorted()
const NOTHING = new Uint8Array([0])

async function exchange(from: DocumentPeer, to: DocumentPeer): Promise<void> {
  for (const update of await from.diff(to.stateVector())) await to.take(update)
}

for (const seed of seeds(20)) {
  t.test(`our document and Yjs understand one another, whatever comes in which order (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const ours = [1, 2, 3].map((i) => new IndexPeer(seed * 10 + i))
    const theirs = [1, 2].map((i) => new YjsPeer(random.integer(2) === 0 ? i : 2 ** 52 + i + seed))
    const peers: DocumentPeer[] = [...ours, ...theirs]
    const underWay: [DocumentPeer, Uint8Array][] = []
    for (const operation of random.shuffle(chain)) {
      for (let i = 0; i < 1 + random.integer(2); i++) await random.pick(peers).write(operation)
      const [from, to] = [random.pick(peers), random.pick(peers)]
      // A vector of somebody else, or of before: ranges overlap, leave gaps, and come again.
      const vector = random.chance(0.3) ? random.pick(peers).stateVector() : to.stateVector()
      if (from === to) continue
      let updates = await from.diff(vector)
      if (random.chance(0.2)) updates = [Y.mergeUpdates(updates.length > 0 ? [...updates] : [new Uint8Array([0, 0])])]
      for (const update of updates) {
        underWay.push([to, update])
        if (random.chance(0.1)) underWay.push([to, update])
      }
      if (underWay.length > 1 && random.chance(0.2)) {
        const mine = underWay.filter(([peer]) => peer === to).map(([, update]) => update)
        // Merged, updates that leave something out get Skip structs.
        if (mine.length > 1) underWay.push([to, Y.mergeUpdates(mine)])
      }
      while (underWay.length > 0 && random.chance(0.6)) {
        const [one] = underWay.splice(random.integer(underWay.length), 1)
        if (random.chance(0.9)) await one?.[0].take(one[1])
      }
    }
    for (let round = 0; round < 3; round++)
      for (const a of peers) for (const b of random.shuffle(peers)) if (a !== b) await exchange(a, b)

    const vector = Y.decodeStateVector((peers[0] as DocumentPeer).stateVector())
    for (const peer of peers) {
      t.same(Y.decodeStateVector(peer.stateVector()), vector, 'state vectors')
      t.same([...new Set(peer.ids())].toSorted(), all, 'all ids')
    }
    for (const { foreign } of ours)
      t.same(
        foreign.filter((fault) => fault !== 'an entry whose value is gone'),
        [],
        'nothing of Yjs is foreign',
      )
    const values = Object.fromEntries(chain.map(({ id, bytes }) => [id, new Uint8Array(bytes)]))
    for (const { doc, map } of theirs) {
      t.same(map.toJSON(), values, 'the map of Yjs')
      t.equal(doc.store.pendingStructs, null)
    }
    const [standing] = theirs
    for (const peer of ours) {
      const fresh = new YjsPeer(7)
      for (const update of await peer.diff(NOTHING)) await fresh.take(update)
      t.same(fresh.map.toJSON(), values)
      t.same(Y.decodeStateVector(fresh.stateVector()), vector)
      for (const { id } of chain)
        t.same(fresh.map._map.get(id)?.id, standing?.map._map.get(id)?.id, 'the same entry of two stands')
      t.same(await peer.diff(fresh.stateVector()), [], 'nothing is lacking')
      t.same(peer.stateVector(), ours[0]?.stateVector(), 'equal vectors are equal bytes')
    }
  })

  t.test(`an update is read as Yjs reads it, and written so that Yjs reads it (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const docs = [1, 2, 3].map((i) => new YjsPeer(i))
    const updates: Uint8Array[] = []
    for (const { doc } of docs) doc.on('update', (update: Uint8Array) => updates.push(update))
    for (const operation of chain) for (const peer of docs) if (random.chance(0.5)) await peer.write(operation)
    for (let i = 0; i < 20; i++) {
      const some = random.shuffle(updates).slice(0, 1 + random.integer(20))
      const update = Y.mergeUpdates(some)
      const expected = Y.decodeUpdate(update).structs.flatMap((struct) => {
        if (!(struct instanceof Y.Item)) return []
        const bytes = struct.content instanceof Y.ContentBinary ? struct.content.content : undefined
        return [{ ...struct.id, id: struct.parentSub, bytes }]
      })
      const { slots, foreign } = parseUpdate(update)
      t.same(foreign, [])
      t.same(slots, expected)
      const filled = slots.map((slot) => ({ ...slot, bytes: slot.bytes as Uint8Array }))
      t.same(parseUpdate(encodeUpdate(filled)), { slots, deleted: [], foreign: [] })
      t.same(Y.decodeUpdate(encodeUpdate(filled)).structs.length, Y.decodeUpdate(update).structs.length)
    }
  })
}

t.test('client ids have up to 53 bits and differ', async (t) => {
  const clients = Array.from({ length: 200 }, (_, i) => new Document(new FakeRuntime(i)).client)
  t.equal(new Set(clients).size, clients.length)
  t.ok(clients.every(Number.isSafeInteger))
  t.ok(Math.max(...clients) > 2 ** 52)
})

t.test('what has a slot gets no other by us, and what is told twice is taken once', async (t) => {
  const peer = new IndexPeer(1)
  for (const operation of chain.slice(0, 3)) await peer.write(operation)
  t.same(peer.document.put([0, 1, 2]), [])
  const other = new IndexPeer(2)
  const updates = await peer.diff(NOTHING)
  for (const update of updates) await other.take(update)
  t.equal(other.last?.taken.length, 3)
  for (const update of updates) await other.take(update)
  t.match(other.last, { taken: [], copies: 0, gap: false, foreign: [], replaced: [] })
})

t.test('a stream ends before a gap, and before an operation that is not stored', async (t) => {
  const from = new IndexPeer(1)
  for (const operation of chain.slice(0, 6)) await from.write(operation)
  const [update] = await from.diff(NOTHING)
  const { slots } = parseUpdate(update as Uint8Array)
  const to = new IndexPeer(2)
  await to.take(encodeUpdate(slots.slice(2).map((slot) => ({ ...slot, bytes: slot.bytes as Uint8Array }))))
  t.match(to.last, { taken: [], gap: true })
  t.same(to.stateVector(), NOTHING)
  const known = new Map(slots.map(({ id }, i) => [id, i]))
  const document = new Document(new FakeRuntime(3))
  const withhold = chain[3]!.id
  t.match(
    document.enter(slots, (id) => (id === withhold ? undefined : known.get(id))),
    { taken: { length: 3 }, gap: true },
  )
  t.match(
    document.enter(slots, (id) => known.get(id)),
    { taken: { length: 3 }, gap: false },
  )
})

t.test('what peers do to slots is told and not done', async (t) => {
  const peer = new IndexPeer(1)
  for (const operation of chain.slice(0, 5)) await peer.write(operation)
  const own = peer.document.client
  const bytes = new Uint8Array(chain[9]!.bytes)
  await peer.take(encodeUpdate([{ client: own, clock: 5, id: chain[9]!.id, bytes }]))
  t.same(peer.foreign, [])
  await peer.take(encodeUpdate([{ client: own, clock: 2, id: chain[9]!.id, bytes }]))
  t.same(peer.last?.replaced, [chain[9]!.id])
  t.equal(peer.document.at(own, 2), 2)
  const ranges = [{ client: own, clock: 1, length: 2 ** 40 }]
  t.same(peer.document.noteDeleted(ranges), [1, 2, 3, 4, 5])
  t.same(peer.document.noteDeleted(ranges), [], 'told once')
  t.same(peer.document.noteDeleted([{ client: 5, clock: 0, length: 10 }]), [])
  t.equal((await peer.diff(NOTHING)).length, 1)
})

for (const seed of seeds(10)) {
  t.test(`what Yjs deletes by itself is no fault, what somebody deletes is (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const docs = [1, 2, 3].map((i) => new YjsPeer(i))
    for (const operation of chain) for (const peer of docs) if (random.chance(0.6)) await peer.write(operation)
    for (const a of docs) for (const b of docs) if (a !== b) await exchange(a, b)
    const [first] = docs as [YjsPeer]
    const ours = new IndexPeer(seed)
    await exchange(first, ours)
    const deletedIn = async () => {
      const [update] = await first.diff(ours.stateVector())
      return ours.document.noteDeleted(parseUpdate(update as Uint8Array).deleted)
    }
    t.same(await deletedIn(), [])
    const gone = random.shuffle(first.ids()).slice(0, 3)
    for (const id of gone) first.map.delete(id)
    t.same([...(await deletedIn())].sort(), gone.map((id) => ours.store.sequence(id)).sort())
    t.same(await deletedIn(), [])
  })
}

t.test('copies of operations have an end, and new operations have none', async (t) => {
  const document = new Document(new FakeRuntime(1))
  const [a, b] = [chain[0]!, chain[1]!]
  const sequenceOf = (id: string) => (id === a.id ? 0 : 1)
  document.put([0])
  const copy = (client: number, clock: number) => ({ client, clock, id: a.id, bytes: new Uint8Array(1) })
  let taken = 0
  for (let client = 1; client < 3000; client++) taken += document.enter([copy(client, 0)], sequenceOf).taken.length
  t.ok(taken > 900 && taken < 1100, `${taken} clients that bring nothing else`)
  const many = document.enter(
    Array.from({ length: 100_000 }, (_, i) => copy(1, i + 1)),
    sequenceOf,
  )
  t.ok(many.taken.length < 100)
  t.match(many, { foreign: [], gap: false }, 'who told it may have room for it')
  t.equal(document.enter([{ client: 5000, clock: 0, id: b.id, bytes: new Uint8Array(1) }], sequenceOf).taken.length, 1)
})

async function meet(a: DocumentPeer, b: DocumentPeer): Promise<void> {
  await exchange(a, b)
  await exchange(b, a)
}

t.test(
  'a process whose client id somebody else writes under takes another, and both are as equal as before',
  async (t) => {
    const [a, b] = [new IndexPeer(1), new IndexPeer(2)]
    for (const operation of chain.slice(0, 3)) await a.write(operation)
    await meet(a, b)
    const squatted = a.document.client
    const [mine, theirs] = [chain[4]!, chain[3]!]
    await b.take(encodeUpdate([{ client: squatted, clock: 3, id: theirs.id, bytes: new Uint8Array(theirs.bytes) }]))
    await meet(a, b)
    t.not(a.document.client, squatted)
    await a.write(mine)
    await meet(a, b)
    t.same([...a.foreign, ...b.foreign], [], 'nobody is to blame for passing it on')
    t.same(a.stateVector(), b.stateVector())
    t.same(a.ids(), b.ids())
    t.equal(a.ids().length, 5)
  },
)

t.test('two whose room others filled with different things ask one another for none of it', async (t) => {
  const peers = [new IndexPeer(1), new IndexPeer(2)] as const
  for (const operation of chain.slice(0, 3)) await peers[0].write(operation)
  await meet(...peers)
  const { id } = chain[0]!
  for (const [i, { document }] of peers.entries()) {
    const copies = Array.from({ length: 1100 }, (_, k) => ({ client: 1000 * (i + 1) + k * 5000, clock: 0, id }))
    const sequenceOf = () => 0
    document.enter(
      copies.map((slot) => ({ ...slot, bytes: new Uint8Array() })),
      sequenceOf,
    )
  }
  const [a, b] = peers
  for (let round = 0; round < 2; round++) await meet(a, b)
  t.same([...a.foreign, ...b.foreign], [])
  t.notOk(a.last?.gap || b.last?.gap)
  t.same(await a.diff(b.stateVector()), [])
  t.same(await b.diff(a.stateVector()), [])
  const fresh = chain[5]!
  await a.write(fresh)
  await meet(a, b)
  t.ok(b.store.sequence(fresh.id) !== undefined)
  t.ok(b.document.has(b.store.sequence(fresh.id) as number), 'what is new has its place all the same')
})

t.test('streams have an end that no state vector goes beyond, and operations have none', async (t) => {
  const document = new Document(new FakeRuntime(1))
  let count = 0
  for (let client = 1; client <= 60_000; client++) {
    const slot = { client, clock: 0, id: chain[0]!.id, bytes: new Uint8Array(1) }
    count += document.enter([slot], () => client).taken.length
  }
  t.equal(count, 50_000)
  t.equal(document.put([70_000]).length, 1, 'our own are entered')
  t.doesNotThrow(() => parseStateVector(document.stateVector()))
  t.match(
    document.enter([{ client: 99_999, clock: 7, id: chain[0]!.id, bytes: undefined }], () => 1),
    { gap: false },
  )
})

t.test('an update of a dozen bytes that deletes all there is costs no more than a large one', async (t) => {
  const document = new Document(new FakeRuntime(1))
  const client = Number.MAX_SAFE_INTEGER
  const count = 100_000
  const slots = Array.from({ length: 2 * count }, (_, clock) => ({
    client,
    clock,
    id: String(clock % count) as never,
    bytes: new Uint8Array(1),
  }))
  t.equal(document.enter(slots, Number).taken.length, 2 * count)
  // Where one stands first is looked for from the start of its stream: for all together that is count squared.
  const all = [{ client, clock: 0, length: 2 * count }]
  const { length } = document.noteDeleted(all)
  t.ok(length > 1000 && length < 2000, `${length} were looked for`)
  t.ok(document.noteDeleted(all).length > 0, 'the rest is told by and by')
})
