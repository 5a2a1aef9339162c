import t from 'tap'
import type { Hostname } from '../../../core/index.ts'
import { findLocalDomain, type Plan, respond } from '../../../edge/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import {
  type Asked,
  buildManifest,
  buildSite,
  buildTable,
  decide,
  MemoryBlobs,
  releaseId,
  siteRequest,
} from '../fixtures.ts'

const blobs = new MemoryBlobs()
const FILES = {
  'index.html': '<h1>home</h1>',
  'about.html': 'about',
  'app.css': 'body {}',
  'photo.webp': 'webp',
  'feed.xml': '<xml/>',
  json: 'bare name',
  empty: '',
  'docs/index.html': 'docs',
  'docs/404.html': 'no such doc',
  'docs/deep/page.html': 'page',
  'both.html': 'both file',
  'both/index.html': 'both folder',
  'with space & ü.txt': 'name',
  '100%.txt': 'percent',
  '.well-known/thing': 'thing',
  'Upper.txt': 'upper',
  '404.html': 'nothing here',
}
const manifest = buildManifest(blobs, FILES)
const www = 'www.example.com' as Hostname
const table = buildTable(
  buildSite(manifest, { hosts: ['example.com' as Hostname, www] }),
  buildSite(buildManifest(blobs, { 'index.html': 'spa', 'app.js': 'js' }), {
    domain: 'spa.net' as Hostname,
    hosts: ['spa.net' as Hostname],
    spa: true,
  }),
  buildSite(undefined, {
    domain: 'old.org' as Hostname,
    hosts: ['old.org' as Hostname],
    redirect: 'https://new.com/sub',
  }),
  buildSite(undefined, { domain: 'wait.org' as Hostname, hosts: ['wait.org' as Hostname] }),
  buildSite(undefined, { domain: 'bare.org' as Hostname, hosts: ['bare.org' as Hostname], published: false }),
)

function ask(target: string, request: Asked = {}): Plan {
  return decide(siteRequest({ target, ...request }), table, { node: 'tokyo' })
}

function contentOf(plan: Plan): string | undefined {
  if (plan.body.kind !== 'blob') return undefined
  const bytes = blobs.bytes.get(plan.body.hash) as Uint8Array
  return new TextDecoder().decode(bytes.subarray(plan.body.start, plan.body.end))
}

const etagOf = (path: string) => `"${manifest.find(path)?.hash}"`

t.test('paths', async (t) => {
  const latin1 = Buffer.from('/with%20space%20&%20ü.txt').toString('latin1')
  const cases: [target: string, status: number, content: string | undefined, location?: string][] = [
    ['/', 200, 'index.html'],
    ['/?q=1', 200, 'index.html'],
    ['http://example.com', 200, 'index.html'],
    ['http://EXAMPLE.com:80/about?x', 200, 'about.html'],
    ['/index.html', 200, 'index.html'],
    ['/about', 200, 'about.html'],
    ['/about.html', 200, 'about.html'],
    ['/about/', 308, undefined, '/about'],
    ['/docs', 308, undefined, '/docs/'],
    ['/docs?a=b%20c"<', 308, undefined, '/docs/?a=b%20c%22%3C'],
    ['/docs/', 200, 'docs/index.html'],
    ['/docs/index.html', 200, 'docs/index.html'],
    ['/docs/deep/page', 200, 'docs/deep/page.html'],
    ['/both', 200, 'both.html'],
    ['/both/', 200, 'both/index.html'],
    ['/with%20space%20%26%20%C3%BC.txt', 200, 'with space & ü.txt'],
    [latin1, 200, 'with space & ü.txt'],
    ['/100%25.txt', 200, '100%.txt'],
    ['/.well-known/thing', 200, '.well-known/thing'],
    ['/%61bout', 200, 'about.html'],
    ['/upper.txt', 404, '404.html'],
    ['/empty', 200, 'empty'],
    ['/none', 404, '404.html'],
    ['/docs/none', 404, 'docs/404.html'],
    ['/docs/deep/none/', 404, 'docs/404.html'],
    ['/docs/deep', 404, 'docs/404.html'],
    ['//', 404, '404.html'],
    ['//evil.example/..', 400, undefined],
    ['//docs', 404, '404.html'],
    ['/docs//', 404, '404.html'],
    [`/${'a/'.repeat(4000)}`, 404, '404.html'],
    ['/../index.html', 400, undefined],
    ['/docs/../about.html', 400, undefined],
    ['/docs/%2e%2E/about.html', 400, undefined],
    ['/./about.html', 400, undefined],
    ['/docs%2findex.html', 400, undefined],
    ['/docs%5cindex.html', 400, undefined],
    ['/back%5Cslash', 400, undefined],
    ['/back\\slash', 400, undefined],
    ['/about%00.html', 400, undefined],
    ['/100%.txt', 400, undefined],
    ['/%ff', 400, undefined],
    ['/%c0%ae%c0%ae/about.html', 400, undefined],
    ['about', 400, undefined],
    ['', 400, undefined],
    ['*', 400, undefined],
    ['ftp://example.com/', 400, undefined],
    ['http:///about', 400, undefined],
  ]
  for (const [target, status, path, location] of cases) {
    const plan = ask(target)
    const name = JSON.stringify(target.slice(0, 60))
    t.equal(plan.status, status, `${name} is ${status}`)
    t.equal(contentOf(plan), path === undefined ? undefined : FILES[path as keyof typeof FILES], `${name} body`)
    t.equal(plan.headers.location, location, `${name} location`)
  }
})

