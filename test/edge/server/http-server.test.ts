import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { get as httpGet, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { type BlobHash, type Hostname, MakiError, silentLog } from '../../../core/index.ts'
import {
  findLocalDomain,
  type HttpServer,
  type HttpServerOptions,
  placeOf,
  startHttpServer,
} from '../../../edge/index.ts'
import { buildManifest, buildSite, buildTable, FakeRuntime, MemoryBlobs, sendRaw } from '../fixtures.ts'

const curl = promisify(execFile)
const BIG_BYTES = 8 * 1024 * 1024
const big = new Uint8Array(BIG_BYTES).map((_, i) => (i * 31 + (i >> 8)) & 0xff)
const FILES = {
  'index.html': '<h1>home</h1>',
  'big.bin': big,
  'part.bin': big.subarray(0, 60_000),
  'a b.txt': 'spaced',
  '404.html': 'lost',
}

async function start(t: Test, part: Partial<HttpServerOptions> = {}) {
  const blobs = (part.blobs as MemoryBlobs | undefined) ?? new MemoryBlobs()
  const manifest = buildManifest(blobs, FILES)
  const table = buildTable(buildSite(manifest))
  const server = await startHttpServer({
    table: () => table,
    blobs,
    node: 'tokyo',
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    runtime: systemRuntime,
    fallback: findLocalDomain,
    ...part,
  })
  t.teardown(() => server.close())
  return { server, blobs, manifest, port: server.address.port }
}

const GET = (target: string, more = '') => `GET ${target} HTTP/1.1\r\nHost: example.com\r\n${more}\r\n`
const LAST = 'Connection: close\r\n'
const statuses = (raw: string) => [...raw.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1]))

/** Resolves when no request is under way any more. */
async function settled(server: HttpServer): Promise<void> {
  while (server.counters.active > 0) await new Promise((resolve) => setImmediate(resolve))
}

t.test('curl gets files, ranges, conditions, heads', async (t) => {
  const { port, manifest } = await start(t)
  const ask = async (...args: string[]) =>
    (await curl('curl', ['-sS', ...args], { encoding: 'buffer', maxBuffer: 2 * BIG_BYTES })).stdout
  const base = `http://127.0.0.1:${port}`
  t.ok((await ask(`${base}/big.bin`)).equals(big), 'a large file streams whole')
  t.ok((await ask('-r', '100-1048675', `${base}/big.bin`)).equals(big.subarray(100, 1048676)), 'a range')
  t.ok((await ask('-r', '-10', `${base}/big.bin`)).equals(big.subarray(-10)), 'a suffix')
  t.equal((await ask(`${base}/a%20b.txt`)).toString(), 'spaced')
  t.equal((await ask('-H', 'Host: example.com.localhost', `${base}/`)).toString(), FILES['index.html'])
  const code = ['-o', '/dev/null', '-w', '%{http_code}']
  const etag = `"${manifest.find('index.html')?.hash}"`
  t.equal((await ask(...code, '-H', `If-None-Match: ${etag}`, `${base}/`)).toString(), '304')
  t.equal((await ask(...code, '--path-as-is', `${base}/../etc/passwd`)).toString(), '400')
  t.equal((await ask(...code, '-X', 'POST', '-d', 'x=1', `${base}/`)).toString(), '405')
  t.equal((await ask(...code, '-H', 'Host: other.com', `${base}/`)).toString(), '404')
  t.equal((await ask(`${base}/nowhere`)).toString(), 'lost')
  const head = (await ask('-I', `${base}/`)).toString()
  t.match(head, /content-length: 13\r\n/)
  t.match(head, /makiatto-node: tokyo\r\n/)
})

