import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import t from 'tap'
import { type Log, MakiError } from '../../../core/index.ts'
import type { FunctionOutcome, GuestFailure, GuestRun } from '../../../edge/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { FakeRuntime } from '../fixtures.ts'
import { contentOf, DOMAIN, gives, MANIFEST, startService } from './support.ts'

type Answered = Extract<FunctionOutcome, { kind: 'answered' }>

const TRACE = '0'.repeat(32)

function asAnswered(outcome: FunctionOutcome): Answered {
  if (outcome.kind !== 'answered') throw new Error(`an answer was wanted: ${JSON.stringify(outcome)}`)
  return outcome
}

/** Keeps what is logged. */
function listen() {
  const lines: { event: string; data: unknown }[] = []
  const note = (event: string, data?: unknown) => void lines.push({ event, data })
  const log: Log = { debug: note, info: note, warn: note, error: note }
  return { lines, log }
}

t.test('a guest runs with its component, its files and the request', async (t) => {
  let seen: GuestRun | undefined
  const { ask, service } = startService((run) => {
    seen = run
    return gives({ status: 201, headers: [['X-A', ' 1 ']], body: Buffer.from('made') })
  })
  const content = contentOf(Buffer.from('content'))
  const outcome = await ask({ method: 'POST', content })
  t.match(seen, { domain: DOMAIN, trace: TRACE, component: { path: 'api/hello.wasm' }, input: { world: 'http' } })
  t.equal(seen?.manifest, MANIFEST)
  t.match(seen?.input, { request: { method: 'post', path: '/api/hello', query: 'x=1', body: Buffer.from('content') } })
  t.same(outcome, {
    kind: 'answered',
    status: 201,
    headers: [['x-a', '1']],
    body: Buffer.from('made'),
    lengthBytes: 4,
    trace: TRACE,
  })
  t.same(service.counts.requests, { 'example.com': { 'api/hello.wasm': [0, 0, 1, 0, 0, 0] } })
  t.equal(service.heldBytes, 0)
})

t.test('however a guest fails, the visitor is told a status', async (t) => {
  const statuses: Record<GuestFailure, number> = {
    trap: 500,
    memory: 500,
    'too-large': 500,
    unfit: 500,
    died: 500,
    timeout: 504,
    busy: 503,
    closed: 503,
  }
  for (const [why, status] of Object.entries(statuses) as [GuestFailure, number][]) {
    const { ask, service } = startService(() => ({ kind: 'failed', why, detail: 'a secret of the function', cpuMs: 5 }))
    const outcome = await ask()
    t.match(outcome, { kind: 'failed', status, trace: TRACE }, why)
    t.notMatch(JSON.stringify(outcome), 'secret')
    t.equal('retryAfterS' in outcome, status === 503)
    t.same(service.counts.failures, { [why]: 1 })
    t.same(service.counts.cpuSeconds, { 'example.com': 0.005 })
  }
  const { lines, log } = listen()
  const rejects = startService(
    () => {
      throw new MakiError('MAKI_INTERNAL', 'a runner that does what it must not')
    },
    { log },
  )
  t.match(await rejects.ask(), { status: 500 })
  t.equal(lines[0]?.event, 'function.call-failed')
})

t.test('an answer that is none is a 500, and says why in the log alone', async (t) => {
  const faults = [
    ...[0, 99, 100, 101, 199, 600, 999, 200.5, Number.NaN].map((status) => ({ status })),
    ...['', 'a b', 'a:', 'ä', 'a\r\nb', 'x'.repeat(129)].map((name) => ({ headers: [[name, 'v']] as const })),
    ...['a\r\nb', 'a\nb', 'a\0', '\x7f', '€', '\u{1f600}'].map((value) => ({ headers: [['x', value]] as const })),
    { headers: Array.from({ length: 101 }, () => ['x', 'y'] as const) },
    { headers: [['x', 'y'.repeat(20_000)]] as const },
  ]
  for (const fault of faults) {
    const { lines, log } = listen()
    const { ask, service } = startService(() => gives(fault), { log })
    t.match(await ask(), { kind: 'failed', status: 500 }, JSON.stringify(fault).slice(0, 60))
    t.match(lines, [{ event: 'function.answer-invalid', data: { trace: TRACE, reason: String } }])
    t.same(service.counts.failures, { invalid: 1 })
  }
  const transform = startService(() => ({ kind: 'transformed', result: undefined, cpuMs: 0 }))
  t.match(await transform.ask(), { status: 500 })
})

