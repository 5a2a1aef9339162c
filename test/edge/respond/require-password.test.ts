import t from 'tap'
import { hashPassword, SALT_BYTES, type SiteTable } from '../../../edge/index.ts'
import { findBasicCredentials } from '../../../edge/message/index.ts'
import { respond } from '../../../edge/respond/index.ts'
import { SiteRules } from '../../../edge/rules/index.ts'
import { type Asked, buildManifest, buildSite, buildTable, MemoryBlobs, siteRequest } from '../fixtures.ts'

const FILES = {
  'index.html': 'home',
  'plan.html': 'plan',
  'secret/index.html': 'secret',
  'secret/app.8e0d62a1.js': 'code',
  'open.txt': 'open',
  '404.html': 'lost',
}
const hash = await hashPassword('pässwörd', new Uint8Array(SALT_BYTES))

function siteWith(lines: string): SiteTable {
  const { rules } = SiteRules.parse({ _headers: new TextEncoder().encode(lines) })
  const site = buildSite(buildManifest(new MemoryBlobs(), FILES))
  return buildTable({ ...site, release: site.release && { ...site.release, rules } })
}

const table = siteWith(`/secret/*\n  Basic-Auth: ann:${hash}\n/plan\n  Basic-Auth: ann:${hash}\n`)
const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })
const ANN = basic('ann:pässwörd')

function ask(target: string, asked: Asked = {}, learnt: Parameters<typeof respond>[2] = {}) {
  return respond(siteRequest({ target, ...asked }), table, learnt, { node: 'tokyo' })
}

t.test('who gives no password is asked for it, by any spelling of a protected path', async (t) => {
  for (const target of [
    '/secret/',
    '/secret/index.html',
    '/secret/app.8e0d62a1.js',
    '/secret/none',
    '/%73ecret/',
    '//secret/',
    '/secret//',
    '/secret/?w=100',
    'http://example.com/secret/',
    '/plan',
    '/plan.html',
    '/plan.html?x',
    '/%70lan.html',
  ])
    for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS'])
      t.match(
        ask(target, { method }),
        {
          status: 401,
          headers: {
            'www-authenticate': 'Basic realm="example.com", charset="UTF-8"',
            'cache-control': 'no-store',
            vary: 'authorization',
          },
        },
        `${method} ${target}`,
      )
  for (const target of ['/', '/open.txt', '/index.html']) {
    const plan = ask(target, { fields: ANN })
    t.match(plan, { status: 200 }, target)
    if (!('kind' in plan)) t.notMatch(plan.headers, { vary: /authorization/ }, 'what is open is the same for all')
  }
})

t.test('a page that answers every path, as applications have it, is protected at every path', async (t) => {
  for (const protectedPath of ['/', '/index.html']) {
    const { rules } = SiteRules.parse({
      _headers: new TextEncoder().encode(`${protectedPath}\n  Basic-Auth: ann:${hash}\n`),
    })
    const site = buildSite(buildManifest(new MemoryBlobs(), FILES), { spa: true })
    const app = buildTable({ ...site, release: site.release && { ...site.release, rules } })
    for (const target of ['/', '/index.html', '/index', '/orders/17', '/orders/'])
      t.match(
        respond(siteRequest({ target }), app, {}, { node: 'tokyo' }),
        { status: 401 },
        `${protectedPath} ${target}`,
      )
    t.match(respond(siteRequest({ target: '/open.txt' }), app, {}, { node: 'tokyo' }), { status: 200 })
  }
})

t.test('a right password opens, for the visitor alone', async (t) => {
  t.match(ask('/secret/', { fields: ANN }), { kind: 'password', hash, password: 'pässwörd', client: '192.0.2.1' })
  const right = { password: { verdict: 'right' as const } }
  t.match(ask('/secret/', { fields: ANN }, right), {
    status: 200,
    headers: { 'cache-control': 'private, no-cache', vary: /authorization/ },
  })
  t.match(ask('/secret/app.8e0d62a1.js', { fields: ANN }, right), {
    status: 200,
    headers: { 'cache-control': 'private, max-age=31536000, immutable' },
  })
  t.match(ask('/secret/none', { fields: ANN }, right), {
    status: 404,
    headers: { 'cache-control': 'private, no-cache' },
  })
})

t.test('anything else does not', async (t) => {
  const verdicts = { right: 401, wrong: 401, 'too-many-tries': 429, busy: 503 } as const
  for (const [verdict, status] of Object.entries(verdicts) as [keyof typeof verdicts, number][]) {
    const fields = basic('bob:pässwörd')
    t.match(ask('/secret/', { fields }), { kind: 'password', hash }, 'an unknown user costs as much as a known one')
    t.match(ask('/secret/', { fields }, { password: { verdict } }), { status }, `bob, ${verdict}`)
    if (verdict !== 'right') t.match(ask('/secret/', { fields: ANN }, { password: { verdict } }), { status }, verdict)
  }
  t.match(ask('/secret/', { fields: basic('bob:x') }, { password: { verdict: 'busy' } }), {
    headers: { 'retry-after': '10' },
  })
  for (const authorization of ['', 'Basic', 'Basic !', 'Bearer abc', `Basic ${Buffer.from('ann').toString('base64')}`])
    t.match(ask('/secret/', { fields: { authorization } }), { status: 401 }, authorization)
})

t.test('a line that is not understood protects what it names', async (t) => {
  for (const value of ['ann:clear', 'ann', '', 'ann:$scrypt$x']) {
    const broken = siteWith(`/secret/*\n  Basic-Auth: ${value}\n`)
    const plan = respond(siteRequest({ target: '/secret/', fields: ANN }), broken, {}, { node: 'n' })
    t.notMatch(plan, { status: 200 }, value)
  }
})

t.test('credentials (RFC 7617)', async (t) => {
  const read = (text: string | Uint8Array) => findBasicCredentials(`Basic ${Buffer.from(text).toString('base64')}`)
  t.strictSame(read('Aladdin:open sesame'), { user: 'Aladdin', password: 'open sesame' })
  t.strictSame(read('test:123\u00a3'), { user: 'test', password: '123£' }, 'the example of section 2.1')
  t.strictSame(read('a:b:c'), { user: 'a', password: 'b:c' })
  t.strictSame(read('a:e\u0301'), { user: 'a', password: '\u00e9' }, 'composed')
  t.strictSame(read(':'), { user: '', password: '' })
  for (const text of ['nocolon', 'a:b\n', 'a\0:b', '']) t.equal(read(text), undefined, JSON.stringify(text))
  t.equal(read(new Uint8Array([0x61, 0x3a, 0xff])), undefined, 'not UTF-8')
  t.equal(read(`a:${'x'.repeat(2000)}`), undefined, 'too long')
  t.strictSame(findBasicCredentials('bAsIc YTpi'), { user: 'a', password: 'b' })
})
