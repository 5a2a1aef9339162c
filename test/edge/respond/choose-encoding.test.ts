import t from 'tap'
import { type BlobHash, hashBlob } from '../../../core/index.ts'
import type { Plan, Variant } from '../../../edge/index.ts'
import { CODINGS, type Coding, rankCodings } from '../../../edge/message/index.ts'
import { VariantTable } from '../../../edge/variants/index.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { buildManifest, buildSite, buildTable, decide, MemoryBlobs, siteRequest } from '../fixtures.ts'

const blobs = new MemoryBlobs()
const text = 'all work and no play '.repeat(200)
const files = { 'index.html': text, 'tiny.css': 'a{}', 'photo.jpg': text, 'app.js': `${text}!`, '404.html': `${text}?` }
const table = buildTable(buildSite(buildManifest(blobs, files)))
const html = hashBlob(Buffer.from(text))
const CHECK = '0123456789abcdef'
const all: readonly Variant[] = CODINGS.map((coding, i) => ({ coding, sizeBytes: 100 + i, check: CHECK }))

function variantsOf(...held: readonly (readonly [hash: BlobHash, variant: Variant])[]): VariantTable {
  const variants = new VariantTable()
  for (const [hash, variant] of held) variants.add({ hash, ...variant })
  return variants
}
const held = (hash: BlobHash, variants = all) => variantsOf(...variants.map((one) => [hash, one] as const))
const tagOf = (hash: BlobHash, coding: Coding | 'identity', check = CHECK) =>
  coding === 'identity' ? `"${hash}"` : `"${hash}-${coding}-${check}"`

function ask(fields: Record<string, string>, variants: VariantTable | undefined, part: object = {}): Plan {
  return decide(siteRequest({ fields, ...part }), table, { node: 'n', variants })
}

const PICKS = [
  'gzip, deflate, br, zstd',
  'gzip',
  'identity',
  'br;q=0.5, gzip',
  '*',
  'identity;q=0',
  'zstd',
  '',
  'nonsense=',
]

for (const seed of seeds(8)) {
  t.test(`a tag stands for one sequence of bytes, for which length and coding are said (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    /** What each tag was seen to stand for. */
    const meant = new Map<string, string>()
    for (let i = 0; i < 400; i++) {
      const ready = all
        .filter(() => random.chance(0.5))
        .map((one) => ({ ...one, sizeBytes: one.sizeBytes, check: random.chance(0.8) ? CHECK : 'f'.repeat(16) }))
      const variants = held(html, ready)
      const encoding = random.pick(PICKS)
      const plan = ask({ ...drawFields(random, ready), 'accept-encoding': encoding }, variants)
      const head = ask({ 'accept-encoding': encoding }, variants, { method: 'HEAD' })
      const get = ask({ 'accept-encoding': encoding }, variants)
      t.strictSame(head.headers, get.headers)
      const rank = rankCodings(encoding)
      const best =
        rank.find((coding) => coding === 'identity' || ready.some((one) => one.coding === coding)) ?? 'identity'
      t.equal(get.headers['content-encoding'] ?? 'identity', best, `the best of what lies ready for ${encoding}`)
      for (const one of [plan, get]) {
        if (one.status === 416 || one.status === 412) continue
        const { etag, vary } = one.headers
        t.equal(vary, 'accept-encoding')
        if (one.status === 304) {
          t.equal(one.body.kind, 'none')
          continue
        }
        if (one.body.kind !== 'blob') throw new Error('a body was expected')
        const { variant, start, end } = one.body
        t.equal(one.headers['content-length'], String(end - start))
        const whole = variant?.sizeBytes ?? text.length
        t.equal(one.status === 200 ? end : Number(String(one.headers['content-range']).split('/')[1]), whole)
        const meaning = `${variant?.coding} ${variant?.check} ${whole}`
        t.equal(meant.get(String(etag)) ?? meaning, meaning)
        meant.set(String(etag), meaning)
        t.equal(one.headers['content-encoding'], variant?.coding)
      }
    }
  })

  t.test(`304 only to who has this very file in a coding that it takes (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const other = hashBlob(random.bytes(3))
    for (let i = 0; i < 400; i++) {
      const variants = held(
        html,
        all.filter(() => random.chance(0.5)),
      )
      const encoding = random.pick(PICKS)
      const tags = Array.from({ length: random.integer(4) }, () => ({
        hash: random.chance(0.5) ? html : other,
        coding: random.pick([...CODINGS, 'identity' as const]),
        check: random.chance(0.5) ? CHECK : '0'.repeat(16),
        weak: random.chance(0.3),
      }))
      const header = tags.map(({ hash, coding, check, weak }) => `${weak ? 'W/' : ''}${tagOf(hash, coding, check)}`)
      const plan = ask({ 'if-none-match': header.join(', '), 'accept-encoding': encoding }, variants)
      const chosen = ask({ 'accept-encoding': encoding }, variants).headers.etag
      const rank = rankCodings(encoding)
      const known = tags.filter((tag) => {
        if (tag.hash !== html) return false
        return rank.includes(tag.coding) || tagOf(html, tag.coding, tag.check) === chosen
      })
      t.equal(plan.status, known.length > 0 ? 304 : 200, `${header.join(', ')} for ${encoding}`)
      if (plan.status === 304) t.ok(known.some(({ coding, check }) => tagOf(html, coding, check) === plan.headers.etag))
    }
  })
}

