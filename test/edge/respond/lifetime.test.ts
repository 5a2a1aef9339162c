import t from 'tap'
import { type Plan, respond, type Site, SiteRules } from '../../../edge/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { buildManifest, buildSite, buildTable, MemoryBlobs, releaseId, siteRequest } from '../fixtures.ts'

const HASH = '$scrypt$ln=1,r=1,p=1$aaaaaaaaaaa$aaaaaaaaaaaaaaaaaaaaaa'
/** What a rule may tell caches, and which of them would keep an answer for others by it. */
const LASTING = [
  'Cache-Control: public, max-age=31536000, immutable',
  'CDN-Cache-Control: max-age=31536000',
  'Cloudflare-CDN-Cache-Control: max-age=60',
  'Surrogate-Control: max-age=60',
  'X-Accel-Expires: 60',
  'Expires: Thu, 31 Dec 2037 23:55:55 GMT',
  '! Cache-Control',
]
const blobs = new MemoryBlobs()
const manifest = buildManifest(blobs, {
  'index.html': 'page',
  'assets/a.txt': 'text',
  'assets/here-3f4d5e6a.js': 'code',
})
const RELEASE = releaseId('b')

function ask(target: string, headers: string, redirects: string, part: Partial<Site>, host = 'example.com'): Plan {
  const { rules } = SiteRules.parse({ _headers: Buffer.from(headers), _redirects: Buffer.from(redirects) })
  const site = buildSite(manifest, { release: { id: RELEASE, manifest, rules }, ...part })
  const request = siteRequest({ target, host, country: 'DE', fields: { authorization: `Basic ${btoa('u:p')}` } })
  const plan = respond(request, buildTable(site), { asset: null, password: { verdict: 'right' } }, { node: 'n' })
  if ('kind' in plan) throw new Error(`nothing is to be learnt, and ${plan.kind} is`)
  return plan
}

/** Names of fields other than Cache-Control by which a cache may keep the answer. */
const lasting = ({ headers }: Plan): string[] =>
  Object.keys(headers).filter((name) => /-cache-control|surrogate|accel|expires/.test(name))

for (const seed of seeds(30)) {
  const random = createRandom(seed)
  const lines = random.shuffle(LASTING).slice(0, 1 + random.integer(LASTING.length))
  const block = `/*\n${lines.map((line) => `  ${line}`).join('\n')}\n`
  const path = random.pick(['/', '/assets/a.txt', '/assets/here-3f4d5e6a.js'])

  t.test(`no cache keeps a page in the place of a chunk that may come (SEED=${seed})`, async (t) => {
    const missing = '/assets/gone-4a5b6c7d.js'
    for (const plan of [
      ask(missing, block, '/* /index.html 200', {}),
      ask('/x-abcdefgh.js', block, '', { spa: true }),
    ]) {
      t.equal(plan.status, 200)
      t.equal(plan.headers['cache-control'], 'no-store')
      t.strictSame(lasting(plan), [])
    }
    t.equal(ask(missing, block, '', {}).headers['cache-control'], 'no-store')
  })

  t.test(`what a password protects is kept by no cache that is shared (SEED=${seed})`, async (t) => {
    const plan = ask(path, `${block}/*\n  Basic-Auth: u:${HASH}\n`, '', {})
    t.match(plan.headers['cache-control'], /^(?:private\b|no-store$)/)
    t.strictSame(lasting(plan), [])
  })

  t.test(`nor what depends on the country (SEED=${seed})`, async (t) => {
    const plan = ask(path, block, '/* /assets/a.txt 200 Country=de,fr', {})
    t.equal(plan.headers['content-type'], 'text/plain; charset=utf-8')
    t.match(plan.headers['cache-control'], /\bprivate\b/)
    t.strictSame(lasting(plan), [])
  })

  t.test(`nor a preview, which its owner may take back (SEED=${seed})`, async (t) => {
    const plan = ask(path, block, '', {}, `${RELEASE.slice(0, 26)}--preview.example.com`)
    t.equal(plan.status, 200)
    t.equal(plan.headers['cache-control'], 'no-cache')
    t.strictSame(lasting(plan), [])
  })

  t.test(`elsewhere rules have their way (SEED=${seed})`, async (t) => {
    const plan = ask(path, block, '', {})
    t.equal(lasting(plan).length, lines.filter((line) => !/^(?:!|Cache)/.test(line)).length)
  })
}
