/**
 * The published tests of Cloudflare, restated: each row is one of their cases, with names of our own. Source, under the MIT or
 * Apache-2.0 licence: the repository cloudflare/workers-sdk, packages/workers-shared (utils/tests/parseRedirects.*.test.ts,
 * utils/tests/parseHeaders.*.test.ts, asset-worker/tests/rules-engine.test.ts). Where we differ, the row says `ours` and why; in
 * general: without a status a redirect is 301 (as with Netlify, who came first; theirs is 302), a file that exists comes before
 * a rule without `!`, and a path matches with and without its final slash.
 */
import t from 'tap'
import { describe, headersOf, outcomeOf, parse } from './support.ts'

t.test('lines of _redirects', async (t) => {
  const long = 'a'.repeat(5000)
  const rows: [name: string, file: string, expected: string[]][] = [
    ['a single rule', '/a /b 301', ['1: 301']],
    ['blank lines', '\n/a /b 301\n', ['2: 301']],
    ['whitespace', '\n  /a /b 301\n', ['2: 301']],
    ['comments', '\n  # one\n  /a /b 301\n  # two\n', ['3: 301']],
    ['a comment only', '# just a comment', []],
    ['an indented comment', '  # indented', []],
    ['comments between', '\n# 1\n# 2\n  # 3\n/a /b 301\n# 4\n/c /d 302', ['5: 301', '7: 302']],
    ['fragments with a hash', '/a /b##blah-1 302', ['1: 302']],
    ['inline comment', '/a /b 301 # from a to b', ['1: 301']],
    ['inline comment without status', '/a /b # no status', ['1: 301']],
    ['inline comment after a fragment', '/a /b#section 301 # to a section', ['1: 301']],
    ['inline comment without space', '/a /b 301 #no space', ['1: 301']],
    ['inline comment, absolute target', '/a https://x.test/b#c # comment', ['1: 301']],
    ['empty inline comment', '/a /b #', ['1: 301']],
    ['a rewrite', '/a /b 200', ['1: 200']],
    [
      'absolute targets with ports',
      '/foo https://b.test:123/index.html 302\n/dog https://d.test:12345',
      ['1: 302', '2: 301'],
    ],
    ['one token', '/c', ['1: fault: it has no target']],
    ['four tokens', '/d /e 302 !important', ['1: fault: "!important" has no meaning here']],
    ['a bad status', '/a /b 301\n/c /d 418', ['1: 301', '2: fault: 418 is no status that rules can have']],
    ['spaces in a path', '/some page /somewhere else', ['1: fault: "page" is neither a target nor a parameter']],
    ['escapes', '/some%20page /somewhere%20else', ['1: 301']],
    ['unescaped', '/://so;`me /nons:/&@%+~{}ense', ['1: fault: a % begins the encoding of no UTF-8 character']],
    ['unescaped, without %', '/://so;`me /nons:/&@+~{}ense', ['1: 301']],
    [
      'proxying',
      '/a https://x.test/b 200',
      ['1: fault: this is no proxy: other hosts are not asked for what visitors get'],
    ],
    // ours: lines are 4,096 characters, theirs 2,000.
    ['a long line', `/a /b\n/${long} /b 301`, ['1: 301', '2: fault: the line has more than 4096 characters']],
    // ours: what follows ? is not dropped silently.
    ['a query in the source', '/c?this=rejected /d 301', ['1: fault: a source has no query']],
    // ours: read, and told as a rule that never counts (see the reviews).
    ['the same source twice', '/a /b\n/b /a\n/a /c', ['1: 301', '2: 301', '3: 301']],
    // ours: sources of one host, as with Netlify; sync refuses hosts that are not the domain's.
    ['absolute source', 'https://yeah.test https://nah.test', ['1: 301']],
    // ours: not guessed to be /yeah.com.
    ['no slash', 'yeah.com https://nah.test', ['1: fault: a source begins with a slash, or with https://']],
    // ours: rewrites are resolved once, so that this is the way to write a single-page app, as with Netlify.
    ['all to index', '/* /index.html 200\n/* /index 200', ['1: 200', '2: 200']],
    ['root to index', '/ /index.html\n/ /index', ['1: 301', '2: 301']],
  ]
  for (const [name, file, expected] of rows) t.strictSame(describe(file), expected, name)
})

