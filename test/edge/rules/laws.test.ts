import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { RedirectTable } from '../../../edge/rules/redirect-table.ts'
import type { RuleRequest } from '../../../edge/rules/request-facts.ts'
import { RuleIndex } from '../../../edge/rules/rule-index.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { parse, pathOf } from './support.ts'

const WORDS = ['a', 'b', 'en', 'blog', 'x.html', 'c d', 'ü', 'index.html']
const NAMES = ['p', 'q', 'id', 'name']

const TARGETS = ['/t', '/:splat', '/en/:splat', '/:p/:q', 'https://new.com/:splat', '/a?x=:id', '/x#:name', '/a/:p:q']

const pickPath = (random: Random): string => {
  const segments = Array.from({ length: random.integer(4) }, () => random.pick(WORDS))
  return `/${segments.join('/')}${segments.length > 0 && random.chance(0.3) ? '/' : ''}`
}

/** Mostly sound, with all that sources may have. */
function pickSource(random: Random): string {
  const names = random.shuffle(NAMES)
  const segments = Array.from({ length: random.integer(4) }, (_, i) => {
    if (random.chance(0.2)) return `:${names[i]}`
    if (random.chance(0.1)) return `${random.pick(['a', 'x'])}-:${names[i]}`
    return encodeURI(random.pick(WORDS))
  })
  if (random.chance(0.3))
    segments.splice(random.chance(0.8) ? segments.length : 0, 0, random.pick(['*', '*', 'a*', '*.html']))
  return `${random.chance(0.1) ? random.pick(['http://example.com', 'https://www.example.com']) : ''}/${segments.join('/')}`
}

function pickRule(random: Random): string {
  const target = random.pick(TARGETS)
  const status = random.pick(['', '301', '302!', '200', '200!', '404', '307', '410'])
  const query = random.chance(0.1) ? ` ${random.pick(['id=:z', 'k=v'])} ` : ' '
  const conditions = random.pick(['', '', '', 'Language=en', 'Country=de', 'Country=de,fr Language=de'])
  return `${pickSource(random)}${query}${target} ${conditions !== '' && status === '' ? '302' : status} ${conditions}`
}

function pickRequest(random: Random): RuleRequest {
  const language = random.pick([undefined, 'en', 'de-AT;q=0.5,en', 'fr;q=0.2'])
  const country = random.pick([undefined, 'DE', 'US'])
  return {
    host: random.pick(['example.com', 'www.example.com']),
    at: pathOf(pickPath(random)),
    query: random.pick(['', '?id=4', '?k=v', '?k=v&id=1', '?x=%0d%0aset-cookie:%20a']),
    secure: random.chance(0.5),
    exists: random.chance(0.2),
    languages: () => language,
    country: () => country,
  }
}

for (const seed of seeds(40))
  t.test(`rules found by their index are those found one by one, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const file = Array.from({ length: 60 }, () => pickRule(random)).join('\n')
    const { redirects } = parse({ redirects: file }).rules
    t.ok(redirects.length > 10, `${redirects.length} rules`)
    const table = new RedirectTable(redirects)
    const single = redirects.map((rule) => ({ rule, table: new RedirectTable([rule]) }))
    let hits = 0
    const wrong: unknown[] = []
    for (let i = 0; i < 200; i++) {
      const request = pickRequest(random)
      const found = table.find(request).match
      // The first that gives anything, a rule at which the visitor stays aside.
      const first = single.map((one) => one.table.find(request).match).find((match) => match !== undefined)
      if (found !== undefined) {
        hits++
        if (!isDeepStrictEqual(found, first)) wrong.push([request, found, first])
        // Where none is found and one alone would be, the visitor stays at the target of one before it.
      } else if (first !== undefined && !file.includes('/en/:splat')) wrong.push([request, found, first])
    }
    t.strictSame(wrong, [])
    t.ok(hits > 20, `${hits} hits`)
  })

/** A regular expression is what Cloudflare makes of a source: slow where it is hostile, and a second opinion where it is not. */
function expressionOf(source: string): RegExp {
  const body = source
    .replace(/^\/|\/$/g, '')
    .replace(/[.\\+?^${}()|[\]]/g, '\\$&')
    .replace(/(^|\/)\*$/, (_all, slash) => (slash === '' ? '(?<splat>.*)' : '(?:/(?<splat>.*))?'))
    .replace(/(^|\/)\*\//, '$1(?:(?<splat>.*)/)?')
    .replace(/(?<!\))\*(?!\))|^\*/g, (star, at, all) => (all[at - 1] === '.' ? star : '(?<splat>.*)'))
    .replace(/:([a-z]+)/g, '(?<$1>[^/]+)')
  return new RegExp(`^${body}$`, 'u')
}

for (const seed of seeds(20))
  t.test(`sources match what their regular expressions match, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const wrong: string[] = []
    let hits = 0
    const segment = () => random.pick(['a', 'b', 'ab', 'a.b', ':p', 'a:p', ':q-b'])
    for (let i = 0; i < 60; i++) {
      const segments = Array.from({ length: 1 + random.integer(3) }, segment)
      if (random.chance(0.6)) segments.splice(random.integer(segments.length + 1), 0, random.pick(['*', 'a*', '*b']))
      const source = `/${segments.join('/')}`
      const target = '/t/:splat' // what is captured shows in the location
      const { rules } = parse({ redirects: `${source} ${target} 302!\n` })
      if (rules.redirects.length === 0) continue
      const expression = expressionOf(source)
      for (let j = 0; j < 30; j++) {
        const path = Array.from({ length: 1 + random.integer(4) }, () =>
          random.pick(['a', 'b', 'ab', 'aab', 'a.b', 'a-b']),
        ).join('/')
        const found = rules.redirectFor({
          ...pickRequest(random),
          at: { path, slash: false },
          query: '',
          exists: false,
        })
        const expected = expression.exec(path)
        const location = found.match?.kind === 'redirect' ? found.match.location : undefined
        const splat =
          expected === null ? undefined : `/t/${expected.groups?.splat ?? (source.includes('*') ? '' : ':splat')}`
        if (expected !== null) hits++
        if (location !== splat?.replace(/\/+/g, '/')) wrong.push(`${source} for /${path} (${expression})`)
      }
    }
    t.strictSame(wrong, [])
    t.ok(hits > 50, `${hits} hits`)
  })

