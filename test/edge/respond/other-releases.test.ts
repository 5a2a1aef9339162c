import t from 'tap'
import { type Hostname, shortId } from '../../../core/index.ts'
import {
  findLocalDomain,
  type Learnt,
  type Need,
  type Plan,
  respond,
  type Site,
  SiteRules,
} from '../../../edge/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { type Asked, buildManifest, buildSite, buildTable, MemoryBlobs, releaseId, siteRequest } from '../fixtures.ts'

const blobs = new MemoryBlobs()
const LIVE = releaseId('b')
const OLD = releaseId('c')
const chunk = 'assets/app-3f9a2b81c04d7e56.js'
const live = buildManifest(blobs, {
  'index.html': 'live',
  'assets/app-00aa11bb22cc33dd.js': 'live chunk',
  '404.html': 'no',
})
const old = buildManifest(blobs, { 'index.html': 'old', [chunk]: 'old chunk', 'menu.html': 'old menu' })
const oldChunk = old.find(chunk)
const preview = `${OLD.slice(0, 26)}--preview.example.com`

function ask(asked: Asked, learnt: Learnt = {}, part: Partial<Site> = {}): Plan | Need {
  const table = buildTable(buildSite(live, part))
  return respond(siteRequest(asked), table, learnt, { node: 'one', fallback: findLocalDomain })
}

function decide(asked: Asked, learnt: Learnt, part: Partial<Site> = {}): Plan {
  const decided = ask(asked, learnt, part)
  if ('kind' in decided) throw new Error(`${decided.kind} is to be learnt`)
  return decided
}

const isBody = (plan: Plan, text: string): boolean => plan.body.kind === 'blob' && plan.body.hash === blobs.add(text)

t.test('a fingerprinted name that the live release lacks is looked for in others', async (t) => {
  t.strictSame(ask({ target: `/${chunk}` }), { kind: 'asset', domain: 'example.com', path: chunk })
  const learnt: Learnt = { asset: { file: oldChunk as NonNullable<typeof oldChunk>, release: OLD } }
  for (const spa of [false, true]) {
    const plan = decide({ target: `/${chunk}` }, learnt, { spa })
    t.ok(isBody(plan, 'old chunk'))
    t.equal(plan.headers['makiatto-release'], shortId(OLD), 'it says where it is from')
    t.match(plan.headers['cache-control'], /immutable/)
  }
  t.equal(decide({ target: `/${chunk}`, method: 'HEAD' }, learnt).headers['content-length'], '9')
  t.equal(decide({ target: `/${chunk}`, fields: { 'if-none-match': `"${oldChunk?.hash}"` } }, learnt).status, 304)
})

t.test('where nobody has it, it is not found, and nobody is to remember that', async (t) => {
  const plan = decide({ target: `/${chunk}` }, { asset: null })
  t.match(plan, { status: 404, headers: { 'cache-control': 'no-store' } })
  t.ok(isBody(plan, 'no'), 'with the page of the site')
  const app = decide({ target: `/${chunk}` }, { asset: null }, { spa: true })
  t.match(app, { status: 404, headers: { 'cache-control': 'no-store' } }, 'and no page of an application')
})

t.test('nothing else is looked for', async (t) => {
  const targets = [
    '/',
    '/menu',
    '/menu.html',
    '/assets/',
    '/assets/app-00aa11bb22cc33dd.js',
    `/${chunk}/`,
    '/a.css',
    '/x.png',
  ]
  for (const target of targets) t.notOk('kind' in ask({ target }), target)
  t.notOk('kind' in ask({ target: `/${chunk}`, method: 'POST' }))
  t.notOk('kind' in ask({ target: `/${chunk}`, host: 'nobody.example' }))
})

t.test('a preview shows its release as it was, and nobody keeps or finds it', async (t) => {
  t.strictSame(ask({ host: preview }), { kind: 'preview', domain: 'example.com', idPrefix: OLD.slice(0, 26) })
  const learnt: Learnt = { preview: { id: OLD, manifest: old } }
  const headers = { 'x-robots-tag': 'noindex', 'makiatto-release': shortId(OLD) }
  const page = decide({ host: preview }, learnt)
  t.match(page, { status: 200, headers: { ...headers, 'cache-control': 'no-cache' } })
  t.ok(isBody(page, 'old'))
  t.match(decide({ host: preview, target: `/${chunk}` }, learnt).headers, { ...headers, 'cache-control': 'no-cache' })
  t.match(decide({ host: preview, target: '/assets/app-00aa11bb22cc33dd.js' }, learnt), { status: 404, headers })
  for (const host of [preview.toUpperCase(), `${preview}.`, `${preview}:8080`, `${OLD}--preview.example.com`])
    t.ok(isBody(decide({ host }, learnt), 'old'), host)
  for (const host of [`${preview}.localhost`, `${OLD.slice(0, 26)}--preview.localhost`])
    t.ok(isBody(decide({ host }, learnt), 'old'), `${host}, on one computer`)
  const redirect = { redirect: 'https://new.example' }
  t.ok(isBody(decide({ host: preview }, learnt, redirect), 'old'), 'also of a domain that sends its visitors elsewhere')
})