t.test('raw requests: pipelines, pieces and rubbish', async (t) => {
  const { port, server } = await start(t)
  t.strictSame(
    statuses(
      await sendRaw({ port }, GET('/') + GET('/none') + GET('/big.bin', 'Range: bytes=0-9\r\n') + GET('/', LAST)),
    ),
    [200, 404, 206, 200],
  )
  for (const [name, bytes, expected] of [
    ['no Host', `GET / HTTP/1.1\r\n${LAST}\r\n`, [400]],
    ['two Hosts', `GET / HTTP/1.1\r\nHost: example.com\r\nHost: example.com\r\n${LAST}\r\n`, [400]],
    ['HTTP/1.0', 'GET / HTTP/1.0\r\nHost: example.com\r\n\r\n', [200]],
    ['rubbish', 'hello\r\n\r\n', [400]],
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', [400]],
    ['a head too large', GET('/', `X: ${'x'.repeat(20_000)}\r\n`), [431]],
    ['two lengths', GET('/', `Content-Length: 1\r\nContent-Length: 2\r\n`), [400]],
    ['length and chunks', GET('/', `Content-Length: 1\r\nTransfer-Encoding: chunked\r\n`), [400]],
    [
      'a body that nobody wants',
      `POST / HTTP/1.1\r\nHost: example.com\r\nExpect: 100-continue\r\nContent-Length: 1\r\n${LAST}\r\nx`,
      [405],
    ],
    ['absolute form', `GET http://example.com/ HTTP/1.1\r\nHost: other\r\n${LAST}\r\n`, [200]],
    ['OPTIONS *', `OPTIONS * HTTP/1.1\r\nHost: example.com\r\n${LAST}\r\n`, [204]],
    ['an upgrade', GET('/', `Upgrade: websocket\r\n${LAST}`), [200]],
  ] as const) {
    const raw = await sendRaw({ port }, bytes)
    t.strictSame(statuses(raw), expected, name)
  }
  const echoed = await sendRaw({ port }, GET('/<script>alert(1)</script>?"x"', `${LAST}`))
  t.notMatch(echoed, /alert/, 'nothing of the request comes back')
  t.ok(server.counters.malformed >= 5, 'rubbish is counted')

  const socket = connect(port, '127.0.0.1')
  for (const byte of GET('/', LAST)) {
    socket.write(byte)
    await new Promise((resolve) => setImmediate(resolve))
  }
  const chunks: Buffer[] = await socket.toArray()
  t.match(Buffer.concat(chunks).toString(), /^HTTP\/1\.1 200 OK\r\n/, 'a request that comes byte by byte')

  const half = connect(port, '127.0.0.1')
  await once(half, 'connect')
  half.end('GET / HT')
  await once(half.resume(), 'close')
  t.pass('half a request ends with its connection')
  t.strictSame(statuses(await sendRaw({ port }, GET('/', LAST))), [200], 'and the server goes on')
})

t.test('a slow head is answered with 408', async (t) => {
  const { port } = await start(t, { requestTimeoutMs: 200 })
  t.strictSame(statuses(await sendRaw({ port }, 'GET / HTTP/1.1\r\nHost: ex')), [408])
})

t.test('a client that leaves closes the file', async (t) => {
  const { port, server, blobs } = await start(t)
  const socket = connect(port, '127.0.0.1')
  socket.write(GET('/big.bin'))
  await once(socket, 'data')
  t.equal(blobs.open, 1, 'the file is open while the client does not read on')
  socket.destroy()
  await settled(server)
  t.equal(blobs.open, 0)
  t.match(server.counters, { aborted: 1, blobFailures: 0 })
})

t.test('a client that takes too little is cut', async (t) => {
  const runtime = new FakeRuntime()
  const { port, server, blobs } = await start(t, { runtime })
  const socket = connect(port, '127.0.0.1')
  socket.write(GET('/big.bin'))
  await once(socket, 'data')
  socket.pause()
  runtime.advance(60_000)
  t.equal(server.counters.active, 1, 'what it took so far was enough for the first span')
  runtime.advance(60_000)
  await settled(server)
  t.equal(blobs.open, 0)
  socket.destroy()
})

t.test('a client that takes nothing of many small answers is cut', async (t) => {
  const runtime = new FakeRuntime()
  const { port, server } = await start(t, { runtime, fast: false })
  const still = connect(port, '127.0.0.1')
  still.on('error', () => {})
  still.pause()
  // Each is less than is watched as it is sent; all are more than the system takes.
  still.write(GET('/part.bin').repeat(250))
  let before = -1
  while (server.counters.requests < 32 || server.counters.requests !== before) {
    before = server.counters.requests
    for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve))
  }
  t.ok(server.counters.active > 0, `${server.counters.active} wait, of ${before}`)
  runtime.advance(60_000)
  await settled(server)
  still.destroy()
})