const NASTY = [
  '..',
  '.',
  '//evil.com',
  '\\evil.com',
  '/\\evil.com',
  '\r\nset-cookie: a=1',
  '\u2028',
  'ſ',
  'K',
  '%0d%0a',
  '@evil.com',
  ':80',
  'a b',
  '"><',
  '\u{1f600}',
  '',
]

for (const seed of seeds(40))
  t.test(`a location is safe whatever is asked, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const wide = () => `${random.pick(['/*', '/:p/*', '/:p/:q', '/a-:id*', '/*.html'])} ${random.pick(TARGETS)} 302!`
    const file = Array.from({ length: 40 }, wide).join('\n')
    // Each by itself: one that takes everything would hide the others.
    const tables = parse({ redirects: file }).rules.redirects.map((rule) => new RedirectTable([rule]))
    const unsafe: string[] = []
    let hits = 0
    for (let i = 0; i < 1000; i++) {
      const path = Array.from({ length: 1 + random.integer(4) }, () => random.pick([...NASTY, ...WORDS])).join('/')
      const { match } = random
        .pick(tables)
        .find({ ...pickRequest(random), at: { path, slash: random.chance(0.3) }, exists: false })
      if (match?.kind !== 'redirect') continue
      const { location } = match
      hits++
      const isSafe = /^[\x21-\x7e]+$/.test(location) && /^(?:\/(?![/\\])|https:\/\/new\.com\/)/.test(location)
      const host = URL.parse(location, 'http://example.com')?.host
      if (!isSafe || !(host === 'example.com' || host === 'new.com')) unsafe.push(location)
    }
    t.strictSame(unsafe, [])
    t.ok(hits > 20, `${hits} hits`)
  })

t.test('what is no file of rules is read in bounded time, and does no harm', async (t) => {
  const size = 1_000_000
  const fill = (text: string): string => text.repeat(Math.ceil(size / text.length)).slice(0, size)
  const files: Record<string, string | Uint8Array> = {
    zeros: new Uint8Array(size),
    bytes: createRandom(1).bytes(size),
    slashes: fill('/'),
    stars: fill('*'),
    lines: fill('\n'),
    spaces: fill(' '),
    escapes: fill('%'),
    'many stars': fill('/a*b*c*d /x\n'),
    placeholders: fill('/:a/:b/:c/:d/:e /x\n'),
    'a long line': `/${fill('a')} /b`,
    hosts: fill('https://:a.:b.:c/x /y\n'),
    deep: fill('/a'),
    auth: fill('/*\n Basic-Auth: a:b\n'),
    headers: fill('/*\n A: b\n'),
    'much for one path': fill(`/*\n A: ${'b'.repeat(1000)}\n`),
    prototypes: '/__proto__ /constructor\n/__proto__\n __proto__: 1\n constructor: 2\n',
    'twice too large': fill('/a /b\n') + fill('/a /b\n'),
  }
  for (const [name, bytes] of Object.entries(files)) {
    const started = process.cpuUsage()
    const { rules } = parse({ redirects: bytes, headers: bytes })
    for (const path of [
      '/',
      '/a',
      `/${'a'.repeat(1000)}`,
      `/${'a/'.repeat(500)}`,
      '/__proto__',
      `/${'aab'.repeat(300)}`,
    ]) {
      rules.redirectFor({ ...pickRequest(createRandom(1)), at: pathOf(path) })
      const { set } = rules.headersFor('a.b.c', pathOf(path))
      const chars = [...set].reduce((sum, [key, value]) => sum + key.length + String(value).length, 0)
      t.ok(chars < 40_000, `${name}: ${chars} characters of headers`)
      rules.authFor('a.b.c', pathOf(path))
    }
    const seconds = process.cpuUsage(started).user / 1e6
    // A bound far above what it takes, so that only another order of growth breaks it.
    t.ok(seconds < 20, `${name}: ${seconds.toFixed(2)} s`)
  }
})

t.test('a hostile pattern costs no more than its length allows', async (t) => {
  const patterns = ['/*a*a*a*a*a*a*a*a', '/:a-:b-:c-:d-:e', '/x*aaaaaaaaaaaaaab']
    .map((path) => `${path}\n  A: b`)
    .join('\n')
  const { rules } = parse({ headers: patterns })
  const started = process.cpuUsage()
  for (let i = 0; i < 100; i++) rules.headersFor('h', { path: `x${'a'.repeat(1000)}`, slash: false })
  t.ok(process.cpuUsage(started).user < 10e6, 'a backtracking expression would take for ever')
})

t.test('of ten thousand plain rules no more are looked at than of ten', async (t) => {
  for (const count of [10, 10_000]) {
    const file = Array.from({ length: count - 1 }, (_, i) => `/a/${i} /b`).join('\n')
    const index = new RuleIndex(
      parse({ redirects: `${file}\n/a/:x/* /c\n` }).rules.redirects.map(({ source }) => source.path),
    )
    t.equal([...index.candidates('a/7')].length, 2)
    t.equal([...index.candidates('elsewhere')].length, 0)
  }
})