t.test('limits of _redirects', async (t) => {
  // ours: 10,000 rules of any kind, of which 256 may have odd wildcards; theirs are 2,000 plain ones and 100 others.
  const many = Array.from({ length: 10_050 }, (_, i) => `/a/${i} /b/${i}`).join('\n')
  const { rules, faults } = parse({ redirects: many })
  t.equal(rules.redirects.length, 10_000)
  t.strictSame(
    faults.map(({ line }) => line),
    [10_001],
  )
  const splats = Array.from({ length: 150 }, (_, i) => `/a/${i}/* /b/${i}/:splat`).join('\n')
  t.equal(parse({ redirects: splats }).rules.redirects.length, 150)
  const odd = Array.from({ length: 300 }, (_, i) => `/a${i}* /b`).join('\n')
  t.equal(parse({ redirects: odd }).rules.redirects.length, 256)
})

t.test('where rules lead', async (t) => {
  const rows: [file: string, path: string, expected: string][] = [
    ['/a /b?query=string 302', '/a?x=y', '302 /b?query=string'],
    ['/a /b 302', '/a?x=y', '302 /b?x=y'],
    ['/ext https://x.test:1234/route?q=string#anchor', '/ext', '301 https://x.test:1234/route?q=string#anchor'],
    ['/a /b#blah 302', '/a?k=v', '302 /b?k=v#blah'],
    ['/a /b##blah-1 302', '/a', '302 /b##blah-1'],
    ['/cat https://cat.test:12345 302', '/cat', '302 https://cat.test:12345/'],
    ['/nah https://yeah.test', '/nah', '301 https://yeah.test/'],
    ['/* /foo 200', '/x', '200 /foo'],
    ['/some%20page /ok', '/some page', '301 /ok'],
    ['/$~.%20/!+-/[bo|%7Bo%7D]...() /1', '/$~. /!+-/[bo|{o}]...()', '301 /1'],
    ['/foo/test/* /1/:splat\n/foo/* /2/:splat', '/foo/test/yes', '301 /1/yes'],
    ['/foo/test/* /1/:splat\n/foo/* /2/:splat', '/foo/test/', '301 /1/'],
    // ours: /foo/test is /foo/test/ (theirs leaves it to the second rule).
    ['/foo/test/* /1/:splat\n/foo/* /2/:splat', '/foo/test', '301 /1/'],
    ['/foo/* /2/:splat', '/foo/', '301 /2/'],
    // ours: likewise (theirs matches nothing).
    ['/foo/* /2/:splat', '/foo', '301 /2/'],
    ['/blog/:code/:name /3/:name/:code\n/blog/* /4/:splat', '/blog/123/tri', '301 /3/tri/123'],
    ['/blog/* /4/:splat', '/blog/123/tri', '301 /4/123/tri'],
    ['/:code/:name.jpg /x/:code/:name.jpg', '/123/tri.jpg', '301 /x/123/tri.jpg'],
    ['/:code/* /y/:code/:splat', '/123/tri/images', '301 /y/123/tri/images'],
    ['/:placeholder /z', '/foo', '301 /z'],
    ['/foo* /z', '/foo', '301 /z'],
    ['/foo* /z', '/foo/bar', '301 /z'],
    ['/foo* /z', '/foobar', '301 /z'],
    ['/foo* /z', '/baz/foo', '-'],
    ['/*.html /z/:splat', '/foo.html', '301 /z/foo'],
    ['/*.html /z/:splat', '/foo/bar.html', '301 /z/foo/bar'],
    ['/*.html /z', '/foo', '-'],
    ['/login/* /z', '/login/foo', '301 /z'],
    ['/login/* /z', '/foo/login/foo', '-'],
    ['/login/* /z', '/foo?bar=baz/login/foo', '-'],
    ['/ /z', '/?foo=bar', '301 /z?foo=bar'],
    ['/x/* /y/:splat', '/x/a//b', '301 /y/a/b'],
  ]
  for (const [file, path, expected] of rows) t.equal(outcomeOf(file, path), expected, `${file} for ${path}`)
})