/** Fails in one way for the blob of `big.bin`. */
class BadBlobs extends MemoryBlobs {
  readonly fault: 'missing' | 'short' | 'long' | 'breaks'
  constructor(fault: BadBlobs['fault']) {
    super()
    this.fault = fault
  }
  override async stream(hash: BlobHash, range?: { start: number; end: number }): Promise<Readable> {
    if (this.fault === 'missing') throw new MakiError('MAKI_BLOB_MISSING', 'gone')
    if (this.fault === 'long') return Readable.from([big, big])
    const source = await super.stream(hash, { start: 0, end: 3_000_000 })
    if (this.fault === 'short' || range === undefined) return source
    source.once('data', () => setImmediate(() => source.destroy(new Error('disk on fire'))))
    return source.pause()
  }
}

for (const fault of ['missing', 'short', 'long', 'breaks'] as const) {
  t.test(`a blob that is ${fault} is the end of that answer only`, async (t) => {
    const { port, server } = await start(t, { blobs: new BadBlobs(fault) })
    const raw = await sendRaw({ port }, GET('/big.bin') + (fault === 'missing' ? GET('/', LAST) : ''))
    await settled(server)
    if (fault === 'missing') {
      t.strictSame(statuses(raw), [503, 200])
      t.match(raw, /retry-after: 5/)
      t.strictSame(server.counters.responses, [0, 0, 1, 0, 0, 1], 'counted as what was sent')
      const counted = server.counts.requests.requests['example.com'] ?? []
      t.strictSame([counted[placeOf(0, 4, 0)], counted[placeOf(0, 1, 0)]], [1, 1], 'and among those of its site')
    } else {
      t.strictSame(statuses(raw), [200])
      t.ok(raw.split('\r\n\r\n', 2)[1]!.length < BIG_BYTES || fault === 'long', 'less than was promised, then the end')
      t.ok(raw.length < BIG_BYTES + 1000, 'and never more')
    }
    t.equal(server.counters.blobFailures, 1)
    t.strictSame(statuses(await sendRaw({ port }, GET('/', LAST))), [200])
  })
}

t.test('over the limit the answer is 503 at once', async (t) => {
  const { port, server } = await start(t, { maxConcurrentRequests: 2 })
  const held = await Promise.all(
    [1, 2].map(async () => {
      const socket = connect(port, '127.0.0.1')
      socket.write(GET('/big.bin'))
      await once(socket, 'data')
      return socket.pause()
    }),
  )
  const raw = await sendRaw({ port }, GET('/', LAST))
  t.strictSame(statuses(raw), [503])
  t.match(raw, /retry-after: 1/)
  for (const socket of held) socket.destroy()
  await settled(server)
  t.strictSame(statuses(await sendRaw({ port }, GET('/', LAST))), [200])
  t.equal(server.counters.overloaded, 1)
})

