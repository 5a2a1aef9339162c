import t from 'tap'
import { type ClusterId, encodeCanonical, type MemberKey } from '../../../core/index.ts'
import { FrameDecoder } from '../../../replication/gossip/frame-decoder.ts'
import { encodeSyncMessage, parseSyncMessage } from '../../../replication/gossip/sync-message.ts'
import {
  encodeFrame,
  type Frame,
  MAX_ADMISSION_BYTES,
  MAX_FRAME_BYTES,
  MAX_STRANGER_FRAME_BYTES,
  TABLE_BYTES,
} from '../../../replication/gossip/wire.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'

const id = 'a'.repeat(52)
const hello: Frame = {
  type: 'hello',
  protocol: 1,
  cluster: id as ClusterId,
  key: id as MemberKey,
  nonce: new Uint8Array(32).fill(7),
  incarnation: 1_795_000_000_000,
  version: '1.2.3',
  blobsPort: 8282,
}

function randomFrame(random: Random): Frame {
  const some = (max: number) => random.bytes(1 + random.integer(max))
  return random.pick<() => Frame>([
    () => hello,
    () => ({ type: 'admission', operations: [some(500), some(500)] }),
    () => ({ type: 'proof', signature: random.bytes(64) }),
    () => ({ type: 'bye', reason: 'stopping' }),
    () => ({ type: 'sync', message: some(20_000) }),
    () => ({ type: 'digest', vector: some(100), root: random.bytes(32) }),
    () => ({ type: 'table', table: random.bytes(TABLE_BYTES) }),
    () => ({ type: 'bucket', index: random.integer(256), ids: random.bytes(32 * random.integer(5)) }),
    () => ({ type: 'request', ids: random.bytes(64) }),
    () => ({ type: 'operations', operations: [some(1000)] }),
    () => ({ type: 'awareness', entries: [some(1000), some(1000)] }),
  ])()
}

for (const seed of seeds(20)) {
  t.test(`frames survive any cutting of the stream (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const frames = Array.from({ length: 30 }, () => randomFrame(random))
    const stream = Buffer.concat(frames.map(encodeFrame))
    const decoder = new FrameDecoder()
    const got: Frame[] = []
    for (let at = 0; at < stream.length; ) {
      const length = random.chance(0.5) ? 1 + random.integer(6) : 1 + random.integer(9000)
      // The receive buffer is used again for other bytes: nothing may be kept of it.
      const chunk = Buffer.from(stream.subarray(at, at + length))
      got.push(...decoder.decode(chunk))
      chunk.fill(0)
      at += length
    }
    decoder.end()
    t.ok(stream.equals(Buffer.concat(got.map(encodeFrame))), 'what was read says what was written')
    const members = got.flatMap((frame) => Object.values(frame)).filter((value) => value instanceof Uint8Array)
    t.notOk(members.some(Buffer.isBuffer), 'binary members are plain: Yjs takes no Buffer')
  })

  t.test(`damaged streams throw MAKI_PROTOCOL or wait for more, nothing else (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    for (let round = 0; round < 200; round++) {
      const framed = Buffer.from(encodeFrame(randomFrame(random)))
      for (let i = 0; i <= random.integer(4); i++)
        framed[4 + random.integer(Math.min(60, framed.length - 4))] = random.integer(256)
      const decoder = new FrameDecoder()
      try {
        for (const frame of decoder.decode(framed)) t.ok(frame.type)
      } catch (error) {
        t.match(error, { code: 'MAKI_PROTOCOL' })
      }
    }
  })
}

const framedBody = (body: Uint8Array) => {
  const framed = Buffer.alloc(4 + body.length)
  framed.writeUInt32BE(body.length)
  framed.set(body, 4)
  return framed
}
const decodeAll = (bytes: Uint8Array) => [...new FrameDecoder().decode(bytes)]

t.test('limits hold before anything is taken in', async (t) => {
  const header = Buffer.alloc(4)
  for (const length of [MAX_STRANGER_FRAME_BYTES + 1, MAX_FRAME_BYTES, 0xffff_ffff, 0]) {
    header.writeUInt32BE(length)
    t.throws(() => decodeAll(header), { code: 'MAKI_PROTOCOL' }, `a stranger's ${length} bytes`)
  }
  const decoder = new FrameDecoder()
  decoder.limitBytes = MAX_FRAME_BYTES
  header.writeUInt32BE(MAX_FRAME_BYTES + 1)
  t.throws(() => [...decoder.decode(header)], { code: 'MAKI_PROTOCOL', message: /are allowed/ })
})

t.test('the limit may rise between two frames of one chunk', async (t) => {
  const large: Frame = { type: 'sync', message: new Uint8Array(MAX_STRANGER_FRAME_BYTES * 3) }
  const stream = Buffer.concat([encodeFrame(hello), encodeFrame(large)])
  t.throws(() => decodeAll(stream), { code: 'MAKI_PROTOCOL' })
  const decoder = new FrameDecoder()
  const types: string[] = []
  for (const frame of decoder.decode(stream)) {
    types.push(frame.type)
    decoder.limitBytes = MAX_FRAME_BYTES
  }
  t.same(types, ['hello', 'sync'])
})

