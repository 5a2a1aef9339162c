import * as encoding from 'lib0/encoding'
import t from 'tap'
import * as Y from 'yjs'
import { checkUpdateShape, checkVectorShape } from '../../../replication/replica/update-shape.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

/** Above what is taken without a look. */
const LARGE = 1_200_000
const id = (i: number) =>
  `${String(i).replace(/\d/g, (digit) => 'abcdefghij'[Number(digit)] as string)}`.padEnd(52, 'a')

function encode(write: (encoder: encoding.Encoder) => void): Uint8Array {
  const encoder = encoding.createEncoder()
  write(encoder)
  return encoding.toUint8Array(encoder)
}

/** An update of one client with `count` structs of these bytes, and no deletions. */
const repeated = (bytes: readonly number[], count = Math.ceil(LARGE / bytes.length)) =>
  encode((encoder) => {
    for (const value of [1, count, 77, 0]) encoding.writeVarUint(encoder, value)
    for (let i = 0; i < count; i++) for (const byte of bytes) encoding.writeUint8(encoder, byte)
    encoding.writeVarUint(encoder, 0)
  })

for (const seed of seeds(5)) {
  t.test(`what Yjs writes for a map of bytes passes, whole and merged (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const docs = [new Y.Doc(), new Y.Doc()] as const
    for (let i = 0; i < 4000; i++) {
      const doc = docs[random.integer(2)] as Y.Doc
      doc.getMap('operations').set(id(random.integer(3500)), random.bytes(600))
      if (random.integer(50) === 0) doc.getMap('operations').delete(id(random.integer(3500)))
    }
    // Entries that follow others are written by no replica: in the document each key is set once by a process.
    const [one, two] = docs.map((doc) => {
      const fresh = new Y.Doc()
      for (const [key, value] of doc.getMap<Uint8Array>('operations')) fresh.getMap('operations').set(key, value)
      return fresh
    }) as [Y.Doc, Y.Doc]
    Y.applyUpdate(one, Y.encodeStateAsUpdate(two))
    const update = Y.encodeStateAsUpdate(one)
    t.ok(update.length > LARGE)
    t.ok(Y.decodeUpdate(update).ds.clients.size > 0, 'some were set by both')
    t.doesNotThrow(() => checkUpdateShape(update))
    t.doesNotThrow(() => checkVectorShape(Y.encodeStateVector(one)))
    for (let i = 0; i < 20; i++) {
      const cut = update.slice(0, random.integer(update.length - LARGE) + LARGE)
      t.throws(() => checkUpdateShape(cut), { code: 'MAKI_PROTOCOL' })
    }
  })
}

t.test('a large update of structs that cost a peer little is refused', async (t) => {
  const hostile: Record<string, Uint8Array> = {
    gaps: repeated([10, 1]),
    'collected ranges': repeated([0, 1]),
    'entries that follow others': repeated([0x81, 1, 1, 1]),
    'short keys': repeated([0x21, 1, 1, 0x61, 1, 0x61, 1]),
    'no keys': repeated([0x01, 1, 1, 0x61, 1]),
    texts: repeated([0x24, 1, 1, 0x61, 1, 0x61, 1, 0x61]),
    'clients without structs': encode((encoder) => {
      encoding.writeVarUint(encoder, LARGE / 3)
      for (let i = 0; i < LARGE; i++) encoding.writeVarUint(encoder, 0)
      encoding.writeVarUint(encoder, 0)
    }),
    deletions: encode((encoder) => {
      for (const value of [0, 1, 77, 1_000_001]) encoding.writeVarUint(encoder, value)
      for (let i = 0; i < 2_000_002; i++) encoding.writeVarUint(encoder, 1)
    }),
    'a length beyond the end': encode((encoder) => {
      for (const value of [1, 1, 77, 0, 0x23, 1, 2 ** 40]) encoding.writeVarUint(encoder, value)
      encoding.writeUint8Array(encoder, new Uint8Array(LARGE))
    }),
  }
  for (const [name, update] of Object.entries(hostile)) {
    t.ok(update.length > 1024 * 1024, name)
    t.throws(() => checkUpdateShape(update), { code: 'MAKI_PROTOCOL' }, name)
  }
})

t.test('a state vector that claims too many clients is refused', async (t) => {
  const claiming = (clients: number) => encode((encoder) => encoding.writeVarUint(encoder, clients))
  t.throws(() => checkVectorShape(claiming(100_001)), { code: 'MAKI_PROTOCOL' })
  t.throws(() => checkVectorShape(new Uint8Array()), { code: 'MAKI_PROTOCOL' })
  t.doesNotThrow(() => checkVectorShape(claiming(100_000)))
})
