import t from 'tap'
import { buildJob, entityTagOf, type ImageJob, type ImageOutcome, imageDone } from '../../../edge/images/index.ts'
import { type Learnt, type Need, type Plan, respond } from '../../../edge/index.ts'
import type { Images } from '../../../edge/respond/images.ts'
import { type Asked, buildManifest, buildSite, buildTable, MemoryBlobs, siteRequest } from '../fixtures.ts'

/** What is decided for the URL of an image: no image is made here. */

const blobs = new MemoryBlobs()
const files = { 'a.jpg': 'jpeg', 'b.gif': 'gif', 'c.svg': '<svg/>', 'page.html': '<p>', 'd.avif': 'avif' }
const table = buildTable(buildSite(buildManifest(blobs, files)))
const settings = { maxWidth: 4096, maxHeight: 4096, formats: ['webp', 'jpg', 'png', 'avif'], widths: [] } as const
const result = imageDone(Buffer.from('0123456789'))
const CHROME = 'image/avif,image/webp,image/*,*/*;q=0.8'

function ask(asked: Asked, found?: ImageOutcome, learnt: Learnt = {}): Plan | Need {
  const images: Images = { settings, find: () => found }
  return respond(siteRequest(asked), table, learnt, { node: 'node1', images })
}

function planOf(decided: Plan | Need): Plan {
  if ('kind' in decided) throw new Error(`${decided.kind} has to be learnt`)
  return decided
}

function needOf(decided: Plan | Need): Extract<Need, { kind: 'image' }> {
  if ('kind' in decided && decided.kind === 'image') return decided
  throw new Error('no image has to be made')
}

const jobOf = (target: string, fields = {}): ImageJob => needOf(ask({ target, fields })).job

t.test('what is asked for has to be made, and is then sent', async (t) => {
  const target = '/a.jpg?w=80&fmt=webp'
  const need = needOf(ask({ target }))
  t.match(need, { domain: 'example.com', client: '192.0.2.1', job: { width: 80, format: 'webp', quality: 85 } })
  for (const plan of [planOf(ask({ target }, result)), planOf(ask({ target }, undefined, { image: result }))]) {
    t.match(plan, {
      status: 200,
      headers: {
        'content-type': 'image/webp',
        'content-length': '10',
        'cache-control': 'public, max-age=2592000',
        'accept-ranges': 'bytes',
        etag: entityTagOf(need.job, result.check),
        'x-content-type-options': 'nosniff',
      },
      body: { kind: 'bytes', bytes: Buffer.from('0123456789') },
    })
    t.equal(plan.headers.vary, undefined)
  }
  const get = planOf(ask({ target }, result))
  t.strictSame(planOf(ask({ target, method: 'HEAD' }, result)).headers, get.headers, 'HEAD has the head of GET')
})

t.test('files that are served as they are', async (t) => {
  for (const target of ['/a.jpg', '/a.jpg?v=3', '/c.svg?w=10', '/page.html?w=zero&fmt=auto', '/page?w=3']) {
    const plan = planOf(ask({ target }))
    t.match(plan, { status: 200, body: { kind: 'blob' } }, target)
    t.notMatch(plan.headers.vary ?? '', /accept(?!-)/i, target)
  }
  const off = respond(siteRequest({ target: '/a.jpg?w=80' }), table, {}, { node: 'node1' })
  t.match(off, { status: 200, body: { kind: 'blob' } }, 'where no images are made')
})