t.test('hosts', async (t) => {
  const status = (host: string | undefined, target = '/about') => ask(target, { host }).status
  for (const host of ['example.com', 'EXAMPLE.COM.', 'example.com:8080', 'example.com:', 'www.example.com'])
    t.equal(status(host), 200, host)
  for (const host of [undefined, '', 'a b', 'exa/mple.com', 'user@example.com', 'example.com:x', 'é.com', '[::1', '..'])
    t.equal(status(host), 400, String(host))
  for (const host of ['other.com', '127.0.0.1:80', '[::1]:8080', 'localhost', 'xexample.com', '__proto__'])
    t.equal(status(host), 404, host)
  t.equal(status('spa.net', 'http://example.com/about'), 200, 'the authority of the target goes first')
  t.equal(status(undefined, 'http://example.com/about'), 400, 'and does not replace a missing Host')
  t.equal(ask('/', { host: 'other.com' }).headers['makiatto-release'], undefined)
})

t.test('local hosts', async (t) => {
  const site = buildSite(manifest, { hosts: ['example.com' as Hostname, www] })
  const status = (host: string, sites = buildTable(site)) =>
    decide(siteRequest({ host }), sites, { node: 'n', fallback: findLocalDomain }).status
  for (const host of [
    'localhost:8080',
    '127.0.0.1:8080',
    '[::1]:80',
    'example.com.localhost',
    'www.example.com.localhost',
  ])
    t.equal(status(host), 200, host)
  for (const host of ['other.localhost', 'other.com', '.localhost']) t.not(status(host), 200, host)
  t.equal(status('localhost', table), 404, 'ambiguous where there are several sites')
  t.equal(status('spa.net.localhost', table), 200)
})

t.test('methods', async (t) => {
  for (const target of Object.keys(FILES)
    .map((path) => `/${encodeURI(path)}`)
    .concat('/none', '/docs', '/../x')) {
    const get = ask(target)
    const head = ask(target, { method: 'HEAD' })
    t.strictSame([head.status, head.headers], [get.status, get.headers], `HEAD equals GET for ${target}`)
    t.equal(head.body.kind, 'none')
  }
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'TRACE'])
    t.match(ask('/', { method }), { status: 405, headers: { allow: 'GET, HEAD, OPTIONS' } }, method)
  for (const method of ['get', 'PROPFIND', 'BREW']) t.equal(ask('/', { method }).status, 501, method)
  t.match(ask('/', { method: 'OPTIONS' }), { status: 204, headers: { allow: 'GET, HEAD, OPTIONS' } })
  t.match(ask('*', { method: 'OPTIONS' }), { status: 204, headers: { allow: 'GET, HEAD, OPTIONS' } })
})

