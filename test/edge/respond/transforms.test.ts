import t from 'tap'
import { type Hostname, hashBlob, type TransformValue } from '../../../core/index.ts'
import {
  type Learnt,
  type Need,
  type Plan,
  respond,
  type Site,
  SiteRules,
  type TransformOutcome,
} from '../../../edge/index.ts'
import { SiteTransforms, type TransformJob } from '../../../edge/transforms/index.ts'
import { type Asked, buildManifest, buildSite, buildTable, MemoryBlobs, releaseId, siteRequest } from '../fixtures.ts'

/** What is decided for files that go through transforms: none runs here. */

const blobs = new MemoryBlobs()
const manifest = buildManifest(blobs, {
  'index.html': '<h1>home',
  'blog/index.html': '<h1>blog',
  'about.html': '<h1>about',
  '404.html': '<h1>nothing',
  'note.md': '# note',
  'plain.txt': 'plain',
  'a.jpg': 'jpeg',
})
const domain = 'example.com' as Hostname
const step = (files: string): TransformValue => ({ path: 't.wasm', component: hashBlob(Buffer.from('t')), files })
const LAST_MODIFIED = 'Tue, 01 Sep 2026 10:00:00 GMT'
const RESULT = Buffer.from('x'.repeat(2000))
const done = (part: Partial<(TransformOutcome & { kind: 'done' })['result']> = {}): TransformOutcome => ({
  kind: 'done',
  result: { hash: hashBlob(RESULT), sizeBytes: RESULT.length, mimeType: undefined, headers: [], ...part },
})
const FAILED: TransformOutcome = { kind: 'failed' }

function buildScene(files: string, part: Partial<Site> = {}, rules?: SiteRules) {
  const id = releaseId('b')
  const release = { domain, id, manifest, manifestHash: hashBlob(Buffer.from('m')), transforms: [step(files)] }
  const ruled = rules === undefined ? {} : { rules }
  const site = buildSite(manifest, part)
  const served = { id, manifest, lastModified: LAST_MODIFIED, transforms: new SiteTransforms(release), ...ruled }
  return buildTable({ ...site, release: served })
}

interface Decided {
  readonly decided: Plan | Need
  readonly isRemembered: boolean
}

function decide(
  table: ReturnType<typeof buildScene>,
  asked: Asked,
  found?: TransformOutcome,
  learnt: Learnt = {},
): Decided {
  let isRemembered = true
  const request = siteRequest(asked)
  const watched = {
    ...request,
    client: () => {
      isRemembered = false
      return request.client()
    },
  }
  const transforms = { find: () => found, epoch: 0 }
  return { decided: respond(watched, table, { asset: null, ...learnt }, { node: 'n', transforms }), isRemembered }
}

function planOf({ decided }: Decided): Plan {
  if ('kind' in decided) throw new Error(`${decided.kind} has to be learnt`)
  return decided
}

function jobOf({ decided }: Decided): TransformJob {
  if ('kind' in decided && decided.kind === 'transform') return decided.job
  throw new Error('nothing has to be transformed')
}

const rulesOf = (headers: string): SiteRules => SiteRules.parse({ _headers: Buffer.from(headers) }).rules

const html = buildScene('**/*.html')

t.test('the file that answers a path is what counts', async (t) => {
  const paths = { '/': 'index.html', '/about': 'about.html', '/blog/': 'blog/index.html', '/no/such': '404.html' }
  for (const [target, path] of Object.entries(paths)) {
    for (const method of ['GET', 'HEAD']) t.equal(jobOf(decide(html, { target, method })).file.path, path, target)
  }
  for (const target of ['/plain.txt', '/note.md']) t.equal(planOf(decide(html, { target })).status, 200, target)
  t.equal(planOf(decide(html, { target: '/blog' })).status, 308, 'a redirect has nothing to transform')
  t.equal(planOf(decide(html, { method: 'POST' })).status, 405)
  t.equal(planOf(decide(html, { method: 'OPTIONS' })).status, 204)
  const spa = buildScene('index.html', { spa: true })
  t.equal(jobOf(decide(spa, { target: '/any/view' })).file.path, 'index.html')
  const off = respond(siteRequest(), html, { asset: null }, { node: 'n' })
  t.match(off, { body: { kind: 'blob', hash: manifest.find('index.html')?.hash } }, 'where none are run')
})

t.test('what comes out is served as a file is', async (t) => {
  const etag = `"${hashBlob(RESULT)}"`
  for (const decided of [decide(html, {}, done()), decide(html, {}, undefined, { transform: done() })]) {
    t.match(planOf(decided), {
      status: 200,
      headers: {
        etag,
        'content-length': '2000',
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-cache',
        'last-modified': LAST_MODIFIED,
        'accept-ranges': 'bytes',
      },
      body: { kind: 'blob', hash: hashBlob(RESULT), isResult: true, start: 0, end: 2000, whole: true },
    })
    t.ok(decided.isRemembered)
  }
  const head = planOf(decide(html, { method: 'HEAD' }, done()))
  t.strictSame([head.headers, head.body], [planOf(decide(html, {}, done())).headers, { kind: 'none' }])
  const ask = (fields: Record<string, string>) => planOf(decide(html, { fields }, done()))
  t.match(ask({ 'if-none-match': etag }), { status: 304, headers: { etag } })
  t.match(
    ask({ 'if-none-match': `"${manifest.find('index.html')?.hash}"` }),
    { status: 200 },
    'that of the file is another',
  )
  t.match(ask({ 'if-match': '"x"' }), { status: 412 })
  t.match(ask({ range: 'bytes=10-19' }), {
    status: 206,
    headers: { 'content-range': 'bytes 10-19/2000', etag },
    body: { isResult: true, start: 10, end: 20 },
  })
  t.match(ask({ range: 'bytes=2000-' }), { status: 416, headers: { 'content-range': 'bytes */2000' } })
  t.match(ask({ range: 'bytes=0-1', 'if-range': `"${manifest.find('index.html')?.hash}"` }), { status: 200 })
})