t.test('a stream that ends within a frame is named', async (t) => {
  const framed = encodeFrame(hello)
  for (const cut of [1, 3, 4, 20, framed.length - 1]) {
    const decoder = new FrameDecoder()
    t.same([...decoder.decode(framed.subarray(0, cut))], [])
    t.throws(() => decoder.end(), { code: 'MAKI_PROTOCOL', message: /within a frame/ })
  }
})

t.test('frames of the wrong shape are refused', async (t) => {
  const wrong: unknown[] = [
    null,
    [],
    'hello',
    {},
    { type: 'constructor' },
    { type: 'sync' },
    { type: 'sync', message: 'text' },
    { type: 'sync', message: new Uint8Array(1), more: 1 },
    { type: 'proof', signature: new Uint8Array(63) },
    { type: 'bucket', index: 256, ids: new Uint8Array() },
    { type: 'bucket', index: 1.5, ids: new Uint8Array() },
    { type: 'request', ids: new Uint8Array(33) },
    { type: 'table', table: new Uint8Array(TABLE_BYTES - 1) },
    { type: 'bye', reason: 'x'.repeat(201) },
    { type: 'admission', operations: Array.from({ length: 65 }, () => new Uint8Array(1)) },
    { type: 'admission', operations: [new Uint8Array(MAX_ADMISSION_BYTES + 1)] },
    { ...hello, key: 'UPPER' },
    { ...hello, blobsPort: 65_536 },
    { ...hello, incarnation: -1 },
    { ...hello, nonce: new Uint8Array(31) },
  ]
  for (const value of wrong)
    t.throws(
      () => decodeAll(framedBody(encodeCanonical(value))),
      { code: 'MAKI_PROTOCOL' },
      JSON.stringify(value)?.slice(0, 60),
    )
  t.throws(() => decodeAll(framedBody(new Uint8Array([0xc1]))), { code: 'MAKI_PROTOCOL' })
  t.equal(decodeAll(framedBody(encodeCanonical({ ...hello, later: 1 }))).length, 1, 'a hello may say more')
})

t.test('a frame of many small values is refused before they are built', async (t) => {
  const body = Buffer.from(encodeCanonical({ operations: [], type: 'operations' }))
  const at = body.indexOf(0x90)
  const list = new Uint8Array(5 + MAX_FRAME_BYTES / 8).fill(0x80, 5)
  list[0] = 0xdd
  new DataView(list.buffer).setUint32(1, MAX_FRAME_BYTES / 8)
  const bomb = Buffer.concat([body.subarray(0, at), list, body.subarray(at + 1)])
  const decoder = new FrameDecoder()
  decoder.limitBytes = MAX_FRAME_BYTES
  t.throws(() => [...decoder.decode(framedBody(new Uint8Array(bomb)))], {
    code: 'MAKI_PROTOCOL',
    cause: { message: /values/ },
  })
})

t.test('the largest admission fits a stranger’s frame', async (t) => {
  const each = Math.floor(MAX_ADMISSION_BYTES / 64)
  const frame: Frame = { type: 'admission', operations: Array.from({ length: 64 }, () => new Uint8Array(each)) }
  t.equal(decodeAll(encodeFrame(frame)).length, 1)
})

t.test('the bytes of a hello do not change unnoticed', async (t) => {
  const text = Buffer.from(encodeFrame({ ...hello, nonce: new Uint8Array([...new Uint8Array(32).keys()]) }))
  t.equal(
    text.toString('hex').replaceAll('61'.repeat(52), '…'),
    '000000e688a9626c6f6273506f7274cd205aa7636c7573746572d934…ab696e6361726e6174696f6ecf000001a1ee565e00a36b6579d934…a56e6f6e6365c420000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1fa870726f746f636f6c01a474797065a568656c6c6fa776657273696f6ea5312e322e33',
  )
})

t.test('sync messages are those of y-protocols, to the last byte', async (t) => {
  t.same(encodeSyncMessage({ kind: 'step1', vector: new Uint8Array([0]) }), [0, 1, 0])
  t.same(encodeSyncMessage({ kind: 'step2', update: new Uint8Array([0, 0]) }), [1, 2, 0, 0])
  t.same(encodeSyncMessage({ kind: 'update', update: new Uint8Array([5]) }), [2, 1, 5])
  for (const bytes of [[], [0], [0, 5, 1], [3, 0], [0, 1, 0, 9], [255, 255, 255, 255, 255, 255, 255, 255, 255, 255]])
    t.throws(() => parseSyncMessage(Uint8Array.from(bytes)), { code: 'MAKI_PROTOCOL' }, `[${bytes}]`)
})
