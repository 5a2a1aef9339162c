import t from 'tap'
import { BufferPool } from '../../../../edge/server/http2/buffer-pool.ts'
import { Connection } from '../../../../edge/server/http2/connection.ts'
import { ConnectionFault } from '../../../../edge/server/http2/frames.ts'
import { encodeHead } from '../../../../edge/server/http2/hpack-encode.ts'
import { createRandom, type Random, seeds } from '../../../support/seeds.ts'
import {
  continuation,
  data,
  encodeInteger,
  type Field,
  FLAG,
  frame,
  headers,
  PREFACE,
  ping,
  priority,
  request,
  reset,
  settings,
  TYPE,
  windowUpdate,
} from '../support/raw-http2.ts'

const HEAD = encodeHead(200, { 'content-type': 'text/plain' }, 'Mon, 21 Oct 2013 20:13:21 GMT')
/** What a hundred thousand bytes of nonsense may have us want to write, at most. */
const MAX_OUTPUT_BYTES = 1024 * 1024
const MAX_READ_BYTES = 600_000

/** A connection that answers at once, by the path: `/long` more than a window; `/held` not at all, `/dropped` and `/read`
 * neither, and does so with what they are sent. */
function serve() {
  const asked: string[] = []
  const reading: (Promise<unknown> | undefined)[] = []
  const written: Buffer[] = []
  let waiting = 0
  const connection: Connection = new Connection({
    pool: new BufferPool(),
    hasRoom: () => true,
    dropped: () => {},
    flush: () => {},
    request: (stream, { method, path, host }) => {
      asked.push(`${stream.id} ${method} ${path} ${host}`)
      const { sender } = connection.streams
      if (path === '/dropped') stream.content?.drop()
      if (path === '/read') reading.push(stream.content?.read(MAX_READ_BYTES))
      if (path === '/held' || path === '/dropped' || path === '/read') return
      const bytes = Buffer.concat([HEAD.bytes, Buffer.alloc(path === '/long' ? 70_000 : 20, path)])
      const headBytes = HEAD.bytes.length
      if (sender.fits(stream, bytes.length - headBytes)) {
        sender.answer(stream, bytes, headBytes)
        return
      }
      waiting++
      sender.head(stream, HEAD.bytes, headBytes, false)
      sender.data(stream, bytes.subarray(headBytes), true, () => waiting--)
    },
  })
  const take = () => {
    const taken = connection.streams.sender.output.take()
    if (taken === undefined) return
    written.push(Buffer.from(taken.bytes))
    taken.release()
  }
  take()
  /** Gives the code that ended the connection. */
  const receive = (pieces: readonly Buffer[]): number | undefined => {
    let kept = Buffer.alloc(0)
    try {
      for (const piece of pieces) {
        const bytes = Buffer.concat([kept, piece])
        kept = bytes.subarray(connection.receive(bytes))
        take()
      }
      return undefined
    } catch (error) {
      if (!(error instanceof ConnectionFault)) throw error
      take()
      return error.code
    }
  }
  return { connection, asked, reading, receive, output: () => Buffer.concat(written), waiting: () => waiting }
}

/** Frames that a client might send, most of them in order. */
function randomFrames(random: Random, hostility: number): Buffer[] {
  const frames = [PREFACE, settings([4, random.pick([0, 1000, 65_535, 1_000_000])])]
  let next = 1
  for (let i = 0; i < 40; i++) {
    const known = random.chance(0.8) ? Math.max(1, next - 2 * (1 + random.integer(5))) : random.integer(60)
    if (random.chance(hostility)) {
      const made = frame(random.integer(12), random.integer(256), known, random.bytes(random.integer(40)))
      frames.push(random.chance(0.1) ? Buffer.from(random.bytes(random.integer(30))) : made)
      continue
    }
    const kind = random.integer(8)
    if (kind < 3) {
      const asked = request(random.pick(['/', '/held', '/long']), random.pick(['GET', 'POST', 'HEAD']))
      if (random.chance(0.2))
        frames.push(
          headers(next, asked, { endHeaders: false }),
          continuation(next, [['x', 'y'.repeat(random.integer(300))]]),
        )
      else frames.push(headers(next, asked, { end: random.chance(0.8) }))
      next += 2
    } else if (kind === 3) frames.push(ping())
    else if (kind === 4)
      frames.push(
        windowUpdate(random.chance(0.5) ? 0 : Math.max(1, Math.min(known, next - 2)) | 1, 1 + random.integer(9e4)),
      )
    else if (kind === 5 && next > 1) frames.push(reset(Math.max(1, Math.min(known, next - 2)) | 1))
    else if (kind === 6) frames.push(priority(known | 1))
    else frames.push(settings([4, random.integer(100_000)], [1, random.integer(5000)]))
  }
  return frames
}

