/**
 * The published tests of Netlify, restated: each row is one of their cases, with names of our own. Sources, both under the MIT
 * licence: the repository netlify/build (packages/redirect-parser and packages/headers-parser, tests and fixtures),
 * netlify/netlify-redirector-gem (test/redirector_test.rb and test/parser_test.rb: what their servers do), and netlify/cli
 * (tests/unit/utils/headers.test.ts). A row that is marked `ours` is one where we differ, with the reason.
 */
import t from 'tap'
import { type Asked, describe, headersOf, outcomeOf, parse } from './support.ts'

t.test('lines of _redirects are read as by their parser', async (t) => {
  const rows: [name: string, file: string, expected: string[]][] = [
    ['empty', '', []],
    ['empty_line', '/old.php /new\n\n/older.php /newer', ['1: 301', '3: 301']],
    ['multiple_lines', '/a   http://www.a.test/   301\n/b     http://b.test/x         301', ['1: 301', '2: 301']],
    ['line_trim', '  /home              /  ', ['1: 301']],
    ['comment_full', '# an old one\n/old.php  /new', ['2: 301']],
    ['comment_inline', '/old.php  /new # an old one', ['1: 301']],
    ['from_absolute_uri', 'http://hello.test/* http://www.hello.test/:splat', ['1: 301']],
    ['query', '/ page=news /news\n/blog post=:id /blog/:id\n/ _frag_=/about /about', ['1: 301!', '2: 301!', '3: 301!']],
    ['to_anchor', '/ads.php  /post#ads # a comment', ['1: 301']],
    [
      'to_splat_no_force, to_splat_force',
      '/* https://www.a.test/:splat 301\n/* https://b.test/:splat 301!',
      ['1: 301', '2: 301!'],
    ],
    ['to_path_forward', '/admin/* 200\n/admin/* 200!', ['1: 200', '2: 200!']],
    ['status', '/test https://www.a.test/test=hello 301', ['1: 301']],
    ['status_force', '/test https://www.a.test/test=hello 301!', ['1: 301!']],
    ['conditions_country', '/  /cn 302 Country=ch,tw', ['1: 302!']],
    ['conditions_country_language', '/  /cn 302 Country=il Language=en', ['1: 302!']],
    ['conditions_query', '/give src=:src to=:to /give/us?src=:src&to=:to 302 Country=us', ['1: 302!']],
    [
      'conditions_country_case, conditions_language_case',
      '/a /b 200 Country=US\n/a /b 200 Language=en',
      ['1: 200!', '2: 200!'],
    ],
    ['test_410_rule', '/gone /404  410', ['1: 410']],
    ['test_rules_with_complex_redirections', '/app https://x.test/m?a=b&link=https://y.test/z?t%3Dq 301!', ['1: 301!']],
    ['invalid_url', 'http:// /to', ['1: fault: "" is no host name']],
    ['invalid_status', '/from /to not_a_status', ['1: fault: "not_a_status" has no meaning here']],
    ['invalid_no_to_no_status', '/m/legal', ['1: fault: it has no target']],
    ['invalid_no_to_status', '/swf.html?flash=false 301', ['1: fault: a source has no query']],
    ['invalid_no_to_query', '/m/legal source=:source', ['1: fault: it has no target']],
    ['invalid_no_slash', '/	index.html', ['1: fault: "index.html" has no meaning here']],
    [
      'invalid_mistaken_headers',
      '/backup/*\n    Basic-Auth: me:pass',
      ['1: fault: it has no target', '2: fault: a source begins with a slash, or with https://'],
    ],
    // ours: there is no /.netlify here that rules could break.
    ['invalid_dot_netlify_path', '/.netlify/from /to', ['1: 301']],
    ['invalid_dot_netlify_url', 'http://a.test/.netlify/from /to', ['1: 301']],
    // ours: no proxy (DESIGN), no roles, and nothing to sign: refused with the way out instead of followed.
    [
      'proxy',
      '/api/*  https://api.a.test/*   200',
      ['1: fault: this is no proxy: other hosts are not asked for what visitors get'],
    ],
    [
      'conditions_role',
      '/admin/*  /admin/:splat 200 Role=admin',
      ['1: fault: Role= is not followed: visitors have no roles here'],
    ],
    [
      'conditions_roles',
      '/m/*  /m/:splat 200 Role=admin,member',
      ['1: fault: Role= is not followed: visitors have no roles here'],
    ],
    [
      'signed',
      '/api/*   https://api.a.test/:splat   200!  Sign=KEY',
      ['1: fault: this is no proxy: other hosts are not asked for what visitors get'],
    ],
    [
      'signed_backward_compat',
      '/api/* /x 200! signed=KEY',
      ['1: fault: signed= is not followed: only requests to other hosts are signed, and none are made'],
    ],
  ]
  for (const [name, file, expected] of rows) t.strictSame(describe(file), expected, name)
})

