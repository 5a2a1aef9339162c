import { once } from 'node:events'
import { request as ask1, type OutgoingHttpHeaders } from 'node:http'
import { connect } from 'node:http2'
import { request as askTls } from 'node:https'
import { connect as connectTo } from 'node:net'
import t, { type Test } from 'tap'
import type { GuestOutcome } from '../../../edge/index.ts'
import { inTime } from '../../support/in-time.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { sendRaw } from '../fixtures.ts'
import { echo, startFunctions } from './support/function-site.ts'
import { data, headers, RawHttp2, request, reset, TYPE } from './support/raw-http2.ts'

interface Asked {
  readonly method: string
  readonly path: string
  readonly fields: OutgoingHttpHeaders
  readonly pieces: readonly Uint8Array[]
  /** Its length is said, not found out. */
  readonly sized: boolean
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: Buffer
}

type Ask = (asked: Asked) => Promise<Answer>

const IGNORED = ['date', 'connection', 'keep-alive', 'makiatto-trace', 'transfer-encoding']
const lengthOf = ({ pieces }: Asked): number => pieces.reduce((sum, { length }) => sum + length, 0)

function pick(headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !IGNORED.includes(name) && !name.startsWith(':')),
  )
}

/** A client of HTTP/1.1, each request on a connection of its own. */
const overHttp1 =
  (port: number, secure: boolean): Ask =>
  async (asked) => {
    const { method, path, fields, pieces, sized } = asked
    const length =
      pieces.length === 0 ? {} : sized ? { 'content-length': lengthOf(asked) } : { 'transfer-encoding': 'chunked' }
    const options = {
      port,
      host: '127.0.0.1',
      method,
      path,
      agent: false,
      headers: { host: 'example.com', ...fields, ...length },
    }
    const request = secure
      ? askTls({ ...options, servername: 'example.com', rejectUnauthorized: false })
      : ask1(options)
    const waits = fields.expect !== undefined
    const answered = once(request, 'response')
    if (waits) {
      request.flushHeaders()
      await Promise.race([once(request, 'continue'), answered])
    }
    for (const piece of pieces) request.write(piece)
    request.end()
    const [response] = await inTime('an answer', answered)
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk)
    return { status: response.statusCode, headers: pick(response.headers), body: Buffer.concat(chunks) }
  }

function overHttp2(t: Test, port: number): Ask {
  const session = connect(`https://127.0.0.1:${port}`, { servername: 'example.com', rejectUnauthorized: false })
  t.teardown(() => session.destroy())
  return async (asked) => {
    const { method, path, fields, pieces, sized } = asked
    const length = sized && pieces.length > 0 ? { 'content-length': lengthOf(asked) } : {}
    const stream = session.request(
      { ':method': method, ':path': path, ':authority': 'example.com', ...fields, ...length },
      { endStream: pieces.length === 0 },
    )
    stream.on('error', () => {})
    const answered = once(stream, 'response')
    if (fields.expect !== undefined) await Promise.race([once(stream, 'continue'), answered])
    if (pieces.length > 0) {
      for (const piece of pieces) stream.write(piece)
      stream.end()
    }
    const [headers] = await inTime('an answer', answered)
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk)
    return { status: headers[':status'], headers: pick(headers), body: Buffer.concat(chunks) }
  }
}

async function startAll(
  t: Test,
  ...options: Parameters<typeof startFunctions> extends [Test, ...infer Rest] ? Rest : never
) {
  const [run, part, limits] = options
  const fast = await startFunctions(t, run, part, limits)
  const plain = await startFunctions(t, run, { ...part, fast: false }, limits)
  const ways: Record<string, Ask> = {
    'HTTP/1.1, fast path': overHttp1(fast.plainPort, false),
    'HTTP/1.1, node:http': overHttp1(plain.plainPort, false),
    'HTTP/1.1 over TLS': overHttp1(fast.port, true),
    'HTTP/2': overHttp2(t, fast.port),
    'HTTP/2, node:http2': overHttp2(t, plain.port),
  }
  return { ways: Object.entries(ways), fast, plain }
}

