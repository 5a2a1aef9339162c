import { once } from 'node:events'
import { type ClientHttp2Session, connect } from 'node:http2'
import { connect as connectPlain } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { inTime } from '../../support/in-time.ts'
import { HELD, startSite } from './support/https-site.ts'
import {
  continuation,
  data,
  encodeFields,
  encodeInteger,
  FLAG,
  frame,
  headers,
  nameCode,
  PREFACE,
  ping,
  priority,
  RawHttp2,
  request,
  reset,
  settings,
  TYPE,
  windowUpdate,
} from './support/raw-http2.ts'

/** What may be left when all have gone: buffers that wait for their collection. */
const MAX_LEFT_BYTES = 32 * 1024 * 1024
const TURNS = 10
/** What a hundred streams of one who reads nothing may hold, client and server together. */
const MAX_HELD_BYTES = 192 * 1024 * 1024

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes in use after collection. */
function usedBytes(): number {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** The same, when what is on its way out has gone: sockets and streams end in turns of the event loop. */
async function restingBytes(): Promise<number> {
  let least = usedBytes()
  for (let i = 0; i < TURNS; i++) {
    await new Promise((resolve) => setImmediate(resolve))
    least = Math.min(least, usedBytes())
  }
  return least
}

/** A client as others are, which is answered or not. */
async function ask(session: ClientHttp2Session, path = '/'): Promise<number> {
  const stream = session.request({ ':path': path, ':authority': 'example.com' })
  const [head] = (await inTime('an answer', once(stream, 'response'))) as [{ ':status'?: number }]
  await once(stream.resume(), 'end')
  return head[':status'] ?? 0
}

const join = (count: number, make: (i: number) => Buffer) =>
  Buffer.concat(Array.from({ length: count }, (_, i) => make(i)))

/** Sends the same again and again, each time with other stream ids, as fast as it is taken. */
async function flood(client: RawHttp2, make: (round: number) => Buffer, rounds: number): Promise<void> {
  for (let i = 0; i < rounds && !client.isClosed; i++) {
    if (client.send(make(i)) || client.isClosed) await new Promise((resolve) => setImmediate(resolve))
    else await client.drained()
  }
}

/** Streams of a batch, odd and rising. */
const ids = (round: number, size: number, i: number): number => 2 * (round * size + i) + 1
const BATCH = 100

/** What is sent over and over, until the connection ends by it. */
const FLOODS: readonly (readonly [name: string, make: (round: number) => Buffer])[] = [
  [
    'rapid reset (CVE-2023-44487)',
    (n) => join(BATCH, (i) => Buffer.concat([headers(ids(n, BATCH, i), request('/big.bin')), reset(ids(n, BATCH, i))])),
  ],
  [
    'rapid reset of held requests',
    (n) => join(BATCH, (i) => Buffer.concat([headers(ids(n, BATCH, i), request(HELD)), reset(ids(n, BATCH, i))])),
  ],
  [
    'made to reset, by WINDOW_UPDATE of 0 (CVE-2025-8671)',
    (n) =>
      join(BATCH, (i) => Buffer.concat([headers(ids(n, BATCH, i), request(HELD)), windowUpdate(ids(n, BATCH, i), 0)])),
  ],
  [
    'made to reset, by a window above 2^31 - 1',
    (n) =>
      join(BATCH, (i) =>
        Buffer.concat([headers(ids(n, BATCH, i), request(HELD)), windowUpdate(ids(n, BATCH, i), 2 ** 31 - 1)]),
      ),
  ],
  [
    'made to reset, by DATA behind END_STREAM',
    (n) => join(BATCH, (i) => Buffer.concat([headers(ids(n, BATCH, i), request(HELD)), data(ids(n, BATCH, i), 'x')])),
  ],
  [
    'made to reset, by malformed requests',
    (n) => join(BATCH, (i) => headers(ids(n, BATCH, i), [...request(), ['connection', 'x']])),
  ],
  ['streams over the limit', (n) => join(BATCH, (i) => headers(ids(n, BATCH, i), request(HELD)))],
  ['PING', () => join(1000, () => ping())],
  ['SETTINGS', () => join(1000, () => settings())],
  ['SETTINGS that change the windows', () => join(1000, (i) => settings([4, i], [1, i]))],
  ['PRIORITY', () => join(1000, (i) => priority(2 * i + 1))],
  ['WINDOW_UPDATE by 1', () => join(1000, () => windowUpdate(0, 1))],
  ['unknown frames', () => join(1000, () => frame(0x50, 0, 0, 'unknown'))],
  ['empty DATA', (n) => (n === 0 ? headers(1, request(HELD), { end: false }) : join(1000, () => data(1, '', false)))],
  [
    'padding alone',
    (n) =>
      n === 0
        ? headers(1, request(HELD), { end: false })
        : join(50, () => frame(TYPE.data, FLAG.padded, 1, Buffer.concat([Buffer.from([255]), Buffer.alloc(255)]))),
  ],
  [
    'CONTINUATION without end (CVE-2024-27316)',
    (n) =>
      n === 0
        ? headers(1, request(), { endHeaders: false })
        : join(100, (i) => continuation(1, [[`x${n}-${i}`, 'y'.repeat(500)]], false)),
  ],
  [
    'empty CONTINUATION',
    (n) => (n === 0 ? headers(1, request(), { endHeaders: false }) : join(1000, () => continuation(1, [], false))),
  ],
  ['an HPACK bomb', (n) => hpackBomb(ids(n, 1, 0))],
  ['RST_STREAM of what never was', () => join(1000, (i) => reset(2 * i + 1))],
]

/** One field of 4 KiB in the table, named some 4,000 times in a block of as many bytes. */
function hpackBomb(stream: number): Buffer {
  const value = 'b'.repeat(3900)
  const indexed = Buffer.concat([
    Buffer.from([0x40]),
    encodeInteger(1, 7),
    Buffer.from('x'),
    encodeInteger(value.length, 7),
    Buffer.from(value),
  ])
  return headers(stream, Buffer.concat([encodeFields(request()), indexed, Buffer.alloc(8000, 0xbe)]))
}

async function withNeighbour(t: Test, port: number): Promise<ClientHttp2Session> {
  const session = connect(`https://127.0.0.1:${port}`, { servername: 'example.com', rejectUnauthorized: false })
  session.on('error', () => {})
  t.teardown(() => session.destroy())
  t.equal(await ask(session), 200)
  return session
}

t.test('floods end their connection, and nobody else notices', async (t) => {
  const { port, server } = await startSite(t)
  const neighbour = await withNeighbour(t, port)
  const before = await restingBytes()
  for (const [name, make] of FLOODS) {
    using client = await RawHttp2.connect(port)
    const flooding = flood(client, make, 4000)
    for (let i = 0; i < 5; i++) t.equal(await ask(neighbour), 200, `${name}: others are answered`)
    await inTime(name, flooding)
    await client.closed()
    t.pass(`${name}: ${client.goaway ?? 'closed without a word'}`)
  }
  t.equal(await ask(neighbour, '/big.bin'), 200)
  const left = (await restingBytes()) - before
  t.ok(left < MAX_LEFT_BYTES, `nothing is left of it: ${left} bytes`)
  t.ok(server.counters.http2Calmed > 0)
  while (server.counters.active > 0) await new Promise((resolve) => setImmediate(resolve))
})

t.test('who reads nothing costs a bounded amount, and is cut', async (t) => {
  const { port, server } = await startSite(t, { requestTimeoutMs: 1500 })
  const before = usedBytes()
  using stalled = await RawHttp2.connect(port)
  stalled.send(
    settings([4, 0]),
    join(100, (i) => headers(2 * i + 1, request('/big.bin'))),
  )
  using greedy = await RawHttp2.connect(port)
  greedy.send(
    settings([4, 2 ** 31 - 1]),
    windowUpdate(0, 2 ** 30),
    join(100, (i) => headers(2 * i + 1, request('/big.bin'))),
  )
  greedy.socket.pause()
  t.ok(
    await inTime(
      'all streams to be cut',
      stalled.until('resets', () => count(stalled) === 100 || undefined),
    ),
  )
  t.match(
    new Set(
      stalled.frames.filter(({ type }) => type === TYPE.reset).map(({ payload }) => nameCode(payload.readUInt32BE(0))),
    ),
    new Set(['INTERNAL_ERROR']),
  )
  t.ok(usedBytes() - before < MAX_HELD_BYTES, `held: ${usedBytes() - before} bytes`)
  greedy.socket.destroy()
  while (server.counters.active > 0) await new Promise((resolve) => setImmediate(resolve))
})

t.test('small answers that nobody opens a window for hold no place for ever', async (t) => {
  const { port, server } = await startSite(t, { requestTimeoutMs: 500 })
  using stalled = await RawHttp2.connect(port, { silent: true })
  stalled.send(
    PREFACE,
    settings([4, 0]),
    join(100, (i) => headers(2 * i + 1, request(i % 2 === 0 ? '/' : '/none'))),
  )
  t.ok(
    await inTime(
      'all streams to be cut',
      stalled.until('resets', () => count(stalled) === 100 || undefined),
    ),
  )
  while (server.counters.active > 0) await new Promise((resolve) => setImmediate(resolve))
})

const count = (client: RawHttp2) => client.frames.filter(({ type }) => type === TYPE.reset).length

t.test('fields beyond what is read get 431, an uploaded body is not taken in', async (t) => {
  const { port } = await startSite(t)
  const session = await withNeighbour(t, port)
  const stream = session.request({ ':path': '/', ':authority': 'example.com', x: 'y'.repeat(20_000) })
  const [head] = (await once(stream, 'response')) as [{ ':status'?: number }]
  t.equal(head[':status'], 431)
  stream.resume()
  t.equal(await ask(session), 200, 'the connection goes on')
  using client = await RawHttp2.connect(port)
  client.send(headers(1, request('/', 'POST'), { end: false }))
  await client.until('an answer', ({ type, stream: id }) => (type === TYPE.headers && id === 1) || undefined)
  t.ok(await client.pong('........'))
  const opened = client.frames.filter(({ type, stream: id }) => type === TYPE.window && id === 1)
  t.strictSame(opened, [], 'no window is opened for it')
})

t.test('a server that closes says goodbye, and answers what is under way', async (t) => {
  const { port, server, release } = await startSite(t)
  using client = await RawHttp2.connect(port)
  client.send(headers(1, request(HELD)))
  t.ok(await client.pong('........'))
  const closed = server.close()
  t.equal(
    await client.until('GOAWAY', ({ type, payload }) => (type === TYPE.goaway ? payload.readUInt32BE(4) : undefined)),
    0,
  )
  client.send(headers(3, request()))
  release()
  t.ok(await client.until('the answer', ({ type, stream }) => (type === TYPE.headers && stream === 1) || undefined))
  await client.closed()
  await inTime('the server to be closed', closed)
  t.notOk(
    client.frames.some(({ type, stream }) => type === TYPE.headers && stream === 3),
    'nothing new is taken',
  )
})

t.test(
  'a connection that asks for nothing for a minute is told goodbye, one with a request under way is not',
  async (t) => {
    let aheadMs = 0
    const runtime = { ...systemRuntime, monotonic: () => systemRuntime.monotonic() + aheadMs }
    const { port } = await startSite(t, { runtime })
    using idle = await RawHttp2.connect(port)
    using busy = await RawHttp2.connect(port)
    busy.send(headers(1, request(HELD)))
    t.ok((await busy.pong('........')) && (await idle.pong('........')))
    aheadMs = 61_000
    await idle.closed()
    t.equal(idle.goaway, 'NO_ERROR')
    t.ok(await busy.pong('go on...'))
  },
)

t.test('HTTP/2 is not spoken in clear, and nobody is moved to it', async (t) => {
  const { plainPort } = await startSite(t)
  const ask = async (bytes: string): Promise<string> => {
    const socket = connectPlain({ host: '127.0.0.1', port: plainPort })
    const { promise, resolve } = Promise.withResolvers<void>()
    let got = ''
    socket.on('data', (chunk: Buffer) => {
      got += chunk.toString('latin1')
    })
    socket.on('error', () => {}).on('close', () => resolve())
    socket.write(bytes)
    await inTime('the connection to be closed', promise)
    return got
  }
  t.match(await ask(`${PREFACE}${settings()}`), /^HTTP\/1.1 (400|505) /)
  const upgrade = 'Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'
  t.match(await ask(`GET / HTTP/1.1\r\nHost: example.com\r\n${upgrade}\r\n`), /^HTTP\/1.1 200 OK\r\n/)
})