t.test('requests are matched as by their servers', async (t) => {
  const asia = '/ /china 302 Country=cn,tw\n/ /india 302 Country=in'
  const regions =
    '/ /c 302 Country=cn\n/ /i 302 Country=in\n/c/* /c/zh/:splat 302 Language=zh\n/* /zh/:splat 302 Language=zh'
  const rows: [name: string, file: string, path: string, asked: Asked, expected: string][] = [
    ['no_match', '', '/', {}, '-'],
    ['simple_match', '/home /', '/home', {}, '301 /'],
    ['simple_match with a slash', '/home /', '/home/', {}, '301 /'],
    ['simple_match, below', '/home /', '/home/s', {}, '-'],
    ['simple_match, longer', '/home /', '/homes', {}, '-'],
    ['carrot_tweeting', '/tweet https://t.test/me 301', '/tweet', {}, '301 https://t.test/me'],
    ['placeholder', '/products/:id /store/:id', '/products/pod', {}, '301 /store/pod'],
    ['query parameter, none', '/products id=:id /store/:id', '/products', {}, '-'],
    ['query parameter', '/products id=:id /store/:id', '/products?id=pod', {}, '301 /store/pod'],
    ['splat, rewrite', '/* /index.html 200', '/r/pics?t=all', {}, '200 /index.html'],
    ['splat', '/news/* /blog/:splat 301', '/news/story', {}, '301 /blog/story'],
    ['splat of nothing', '/news/* /blog/:splat 301', '/news', {}, '301 /blog/'],
    ['splat_with_capture', '/news/* /blog/:splat', '/news/this/is/a/post', {}, '301 /blog/this/is/a/post'],
    [
      'host_and_scheme',
      'http://www.a.test/* https://www.a.test/:splat',
      '/hello',
      { url: 'http://www.a.test' },
      '301 https://www.a.test/hello',
    ],
    [
      'host_and_scheme, other',
      'http://www.a.test/* https://www.a.test/:splat',
      '/hello',
      { url: 'https://www.a.test' },
      '-',
    ],
    ['force', '/* /index.html 200!', '/r/pics', { exists: true }, '200 /index.html'],
    ['not forced, and there', '/* /index.html 200', '/r/pics', { exists: true }, '-'],
    ['country, unknown', asia, '/', {}, '-'],
    ['country, wrong', asia, '/', { country: 'US' }, '-'],
    ['country', asia, '/', { country: 'CN', exists: true }, '302 /china'],
    ['country, second rule', asia, '/', { country: 'IN', exists: true }, '302 /india'],
    ['language', '/c /c/zh 302 Language=zh', '/c', { language: 'zh' }, '302 /c/zh'],
    ['language, variety', '/c /c/zh 302 Language=zh', '/c', { language: 'zh-tw' }, '302 /c/zh'],
    ['language, too general', '/c /c/zh 302 Language=zh-tw', '/c', { language: 'zh' }, '-'],
    ['language, that variety', '/c /c/zh 302 Language=zh-tw', '/c', { language: 'zh-tw' }, '302 /c/zh'],
    [
      'absolute target of the same host',
      '/* http://example.com/au/:splat 302 Country=au',
      '/',
      { country: 'AU' },
      '302 http://example.com/au/',
    ],
    ['absolute target, there already', '/* http://example.com/au/:splat 302 Country=au', '/au', { country: 'AU' }, '-'],
    ['inner named match', '/:locale/blog /:locale/blog/1', '/de/blog', {}, '301 /de/blog/1'],
    ['query param to a query', '/test q=:q https://g.test?q=:q', '/test?q=test', {}, '301 https://g.test/?q=test'],
    [
      'query param with a slash',
      '/ _frag_=/test https://g.test?q=test',
      '/?_frag_=%2Ftest',
      {},
      '301 https://g.test/?q=test',
    ],
    [
      'match_encoded',
      '/ url=:url /get?url=:url',
      '/?url=http://a.test/%EF%BF%BD?x',
      {},
      '301 /get?url=http%3A%2F%2Fa.test%2F%EF%BF%BD%3Fx',
    ],
    ['complex, nothing known', regions, '/', {}, '-'],
    ['complex, country', regions, '/', { country: 'CN' }, '302 /c'],
    ['complex, country before language', regions, '/', { country: 'CN', language: 'zh' }, '302 /c'],
    ['complex, language', regions, '/', { country: 'US', language: 'zh' }, '302 /zh/'],
    ['complex, other language', regions, '/c', { language: 'en' }, '-'],
    ['complex, below', regions, '/c', { language: 'zh' }, '302 /c/zh/'],
    ['complex, deeper', regions, '/c/some', { language: 'zh' }, '302 /c/zh/some'],
    ['complex, there already', regions, '/c/zh/some', { language: 'zh' }, '-'],
    ['story of a day', '/news/* /blog/:splat 301', '/news/2015/07/23/x', {}, '301 /blog/2015/07/23/x'],
    ['real client rule', '/:lang/places/* /places/:splat 200', '/de/places/a/b', {}, '200 /places/a/b'],
  ]
  for (const [name, file, path, asked, expected] of rows) t.equal(outcomeOf(file, path, asked), expected, name)
})