t.test('_headers', async (t) => {
  const rows: [name: string, file: string, path: string, expected: Record<string, unknown>, faults: number][] = [
    ['a single rule', '/a\n  Name: Value', '/a', { name: 'Value' }, 0],
    ['exclamation marks', '/a\n  !Name: Value', '/a', { '!name': 'Value' }, 0],
    ['blank lines', '\n/a\n\nName: Value\n\n', '/a', { name: 'Value' }, 0],
    ['whitespace', '     /a\n  Name       :        Value', '/a', { name: 'Value' }, 0],
    ['comments', '# one\n  /a\n  # two\n  Name: Value', '/a', { name: 'Value' }, 0],
    // ours: cookies stay lines of their own (RFC 6265 section 3); theirs are joined.
    [
      'combined',
      '/a\n  Set-Cookie: t=c; e=n\n  Set-Cookie: o=c; m!',
      '/a',
      { 'set-cookie': ['t=c; e=n', 'o=c; m!'] },
      0,
    ],
    ['unset', '/a\n  Name: Value\n  ! Place', '/a', { name: 'Value', place: null }, 0],
    ['malformed start', 'c\nAccess-Control-Allow-Origin: *', '/', {}, 2],
    [
      'invalid',
      "/b\n  I'm invalid!\n  !x-content-type\n  But: I'm okay!\n  ! Content-Type: a/b",
      '/b',
      { but: "I'm okay!" },
      3,
    ],
    ['spaces in a path', '/some page with spaces\n  valid: yup', '/some page with spaces', { valid: 'yup' }, 0],
    ['an escaped path', '/some%20page\n  valid: yup', '/some page', { valid: 'yup' }, 0],
    ['a port', 'https://nah.test:8080/blog\n  invalid: also', '/blog', {}, 1],
    ['standalone', '/a\n  nah.com\n  :\n  test:', '/a', {}, 3],
    // ours: also http://, and several stars where nothing is named :splat (both as with Netlify).
    ['http', 'http://example.com/blog\n  valid: 1', '/blog', { valid: '1' }, 0],
    ['several stars', '/blog/*/posts/*\n  x: y', '/blog/a/posts/b', { x: 'y' }, 0],
    // ours: named twice is a fault.
    ['star and :splat', '/blog/*/:splat\n  x: :splat', '/blog/a/b', { x: ':splat' }, 0],
    [':splat alone', '/blog/:splat\n  x: :splat', '/blog/a', { x: 'a' }, 0],
  ]
  for (const [name, file, path, expected, faults] of rows) {
    t.strictSame(headersOf(file, path), expected, name)
    t.equal(parse({ headers: file }).faults.length, faults, name)
  }
})

t.test('_headers of hosts, and what wildcards stood for', async (t) => {
  const hosts = [
    '/test\n  n: 1',
    'https://custom.domain/test\n  n: 3',
    'https://:subdomain.pages.:tld/*\n  s: 5/:subdomain/:tld/:splat',
    'https://next.:subdomain.pages.:tld/*\n  s: 6/:subdomain/',
    'https://:sub.example.*/path\n  e: e',
  ].join('\n')
  t.strictSame(headersOf(hosts, '/test', 'custom.domain'), { n: '1, 3' })
  t.strictSame(headersOf(hosts, '/test', 'example.com'), { n: '1' })
  t.strictSame(headersOf(hosts, '/magic', 'my.pages.dev'), { s: '5/my/dev/magic' })
  t.strictSame(headersOf(hosts, '/magic', 'next.my.pages.dev'), { s: '6/my/' })
  t.strictSame(headersOf(hosts, '/path', 'a.example.co.uk'), { e: 'e' })
  const link = '/m/:value\n  Link: </assets/:value/main.js>; rel=preload, </assets/:value/lang.js>; rel=preload'
  t.strictSame(headersOf(link, '/m/js'), {
    link: '</assets/js/main.js>; rel=preload, </assets/js/lang.js>; rel=preload',
  })
  const detached = '/*\n  X: 1\n  Cache-Control: no-store\n/open/*\n  ! X\n  ! Cache-Control\n  X: 2'
  t.strictSame(headersOf(detached, '/open/a'), { x: '2', 'cache-control': null })
})