function split(random: Random, bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = random.chance(0.3) ? 1 + random.integer(4) : 1 + random.integer(400)
    pieces.push(bytes.subarray(at, at + length))
    at += length
  }
  return pieces
}

t.test('however the bytes are cut into pieces, the same is read and written', async (t) => {
  let asked = 0
  for (const seed of seeds(200)) {
    const random = createRandom(seed)
    const bytes = Buffer.concat(randomFrames(random, 0.02))
    const [whole, cut] = [serve(), serve()]
    const [one, other] = [whole.receive([bytes]), cut.receive(split(random, bytes))]
    t.equal(other, one, `seed ${seed}: how it ended`)
    t.strictSame(cut.asked, whole.asked, `seed ${seed}: what was asked`)
    if (!cut.output().equals(whole.output())) t.fail(`seed ${seed}: what was written`)
    asked += whole.asked.length
  }
  t.ok(asked > 1000 || process.env.SEED !== undefined, `${asked} requests`)
})

t.test('whatever comes: requests, frames in bounds, or an error of the protocol', async (t) => {
  for (const seed of seeds(500)) {
    const random = createRandom(seed)
    const { connection, receive, output, waiting } = serve()
    const bytes = Buffer.concat(randomFrames(random, random.pick([0.1, 0.5, 1])))
    if (random.chance(0.5))
      for (let i = random.integer(5); i > 0; i--) bytes[random.integer(bytes.length)] = random.integer(256)
    receive(split(random, bytes))
    connection.abandon()
    const open = connection.streams.size
    if (open !== 0 || output().length > MAX_OUTPUT_BYTES || waiting() < 0) {
      t.fail(`seed ${seed}: ${open} open, ${output().length} bytes`)
      return
    }
  }
  t.pass('nothing else')
})

t.test('windows are kept to: no more is sent than is taken, and all that is', async (t) => {
  for (const seed of seeds(100)) {
    const random = createRandom(seed)
    const { receive, output, connection } = serve()
    let window = random.integer(20_000)
    receive([PREFACE, settings([4, window]), headers(1, request('/long'))])
    const sent = () => sumOfData(output(), 1)
    while (window < 70_000) {
      t.equal(sent(), Math.min(window, 65_535), `seed ${seed}`)
      const more = 1 + random.integer(20_000)
      receive([windowUpdate(1, more)])
      window += more
    }
    t.equal(sent(), 65_535, 'that of the connection too')
    t.equal(connection.streams.size, 1)
    receive([windowUpdate(0, 70_000)])
    t.equal(sent(), 70_000)
    t.equal(connection.streams.size, 0, 'and the stream is closed')
  }
})

function sumOfData(bytes: Buffer, stream: number): number {
  let sum = 0
  for (let at = 0; at < bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    if (bytes[at + 3] === 0 && bytes.readUInt32BE(at + 5) === stream) sum += bytes.readUIntBE(at, 3)
  }
  return sum
}

t.test('a client that keeps no table hears that none is used, once', async (t) => {
  const { receive, output } = serve()
  receive([PREFACE, settings([1, 0]), headers(1), headers(3)])
  const firsts: (number | undefined)[] = []
  const bytes = output()
  for (let at = 0; at < bytes.length; at += 9 + bytes.readUIntBE(at, 3))
    if (bytes[at + 3] === 1) firsts.push(bytes[at + 9])
  t.strictSame(firsts, [encodeInteger(0, 5, 0x20)[0], HEAD.bytes[0]])
})

