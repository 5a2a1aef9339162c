import * as encoding from 'lib0/encoding'
import t from 'tap'
import * as Y from 'yjs'
import type { OperationId } from '../../../core/index.ts'
import { Document } from '../../../replication/replica/document.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { createChain } from '../chain.ts'
import { FakeRuntime } from '../fake-runtime.ts'

const chain = createChain(60)
const create = (seed: number) => new Document(new FakeRuntime(seed))
const ids = (document: Document) => chain.filter(({ id }) => document.has(id)).map(({ id }) => id)

/** An update that a hostile peer writes with Yjs itself. */
function write(act: (doc: Y.Doc) => void, base?: Document): Uint8Array {
  const doc = new Y.Doc()
  if (base !== undefined) Y.applyUpdate(doc, base.snapshot())
  const vector = Y.encodeStateVector(doc)
  doc.transact(() => act(doc))
  return Y.encodeStateAsUpdate(doc, vector)
}

for (const seed of seeds(20)) {
  t.test(`documents that exchange what they lack hold the same (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const documents = [1, 2, 3, 4].map((i) => create(seed * 10 + i))
    for (const operation of chain) for (let i = 0; i < 2; i++) random.pick(documents).put([operation])
    for (let round = 0; round < 2; round++) {
      for (const a of random.shuffle(documents)) {
        for (const b of random.shuffle(documents)) {
          if (a === b) continue
          const update = b.diff(a.stateVector())
          t.same(a.inspect(update).foreign, [], 'what replicas write is never foreign, duplicates included')
          const { outcome, deleted, replaced } = a.apply(update)
          t.same({ outcome, deleted, replaced }, { outcome: 'applied', deleted: [], replaced: [] })
        }
      }
    }
    for (const document of documents) {
      t.equal(document.size, chain.length)
      t.same(document.stateVector().length, documents[0]!.stateVector().length)
    }
  })

  t.test(
    `hostile bytes give MAKI_PROTOCOL or an inspection, and leave no pending structs (SEED=${seed})`,
    async (t) => {
      const random = createRandom(seed)
      const document = create(seed)
      document.put(chain.slice(0, 20))
      const good = create(seed + 1000)
      const update = good.put(chain.slice(20, 40))!
      for (let i = 0; i < 300; i++) {
        let bytes = new Uint8Array(update)
        if (random.chance(0.2)) bytes = new Uint8Array(random.bytes(random.integer(60)))
        else if (random.chance(0.3)) bytes = bytes.slice(0, random.integer(bytes.length))
        else for (let k = 0; k <= random.integer(3); k++) bytes[random.integer(bytes.length)] = random.integer(256)
        for (const act of [() => document.inspect(bytes), () => document.diff(bytes)]) {
          try {
            act()
          } catch (error) {
            t.match(error, { code: 'MAKI_PROTOCOL' })
          }
        }
        try {
          if (document.inspect(bytes).foreign.length === 0) document.apply(bytes)
        } catch (error) {
          t.match(error, { code: 'MAKI_PROTOCOL' })
        }
        const { structs } = Y.decodeUpdate(document.snapshot())
        t.notOk(structs.some((struct) => struct instanceof Y.Skip))
      }
      const fresh = create(seed + 2000)
      t.equal(fresh.apply(document.snapshot()).outcome, 'applied', 'the document is still whole')
      t.ok(ids(fresh).length >= 20)
    },
  )
}

t.test('put copies, skips what is there, and returns an update of its own', async (t) => {
  const document = create(1)
  const { id, bytes } = chain[0]!
  const copy = new Uint8Array(Buffer.from(bytes))
  const update = document.put([
    { id, bytes: copy },
    { id, bytes: copy },
  ])!
  copy.fill(0)
  t.equal(document.put(chain.slice(0, 1)), undefined)
  const { entries, deletions, foreign } = create(2).inspect(update)
  t.same({ entries, deletions, foreign }, { entries: [{ id, bytes }], deletions: 0, foreign: [] })
  t.same(create(2).inspect(document.snapshot()).entries, [{ id, bytes }])
})

t.test('client ids have up to 53 bits and differ', async (t) => {
  const clients = Array.from({ length: 200 }, (_, i) => {
    const document = create(i)
    document.put(chain.slice(0, 1))
    return [...Y.decodeStateVector(document.stateVector()).keys()][0] as number
  })
  t.equal(new Set(clients).size, clients.length)
  t.ok(clients.every(Number.isSafeInteger))
  t.ok(Math.max(...clients) > 2 ** 52)
})

t.test('an update after a gap is dropped whole', async (t) => {
  const from = create(1)
  from.put(chain.slice(0, 1))
  const late = from.put(chain.slice(1, 2))!
  const document = create(2)
  const { outcome, advanced } = document.apply(late)
  t.same({ outcome, advanced }, { outcome: 'gap', advanced: false })
  t.equal(document.size, 0)
  const third = create(3)
  t.equal(third.apply(document.snapshot()).outcome, 'applied', 'nothing pending travels on')
  t.equal(document.apply(from.diff(document.stateVector())).outcome, 'applied')
  t.equal(document.size, 2)
})

t.test('what no replica writes is foreign', async (t) => {
  const document = create(1)
  document.put(chain.slice(0, 2))
  const { id, bytes } = chain[5]!
  const value = new Uint8Array(bytes)
  const map = (doc: Y.Doc) => doc.getMap<unknown>('operations')
  const hostile: Record<string, Uint8Array> = {
    'another map': write((doc) => doc.getMap('x').set(id, value)),
    'a key that is no id': write((doc) => map(doc).set('x', value)),
    'a number': write((doc) => map(doc).set(id, 5)),
    'a text': write((doc) => map(doc).set(id, 'text')),
    'a nested type': write((doc) => map(doc).set(id, new Y.Map())),
    'a subdocument': write((doc) => map(doc).set(id, new Y.Doc())),
    'an array': write((doc) => doc.getArray('operations').push([value])),
    'an entry set over another': write((doc) => map(doc).set(chain[0]!.id, value), document),
    'a set after a deletion': write((doc) => {
      map(doc).delete(chain[0]!.id)
      map(doc).set(chain[0]!.id, value)
    }, document),
  }
  for (const [name, update] of Object.entries(hostile)) t.ok(document.inspect(update).foreign.length > 0, name)
  t.match(document.inspect(hostile['a set after a deletion']!), { deletions: 1 })
})

t.test('what would take far more memory than bytes is refused before it is built', async (t) => {
  const document = create(1)
  const encoder = encoding.createEncoder()
  for (const value of [1, 1_000_000, 77, 0]) encoding.writeVarUint(encoder, value)
  for (let i = 0; i < 2_000_000; i++) encoding.writeUint8(encoder, i % 2 === 0 ? 10 : 1)
  encoding.writeVarUint(encoder, 0)
  t.throws(() => document.inspect(encoding.toUint8Array(encoder)), { code: 'MAKI_PROTOCOL', message: /gaps/ })
  const vector = encoding.createEncoder()
  encoding.writeVarUint(vector, 100_001)
  for (let i = 0; i < 2 * 100_001; i++) encoding.writeVarUint(vector, i)
  t.throws(() => document.diff(encoding.toUint8Array(vector)), { code: 'MAKI_PROTOCOL', message: /clients/ })
})

t.test('an entry in the next slot of our own client id is foreign', async (t) => {
  const document = create(1)
  document.put(chain.slice(0, 1))
  const squatter = new Y.Doc()
  Y.applyUpdate(squatter, document.snapshot())
  squatter.clientID = [...Y.decodeStateVector(document.stateVector()).keys()][0]!
  const vector = Y.encodeStateVector(squatter)
  squatter.getMap('operations').set(chain[1]!.id, new Uint8Array(chain[1]!.bytes))
  t.match(document.inspect(Y.encodeStateAsUpdate(squatter, vector)).foreign, [/client id of this replica/])
})

t.test('deletions and replacements are told once and not restored', async (t) => {
  const document = create(1)
  document.put(chain.slice(0, 5))
  const gone = chain[2]!.id
  const update = write((doc) => doc.getMap('operations').delete(gone), document)
  t.same(document.inspect(update), { entries: [], deletions: 1, foreign: [] })
  t.same(document.apply(update).deleted, [gone])
  t.same(document.apply(update).deleted, [])
  t.equal(document.put(chain.slice(0, 5)), undefined, 'a deleted entry is not set again')

  const id = chain[3]!.id as OperationId
  const other = new Y.Doc()
  other.clientID = Number.MAX_SAFE_INTEGER
  other.getMap('operations').set(id, new Uint8Array([1, 2, 3]))
  t.same(document.apply(Y.encodeStateAsUpdate(other)).replaced, [id])
})
