import t from 'tap'
import { type FunctionValue, hashBlob } from '../../../core/index.ts'
import { type FunctionOutcome, FunctionTable, type Learnt, respond, SiteRules } from '../../../edge/index.ts'
import { type Asked, buildManifest, buildSite, buildTable, MemoryBlobs, releaseId, siteRequest } from '../fixtures.ts'

const manifest = buildManifest(new MemoryBlobs(), {
  'index.html': 'home',
  '404.html': 'nothing',
  'api/any': 'a file of the same path',
  'api/pay.wasm': 'published by mistake',
  'page.html': 'page',
})
const component = hashBlob(new Uint8Array([1]))
const value = (path: string, methods?: string[]): FunctionValue => ({ path, component, ...(methods && { methods }) })
const functions = new FunctionTable([
  value('api/pay.wasm', ['POST']),
  value('api/read.wasm', ['GET']),
  value('api/any.wasm'),
  value('app/[...rest].wasm'),
])
const rules = (redirects: string, headers = '') =>
  SiteRules.parse({ _redirects: Buffer.from(redirects), _headers: Buffer.from(headers) }).rules
const HASH = `$scrypt$ln=15,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`

interface Options extends Asked {
  readonly rules?: SiteRules
  readonly learnt?: Learnt
  readonly areRun?: boolean
  readonly preview?: boolean
}

function ask(method: string, target: string, { rules, learnt, areRun = true, preview, ...asked }: Options = {}) {
  const release = { id: releaseId('f'), manifest, functions, ...(rules === undefined ? {} : { rules }) }
  const table = buildTable(buildSite(manifest, { release }))
  const host = preview === true ? `${'f'.repeat(26)}--preview.example.com` : 'example.com'
  const decided = respond(
    siteRequest({ method, target, host, ...asked }),
    table,
    { asset: null, ...learnt },
    { node: 'tokyo', functions: areRun },
  )
  if (!('kind' in decided)) return { plan: decided }
  return decided.kind === 'function' ? { call: decided.call } : { need: decided }
}

function answer(outcome: FunctionOutcome, method = 'GET', more: Options = {}) {
  const { plan } = ask(method, '/api/any', { ...more, learnt: { function: outcome } })
  if (plan === undefined) throw new Error('an answer was learnt')
  return plan
}

const answered = (part: Partial<Extract<FunctionOutcome, { kind: 'answered' }>> = {}): FunctionOutcome => ({
  kind: 'answered',
  status: 200,
  headers: [['content-type', 'text/plain']],
  body: Buffer.from('hello'),
  lengthBytes: 5,
  trace: 'abc',
  ...part,
})

t.test('a function is called with the path and the query as they came', async (t) => {
  const { call } = ask('POST', '/api/pay?x=%31&y')
  t.match(call, { domain: 'example.com', path: '/api/pay', query: 'x=%31&y', host: 'example.com', isProtected: false })
  t.equal(call?.called.path, 'api/pay.wasm')
  t.equal(call?.release, releaseId('f'))
  t.match(ask('GET', '/api/any/').call, { path: '/api/any/', query: undefined })
  t.match(ask('GET', '/app/a%20b/c').call, { path: '/app/a%20b/c', called: { path: 'app/[...rest].wasm' } })
  t.equal(ask('GET', '/api/any').call?.called.path, 'api/any.wasm', 'before the file of that path')
})

t.test('methods', async (t) => {
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
    t.ok(ask(method, '/api/any').call, method)
  t.match(ask('GET', '/api/pay').plan, { status: 405, headers: { allow: 'POST, OPTIONS' } })
  t.ok(ask('HEAD', '/api/read').call, 'whoever takes GET takes HEAD')
  t.match(ask('POST', '/api/read').plan, { status: 405, headers: { allow: 'GET, HEAD, OPTIONS' } })
  t.match(ask('OPTIONS', '/api/pay').plan, { status: 204, headers: { allow: 'POST, OPTIONS' } })
  t.match(ask('TRACE', '/api/any').plan, { status: 405 })
  t.match(ask('BREW', '/api/any').plan, { status: 501 })
})