t.test('headers', async (t) => {
  const headers = (target: string) => ask(target).headers
  t.strictSame(headers('/app.css'), {
    'makiatto-node': 'tokyo',
    'makiatto-release': releaseId('b').slice(0, 10),
    'x-content-type-options': 'nosniff',
    etag: etagOf('app.css'),
    'cache-control': 'public, max-age=86400',
    'accept-ranges': 'bytes',
    'content-type': 'text/css; charset=utf-8',
    'content-length': '7',
  })
  t.match(headers('/'), { 'cache-control': 'no-cache', 'content-type': 'text/html; charset=utf-8' })
  t.match(headers('/photo.webp'), { 'cache-control': 'public, max-age=2592000', 'content-type': 'image/webp' })
  t.match(headers('/feed.xml'), {
    'cache-control': 'public, max-age=1800',
    'content-type': 'application/xml; charset=utf-8',
  })
  t.match(headers('/json'), { 'cache-control': 'public, max-age=3600', 'content-type': 'application/octet-stream' })
  t.match(headers('/none'), { 'cache-control': 'no-cache', 'content-type': 'text/html; charset=utf-8' })
  t.equal(headers('/none').etag, undefined, 'an error page is not a representation of the path')
  const edited = decide(siteRequest({ target: '/app.css' }), table, {
    node: 'n',
    revalidate: true,
  })
  t.match(edited, { status: 200, headers: { 'cache-control': 'no-cache', etag: etagOf('app.css') } }, 'in development')
})

t.test('conditions and ranges', async (t) => {
  const etag = etagOf('about.html')
  const status = (request: Asked) => ask('/about', request).status
  for (const ifNoneMatch of [etag, `W/${etag}`, '*', `"a", ${etag}`, `"x,y",W/${etag}`])
    t.equal(status({ fields: { 'if-none-match': ifNoneMatch } }), 304, ifNoneMatch)
  for (const ifNoneMatch of ['"other"', etag.slice(1, -1), '', '"a", "b"'])
    t.equal(status({ fields: { 'if-none-match': ifNoneMatch } }), 200, ifNoneMatch)
  const fresh = ask('/about', { fields: { 'if-none-match': etag, range: 'bytes=0-1' } })
  t.match(fresh, { status: 304, headers: { etag, 'cache-control': 'no-cache' }, body: { kind: 'none' } })
  t.equal(fresh.headers['content-length'], undefined)
  t.equal(status({ fields: { 'if-match': '"other"' } }), 412)
  t.equal(status({ fields: { 'if-match': `W/${etag}` } }), 412)
  t.equal(status({ fields: { 'if-match': `"a", ${etag}` } }), 200)
  t.equal(ask('/none', { fields: { 'if-none-match': '*' } }).status, 404, 'conditions do not turn a 404 into a 304')

  const ranges: [range: string, status: number, content: string | undefined, contentRange?: string][] = [
    ['bytes=0-1', 206, 'ab', 'bytes 0-1/5'],
    ['bytes=1-', 206, 'bout', 'bytes 1-4/5'],
    ['bytes=-2', 206, 'ut', 'bytes 3-4/5'],
    ['bytes=-99', 206, 'about', 'bytes 0-4/5'],
    ['bytes=0-99', 206, 'about', 'bytes 0-4/5'],
    ['BYTES=4-4', 206, 't', 'bytes 4-4/5'],
    [`bytes=0-${'9'.repeat(400)}`, 206, 'about', 'bytes 0-4/5'],
    ['bytes=5-', 416, undefined, 'bytes */5'],
    ['bytes=-0', 416, undefined, 'bytes */5'],
    [`bytes=${'9'.repeat(400)}-`, 416, undefined, 'bytes */5'],
    ['bytes=0-1,3-4', 206, 'about', 'bytes 0-4/5'],
    ['bytes=3-1', 200, 'about'],
    ['bytes=-', 200, 'about'],
    ['bytes=a-b', 200, 'about'],
    ['lines=0-1', 200, 'about'],
  ]
  for (const [range, expected, content, contentRange] of ranges) {
    const plan = ask('/about', { fields: { range } })
    t.strictSame(
      [plan.status, contentOf(plan), plan.headers['content-range']],
      [expected, content, contentRange],
      range.slice(0, 30),
    )
    if (content !== undefined) t.equal(plan.headers['content-length'], String(content.length))
  }
  t.equal(ask('/empty', { fields: { range: 'bytes=0-' } }).status, 200)
  t.equal(status({ fields: { range: 'bytes=0-1', 'if-range': etag } }), 206)
  for (const ifRange of ['"other"', `W/${etag}`, 'Sun, 22 Nov 2026 10:00:00 GMT'])
    t.equal(status({ fields: { range: 'bytes=0-1', 'if-range': ifRange } }), 200)
  t.equal(status({ method: 'HEAD', fields: { range: 'bytes=0-1' } }), 200, 'a range means something for GET only')
})

