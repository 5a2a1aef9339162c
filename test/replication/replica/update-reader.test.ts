import * as encoding from 'lib0/encoding'
import t from 'tap'
import * as Y from 'yjs'
import type { OperationId } from '../../../core/index.ts'
import { parseStateVector, parseUpdate } from '../../../replication/replica/update-reader.ts'
import { encodeStateVector, encodeUpdate } from '../../../replication/replica/update-writer.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

/** Above what is taken without a look. */
const LARGE = 1_200_000
const letters = (i: number) => String(i).replace(/\d/g, (digit) => 'abcdefghij'[Number(digit)] as string)
const id = (i: number) => `${letters(i).padEnd(51, 'z')}a` as OperationId

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

/** An update that a hostile peer writes with Yjs itself. */
function write(act: (doc: Y.Doc) => void, base = new Y.Doc()): Uint8Array {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, Y.encodeStateAsUpdate(base))
  const vector = Y.encodeStateVector(doc)
  doc.transact(() => act(doc))
  return Y.encodeStateAsUpdate(doc, vector)
}

for (const seed of seeds(8)) {
  t.test(
    `bytes that were altered or cut are refused or read, and never take more than bytes (SEED=${seed})`,
    async (t) => {
      const random = createRandom(seed)
      const slots = Array.from({ length: 40 }, (_, i) => {
        return { client: 1 + (i % 3), clock: Math.floor(i / 3), id: id(i), bytes: random.bytes(30) }
      })
      const update = encodeUpdate(slots)
      const vector = encodeStateVector([
        [5, 7],
        [2 ** 53 - 1, 10],
      ])
      for (let i = 0; i < 300; i++) {
        const whole = random.chance(0.8) ? update : vector
        let bytes = new Uint8Array(whole)
        if (random.chance(0.1)) bytes = new Uint8Array(random.bytes(random.integer(60)))
        else if (random.chance(0.3)) bytes = bytes.slice(0, random.integer(bytes.length))
        else for (let k = 0; k <= random.integer(3); k++) bytes[random.integer(bytes.length)] = random.integer(256)
        try {
          const read = parseUpdate(bytes)
          t.ok(read.slots.every((slot) => Number.isSafeInteger(slot.clock) && slot.id.length === 52))
          parseStateVector(bytes)
        } catch (error) {
          t.match(error, { code: 'MAKI_PROTOCOL' })
        }
      }
      for (let end = 0; end < update.length; end += 1 + random.integer(9))
        t.throws(() => parseUpdate(update.slice(0, end)), { code: 'MAKI_PROTOCOL' })
      t.throws(() => parseUpdate(Buffer.concat([update, new Uint8Array(1)])), { code: 'MAKI_PROTOCOL' })
      t.throws(() => parseStateVector(Buffer.concat([vector, new Uint8Array(1)])), { code: 'MAKI_PROTOCOL' })
    },
  )
}

t.test('a whole document of Yjs is read', async (t) => {
  const one = new Y.Doc()
  const two = new Y.Doc()
  for (let i = 0; i < 4000; i++) (i % 2 === 0 ? one : two).getMap('operations').set(id(i), new Uint8Array(600))
  two.getMap('operations').set(id(0), new Uint8Array(600))
  Y.applyUpdate(one, Y.encodeStateAsUpdate(two))
  const update = Y.encodeStateAsUpdate(one)
  t.ok(update.length > LARGE)
  t.match(parseUpdate(update), { slots: { length: 4001 }, deleted: { length: 1 }, foreign: [] })
  t.same(parseStateVector(Y.encodeStateVector(one)), Y.decodeStateVector(Y.encodeStateVector(one)))
  const vector = encodeStateVector(Y.decodeStateVector(Y.encodeStateVector(one)))
  t.same(vector, Y.encodeStateVector(one), 'as Yjs writes it')
})

t.test('what no replica writes is foreign', async (t) => {
  const key = id(5)
  const value = new Uint8Array(20)
  const base = new Y.Doc()
  base.getMap('operations').set(key, value)
  const map = (doc: Y.Doc) => doc.getMap<unknown>('operations')
  const hostile: Record<string, Uint8Array> = {
    'another map': write((doc) => doc.getMap('x').set(key, value)),
    'a key that is no id': write((doc) => map(doc).set('x', value)),
    'a number': write((doc) => map(doc).set(key, 5)),
    'a text': write((doc) => map(doc).set(key, 'text')),
    'a nested type': write((doc) => map(doc).set(key, new Y.Map())),
    'a subdocument': write((doc) => map(doc).set(key, new Y.Doc())),
    'an array': write((doc) => doc.getArray('operations').push([value])),
    'an entry set over another': write((doc) => map(doc).set(key, value), base),
    'a set after a deletion': write((doc) => {
      map(doc).delete(key)
      map(doc).set(key, value)
    }, base),
    'a collected range': Uint8Array.of(1, 1, 77, 0, 0, 5, 0),
  }
  for (const [name, update] of Object.entries(hostile)) t.equal(parseUpdate(update).foreign.length, 1, name)
})

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
    'deletions of many clients': encode((encoder) => {
      for (const value of [0, 600_000]) encoding.writeVarUint(encoder, value)
      for (let i = 0; i < 600_000; i++) for (const value of [i, 0]) encoding.writeVarUint(encoder, value)
    }),
    'a length beyond the end': encode((encoder) => {
      for (const value of [1, 1, 77, 0, 0x23, 1, 2 ** 40]) encoding.writeVarUint(encoder, value)
      encoding.writeUint8Array(encoder, new Uint8Array(LARGE))
    }),
  }
  for (const [name, update] of Object.entries(hostile)) {
    t.ok(update.length > 1024 * 1024, name)
    let words: readonly string[] = []
    try {
      words = parseUpdate(update).foreign
    } catch (error) {
      t.match(error, { code: 'MAKI_PROTOCOL' })
      words = ['refused']
    }
    t.equal(words.length, 1, name)
  }
})

t.test('a state vector that claims too many clients is refused', async (t) => {
  const claiming = (clients: number) => encode((encoder) => encoding.writeVarUint(encoder, clients))
  t.throws(() => parseStateVector(claiming(100_001)), { code: 'MAKI_PROTOCOL' })
  t.throws(() => parseStateVector(new Uint8Array()), { code: 'MAKI_PROTOCOL' })
  const whole = encodeStateVector(Array.from({ length: 100_000 }, (_, i) => [i, 1] as const))
  t.equal(parseStateVector(whole).size, 100_000)
})