t.test('where functions are not run they say so plainly', async (t) => {
  const { plan } = ask('POST', '/api/pay?x=1', { areRun: false })
  t.match(plan, { status: 501, headers: { 'cache-control': 'no-store' }, body: { text: '501 Not Implemented\n' } })
  t.match(ask('GET', '/api/pay', { areRun: false }).plan, { status: 405 })
})

t.test('other paths are as they were, and no component is served', async (t) => {
  t.equal(ask('GET', '/').plan?.status, 200)
  t.equal(ask('GET', '/api/pay.wasm').plan?.status, 404)
  for (const target of ['/api', '/API/pay', '/api/pay/x', '/api%2Fpay', '/%', '/app', '/app//x'])
    t.ok(ask('GET', target).plan, target)
  t.equal(ask('POST', '/').plan?.status, 405)
})

t.test('rules lead to functions, and go before them only where they are forced', async (t) => {
  const led = { rules: rules('/old/* /app/:splat 200\n/user/:id /api/any?id=:id 200\n/gone /api/any 404') }
  t.match(ask('GET', '/old/x/y?q=1', led).call, { path: '/app/x/y', query: 'q=1' })
  t.match(ask('POST', '/old/x', led).call, { path: '/app/x' }, 'whatever the method')
  t.match(ask('GET', '/user/7?q=1', led).call, { path: '/api/any', query: 'id=7' })
  t.match(ask('DELETE', '/user/a%26b', led).call, { query: 'id=a%26b' })
  t.equal(ask('GET', '/gone', led).plan?.status, 404)
  const shadowed = { rules: rules('/api/any /page 301\n/api/read /page 200') }
  t.ok(ask('GET', '/api/any', shadowed).call)
  t.ok(ask('GET', '/api/read', shadowed).call)
  const forced = { rules: rules('/api/any /page 302!\n/api/read /page 200!\n/app/* /api/any 200!') }
  t.match(ask('POST', '/api/any', forced).plan, { status: 302, headers: { location: '/page' } })
  t.equal(ask('GET', '/api/read', forced).plan?.status, 200)
  t.equal(ask('GET', '/app/x', forced).call?.called.path, 'api/any.wasm')
  t.equal(ask('POST', '/page', { rules: rules('/page /x 301!') }).plan?.status, 405)
})

t.test('a password goes before, and what opened it is not for the function', async (t) => {
  const kept = { rules: rules('', `/api/*\n  Basic-Auth: me:${HASH}\n`) }
  t.equal(ask('POST', '/api/pay', kept).plan?.status, 401)
  t.equal(ask('GET', '/api/pay/', kept).plan?.status, 401)
  const fields = { authorization: `Basic ${Buffer.from('me:secret').toString('base64')}` }
  t.match(ask('POST', '/api/pay', { ...kept, fields }).need, { kind: 'password' })
  const learnt = { password: { verdict: 'right' as const } }
  t.equal(ask('POST', '/api/pay', { ...kept, fields, learnt }).call?.isProtected, true)
  const { plan } = ask('POST', '/api/pay', {
    ...kept,
    fields,
    learnt: { ...learnt, function: answered({ headers: [['cache-control', 'public, max-age=60']] }) },
  })
  t.match(plan?.headers, { 'cache-control': 'private, max-age=60', vary: 'authorization' })
})

t.test('a request that a function sent calls no function', async (t) => {
  for (const loop of ['makiatto', 'other, MAKIATTO; v=1', 'a;x="b, c" ,makiatto'])
    t.equal(ask('GET', '/api/any', { fields: { 'cdn-loop': loop } }).plan?.status, 508, loop)
  for (const loop of ['other', 'not-makiatto', 'a;x="y, makiatto, z"'])
    t.ok(ask('GET', '/api/any', { fields: { 'cdn-loop': loop } }).call, loop)
  t.equal(ask('GET', '/', { fields: { 'cdn-loop': 'makiatto' } }).plan?.status, 200)
})