function randomAsked(random: Random): Asked {
  const method = random.pick(['GET', 'POST', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'])
  const path = random.pick([
    '/api',
    '/api/',
    '/api/x?a=1&b=%20',
    '/api/%C3%BC/y',
    '/api/404',
    '/api/204',
    '/post',
    '/get',
    '/',
  ])
  const fields: OutgoingHttpHeaders = {}
  if (random.chance(0.4)) fields.cookie = ['a=1', `b=${random.integer(100)}`].join('; ')
  if (random.chance(0.4)) fields['accept-encoding'] = random.pick(['gzip', 'br, zstd', 'identity'])
  if (random.chance(0.3)) fields['x-forwarded-for'] = '203.0.113.9'
  if (random.chance(0.3)) fields['makiatto-country'] = 'XX'
  if (random.chance(0.3)) fields.te = 'trailers'
  if (random.chance(0.3)) fields['x-bytes'] = Buffer.from('né', 'latin1').toString('latin1')
  for (let i = random.integer(4); i > 0; i--) fields[`x-${random.integer(40)}`] = 'v'.repeat(random.integer(100))
  const count = method === 'GET' || method === 'HEAD' ? 0 : random.integer(4)
  const sizes = Array.from({ length: count }, () => random.pick([1, 10, 1000, 20_000, 100_000]))
  const pieces = sizes.map((size) => Buffer.alloc(size, random.integer(256)))
  if (pieces.length > 0 && random.chance(0.2)) fields.expect = '100-continue'
  // Node's client writes a head that it has to send alone in UTF-8.
  if (fields.expect !== undefined) delete fields['x-bytes']
  return { method, path, fields, pieces, sized: random.chance(0.5) }
}

/** What is said beside what was asked: the order of fields is that of the client's library. */
function normalise({ status, headers, body }: Answer) {
  const { 'content-length': _length, ...others } = headers
  const text = body.toString()
  // What HEAD says of it: `http` is shorter than `https`.
  if (!text.startsWith('{')) return { status, headers: text === '' ? others : headers, text }
  const seen = JSON.parse(text)
  const sorted = (seen.headers as [string, string][])
    .filter(([name]) => name !== 'x-forwarded-proto')
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return { status, headers: others, seen: { ...seen, headers: sorted } }
}

t.test('whatever a request came by, a function sees the same and the client gets the same', async (t) => {
  const { ways, fast, plain } = await startAll(t)
  for (const seed of seeds(60)) {
    const random = createRandom(seed)
    const asked = randomAsked(random)
    // What is encoded is compared elsewhere.
    if (asked.fields['accept-encoding'] !== undefined) asked.fields['accept-encoding'] = 'identity'
    const answers = await Promise.all(ways.map(async ([name, ask]) => [name, normalise(await ask(asked))] as const))
    const [first, ...others] = answers
    for (const [name, answer] of others)
      t.strictSame(answer, first?.[1], `${name}, seed ${seed}: ${asked.method} ${asked.path}`)
  }
  t.equal(fast.service.heldBytes, 0, 'nothing is held')
  t.equal(plain.service.heldBytes, 0)
})

const POST: Asked = { method: 'POST', path: '/post', fields: {}, pieces: [], sized: true }

t.test('leave to send is given where a function wants the content, and nowhere else', async (t) => {
  const { ways } = await startAll(t)
  for (const [name, ask] of ways) {
    const asked = { ...POST, fields: { expect: '100-continue' }, pieces: [Buffer.from('content')] }
    const { status, body } = await ask(asked)
    t.equal(status, 200, name)
    t.equal(JSON.parse(body.toString()).bytes, 7, name)
  }
  const { plainPort } = await startFunctions(t)
  for (const [path, wanted] of [
    ['/post', true],
    ['/', false],
    ['/get', false],
  ] as const) {
    const head = `POST ${path} HTTP/1.1\r\nHost: example.com\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n`
    const answer = await sendRaw({ port: plainPort }, wanted ? `${head}ok` : head)
    t.equal(answer.startsWith('HTTP/1.1 100 Continue'), wanted, path)
  }
})

t.test(
  'content that is too large is refused: by what is said of it before a byte is read, or when it has come',
  async (t) => {
    let runs = 0
    const { ways, fast, plain } = await startAll(
      t,
      (request) => {
        runs++
        return echo(request)
      },
      {},
      { maxContentBytes: 100_000 },
    )
    for (const [name, ask] of ways) {
      for (const sized of [true, false]) {
        const { status, headers, body } = await ask({
          ...POST,
          pieces: [Buffer.alloc(60_000), Buffer.alloc(60_000)],
          sized,
        })
        t.equal(status, 413, `${name}, ${sized ? 'sized' : 'not sized'}`)
        t.match(body.toString(), /^413 Content Too Large \(trace [0-9a-f]{32}\)\n$/)
        t.equal(headers['cache-control'], 'no-store')
      }
      t.equal((await ask({ ...POST, pieces: [Buffer.alloc(100_000)] })).status, 200, `${name}: as much as may be`)
    }
    t.equal(runs, ways.length)
    const head = 'POST /post HTTP/1.1\r\nHost: example.com\r\nContent-Length: 100001\r\nConnection: close\r\n\r\n'
    t.match(await sendRaw({ port: fast.plainPort }, head), /^HTTP\/1.1 413 /, 'though none of it has come')
    t.equal(fast.service.heldBytes + plain.service.heldBytes, 0)
  },
)

t.test('who leaves in the middle, or takes too long, holds nothing', async (t) => {
  const { service, plainPort, port, server } = await startFunctions(t, echo, {}, { contentTimeoutMs: 500 })
  const head = 'POST /post HTTP/1.1\r\nHost: example.com\r\nContent-Length: 100\r\n\r\nsome'
  const socket = connectTo({ host: '127.0.0.1', port: plainPort })
  socket.on('error', () => {})
  socket.write(head)
  while (service.heldBytes === 0) await new Promise((resolve) => setImmediate(resolve))
  socket.destroy()
  while (service.heldBytes > 0) await new Promise((resolve) => setImmediate(resolve))
  t.equal(service.counts.failures.gone, 1)
  t.match(await sendRaw({ port: plainPort }, head), /^HTTP\/1.1 408 Request Timeout\r\n/)
  using client = await RawHttp2.connect(port)
  client.send(headers(1, request('/post', 'POST'), { end: false }), data(1, 'some', false))
  client.send(headers(3, request('/post', 'POST'), { end: false }), data(3, 'some', false))
  while (service.heldBytes < 2 * 4096) await new Promise((resolve) => setImmediate(resolve))
  client.send(reset(3))
  await client.until('the answer', ({ type, stream }) => (type === TYPE.headers && stream === 1 ? true : undefined))
  t.ok(
    client.frames.some(({ type, stream }) => type === TYPE.reset && stream === 1),
    'and it need not send the rest',
  )
  t.same(service.counts.failures, { gone: 2, slow: 2 })
  t.equal(service.heldBytes, 0)
  client.socket.destroy()
  while (server.counters.active > 0) await new Promise((resolve) => setImmediate(resolve))
})

t.test('memory for content is bounded over all requests', async (t) => {
  const { promise, resolve } = Promise.withResolvers<void>()
  let running = 0
  const { ways, plain } = await startAll(
    t,
    async (request) => {
      running++
      await promise
      return echo(request)
    },
    {},
    { maxHeldBytes: 400_000 },
  )
  const [, [, ask]] = ways as [unknown, [string, Ask]]
  const asked = Array.from({ length: 5 }, () => ask({ ...POST, pieces: [Buffer.alloc(100_000)] }))
  const refused = await Promise.race(asked)
  t.equal(refused.status, 503)
  t.equal(refused.headers['retry-after'], '1')
  const { service } = plain
  while (running + (service.counts.failures.full ?? 0) < 5) await new Promise((resolve) => setImmediate(resolve))
  resolve()
  const statuses = (await Promise.all(asked)).map(({ status }) => status).sort()
  t.ok(statuses.includes(200) && statuses.filter((status) => status === 503).length >= 3, `${statuses}`)
  t.equal(service.heldBytes, 0)
})

t.test('a large upload over HTTP/2 is no flood', async (t) => {
  const { ways, fast, plain } = await startAll(t)
  const bytes = Buffer.from(createRandom(1).bytes(65_536))
  for (const [name, ask] of ways) {
    const { status, body } = await ask({ ...POST, pieces: Array.from({ length: 150 }, () => bytes) })
    t.equal(status, 200, name)
    t.equal(JSON.parse(body.toString()).bytes, 150 * 65_536)
  }
  t.equal(fast.server.counters.http2Calmed + plain.server.counters.http2Calmed, 0)
})

t.test('a GET of a function is asked again each time', async (t) => {
  let runs = 0
  const { ways, fast } = await startAll(
    t,
    (request) =>
      ({
        ...echo(request),
        response: {
          status: 200,
          headers: [['cache-control', 'public, max-age=60']],
          body: Buffer.from(String(runs++)),
        },
      }) as GuestOutcome,
  )
  for (const [name, ask] of ways) {
    const first = await ask({ ...POST, method: 'GET', path: '/get' })
    const again = await ask({ ...POST, method: 'GET', path: '/get' })
    t.equal(Number(again.body), Number(first.body) + 1, name)
  }
  t.equal(fast.server.counters.remembered, 0)
})

t.test('one connection carries request after request, with content and without', async (t) => {
  const { plainPort } = await startFunctions(t)
  const one = (path: string, text: string, more = '') =>
    `POST ${path} HTTP/1.1\r\nHost: example.com\r\n${more}Content-Length: ${text.length}\r\n\r\n${text}`
  const get = 'GET /get HTTP/1.1\r\nHost: example.com\r\n\r\n'
  const bytes = [
    one('/post', 'first'),
    one('/', 'nobody wants this'),
    get,
    one('/post', '{"a":"b"}', 'Connection: close\r\n'),
  ]
  const answer = await sendRaw({ port: plainPort }, bytes.join(''))
  t.same(answer.match(/HTTP\/1.1 [0-9]+/g), ['HTTP/1.1 200', 'HTTP/1.1 405', 'HTTP/1.1 200', 'HTTP/1.1 200'])
  t.same(answer.match(/"bytes":[0-9]+/g), ['"bytes":5', '"bytes":9'])
})