/** Window updates among what was written, summed by stream. */
function updates(bytes: Buffer): Map<number, number> {
  const given = new Map<number, number>()
  for (let at = 0; at < bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    const stream = bytes.readUInt32BE(at + 5)
    if (bytes[at + 3] === TYPE.window) given.set(stream, (given.get(stream) ?? 0) + bytes.readUInt32BE(at + 9))
  }
  return given
}

t.test('content that nobody wants is passed over, and makes room on the connection alone', async (t) => {
  const { receive, output, connection } = serve()
  receive([PREFACE, settings(), frame(4, 1, 0)])
  for (let id = 1; id < 21; id += 2)
    receive([headers(id, request('/dropped', 'POST'), { end: false }), data(id, 'd'.repeat(16_384), false)])
  t.equal(connection.streams.size, 10)
  receive([data(1, 'd', false)])
  t.equal(connection.streams.size, 9, 'more than the window of a stream resets it')
  const given = updates(output())
  t.same([...given.keys()], [0])
  t.ok((given.get(0) ?? 0) >= 4 * 32_768)
})

t.test('content that waits takes of the window of the connection, until its stream ends', async (t) => {
  const { receive, output, connection } = serve()
  receive([PREFACE, settings(), frame(4, 1, 0)])
  for (let id = 1; id < 7; id += 2)
    receive([headers(id, request('/held', 'POST'), { end: false }), data(id, 'd'.repeat(16_384), false)])
  t.same([...updates(output())], [], 'nothing is given back')
  receive([headers(7, request('/held', 'POST'), { end: false }), data(7, 'd'.repeat(16_384 - 1), false)])
  t.same([...updates(output())], [])
  receive([reset(1), reset(3), reset(5), reset(7)])
  t.same([...updates(output())], [[0, 65_535]], 'all of it')
  const over = serve()
  over.receive([PREFACE, settings(), frame(4, 1, 0)])
  for (let id = 1; id < 9; id += 2)
    over.receive([headers(id, request('/held', 'POST'), { end: false }), data(id, 'd'.repeat(16_383), false)])
  t.equal(over.receive([data(1, 'd', false), data(3, 'd', false), data(5, 'd', false)]), undefined)
  t.equal(over.receive([data(7, 'd', false)]), 3, 'FLOW_CONTROL_ERROR, though there is room on the stream')
  t.equal(connection.streams.size, 0)
})

for (const seed of seeds(20))
  t.test(`content that is read comes whole, however it is cut and padded, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const { receive, output, reading } = serve()
    receive([PREFACE, settings(), frame(4, 1, 0)])
    const bytes = Buffer.from(random.bytes(random.integer(MAX_READ_BYTES + 30_000)))
    const length: Field[] = random.chance(0.5) ? [['content-length', String(bytes.length)]] : []
    receive([headers(1, [...request('/read', 'POST'), ...length], { end: false })])
    let sent = 0
    for (let at = 0, isLast = false; !isLast && at <= MAX_READ_BYTES; ) {
      const given = updates(output())
      const room = Math.min(65_535 + (given.get(0) ?? 0), 16_384 + (given.get(1) ?? 0)) - sent
      if (!t.ok(room > 0, 'the windows stay open')) return
      const padding = room > 300 && random.chance(0.3) ? 1 + random.integer(200) : 0
      const piece = bytes.subarray(at, at + Math.min(1 + random.integer(16_384), 16_384 - padding, room - padding))
      at += piece.length
      isLast = at === bytes.length
      const pad = padding === 0 ? [] : [Buffer.from([padding - 1]), piece, Buffer.alloc(padding - 1)]
      const flags = (isLast ? FLAG.endStream : 0) | (padding > 0 ? FLAG.padded : 0)
      receive([frame(TYPE.data, flags, 1, padding > 0 ? Buffer.concat(pad) : piece)])
      sent += piece.length + padding
    }
    const content = await reading[0]
    if (bytes.length > MAX_READ_BYTES) t.equal(content, 'too-large')
    else t.ok(Buffer.from(content as Uint8Array).equals(bytes))
  })