t.test('bad parameters: 400 with the reason', async (t) => {
  const plan = planOf(ask({ target: '/a.jpg?w=0' }))
  t.match(plan, { status: 400, body: { kind: 'text', text: 'w must be a whole number from 1 to 4096\n' } })
  t.match(plan.headers, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' })
  t.match(planOf(ask({ target: '/missing.jpg?w=0' })), { status: 404 }, 'only of what there is')
  t.match(planOf(ask({ method: 'POST', target: '/a.jpg?w=0' })), { status: 405 })
})

t.test('fmt=auto goes by Accept, and every answer to it says so', async (t) => {
  t.equal(jobOf('/a.jpg?fmt=auto', { accept: CHROME }).format, 'avif')
  t.equal(jobOf('/a.jpg?fmt=auto', { accept: 'image/webp' }).format, 'webp')
  t.equal(jobOf('/a.jpg?fmt=auto&w=5').format, 'jpg')
  t.equal(jobOf('/b.gif?fmt=auto', { accept: CHROME }).format, 'webp', 'it may be animated')
  const target = '/a.jpg?fmt=auto'
  const answers = [
    ask({ target, fields: { accept: CHROME } }, result),
    ask({ target }),
    ask({ target, fields: { accept: CHROME, 'if-none-match': '*' } }, result),
    ask({ target, fields: { accept: CHROME, 'if-match': '"x"' } }),
    ask({ target, fields: { accept: CHROME, range: 'bytes=0-1' } }, result),
    ask({ target, fields: { accept: CHROME } }, { kind: 'refused', status: 422, reason: 'no' }),
  ].map(planOf)
  t.strictSame(
    answers.map(({ status }) => status),
    [200, 200, 304, 412, 206, 422],
  )
  for (const { headers, status } of answers) t.match(headers.vary, /accept/i, String(status))
  t.match(answers[1], { body: { kind: 'blob' } }, 'the file itself where the client takes nothing better')
})

t.test('conditions cost no image', async (t) => {
  const target = '/a.jpg?w=80'
  const etag = entityTagOf(jobOf(target), result.check)
  const plan = planOf(ask({ target, fields: { 'if-none-match': `"other", W/${etag}` } }))
  t.match(plan, { status: 304, headers: { etag }, body: { kind: 'none' } })
  t.match(ask({ target: '/a.jpg?w=81', fields: { 'if-none-match': etag } }), { kind: 'image' }, 'not of another job')
  t.match(
    ask({ target, fields: { 'if-none-match': `"${blobs.add('jpeg')}"` } }),
    { kind: 'image' },
    "not the file's own",
  )
  t.match(planOf(ask({ target, fields: { 'if-match': '"other"' } })), { status: 412 })
})

t.test('what another processor made of the same job is known, and never mixed with ours', async (t) => {
  const target = '/a.jpg?w=80'
  const job = jobOf(target)
  const ours = entityTagOf(job, result.check)
  const theirs = entityTagOf(job, imageDone(Buffer.from('9876543210')).check)
  t.not(ours, theirs)
  const get = (fields: Readonly<Record<string, string>>) => planOf(ask({ target, fields }, result))
  t.match(get({ 'if-none-match': theirs }), { status: 304, headers: { etag: theirs } })
  t.match(get({ 'if-match': theirs }), { status: 412 })
  t.match(get({ 'if-match': ours }), { status: 200, headers: { etag: ours } })
  t.match(get({ 'if-match': ours, 'if-none-match': theirs }), { status: 200 })
  t.match(get({ 'if-match': '*', 'if-none-match': `${theirs}, ${ours}` }), { status: 304, headers: { etag: ours } })
  t.match(get({ range: 'bytes=2-4', 'if-range': theirs }), { status: 200, headers: { etag: ours } })
  t.match(ask({ target, fields: { 'if-match': ours } }), { kind: 'image' }, 'only its bytes can tell')
})

t.test('ranges of the result', async (t) => {
  const target = '/a.jpg?w=80'
  const etag = entityTagOf(jobOf(target), result.check)
  const range = (value: string, more = {}) => planOf(ask({ target, fields: { range: value, ...more } }, result))
  t.match(range('bytes=2-4'), { status: 206, headers: { 'content-range': 'bytes 2-4/10', 'content-length': '3' } })
  t.strictSame(range('bytes=2-4').body, { kind: 'bytes', bytes: Buffer.from('234') })
  t.match(range('bytes=10-'), { status: 416, headers: { 'content-range': 'bytes */10' } })
  t.match(range('bytes=2-4', { 'if-range': etag }), { status: 206 })
  t.match(range('bytes=2-4', { 'if-range': '"other"' }), { status: 200 })
  t.match(planOf(ask({ target, method: 'HEAD', fields: { range: 'bytes=2-4' } }, result)), { status: 200 })
})

t.test('refusals say why, and nobody keeps them', async (t) => {
  const refused: ImageOutcome = { kind: 'refused', status: 429, reason: 'too many', retryAfterS: 7 }
  let clients = 0
  const request = siteRequest({ target: '/a.jpg?w=80' })
  const counting = {
    ...request,
    client: () => {
      clients++
      return request.client()
    },
  }
  let outcome: ImageOutcome = refused
  const images: Images = { settings, find: () => outcome }
  const plan = planOf(respond(counting, table, {}, { node: 'node1', images }))
  t.match(plan, { status: 429, headers: { 'retry-after': '7', 'cache-control': 'no-store' } })
  t.strictSame(plan.body, { kind: 'text', text: 'too many\n' })
  t.equal(clients, 1, 'an answer that depends on the client is not remembered by the fast path')
  outcome = result
  respond(counting, table, {}, { node: 'node1', images })
  t.equal(clients, 1, 'a result does not')
})

t.test('a result never depends on more than the parameters', async (t) => {
  const job = jobOf('/a.jpg?w=80&h=80')
  const same = buildJob(
    { hash: job.hash, sizeBytes: job.sizeBytes },
    { width: 80, height: 80, fit: 'max', quality: undefined },
    'jpg',
    settings,
  )
  t.equal(same.key, job.key)
})