t.test('what is not a function’s to say is left out, and told of once', async (t) => {
  const { lines, log } = listen()
  const headers = [
    ['Connection', 'close'],
    ['transfer-encoding', 'chunked'],
    ['Content-Length', '999'],
    ['upgrade', 'h2c'],
    ['te', 'x'],
    ['trailer', 'x'],
    ['keep-alive', 'timeout=1'],
    ['date', 'now'],
    ['alt-svc', 'h3=":443"'],
    ['makiatto-node', 'other'],
    ['set-cookie', 'a=1'],
    ['Set-Cookie', 'b=2'],
    ['content-type', 'text/plain'],
  ] as const
  const { ask } = startService(() => gives({ headers, body: Buffer.from('hi') }), { log })
  const outcome = asAnswered(await ask())
  t.same(outcome.headers, [
    ['set-cookie', 'a=1'],
    ['set-cookie', 'b=2'],
    ['content-type', 'text/plain'],
  ])
  t.equal(outcome.lengthBytes, 2)
  await ask()
  t.match(lines, [{ event: 'function.headers-dropped', data: { function: 'api/hello.wasm' } }])
  t.equal(lines.length, 1)
})

t.test('a function that gives other names each time has one line of the log, of ten names', async (t) => {
  const { lines, log } = listen()
  let calls = 0
  const { ask } = startService(
    () => gives({ headers: Array.from({ length: 30 }, (_, i) => [`makiatto-${calls++}-${i}`, 'x'] as const) }),
    { log },
  )
  for (let i = 0; i < 5; i++) await ask()
  t.equal(lines.length, 1)
  t.match(lines[0], { data: { headers: { length: 10 } } })
})

t.test('answers without content, and of HEAD', async (t) => {
  const body = Buffer.from('content')
  for (const status of [204, 304]) {
    const { ask } = startService(() => gives({ status, body }))
    t.match(await ask(), { status, body: new Uint8Array(), lengthBytes: undefined })
  }
  const reset = startService(() => gives({ status: 205, body }))
  t.match(await reset.ask(), { lengthBytes: 0, body: new Uint8Array() })
  const head = startService(() => gives({ body }))
  t.match(await head.ask({ method: 'HEAD' }), { lengthBytes: 7, body: new Uint8Array() })
  const said = startService(() => gives({ headers: [['content-length', '12345']] }))
  t.equal(asAnswered(await said.ask({ method: 'HEAD' })).lengthBytes, 12_345)
  t.equal(asAnswered(await said.ask()).lengthBytes, 0)
  const lies = startService(() => gives({ headers: [['content-length', '-1e9']] }))
  t.equal(asAnswered(await lies.ask({ method: 'HEAD' })).lengthBytes, undefined)
})

t.test('content that is too much, too slow or lost calls nobody', async (t) => {
  let runs = 0
  const runtime = new FakeRuntime()
  const { ask, service } = startService(
    () => {
      runs++
      return gives()
    },
    { maxContentBytes: 10, maxHeldBytes: 16, contentTimeoutMs: 1000, runtime },
  )
  const large = contentOf(new Uint8Array(11))
  t.match(await ask({ method: 'POST', content: large }), { status: 413 })
  t.notOk(large.isRead, 'its length was enough')
  t.match(await ask({ method: 'POST', content: { ...large, lengthBytes: undefined } }), { status: 413 })
  t.match(await ask({ method: 'POST', content: contentOf(new Uint8Array(9)) }), { status: 503, retryAfterS: 1 })
  t.match(await ask({ method: 'POST', content: contentOf(new Uint8Array(8)) }), { kind: 'answered' })
  const { promise, resolve } = Promise.withResolvers<'gone'>()
  const waiting = { lengthBytes: 5, read: () => promise, drop: () => resolve('gone') }
  const late = ask({ method: 'POST', content: waiting })
  runtime.advance(1001)
  t.match(await late, { status: 408 })
  const gone = { lengthBytes: 5, read: async () => 'gone' as const, drop: () => {} }
  t.same(await ask({ method: 'POST', content: gone }), { kind: 'gone' })
  const broken = { ...gone, read: () => Promise.reject(new Error('our mistake')) }
  t.match(await ask({ method: 'POST', content: broken }), { status: 500 })
  t.equal(runs, 1)
  t.same(service.counts.failures, { 'too-much': 2, full: 1, slow: 1, gone: 1 })
  t.equal(service.heldBytes, 0)
  t.equal(runtime.pending, 0, 'and no timer is left')
})