t.test('kinds of sites', async (t) => {
  const at = (host: string, target: string, method = 'GET') => ask(target, { host, method })
  for (const target of ['/', '/deep/route', '/a//b']) t.equal(contentOf(at('spa.net', target)), 'spa', target)
  t.equal(contentOf(at('spa.net', '/app.js')), 'js')
  t.equal(contentOf(at('spa.net', '/repo/blob/main.js')), 'spa', 'a view may be named as a file is')
  const gone = siteRequest({ host: 'spa.net', target: '/app.8e0d62a1.js' })
  t.match(respond(gone, table, { asset: null }, { node: 'n' }), { status: 404 }, 'a chunk that is gone is no page')
  t.equal(at('spa.net', '/../x').status, 400)
  for (const method of ['GET', 'HEAD', 'POST']) {
    const plan = at('old.org', '/a%2fb/../c?d=%20#', method)
    t.match(plan, { status: 308, headers: { location: 'https://new.com/sub/a%2fb/../c?d=%20%23' } })
  }
  t.equal(at('old.org', '//evil.example').headers.location, 'https://new.com/sub//evil.example')
  t.match(at('wait.org', '/'), { status: 503, headers: { 'retry-after': '5' } })
  t.equal(at('bare.org', '/').status, 404)
})

t.test('whatever is asked, what is sent is a file of the manifest', async (t) => {
  const hashes = new Set([...manifest.files()].map((file) => file.hash as string))
  const parts = [
    '/',
    '..',
    '.',
    '%2e',
    '%2E%2e',
    '%2f',
    '%5c',
    '\\',
    '%00',
    '%',
    '%25',
    '%252e',
    'docs',
    'index.html',
    'about',
  ]
  parts.push(
    '404',
    '.html',
    'both',
    'ü',
    '%c3%bc',
    '\xff',
    ' ',
    '?',
    '#',
    ';',
    ':',
    '@',
    '//',
    'json',
    'empty',
    '%0d%0a',
    '\u0001',
  )
  for (const seed of seeds(20)) {
    const random = createRandom(seed)
    let files = 0
    for (let i = 0; i < 500; i++) {
      const target = `/${Array.from({ length: 1 + random.integer(7) }, () => random.pick(parts)).join('')}`
      const get = ask(target)
      const head = ask(target, { method: 'HEAD' })
      if (get.body.kind === 'blob') {
        files++
        if (!hashes.has(get.body.hash)) t.fail(`seed ${seed}: ${JSON.stringify(target)} leads to another blob`)
        if (get.status === 200 && /(^|\/)\.\.?(\/|$)|%2f|%5c|%00|\\/i.test(target.split('?')[0] as string))
          t.fail(`seed ${seed}: ${JSON.stringify(target)} was served`)
      }
      const location = get.headers.location as string | undefined
      if (location !== undefined && (!/^\/[^/]/.test(location) || /[^\x21-\x7e]/.test(location)))
        t.fail(`seed ${seed}: ${JSON.stringify(target)} goes to ${JSON.stringify(location)}`)
      if (JSON.stringify([get.status, get.headers]) !== JSON.stringify([head.status, head.headers]))
        t.fail(`seed ${seed}: HEAD differs from GET for ${JSON.stringify(target)}`)
    }
    t.ok(files > 0, `seed ${seed}`)
  }
})