t.test('content that no function takes is refused by its length', async (t) => {
  const content = { lengthBytes: 2 ** 20 + 1, read: async () => 'gone' as const, drop: () => {} }
  t.equal(ask('POST', '/', { content }).plan?.status, 413)
  t.ok(ask('POST', '/api/any', { content }).call)
})

t.test('an answer is as the function gave it', async (t) => {
  const plan = answer(
    answered({
      status: 299,
      headers: [
        ['x-a', '1'],
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
      ],
    }),
  )
  t.match(plan, { status: 299, body: { kind: 'bytes', bytes: Buffer.from('hello') } })
  t.same(plan.headers, {
    'makiatto-node': 'tokyo',
    'makiatto-release': 'ffffffffff',
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    'makiatto-trace': 'abc',
    'x-a': '1',
    'set-cookie': ['a=1', 'b=2'],
    'content-length': '5',
  })
  t.equal(plan.of?.domain, 'example.com')
  const cached = answer(answered({ headers: [['cache-control', 'public, max-age=5']] }))
  t.equal(cached.headers['cache-control'], 'public, max-age=5')
  const preview = answer(answered({ headers: [['cache-control', 'public, max-age=5']] }), 'GET', { preview: true })
  t.match(preview.headers, { 'cache-control': 'no-store', 'x-robots-tag': 'noindex' })
  const strange = answer(
    answered({
      headers: [
        ['__proto__', 'a'],
        ['__proto__', 'b'],
      ],
    }),
  )
  t.same(
    Object.entries(strange.headers).find(([name]) => name === '__proto__'),
    ['__proto__', ['a', 'b']],
  )
  t.equal(Object.getPrototypeOf(strange.headers), Object.prototype)
  const found = answer(answered({ headers: [['x-robots-tag', 'all']] }), 'GET', { preview: true })
  t.same(found.headers['x-robots-tag'], ['noindex', 'all'])
  t.match(answer(answered(), 'HEAD'), { headers: { 'content-length': '5' }, body: { kind: 'none' } })
  for (const status of [204, 304]) {
    const empty = answer(answered({ status }))
    t.equal(empty.headers['content-length'], undefined)
    t.equal(empty.body.kind, 'none')
  }
  const sized = answer(answered({ status: 205, body: new Uint8Array(), lengthBytes: 0 }))
  t.equal(sized.headers['content-length'], '0')
})

t.test('an entity tag of a function is compared', async (t) => {
  const tagged = answered({
    headers: [
      ['etag', '"v1"'],
      ['content-type', 'text/plain'],
      ['x-a', '1'],
    ],
  })
  const same = answer(tagged, 'GET', { fields: { 'if-none-match': 'W/"v1"' } })
  t.match(same, { status: 304, body: { kind: 'none' }, headers: { etag: '"v1"', 'x-a': '1' } })
  t.equal(same.headers['content-type'], undefined)
  t.equal(same.headers['content-length'], undefined)
  t.equal(answer(tagged, 'GET', { fields: { 'if-none-match': '"v2"' } }).status, 200)
  t.equal(answer(tagged, 'POST', { fields: { 'if-none-match': '"v1"' } }).status, 200)
  t.equal(answer(answered(), 'GET', { fields: { 'if-none-match': '*' } }).status, 200, 'where it has one')
})

t.test('what fails says no more than its trace', async (t) => {
  for (const status of [408, 413, 500, 503, 504] as const) {
    const plan = answer({ kind: 'failed', status, trace: 'abc', ...(status === 503 ? { retryAfterS: 3 } : {}) })
    t.equal(plan.status, status)
    t.match(plan.headers, { 'makiatto-trace': 'abc', 'cache-control': 'no-store' })
    t.match(plan.body, { kind: 'text', text: new RegExp(`^${status} [A-Z][A-Za-z ]+ \\(trace abc\\)\\n$`) })
    t.equal(plan.headers['retry-after'], status === 503 ? '3' : undefined)
  }
  t.equal(answer({ kind: 'gone' }).status, 400)
})