t.test('text is encoded for who takes it', async (t) => {
  const body = Buffer.from('<p>text that repeats itself</p>\n'.repeat(200))
  const headers = [
    ['content-type', 'text/html'],
    ['etag', '"v1"'],
    ['vary', 'cookie'],
  ] as const
  const { ask } = startService(() => gives({ headers, body }))
  const decoders = { br: brotliDecompressSync, gzip: gunzipSync, zstd: zstdDecompressSync }
  for (const [coding, decode] of Object.entries(decoders)) {
    const outcome = asAnswered(await ask({ fields: { 'accept-encoding': coding } }))
    const fields = new Map(outcome.headers)
    t.match(
      fields,
      new Map([
        ['content-encoding', coding],
        ['etag', 'W/"v1"'],
        ['vary', 'cookie, accept-encoding'],
      ]),
    )
    t.ok(decode(outcome.body).equals(body), coding)
    t.equal(outcome.lengthBytes, outcome.body.length)
    t.ok(outcome.body.length < body.length / 5)
  }
  const plain = asAnswered(await ask())
  t.ok(Buffer.from(plain.body).equals(body))
  t.match(
    new Map(plain.headers),
    new Map([
      ['etag', '"v1"'],
      ['vary', 'cookie, accept-encoding'],
    ]),
  )
  const head = asAnswered(await ask({ method: 'HEAD', fields: { 'accept-encoding': 'br' } }))
  t.equal(head.lengthBytes, undefined, 'nobody knows how long it would be')
  const many = await Promise.all(Array.from({ length: 20 }, () => ask({ fields: { 'accept-encoding': 'br' } })))
  const coded = many.filter((each) => asAnswered(each).headers.some(([name]) => name === 'content-encoding')).length
  t.ok(coded >= 1 && coded < 20, `${coded} of 20 at once`)
  for (const [name, value] of [
    ['content-encoding', 'identity'],
    ['cache-control', 'public, no-transform'],
    ['content-range', 'bytes 0-1/2'],
    ['content-type', 'image/png'],
  ] as const) {
    const other = startService(() =>
      gives({ headers: [...headers.filter(([each]) => each !== name), [name, value]], body }),
    )
    const { headers: given, body: sent } = asAnswered(await other.ask({ fields: { 'accept-encoding': 'br' } }))
    t.ok(Buffer.from(sent).equals(body), `${name}: ${value}`)
    t.equal(new Map(given).get('vary'), 'cookie')
  }
})

for (const seed of seeds(50))
  t.test(`whatever a guest answers, what is sent can be sent, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const text = () =>
      String.fromCharCode(...Array.from({ length: random.integer(8) }, () => random.integer(random.pick([128, 300]))))
    const names = ['set-cookie', 'vary', 'etag', 'content-type', 'content-length', 'connection', '__proto__', 'x-a']
    const { ask } = startService(() =>
      gives({
        status: random.pick([200, 200, 204, 304, 404, random.integer(700)]),
        headers: Array.from(
          { length: random.integer(4) },
          () => [random.chance(0.8) ? random.pick(names) : text(), text()] as const,
        ),
        body: random.chance(0.5) ? random.bytes(random.integer(3000)) : undefined,
      }),
    )
    for (let i = 0; i < 40; i++) {
      const method = random.pick(['GET', 'HEAD', 'POST'])
      const outcome = await ask({ method, fields: { 'accept-encoding': random.pick(['br', 'x', 'gzip;q=0']) } })
      if (outcome.kind !== 'answered') continue
      const { status, headers, body, lengthBytes } = outcome
      const isRight =
        status >= 200 &&
        status < 600 &&
        headers.every(([name, value]) => /^[!#-'*+.^_`|~0-9a-z-]+$/.test(name) && /^[\t -~\x80-\xff]*$/.test(value)) &&
        headers.every(([name]) => name !== 'content-length' && name !== 'connection') &&
        (body.length === 0 || (body.length === lengthBytes && method !== 'HEAD' && status !== 204 && status !== 304))
      if (!isRight) t.fail('it cannot', { found: { status, headers, length: body.length, lengthBytes } })
    }
    t.pass('sent')
  })

t.test('labels are bounded', async (t) => {
  const { call, service } = startService(() => gives())
  const { siteRequest } = await import('../fixtures.ts')
  for (let domain = 0; domain < 130; domain++)
    for (let path = 0; path < 8; path++)
      await service.call(
        { ...call, domain: `d${domain}.example` as typeof DOMAIN, called: { ...call.called, path: `f${path}.wasm` } },
        siteRequest(),
      )
  const { requests, cpuSeconds, durations } = service.counts
  t.equal(Object.keys(requests).length, 101)
  t.ok(Object.values(requests).flatMap((paths) => Object.keys(paths)).length <= 601)
  t.equal(
    Object.values(requests)
      .flatMap((paths) => Object.values(paths).flat())
      .reduce((a, b) => a + b),
    130 * 8,
  )
  t.equal(
    durations.buckets.reduce((a, b) => a + b),
    130 * 8,
  )
  t.ok(Object.keys(cpuSeconds).length <= 101)
})