function drawFields(random: Random, ready: readonly Variant[]): Record<string, string> {
  const tag = random.chance(0.3)
    ? tagOf(html, 'identity')
    : tagOf(html, random.pick(CODINGS), random.pick(ready)?.check)
  return {
    ...(random.chance(0.5) ? { range: random.pick(['bytes=0-9', 'bytes=-5', 'bytes=99-', 'bytes=999999-']) } : {}),
    ...(random.chance(0.5) ? { 'if-range': tag } : {}),
  }
}

t.test('a part of a file is of the file itself, unless If-Range names an encoding that lies here', async (t) => {
  const fields = { range: 'bytes=10-19', 'accept-encoding': 'br, gzip' }
  const plain = ask(fields, held(html))
  t.match(plain, { status: 206, headers: { etag: `"${html}"`, 'content-range': `bytes 10-19/${text.length}` } })
  t.equal(plain.headers['content-encoding'], undefined)
  const begun = ask({ ...fields, 'if-range': tagOf(html, 'br') }, held(html))
  t.match(begun, { status: 206, headers: { 'content-encoding': 'br', 'content-range': 'bytes 10-19/100' } })
  t.match(begun.body, { variant: { coding: 'br' } })
  const gone = ask({ ...fields, 'if-range': tagOf(html, 'br', 'f'.repeat(16)) }, held(html))
  t.match(gone, { status: 200, headers: { 'content-encoding': 'br', 'content-length': '100' } })
  const refused = ask({ ...fields, 'accept-encoding': 'gzip', 'if-range': tagOf(html, 'br') }, held(html))
  t.match(refused, { status: 200, headers: { 'content-encoding': 'gzip' } })
})

t.test('what has no encodings by its kind or size is the same for everybody', async (t) => {
  for (const target of ['/tiny.css', '/photo.jpg']) {
    const plan = ask({ 'accept-encoding': 'br' }, held(hashBlob(Buffer.from(text))), { target })
    t.equal(plan.headers.vary, undefined, target)
    t.equal(plan.headers['content-encoding'], undefined, 'though the same bytes have one under another name')
  }
  t.equal(ask({ 'accept-encoding': 'br' }, undefined).headers.vary, undefined, 'where none are made')
})

t.test('a 404 page is encoded too', async (t) => {
  const page = hashBlob(Buffer.from(`${text}?`))
  const plan = ask({ 'accept-encoding': 'br' }, held(page), { target: '/nowhere' })
  t.match(plan, {
    status: 404,
    headers: { 'content-encoding': 'br', vary: 'accept-encoding', 'content-length': '100' },
  })
})