t.test('what is live needs no look', async (t) => {
  t.ok(isBody(decide({ host: `${LIVE.slice(0, 30)}--preview.example.com` }, {}), 'live'))
})

t.test('a preview that there is not', async (t) => {
  t.equal(decide({ host: preview }, { preview: null }).status, 404)
  t.equal(decide({ host: preview }, {}, { previews: false }).status, 404, 'switched off')
  t.equal(decide({ host: `${LIVE}--preview.example.com` }, {}, { previews: false }).status, 404, 'also what is live')
  t.equal(decide({ host: `${OLD.slice(0, 26)}--preview.nobody.example` }, {}).status, 404)
  const taken = decide({ host: preview }, {}, { hosts: ['example.com', preview] as Hostname[] })
  t.ok(isBody(taken, 'live'), 'an alias of that very name goes before')
})

for (const seed of seeds(50)) {
  t.test(`no host is shown but what is its own (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
    const mutated = Array.from(preview, (c) =>
      random.chance(0.04) ? random.pick([...alphabet, '.', '-', '1', '']) : c,
    ).join('')
    const decided = ask({ host: mutated })
    const isPreview = /^[a-z2-7]{26,52}--preview\.example\.com$/.test(mutated)
    t.equal('kind' in decided, isPreview && !LIVE.startsWith(mutated.slice(0, 26)), mutated)
  })
}

/** Of these, `chunk` meets all but the last. */
const RULES = [
  `/${chunk} /one 302`,
  '/assets/* /two 302',
  '/* /three 200',
  `/${chunk} /four 302!`,
  '/assets/* /five 302!',
  '/* /six 404!',
  '/elsewhere/* /seven 302!',
]

for (const seed of seeds(60)) {
  t.test(`nobody waits for a file that a forced rule hides (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const lines = Array.from({ length: random.integer(6) }, () => random.pick(RULES))
    const { rules } = SiteRules.parse({ _redirects: Buffer.from(lines.join('\n')) })
    const part = { release: { id: LIVE, manifest: live, rules } }
    const first = lines.find((line) => line !== RULES.at(-1))
    const forced = lines.find((line) => line.endsWith('!') && line !== RULES.at(-1))
    const found = { asset: { file: oldChunk as NonNullable<typeof oldChunk>, release: OLD } }
    const wanted = (line: string | undefined, status: number) =>
      line === undefined ? status : Number(/\d+(?=!?$)/.exec(line)?.[0])
    const told = `${lines.join(' | ')}`
    t.equal('kind' in ask({ target: `/${chunk}` }, {}, part), first === undefined || first !== forced, told)
    const missing = decide({ target: `/${chunk}` }, { asset: null }, part)
    // There is no /three: what is rewritten to it is not found.
    t.equal(missing.status, first?.startsWith('/* /three') ? 404 : wanted(first, 404), told)
    const there = decide({ target: `/${chunk}` }, found, part)
    t.equal(there.status, wanted(forced, 200), told)
    if (forced !== undefined && forced === first) t.strictSame(there, missing, told)
  })
}

const GUARD = 'Basic-Auth: me:$scrypt$ln=1,r=1,p=1$aaaaaaaaaaa$aaaaaaaaaaaaaaaaaaaaaa'

t.test('a chunk that its own release protects needs a password of the release served here', async (t) => {
  const asset = { file: oldChunk as NonNullable<typeof oldChunk>, release: OLD, isProtected: true }
  const withRules = (headers: string) => ({
    release: { id: LIVE, manifest: live, rules: SiteRules.parse({ _headers: Buffer.from(headers) }).rules },
  })
  const fields = { authorization: `Basic ${btoa('me:secret')}` }
  const password = { verdict: 'right' } as const
  t.equal(decide({ target: `/${chunk}` }, { asset }).status, 404, 'the rule is gone, and with it who could be asked')
  t.equal(decide({ target: `/${chunk}`, fields }, { asset, password }, withRules('/other/*\n  A: b')).status, 404)
  t.equal(decide({ target: `/${chunk}` }, { asset }, withRules(`/assets/*\n  ${GUARD}`)).status, 401)
  t.equal(decide({ target: `/${chunk}`, fields }, { asset, password }, withRules(`/*\n  ${GUARD}`)).status, 200)
  t.equal(decide({ target: `/${chunk}` }, { asset: { ...asset, isProtected: false } }).status, 200)
})