t.test('connections that only wait give way to new ones, and beyond the limit new ones are closed', async (t) => {
  const { port, server } = await start(t, { maxConnections: 20 })
  const sockets: Socket[] = []
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  const open = (bytes: string) => {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    sockets.push(socket)
    socket.write(bytes)
    let heard = ''
    socket.on('data', (chunk) => {
      heard += chunk
    })
    const ended = new Promise<string>((resolve) => socket.on('close', () => resolve(heard)))
    return { socket, ended }
  }
  const visitors: ReturnType<typeof open>[] = []
  for (let i = 0; i < 60; i++) {
    const visitor = open(GET('/'))
    visitors.push(visitor)
    const [answer] = (await once(visitor.socket, 'data')) as [Buffer]
    t.match(answer.toString(), /^HTTP\/1.1 200/, `visitor ${i} is served`)
  }
  await Promise.all(visitors.slice(0, 40).map(({ ended }) => ended))
  // Nor do heads that never end, whoever reads them, keep places from those who ask.
  for (const bytes of ['GET / HTTP/1.1\r\n', 'OPTIONS / HTTP/1.1\r\n', `${GET('/')}GET`, `${GET('/', LAST)}GET`, '']) {
    const slow = Array.from({ length: 60 }, () => open(bytes))
    await Promise.all(slow.slice(0, 20).map(({ ended }) => ended))
    t.equal(statuses(await open(GET('/', LAST)).ended)[0], 200, `after ${JSON.stringify(bytes)}`)
  }
  // Those that are being answered do.
  const busy: Socket[] = []
  while (server.counters.active < 20) {
    const { socket } = open(GET('/big.bin'))
    socket.pause()
    busy.push(socket)
    while (server.counters.active < busy.length) await new Promise((resolve) => setImmediate(resolve))
  }
  t.equal(await open(GET('/')).ended, '', 'closed unheard')
  t.notOk(busy[0]?.closed)
})

t.test('close lets an answer under way finish and takes nothing new', async (t) => {
  const { port, server } = await start(t)
  const [response] = (await once(httpGet({ port, path: '/big.bin', host: '127.0.0.1', agent: false }), 'response')) as [
    IncomingMessage,
  ]
  const idle = connect(port, '127.0.0.1')
  idle.write(GET('/'))
  await once(idle, 'data')
  const closed = server.close()
  t.equal(server.close(), closed, 'idempotent')
  await t.rejects(once(connect(port, '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' })
  t.ok(Buffer.concat(await response.toArray()).equals(big))
  await closed
  t.equal(server.counters.active, 0)
})

for (const fast of [true, false]) {
  t.test(
    `close awaits the first request longer than another, ${fast ? 'on the fast path' : 'by node:http'}`,
    async (t) => {
      const runtime = new FakeRuntime()
      const { server, port } = await start(t, { fast, runtime })
      const resting = connect(port, '127.0.0.1')
      resting.write(GET('/a%20b.txt'))
      t.match(String(await once(resting, 'data')), /200 OK/)
      const silent = connect(port, '127.0.0.1')
      await once(silent, 'connect')
      // A request on a third one has come through after it.
      await sendRaw({ port }, GET('/', LAST))
      const closed = server.close()
      runtime.advance(2_000)
      silent.write(GET('/a%20b.txt'))
      const answer = String(await once(silent, 'data'))
      t.match(answer, /200 OK/)
      t.match(answer, /connection: close/i)
      runtime.advance(8_000)
      await closed
    },
  )
}

t.test('close cuts what does not end', async (t) => {
  const runtime = new FakeRuntime()
  const { port, server } = await start(t, { runtime })
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write(GET('/big.bin'))
  await once(socket, 'data')
  socket.pause()
  const closed = server.close()
  runtime.advance(10_000)
  await closed
  socket.destroy()
  t.pass()
})

t.test('a port in use is refused by name, unless it is shared on purpose', async (t) => {
  const { port } = await start(t)
  await t.rejects(start(t, { port }), {
    code: 'MAKI_PORT_IN_USE',
    message: `127.0.0.1:${port} is used by another process`,
  })
  await t.rejects(start(t, { host: '192.0.2.1' }), { code: 'MAKI_CONFIG' })
  const one = await start(t, { reusePort: true })
  const two = await start(t, { reusePort: true, port: one.port })
  t.equal(two.port, one.port)
})

t.test('one name, several sites', async (t) => {
  const blobs = new MemoryBlobs()
  const sites = ['one.com', 'two.com'].map((name) => {
    const domain = name as Hostname
    return buildSite(buildManifest(blobs, { 'index.html': name }), { domain, hosts: [domain] })
  })
  const { port } = await start(t, { blobs, table: () => buildTable(...sites) })
  for (const host of ['one.com', 'two.com']) {
    t.match(await sendRaw({ port }, `GET / HTTP/1.1\r\nHost: ${host}\r\n${LAST}\r\n`), new RegExp(`\r\n\r\n${host}$`))
  }
})
