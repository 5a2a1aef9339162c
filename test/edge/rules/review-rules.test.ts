import t from 'tap'
import { reviewRules } from '../../../edge/index.ts'
import { parse, pathOf } from './support.ts'

const FILES = ['', 'about', 'app/index.html', 'lost.html', 'secret/page']
const HASH = '$scrypt$ln=14,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g'

function review(redirects: string, headers = ''): string[] {
  const { rules, faults } = parse({ redirects, headers })
  t.strictSame(faults, [])
  const site = {
    hosts: ['example.com', 'www.example.com'],
    exists: ({ path }: { path: string }) => FILES.includes(path),
  }
  const found = reviewRules(rules, site)
  return [
    ...found.faults.map(({ line, message }) => `${line} fault ${message}`),
    ...found.warnings.map(({ line, message }) => `${line} ${message.split(':')[0]}`),
  ]
}

t.test('what never counts', async (t) => {
  const rows: [redirects: string, expected: string[]][] = [
    ['/a /b\n/a /c', ['2 it never counts']],
    ['/a /b\n/a/ /c', ['2 it never counts']],
    ['/* /x\n/a /b', ['2 it never counts']],
    ['/a/* /x\n/a/:b/c /d', ['2 it never counts']],
    ['/:a /x\n/b* /y', []],
    ['/a* /x\n/ab/* /y', ['2 it never counts']],
    ['/a/* /x\n/* /y', []],
    ['/* /x\n/about /b 301!', []],
    ['/* /x 301!\n/about /b 301!', ['2 it never counts']],
    ['/* /x 302 Country=de\n/a /b', []],
    ['/* id=4 /x\n/a /b', []],
    ['https://www.example.com/* /x\n/a /b', []],
    ['https://www.example.com/* /x\nhttps://www.example.com/a /b', ['2 it never counts']],
    ['http://www.example.com/* /x\nhttps://www.example.com/a /b', []],
    ['/a /a\n/a /b', []],
    ['/about /x', ['1 it never counts']],
    ['/about /x 302!', []],
    ['/about /x 302 Language=de', []],
    ['https://other.org/* /x', ['1 fault other.org is no host of this domain']],
    ['/x /nowhere 200', ['1 the site has no "/nowhere"']],
    ['/x /lost.html 404', []],
    ['/x /:y 200', ['1 the site has no "/']],
  ]
  for (const [redirects, expected] of rows)
    t.strictSame(
      review(redirects).map((line) => line.replace(/"\/".*|"\/:.*/, '"/')),
      expected,
      redirects,
    )
})

t.test('a rewrite around a password', async (t) => {
  const auth = `/secret/*\n  Basic-Auth: me:${HASH}\n`
  const [warning] = review('/open/* /secret/:splat 200', auth)
  t.match(warning, 'it shows what a password protects')
  t.strictSame(review('/secret/x /secret/page 200', auth), [])
  t.strictSame(review('/open/* /secret/:splat 302', auth), [], 'whoever is sent there is asked')
})

t.test('who may see what: the narrowest block decides, and what is not understood lets nobody in', async (t) => {
  const other = HASH.replace('c2Fs', 'c2Ft')
  const usersOf = (headers: string, path: string) =>
    parse({ headers })
      .rules.authFor('example.com', pathOf(path))
      ?.map(({ user }) => user)
  const file = `/*\n Basic-Auth: all:${HASH} two:${other}\n/admin/*\n Basic-Auth: root:${HASH}\n/open/*\n ! Basic-Auth\n/one\n Basic-Auth: x:${HASH}\n`
  t.strictSame(usersOf(file, '/'), ['all', 'two'])
  t.strictSame(usersOf(file, '/admin'), ['root'])
  t.strictSame(usersOf(file, '/admin/x/y'), ['root'])
  t.strictSame(usersOf(file, '/open/x'), undefined)
  const page = `/one\n Basic-Auth: x:${HASH}\n/two.html\n Basic-Auth: y:${HASH}\n`
  for (const path of ['/one', '/one/', '/one.html', '/one/index.html', '/one/index'])
    t.strictSame(usersOf(page, path), ['x'], path)
  for (const path of ['/two', '/two.html', '/two/index.html']) t.strictSame(usersOf(page, path), ['y'], path)
  t.strictSame(usersOf(page, '/three'), undefined)
  t.strictSame(usersOf('/a/*\n Basic-Auth: me:plain\n', '/a/b'), [], 'a password in clear')
  t.strictSame(usersOf('/a/*\n Basic-Auth: me:plain\n', '/b'), undefined)
  t.strictSame(
    usersOf(`/a/*\n Basic-Auth: me:${HASH.replace('ln=14', 'ln=30')}\n`, '/a'),
    [],
    'a hash that takes too much',
  )
  t.strictSame(usersOf(`/a%zz\n Basic-Auth: me:${HASH}\n`, '/b'), [], 'a path that cannot be read')
  t.strictSame(usersOf(` Basic-Auth: me:${HASH}\n`, '/b'), [], 'no path')
  t.strictSame(usersOf(`/x\n a: b\n${'#'.repeat(1_000_000)}\n/a\n Basic-Auth: me:${HASH}\n`, '/b'), [], 'cut')
})
