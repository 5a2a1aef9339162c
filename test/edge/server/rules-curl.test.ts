import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { type Hostname, silentLog } from '../../../core/index.ts'
import { loadSiteRelease, startHttpServer } from '../../../edge/index.ts'
import { buildManifest, buildSite, buildTable, MemoryBlobs, releaseId } from '../fixtures.ts'

const run = promisify(execFile)

/** Rules as their authors write them, asked for by curl. */

const FILES = {
  'index.html': 'home',
  'about.html': 'about',
  'docs/index.html': 'docs',
  'app/index.html': 'app',
  'app/main.js': 'js',
  'lost.html': 'lost',
  '404.html': 'nothing here',
  'sub/_headers': 'not a page',
}

const HASH = '$scrypt$ln=14,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g'

async function start(t: Test, rules: Readonly<Record<string, string>>, country?: string) {
  const blobs = new MemoryBlobs()
  const manifest = buildManifest(blobs, { ...FILES, ...rules })
  const hash = blobs.add(manifest.encode().bytes)
  const domain = 'example.com' as Hostname
  const release = await loadSiteRelease(blobs, domain, { id: releaseId('c'), manifest: hash }, 0)
  const hosts = [domain, 'old.example.com' as Hostname]
  const table = buildTable(buildSite(undefined, { release, hosts }))
  const server = await startHttpServer({
    table: () => table,
    blobs,
    node: 'tokyo',
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    runtime: systemRuntime,
    countryOf: () => country,
  })
  t.teardown(() => server.close())
  return async (target: string, ...options: string[]) => {
    const url = `http://127.0.0.1:${server.address.port}${target}`
    const host = options.some((option) => option.startsWith('Host:')) ? [] : ['-H', 'Host: example.com']
    const args = ['-sS', '--path-as-is', '-i', ...host, ...options, url]
    const { stdout } = await run('curl', args)
    const [head = '', ...body] = stdout.split('\r\n\r\n')
    const [status = '', ...lines] = head.split('\r\n')
    const fields = lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)] as const)
    return {
      status: Number(status.split(' ')[1]),
      body: body.join('\r\n\r\n'),
      field: (name: string) => fields.filter(([key]) => key === name).map(([, value]) => value),
    }
  }
}

type Row = readonly [what: string, target: string, status: number, more: string, ...options: string[]]

t.test('_redirects', async (t) => {
  const ask = await start(t, {
    _redirects: `
/old            /about
/old-forever    /about 308
/about          /never            # the page is there
/docs           /never 302!       # and this one wins
/blog/*         https://blog.example.org/:splat 302
/u/:id          /users?id=:id 307
/shop id=:id    /goods/:id
/spa/*          /app/index.html 200
/dir            /docs 200
/legal          /lost.html 451
/gone/*         /lost.html 410
/gone-bare      /nowhere.txt 410
/lost/*         /lost.html 404
/here/*         /:splat
/de             /german 302 Language=de
http://old.example.com/* http://example.com/:splat 301!
/bad            https://a.test/ 200
`,
  })
  const rows: Row[] = [
    ['elsewhere', '/old', 301, '/about'],
    ['with its query', '/old?a=1', 301, '/about?a=1'],
    ['with a final slash', '/old/', 301, '/about'],
    ['HEAD', '/old', 301, '/about', '-I'],
    ['308', '/old-forever', 308, '/about'],
    ['a file comes first', '/about', 200, 'about'],
    ['unless forced', '/docs/', 302, '/never'],
    ['unless forced, other spelling', '/docs', 302, '/never'],
    ['a splat', '/blog/a/b%20c?x=y', 302, 'https://blog.example.org/a/b%20c?x=y'],
    ['escapes are written again', '/blog/%22%3C%e2%82%ac', 302, 'https://blog.example.org/%22%3C%E2%82%AC'],
    ['a placeholder', '/u/4', 307, '/users?id=4'],
    ['a parameter', '/shop?id=a%2Fb', 301, '/goods/a/b'],
    ['not that parameter', '/shop?x=1', 404, 'nothing here'],
    ['a rewrite', '/spa/any/where', 200, 'app'],
    ['a range of it', '/spa/x', 206, 'pp', '-r', '1-2'],
    ['a folder', '/dir', 200, 'docs'],
    ['451', '/legal', 451, 'lost'],
    ['410', '/gone/x', 410, 'lost'],
    ['410 without a page', '/gone-bare', 410, 'nothing here'],
    ['404', '/lost/x', 404, 'lost'],
    ['POST', '/old', 405, '405 Method Not Allowed\n', '-X', 'POST'],
    ['no open redirect', '/here//evil.com', 301, '/evil.com'],
    ['no open redirect by escapes', '/here/%2F%2Fevil.com', 400, '400 Bad Request\n'],
    ['nor by a backslash', '/here/%5Cevil.com', 400, '400 Bad Request\n'],
    ['no header injection', '/here/%0D%0Aset-cookie:%20a=b', 301, '/%0D%0Aset-cookie%3A%20a%3Db'],
    ['another host', '/x?y', 301, 'http://example.com/x?y', '-H', 'Host: old.example.com'],
    ['a language', '/de', 302, '/german', '-H', 'Accept-Language: en;q=0.5, de-AT'],
    ['another language', '/de', 404, 'nothing here', '-H', 'Accept-Language: de;q=0.5, en'],
    ['a rule that cannot be', '/bad', 404, 'nothing here'],
    ['no rules', '/', 200, 'home'],
    ['hidden', '/_redirects', 404, 'nothing here'],
    ['hidden, escaped', '/%5Fredirects', 404, 'nothing here'],
    ['hidden, in part', '/_redirects', 404, 'nothing here', '-r', '0-3'],
    ['hidden, in folders', '/sub/_headers', 404, 'nothing here'],
  ]
  for (const [what, target, status, more, ...options] of rows) {
    const answer = await ask(target, ...options)
    t.equal(answer.status, status, `${what}: status`)
    const [location] = answer.field('location')
    t.equal(status >= 300 && status < 400 ? location : answer.body, more, what)
    if (target === '/de') t.strictSame(answer.field('vary').join().includes('accept-language'), true, `${what}: vary`)
  }
})