t.test('what their documentation promises', async (t) => {
  const combinations =
    '/path/* p=:p /other/:p/:splat 301\n/path/* q=:q /other/:q/:splat\n/path/* p=:p q=:q /both/:p/:q/:splat\n/path/* /plain/:splat'
  t.equal(outcomeOf(combinations, '/path/x?p=1'), '301 /other/1/x')
  t.equal(outcomeOf(combinations, '/path/x?q=2&p=1'), '301 /both/1/2/x', 'in any order')
  t.equal(outcomeOf(combinations, '/path/x?z=1'), '301 /plain/x?z=1', 'the query goes along')
  t.equal(
    outcomeOf('/news/:m/:d/:y/:slug /blog/:y/:m/:d/:slug', '/news/02/12/2004/my-story'),
    '301 /blog/2004/02/12/my-story',
  )
  t.equal(outcomeOf('/a /b?x=1', '/a?y=2'), '301 /b?x=1', 'unless the target has one')
  t.equal(outcomeOf('/x/ /x', '/x'), '-', 'a rule cannot add or remove a final slash')
  t.equal(outcomeOf('/x /1\n/x /2', '/x'), '301 /1', 'the first that matches')
  t.equal(
    outcomeOf('/authors/c%C3%A9line /authors/about-c%C3%A9line', '/authors/céline'),
    '301 /authors/about-c%C3%A9line',
  )
})

t.test('_headers: lines', async (t) => {
  const rows: [name: string, file: string, expected: Record<string, unknown>, faults: string[]][] = [
    ['empty', '', {}, []],
    ['trim_line_values', '/path\ntest: one', { test: 'one' }, []],
    ['empty_line', '/path\n\n  test: one', { test: 'one' }, []],
    ['comment', '/path\n  # comment\n  test: one', { test: 'one' }, []],
    ['success', '/path\n  test: one', { test: 'one' }, []],
    ['trim_name, trim_value', '/path\n  test :   one', { test: 'one' }, []],
    ['multiple_values', '/path\n  test: one\n  test: two', { test: 'one, two' }, []],
    // ours: joined, as Cloudflare does and their own servers too; their development server lets the last block win.
    ['duplicate', '/path\n  test: one\n\n/path\n  test: three', { test: 'one, three' }, []],
    // ours: told, where they say nothing.
    ['trim_line_path', '  /path', {}, ['1: no header follows']],
    ['no_colon', '/path\n  test = one', {}, ['2: it is neither a path nor a header']],
    ['invalid_value_name', '/path\n  : one', {}, ['2: "" is no name of a header']],
    ['invalid_value_string', '/path\n  test:', {}, ['2: test has no value']],
    ['invalid_for_order', '  test: one\n/path', {}, ['1: a path has to come before it', '2: no header follows']],
  ]
  for (const [name, file, expected, faults] of rows) {
    t.strictSame(headersOf(file, '/path'), expected, name)
    t.strictSame(
      parse({ headers: file }).faults.map(({ line, message }) => `${line}: ${message}`),
      faults,
      name,
    )
  }
})

t.test('_headers: paths', async (t) => {
  // ours: case counts, as it does in paths of files.
  const rows: [pattern: string, hits: string[], misses: string[]][] = [
    ['/', ['/'], ['/a']],
    ['/a', ['/a', '/a/'], ['/b', '/a/b', '/A']],
    ['/a/:b', ['/a/x', '/a/x/'], ['/a', '/a/x/y']],
    ['/*', ['/', '/a', '/a/b/'], []],
    ['/*/a', ['/x/a', '/x/y/a', '/a'], ['/x/b']],
    ['/a/*', ['/a', '/a/', '/a/b/c'], ['/b', '/ab']],
    ['/a/*/b', ['/a/x/b', '/a/x/y/b', '/a/b'], ['/a/x', '/axb']],
    // ours: something stands below /a.
    ['/a/*/*', ['/a/x/y', '/a/x'], ['/b/a', '/a']],
    ['/a/b*c', ['/a/bc', '/a/bxc', '/a/bx/yc'], ['/a/b', '/a/bcd']],
    ['/a/', ['/a', '/a/'], ['/ab']],
    ['/a.', ['/a.'], ['/ab']],
    ['//a//b//', ['/a/b'], ['/a']],
    ['/*/_next/static/chunks/*', ['/x/_next/static/chunks/y', '/_next/static/chunks/y/z'], ['/x/_next/static']],
    ['/directory/*/test.html', ['/directory/x/test.html'], ['/directory/x/test.htm']],
    ['/:placeholder/index.html', ['/x/index.html'], ['/index.html', '/x/y/index.html']],
  ]
  for (const [pattern, hits, misses] of rows) {
    const file = `${pattern}\n  test: one`
    for (const path of hits) t.strictSame(headersOf(file, path), { test: 'one' }, `${pattern} has ${path}`)
    for (const path of misses) t.strictSame(headersOf(file, path), {}, `${pattern} has not ${path}`)
  }
  t.strictSame(headersOf('/with-colon\n  Custom: http://www.a.test', '/with-colon'), { custom: 'http://www.a.test' })
})