t.test('type and headers of a result', async (t) => {
  const table = buildScene('**')
  const headers = [
    ['x-a', '1'],
    ['cache-control', 'public, max-age=60'],
    ['vary', 'cookie'],
    ['set-cookie', 'a=1'],
    ['set-cookie', 'b=2'],
  ] as const
  const page = done({ mimeType: 'text/html; charset=utf-8', headers })
  t.match(planOf(decide(table, { target: '/note.md' }, page)).headers, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'public, max-age=60',
    vary: 'cookie',
    'x-a': '1',
    'set-cookie': ['a=1', 'b=2'],
  })
  const plain = planOf(decide(table, { target: '/note.md' }, done({ mimeType: 'text/html; charset=utf-8' }))).headers
  t.equal(plain['cache-control'], 'no-cache', 'a page, whatever it was made of')
  const missing = planOf(decide(table, { target: '/no/such' }, page))
  t.equal(missing.status, 404)
  t.match(missing.headers, { 'cache-control': 'no-cache', 'x-a': '1', 'content-type': 'text/html; charset=utf-8' })
  const rules = rulesOf('/*\n  X-A: rule\n  X-B: rule\n')
  const ruled = buildScene('**', {}, rules)
  t.match(planOf(decide(ruled, { target: '/note.md' }, page)).headers, { 'x-a': 'rule', 'x-b': 'rule' })
})

t.test('a file that is served as it is for now is kept by no cache', async (t) => {
  const rules = rulesOf('/*\n  Cache-Control: public, max-age=31536000, immutable\n  Expires: never\n')
  for (const table of [buildScene('**'), buildScene('**', {}, rules)]) {
    for (const target of ['/', '/plain.txt', '/a.jpg']) {
      const failed = decide(table, { target }, FAILED)
      const { headers, status, body } = planOf(failed)
      t.equal(status, 200)
      t.notOk(failed.isRemembered, 'it may be otherwise in a moment')
      t.equal(headers['cache-control'], 'no-cache')
      t.equal(headers.expires, undefined)
      t.equal(headers['last-modified'], undefined, 'with this date it would stay')
      t.notMatch(body, { isResult: true })
    }
    t.match(planOf(decide(table, { fields: { 'if-modified-since': LAST_MODIFIED } }, FAILED)), { status: 200 })
    t.match(planOf(decide(table, { target: '/no/such' }, FAILED)), { status: 404 })
  }
  const same = decide(html, {}, { kind: 'original' })
  t.match(planOf(same), { status: 200, headers: { 'last-modified': LAST_MODIFIED }, body: { kind: 'blob' } })
  t.ok(same.isRemembered, 'what no step changes is a file as any other')
})

t.test('an image is made of what comes out', async (t) => {
  const table = buildScene('*.jpg')
  const settings = { maxWidth: 100, maxHeight: 100, formats: ['webp'], widths: [] } as const
  const ask = (outcome: TransformOutcome) =>
    respond(
      siteRequest({ target: '/a.jpg?w=10' }),
      table,
      { asset: null },
      {
        node: 'n',
        transforms: { find: () => outcome, epoch: 0 },
        images: { settings, find: () => undefined },
      },
    )
  t.match(ask(done()), { kind: 'image', job: { hash: hashBlob(RESULT), sizeBytes: 2000 } })
  t.match(ask(done({ mimeType: 'image/jpeg' })), { kind: 'image', job: { hash: hashBlob(RESULT) } })
  t.match(ask(done({ mimeType: 'text/plain; charset=utf-8' })), { status: 200, body: { isResult: true } })
})

t.test('encodings are those of the result, by its type', async (t) => {
  const table = buildScene('**')
  const variant = { coding: 'br', sizeBytes: 50, check: '0123456789abcdef' } as const
  const ask = (outcome: TransformOutcome, target: string) =>
    respond(
      siteRequest({ target, fields: { 'accept-encoding': 'br' } }),
      table,
      { asset: null },
      {
        node: 'n',
        transforms: { find: () => outcome, epoch: 0 },
        variants: { find: (hash) => (hash === hashBlob(RESULT) ? variant : undefined), epoch: 0 },
      },
    )
  t.match(ask(done(), '/'), {
    headers: { 'content-encoding': 'br', 'content-length': '50', vary: 'accept-encoding' },
    body: { variant, isResult: true },
  })
  const image = ask(done({ mimeType: 'image/png' }), '/') as Plan
  t.strictSame([image.headers['content-encoding'], image.headers.vary], [undefined, undefined])
  t.match(ask(done({ mimeType: 'text/css; charset=utf-8' }), '/a.jpg'), { headers: { 'content-encoding': 'br' } })
})

t.test('previews say that they are none to be found, whatever a transform says', async (t) => {
  const release = html.siteOf(domain)?.release
  const outcome = done({
    headers: [
      ['x-robots-tag', 'all'],
      ['cache-control', 'public'],
    ],
  })
  const asked = siteRequest({ host: `${'b'.repeat(26)}--preview.example.com` })
  const transforms = { find: () => outcome, epoch: 0 }
  const plan = respond(asked, html, { asset: null, preview: release ?? null }, { node: 'n', transforms }) as Plan
  t.equal(plan.status, 200)
  t.equal(plan.headers['x-robots-tag'], 'noindex, all')
  t.equal(plan.headers['cache-control'], 'no-cache')
})
