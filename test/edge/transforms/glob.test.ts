import picomatch from 'picomatch'
import t from 'tap'
import { parseGlob } from '../../../edge/transforms/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

/** Which files a pattern means, beside what picomatch says. */

t.test('patterns as people write them', async (t) => {
  const cases: [pattern: string, matching: string[], others: string[]][] = [
    ['**/*.html', ['index.html', 'a/b/c.html', '.well-known/x.html', '.x.html'], ['index.htm', 'a.html/b', 'A.HTML']],
    ['*.html', ['index.html'], ['blog/index.html']],
    ['/index.html', ['index.html'], ['a/index.html']],
    ['./index.html', ['index.html'], []],
    ['blog/**', ['blog/a', 'blog/a/b.txt'], ['blog', 'blogs/a', 'a/blog/b']],
    ['**', ['a', 'a/b'], []],
    ['**/draft/**/*.md', ['draft/a.md', 'x/draft/y/z.md'], ['draft.md', 'x/drafts/a.md']],
    ['**/*.{html,xml}', ['a.html', 'b/c.xml'], ['a.json', 'a.{html,xml}']],
    ['{a,b/{c,d}}.js', ['a.js', 'b/c.js', 'b/d.js'], ['b.js', 'c.js']],
    ['page-?.html', ['page-1.html', 'page-ü.html', 'page-🎈.html'], ['page-.html', 'page-10.html', 'page-/.html']],
    ['v[0-9][!a-c].txt', ['v1x.txt', 'v0-.txt'], ['vx1.txt', 'v1a.txt']],
    ['[]]x', [']x'], ['x']],
    ['\\*\\{x\\}', ['*{x}'], ['a{x}', '*x']],
    ['file (1).txt', ['file (1).txt'], ['file 1.txt']],
    ['ünï/*', ['ünï/c'], ['uni/c']],
  ]
  for (const [pattern, matching, others] of cases) {
    const glob = parseGlob(pattern)
    for (const path of matching) t.ok(glob.matches(path), `${pattern} means ${path}`)
    for (const path of others) t.notOk(glob.matches(path), `${pattern} does not mean ${path}`)
  }
})

t.test('what is no pattern is refused, with what to write', async (t) => {
  const wrong = ['', '/', 'a//b', 'a/', '{a', '{a}', '[', '[a', '[z-a]', '[]', 'a\\', '@(a|b)', '!(x)', '*(a)', '[a/b]']
  wrong.push('x'.repeat(1001), '{a,b}'.repeat(7), `{${'x'.repeat(400)},${'y'.repeat(400)}}${'{a,b}'.repeat(4)}`)
  for (const pattern of wrong)
    t.throws(() => parseGlob(pattern), { code: 'MAKI_INVALID', hint: String }, JSON.stringify(pattern.slice(0, 30)))
})

/** Of a small alphabet, so that they meet. */
function makePattern(random: ReturnType<typeof createRandom>): string {
  const atoms = ['a', 'b', 'a.', '*', '?', '[ab]', '[^a]', '{a,b}', '{a,}b', '*', '\\*', 'c']
  const name = (): string => {
    const parts = Array.from({ length: 1 + random.integer(3) }, () => random.pick(atoms))
    // Of two stars together, and of folders at the end, picomatch means this or that.
    return parts.filter((part, i) => part !== '*' || parts[i - 1] !== '*').join('')
  }
  const folders = Array.from({ length: random.integer(4) }, () => (random.chance(0.4) ? '**' : name()))
  return [...folders, name()].join('/')
}

for (const seed of seeds(20)) {
  t.test(`as picomatch reads them (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    let matched = 0
    for (let i = 0; i < 300; i++) {
      const pattern = makePattern(random)
      const glob = parseGlob(pattern)
      const reference = picomatch(pattern, { dot: true, noext: true, nonegate: true })
      for (let j = 0; j < 30; j++) {
        const path = Array.from({ length: 1 + random.integer(4) }, () =>
          Array.from({ length: 1 + random.integer(3) }, () => random.pick(['a', 'b', 'c', '*'])).join(''),
        ).join('/')
        const is = glob.matches(path)
        if (is) matched++
        if (is !== reference(path)) throw new Error(`${pattern} and ${path}: ${is}, picomatch says ${!is}`)
      }
    }
    t.ok(matched > 200, `${matched} matched`)
  })
}

t.test('no pattern costs a visitor anything', async (t) => {
  // picomatch takes half a minute for three stars.
  const path = 'a'.repeat(1024)
  const deep = 'a/'.repeat(511)
  const before = process.cpuUsage().user
  for (const pattern of [`${'*a'.repeat(400)}*b`, `${'**/a/'.repeat(150)}b`, `{${'*a*a*a*a*b,'.repeat(50)}x}`])
    for (const each of [path, `${deep}c`]) t.notOk(parseGlob(pattern).matches(each))
  t.ok(process.cpuUsage().user - before < 1_000_000, 'some milliseconds')
})
