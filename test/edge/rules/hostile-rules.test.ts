import t from 'tap'
import { createRandom, seeds } from '../../support/seeds.ts'
import { parse, pathOf, requestOf } from './support.ts'

const HASH = '$scrypt$ln=1,r=1,p=1$aaaaaaaaaaa$aaaaaaaaaaaaaaaaaaaaaa'
const fill = (count: number, line: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join('\n')
const DEEP = `${'a/'.repeat(500)}b`

/** CPU milliseconds, of the fastest of three. */
function measure(act: () => void): number {
  const times = [0, 1, 2].map(() => {
    const started = process.cpuUsage()
    act()
    return process.cpuUsage(started).user / 1000
  })
  return Math.min(...times)
}

t.test('whoever publishes rules cannot stop the workers that read them', async (t) => {
  // A worker that is busy for so long is taken for a wedged one, killed, and reads the same file again.
  const files: Record<string, string> = {
    'blocks without headers': '/a\n'.repeat(333_000),
    'blocks without headers between others': '/a\n/b\n A: b\n'.repeat(100_000),
    'long words behind colons': fill(244, (i) => `/${i}/* /:s${'a'.repeat(4070)}`),
    'long words in headers': `/*\n${fill(244, () => `A: :s${'a'.repeat(4070)}`)}`,
    'many captures': fill(
      200,
      (i) =>
        `/${i} ${fill(400, (j) => `a=:${'b'.repeat(j % 7)}${j}`)
          .replaceAll('\n', ' ')
          .slice(0, 2000)} /:c`,
    ),
  }
  for (const [name, text] of Object.entries(files)) {
    const ms = measure(() => parse({ redirects: text.slice(0, 1_000_000), headers: text.slice(0, 1_000_000) }))
    t.ok(ms < 2000, `${name}: ${ms} ms`)
  }
  const { faults } = parse({ headers: '/a\n'.repeat(333_000) })
  t.ok(faults.length < 1010, 'and what is wrong with it has a bound')
})

t.test('whoever publishes rules cannot make each request take seconds', async (t) => {
  const stars = (i: number): string => `/*${'a*'.repeat(14)}${i}*b`
  const redirects: Record<string, string> = {
    parameters: fill(10_000, (i) => `/${DEEP} id=${i} /x${i}`),
    'parameters everywhere': fill(10_000, (i) => `/:p id=${i} /x${i}`),
    languages: fill(10_000, (i) => `/* /x${i} 302 Language=de`),
    countries: fill(10_000, (i) => `/* /x${i} 302 Country=de`),
    wildcards: fill(256, (i) => `${stars(i)} /x`),
  }
  const query = `?${'a&'.repeat(4000)}`
  const language = fill(2000, (i) => `x${i}`).replaceAll('\n', ',')
  for (const [name, text] of Object.entries(redirects)) {
    const { rules } = parse({ redirects: text })
    for (const path of [DEEP, 'p']) {
      const request = { ...requestOf(`/${path}`, { language, country: 'FR' }), query }
      const ms = measure(() => rules.redirectFor(request))
      t.ok(ms < 400, `${name}: ${ms} ms`)
    }
  }
  const headers: Record<string, string> = {
    passwords: fill(10_000, () => `/*\n Basic-Auth: u:${HASH}`),
    'passwords behind wildcards': fill(256, (i) => `${stars(i)}\n Basic-Auth: u:${HASH}`),
    'headers behind wildcards': fill(256, (i) => `${stars(i)}\n A: b`),
  }
  for (const [name, text] of Object.entries(headers)) {
    const { rules } = parse({ headers: text })
    const ms = measure(() => {
      rules.authFor('example.com', pathOf(`/${DEEP}`))
      rules.headersFor('example.com', pathOf(`/${DEEP}`))
    })
    t.ok(ms < 400, `${name}: ${ms} ms`)
  }
})

/** What a path may be mistyped as, or spoilt with; none is a header. */
const SPOILT = [
  'secret/*',
  'https:/secret/*',
  '\0/secret/*',
  '/secret/*\x01',
  `/secret/*${'x'.repeat(5000)}`,
  '/secret/*?a=b',
  'secret.html',
]

for (const seed of seeds(40))
  t.test(`a password below a path that is not understood is not one of another path, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const before = random.pick(['', '/public/*\n  A: b\n', `/public/*\n  Basic-Auth: other:${HASH}\n`, '/public/*\n'])
    const between = random.pick(['', '  B: c\n', '  # a comment\n', '\n'])
    const after = random.pick(['', '/later\n  A: b\n'])
    const { rules, faults } = parse({
      headers: `${before}${random.pick(SPOILT)}\n${between}  Basic-Auth: u:${HASH}\n${after}`,
    })
    t.ok(faults.length > 0)
    t.strictSame(rules.authFor('example.com', pathOf('/secret/a')), [], 'nobody may see anything')
    t.strictSame(rules.authFor('example.com', pathOf('/later')), [])
    t.notOk(rules.headersFor('example.com', pathOf('/public/a')).set.has('b'))
  })