t.test('countries', async (t) => {
  const rules = { _redirects: '/ /swiss 302 Country=ch,li\n' }
  const swiss = await (await start(t, rules, 'CH'))('/')
  t.strictSame(
    [swiss.status, swiss.field('location'), swiss.field('cache-control')],
    [302, ['/swiss'], ['private, no-cache']],
  )
  const other = await (await start(t, rules, 'FR'))('/')
  t.strictSame([other.status, other.body, other.field('cache-control')], [200, 'home', ['private, no-cache']])
  const unknown = await (await start(t, rules))('/about')
  t.strictSame(unknown.field('cache-control'), ['no-cache'], 'where no rule asks, nothing changes')
})

t.test('_headers', async (t) => {
  const ask = await start(t, {
    _redirects: '/spa/* /app/index.html 200\n/elsewhere /about\n',
    _headers: `
/*
  X-Frame-Options: DENY
  Set-Cookie: a=1
  Cache-Control: max-age=60
  Vary: Cookie
/app/*
  X-Frame-Options: SAMEORIGIN
  Set-Cookie: b=2
  ! X-Content-Type-Options
/app/:name
  X-Name: :name
  Content-Type: text/x-test
http://old.example.com/*
  X-Old: yes
/secret/*
  Basic-Auth: me:${HASH}
`,
  })
  const page = await ask('/')
  t.strictSame(page.field('x-frame-options'), ['DENY'])
  t.strictSame(page.field('cache-control'), ['max-age=60'], 'in place of ours')
  t.match(page.field('vary').join(), 'Cookie', 'beside ours')
  t.strictSame(page.field('x-content-type-options'), ['nosniff'])
  const app = await ask('/app/main.js')
  t.strictSame(app.field('x-frame-options'), ['DENY, SAMEORIGIN'])
  t.strictSame(app.field('set-cookie'), ['a=1', 'b=2'])
  t.strictSame(app.field('x-content-type-options'), [], 'detached')
  t.strictSame(app.field('x-name'), ['main.js'])
  t.strictSame(app.field('content-type'), ['text/x-test'])
  t.strictSame(app.field('content-length'), ['2'])
  t.strictSame((await ask('/app/main.js', '-I')).field('x-name'), ['main.js'], 'HEAD')
  t.strictSame((await ask('/app/main.js', '-r', '0-0')).field('x-name'), ['main.js'], '206')
  const [etag = ''] = app.field('etag')
  const unchanged = await ask('/app/main.js', '-H', `If-None-Match: ${etag}`)
  t.strictSame([unchanged.status, unchanged.field('x-name'), unchanged.field('content-type')], [304, ['main.js'], []])
  const lost = await ask('/nowhere')
  t.strictSame([lost.status, lost.field('x-frame-options')], [404, ['DENY']])
  t.notMatch(lost.field('cache-control').join(), 'max-age=60', 'what is not there is not kept')
  t.strictSame((await ask('/spa/x')).field('x-frame-options'), ['DENY'], 'by the path that was asked for')
  t.strictSame((await ask('/elsewhere')).field('x-frame-options'), [], 'files only')
  t.strictSame((await ask('/', '-H', 'Host: old.example.com')).field('x-old'), ['yes'])
  t.strictSame(page.field('x-old'), [])
  t.strictSame((await ask('/secret/x')).field('basic-auth'), [], 'never sent')
})
