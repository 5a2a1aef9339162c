import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { formatWarnings, loadProject } from '../../../cli/config/index.ts'
import { MakiError } from '../../../core/index.ts'

type Files = Readonly<Record<string, string>>

/** `files` by path, besides those that every test has. */
async function load(t: Test, text: string, options: { strict?: boolean } = {}, files: Files = {}) {
  const folder = t.testdir({ dist: {}, other: {}, 'a-file': 'x', 'makiatto.toml': text })
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
  return loadProject(join(folder, 'makiatto.toml'), { ...options, shownAs: 'makiatto.toml' })
}

async function faultOf(
  t: Test,
  text: string,
  options: { strict?: boolean } = {},
  files: Files = {},
): Promise<MakiError> {
  const thrown = await load(t, text, options, files).then(
    () => undefined,
    (error: unknown) => error,
  )
  if (thrown instanceof MakiError) return thrown
  throw thrown ?? new Error('nothing was thrown')
}

t.test('every key is read, and names and values are canonical', async (t) => {
  const project = await load(
    t,
    `project = "blog"
[[domain]]
name = "Example.COM."
path = "./dist"
aliases = ["WWW.example.com", "shop.example.org."]
spa = true
on_concurrent = "merge"
previews = false
[[domain.records]]
type = "mx"
value = "mail.example.com"
priority = 10
[[domain.records]]
type = "TXT"
name = "_Dmarc"
value = "v=DMARC1; p=none"
ttl = 60
[[domain.records]]
type = "A"
name = "mail.example.com"
value = "192.0.2.2"
[[domain.records]]
type = "A"
name = "mail"
value = "192.0.2.1"
[[domain]]
name = "old.example.net"
redirect = "https://example.com"
`,
  )
  t.equal(project.project, 'blog')
  t.same(project.warnings, [])
  t.same(
    project.domains.map(({ folder, components, ...rest }) => rest),
    [
      {
        name: 'example.com',
        line: 2,
        settings: { spa: true, onConcurrent: 'merge', previews: false },
        aliases: ['shop.example.org', 'www.example.com'],
        records: [
          { name: '@', type: 'MX', ttl: 300, values: ['10 mail.example.com.'], line: 9 },
          { name: '_dmarc', type: 'TXT', ttl: 60, values: ['"v=DMARC1; p=none"'], line: 13 },
          { name: 'mail', type: 'A', ttl: 300, values: ['192.0.2.1', '192.0.2.2'], line: 18 },
        ],
      },
      {
        name: 'old.example.net',
        line: 26,
        settings: { spa: false, onConcurrent: 'latest', previews: true, redirect: 'https://example.com' },
        aliases: [],
        records: [],
      },
    ],
  )
  t.same(
    project.domains.map(({ folder }) => folder),
    [join(project.folder, 'dist'), undefined],
  )
})

const withRecords = (...records: readonly string[]): string =>
  `[[domain]]\nname = "a.org"\npath = "dist"\n${records.map((text) => `[[domain.records]]\n${text}\n`).join('')}`

t.test('records of every type', async (t) => {
  const records = [
    ['type = "A"\nname = "cdn"\ngeo = true', { name: 'cdn', type: 'A', values: [], geo: true }],
    ['type = "ALIAS"\nvalue = "app.example.net"', { name: '@', type: 'ALIAS', values: ['app.example.net.'] }],
    ['type = "HTTPS"\nname = "svc"\nvalue = "1 . alpn=h2,h3"', { type: 'HTTPS', values: ['1 . alpn="h2,h3"'] }],
    ['type = "SRV"\npriority = 1\nvalue = "2 3 h.example.net"', { type: 'SRV', values: ['1 2 3 h.example.net.'] }],
    ['type = "type65280"\nvalue = "\\\\# 1 0a"', { type: 'TYPE65280', values: ['\\# 1 0A'] }],
    ['type = "TYPE28"\nvalue = "2001:DB8::1"', { type: 'AAAA', values: ['2001:db8::1'] }],
    ['type = "DS"\nname = "x"\nvalue = "1 13 200 0a"', { type: 'DS', values: ['1 13 200 0A'] }],
    ['type = "A"\nname = "*"\nvalue = "192.0.2.1"', { name: '*', type: 'A' }],
  ] as const
  for (const [text, expected] of records) {
    const project = await load(t, withRecords(text))
    t.match(project.domains[0]?.records, [expected], text)
    if (!('geo' in expected))
      t.notOk(
        project.domains[0]?.records.some((record) => 'geo' in record),
        'no geo',
      )
  }
})

t.test('records that cannot be', async (t) => {
  const cases: [message: RegExp, ...records: string[]][] = [
    [/value: it is missing/, 'type = "A"'],
    [/has no value of its own/, 'type = "A"\ngeo = true\nvalue = "192.0.2.1"'],
    [/only sets of type A and AAAA/, 'type = "MX"\ngeo = true'],
    [/has no priority/, 'type = "A"\ngeo = true\npriority = 1'],
    [/it has values, or geo = true/, 'type = "A"\ngeo = true', 'type = "A"\nvalue = "192.0.2.1"'],
    [/it has values, or geo = true/, 'type = "A"\nvalue = "192.0.2.1"', 'type = "A"\ngeo = true'],
    [/true or false is expected/, 'type = "A"\ngeo = "yes"'],
    [/@ has an ALIAS, so the AAAA record on line 4/, 'type = "AAAA"\ngeo = true', 'type = "ALIAS"\nvalue = "b.org"'],
    [/every zone has one, which we make/, 'type = "SOA"\nvalue = "x"'],
    [/held by its parent/, 'type = "DS"\nvalue = "1 13 200 0a"'],
    [/wildcard cannot be delegated/, 'type = "NS"\nname = "*"\nvalue = "ns.b.org"'],
  ]
  for (const [message, ...records] of cases) t.match((await faultOf(t, withRecords(...records))).message, message)
})

t.test('the project is named after its first domain', async (t) => {
  const project = await load(
    t,
    '[[domain]]\nname = "b.org"\npath = "dist"\n[[domain]]\nname = "a.org"\npath = "other"\n',
  )
  t.equal(project.project, 'b.org')
})

t.test('all faults of a file are told at once, in its order, each with its line', async (t) => {
  const error = await faultOf(
    t,
    `projekt = "x"
[[domain]]
name = "example.com"
path = "./dist"
aliases = ["www.example.org", "exa mple.com"]
[[domain.records]]
type = "A"
value = 5
spa = true
[[domain.records]]
type = "A"
value = "1.2.3.4"
[[domain.records]]
type = "A"
ttl = 60
value = "1.2.3.5"
[[domain.records]]
type = "CNAME"
value = "foo.bar"
[[domain.records]]
type = "A"
name = "x.other.com."
value = "bad"
[[domain]]
path = "nope"
on_concurrent = "lates"
name = "www.example.org"
[[domain]]
name = "q.com"
path = "a-file"
redirect = "https://x.y/"
[[domain]]
name = "r.com"
previews = 1
`,
  )
  t.equal(error.code, 'MAKI_CONFIG')
  const folder = t.testdirName
  t.equal(
    error.message.replaceAll(folder, 'DIR'),
    `makiatto.toml has 13 faults:
  makiatto.toml:5:12: domain[0].aliases[0]: www.example.org stands on line 27 already, as a domain
  makiatto.toml:5:31: domain[0].aliases[1]: "exa mple.com" is not a host name: the label "exa mple" has characters that are not allowed there
  makiatto.toml:8:9: domain[0].records[0].value: text in quotes is expected, not 5
  makiatto.toml:15:7: domain[0].records[2].ttl: 60 differs from 300 on line 10; the A records of @ share one TTL
    Try: Write the same ttl on both (300 where none is written).
  makiatto.toml:17:1: domain[0].records[3]: the CNAME record of example.com is not possible: the apex of a domain cannot be a CNAME
    Try: Use ALIAS there, which answers with the addresses of its target, or A and AAAA.
  makiatto.toml:22:8: domain[0].records[4].name: "x.other.com." is not a name in example.com: it ends in a dot, so it is absolute, and lies elsewhere
    Try: Use @ for example.com itself, a name like www, or a full name that ends in .example.com.
  makiatto.toml:23:9: domain[0].records[4].value: "bad" is not the value of an A record: it is no IPv4 address
    Try: Write an IPv4 address like 192.0.2.1.
  makiatto.toml:25:8: domain[1].path: the files of www.example.org were looked for in DIR/nope: there is no such folder
    Try: Build the site first, or correct the path; it is relative to the file that it stands in.
  makiatto.toml:26:17: domain[1].on_concurrent: one of "latest", "merge" is expected, not "lates"
  makiatto.toml:30:8: domain[2].path: the files of q.com were looked for in DIR/a-file: that is not a folder
  makiatto.toml:31:12: domain[2].redirect: q.com has a path and a redirect; it can have one of them
  makiatto.toml:32:1: domain[3].path: r.com has neither a path nor a redirect
    Try: Write the folder of its files, like path = "./dist", or redirect = "https://…".
  makiatto.toml:34:12: domain[3].previews: true or false is expected, not 1
  warning: makiatto.toml:1:1: projekt: unknown key; did you mean "project"?
  warning: makiatto.toml:9:1: domain[0].records[0].spa: unknown key; spa belongs to [[domain]], before the first table below it`,
  )
})

t.test('no domain sends its visitors to itself', async (t) => {
  for (const [redirect, isLoop] of [
    ['https://example.com', true],
    ['http://WWW.example.com/shop', true],
    ['https://example.com.org', false],
    ['https://new.example.com', false],
  ] as const) {
    const text = `[[domain]]\nname = "example.com"\naliases = ["www.example.com"]\nredirect = "${redirect}"\n`
    const said = await load(t, text).then(() => '', String)
    t.equal(said.includes('to itself'), isLoop, redirect)
  }
})

t.test('a mistyped type names the nearest, beside other faults too', async (t) => {
  const record = (type: string) => `[[domain.records]]\ntype = "${type}"\nvalue = "x"\n`
  const { message } = await faultOf(t, `[[domain]]\nname = "a.org"\npath = "dist"\n${record('TX')}${record('A')}`)
  t.match(message, /has 2 faults:\n.*"TX"\n {4}Try: Did you mean TXT\? .*\n.*no IPv4 address\n {4}Try: /)
})

t.test('unknown keys warn; with strict they are faults', async (t) => {
  const text = '[[domain]]\nname = "a.org"\npath = "dist"\naliasses = []\ncolour = 1\n'
  t.same(formatWarnings(await load(t, text)), [
    'makiatto.toml:4:1: domain[0].aliasses: unknown key; did you mean "aliases"?',
    'makiatto.toml:5:1: domain[0].colour: unknown key; known are name, path, aliases, spa, on_concurrent, previews, redirect, records, functions, transforms',
  ])
  const error = await faultOf(t, text, { strict: true })
  t.match(error.message, /^makiatto\.toml has 2 faults:\n {2}makiatto\.toml:4:1: domain\[0\]\.aliasses: /)
})

t.test('a host name belongs to one domain of the file, once', async (t) => {
  const twice = await faultOf(
    t,
    '[[domain]]\nname = "a.org"\npath = "dist"\n[[domain]]\nname = "A.org"\npath = "dist"\n',
  )
  t.equal(twice.message, 'makiatto.toml:5:8: domain[1].name: a.org stands on line 2 already, as a domain')
  const alias = await faultOf(
    t,
    '[[domain]]\nname = "a.org"\npath = "dist"\naliases = ["w.c.org"]\n[[domain]]\nname = "b.org"\npath = "dist"\naliases = ["b.org", "W.c.org"]\n',
  )
  t.match(alias.message, 'domain[1].aliases[0]: b.org stands on line 6 already, as a domain')
  t.match(alias.message, 'domain[1].aliases[1]: w.c.org stands on line 4 already, as an alias of a.org')
})

t.test('a CNAME is alone at its name', async (t) => {
  const error = await faultOf(
    t,
    `[[domain]]
name = "a.org"
path = "dist"
[[domain.records]]
type = "CNAME"
name = "w"
value = "x.org"
[[domain.records]]
type = "TXT"
name = "w"
value = "hello"
`,
  )
  t.equal(
    error.message,
    'makiatto.toml:4:1: domain[0].records[0]: w has a CNAME, so the TXT record on line 8 cannot stand there',
  )
})

t.test('the same record twice is one record, with a warning', async (t) => {
  const record = '[[domain.records]]\ntype = "A"\nname = "w"\nvalue = "192.0.2.1"\n'
  const project = await load(t, `[[domain]]\nname = "a.org"\npath = "dist"\n${record}${record}`)
  t.same(project.domains[0]?.records[0]?.values, ['192.0.2.1'])
  t.same(formatWarnings(project), ['makiatto.toml:8:1: domain[0].records[1]: the same A record of w stands on line 4'])
})

t.test('functions and transforms are read, with their env', async (t) => {
  const base = '[[domain]]\nname = "a.org"\npath = "dist"\n'
  const files = {
    'dist/api/x.wasm': '',
    'dist/t.wasm': '',
    'secrets.env': '# of the shop\nexport A="from \\"file\\"" # said\nB=\'$1 #\'\nC = plain # comment\nD=\n',
  }
  const functions = `${base}[[domain.functions]]\npath = "api/x.wasm"\nmethods = ["post", "GET"]\nenv = { A = "b" }\nenv_file = "secrets.env"\ntimeout_ms = 5\nmax_memory_mb = 64\n`
  const transforms = '[[domain.transforms]]\npath = "t.wasm"\nfiles = "**/*.html"\nmax_file_size_kb = 1\n'
  const { domains } = await load(t, functions + transforms, {}, files)
  t.match(domains[0]?.components, {
    functions: [
      {
        path: 'api/x.wasm',
        methods: ['GET', 'POST'],
        env: { A: 'b', B: '$1 #', C: 'plain', D: '' },
        timeoutMs: 5,
        maxMemoryMb: 64,
      },
    ],
    transforms: [{ path: 't.wasm', files: '**/*.html', maxFileSizeKb: 1, env: {} }],
  })
  const faults: [string, Record<string, string>, RegExp][] = [
    [functions, { 'secrets.env': '' }, /the component was looked for in .*x\.wasm: there is no such file/],
    [functions, { 'dist/api/x.wasm': '' }, /secrets\.env cannot be read/],
    [
      functions,
      { ...files, 'secrets.env': 'A=1\nthe password is tiger\n' },
      /secrets\.env:2: this line is no KEY=VALUE/,
    ],
    [
      functions.replace('"secrets.env"', '"dist/.env"'),
      { ...files, 'dist/.env': '' },
      /lies in .*dist, which is published/,
    ],
    [functions.replace('{ A =', '{ "A-1" ='), files, /"A-1" is no name of a variable/],
    [functions.replace('"post"', '"po st"'), files, /"PO ST" is no HTTP method/],
    [functions.replace('"api/x.wasm"', '"../x.wasm"'), files, /outside the path of the domain/],
    [`${functions}[[domain.functions]]\npath = "api/x.wasm"\n`, files, /stands on line 4 already/],
    [functions.replace('path = "dist"', 'redirect = "https://b.org"'), files, /redirects; only a domain with a path/],
    ...['{ PIN = 4711 }', '"tiger"', '["tiger"]', '{ A = ["tiger"] }', '"tiger', '{ A = "tiger }', '{ A = tiger }'].map(
      (env): [string, Record<string, string>, RegExp] => [functions.replace('{ A = "b" }', env), files, /toml:7/],
    ),
    [functions.replace('{ A = "b" }', '{ A = "x", A = "tiger" }'), files, /stands twice/],
    [functions.replace('{ A =', '{ __proto__ ='), files, /env\.__proto__: no variable can have the name __proto__/],
    [
      functions,
      { ...files, 'secrets.env': 'constructor=tiger' },
      /env_file: no variable can have the name constructor/,
    ],
    [functions, { ...files, 'secrets.env': '__proto__=tiger' }, /env_file: no variable can have the name __proto__/],
    [functions.replace('"b"', '"tiger\\u0000"'), files, /the value of A has a zero character/],
    [functions.replace('"secrets.env"', '"/dev/zero"'), files, /\/dev\/zero cannot be read: that is not a file/],
    [functions, { ...files, 'secrets.env': `A=${'tiger'.repeat(210_000)}` }, /it has 1050002 bytes/],
    [`${base}[[domain.transforms]]\npath = "t.wasm"\n`, files, /transforms\[0\]\.files: it is missing/],
    [
      `${base}[[domain.transforms]]\npath = "t.wasm"\nfiles = "**/*.{html"\n`,
      files,
      /transforms\[0\]\.files: .* is no pattern for files: a brace is not closed/,
    ],
  ]
  for (const [text, present, words] of faults) {
    const error = await faultOf(t, text, {}, present)
    t.match(error, { code: 'MAKI_CONFIG', message: words })
    t.notMatch(error.message + error.hint, /tiger|4711/)
  }
  await t.resolves(load(t, `${base}functions = []\n`))
})

t.test('wrong types anywhere are faults, never crashes', async (t) => {
  const values = [
    '1',
    '"x"',
    '[]',
    '[1]',
    '["x"]',
    '{}',
    'true',
    '2026-11-22',
    'nan',
    '{ a = 1 }',
    '[[1]]',
    '-1',
    '1e400',
  ]
  const keys = [
    'name',
    'path',
    'aliases',
    'spa',
    'on_concurrent',
    'previews',
    'redirect',
    'records',
    'functions',
    'transforms',
  ]
  for (const value of values) {
    for (const key of keys) {
      const rest = key === 'name' ? '' : 'name = "a.org"\n'
      const result = await load(t, `[[domain]]\n${rest}${key} = ${value}\n`).catch((error: unknown) => error)
      if (result instanceof Error) t.type(result, MakiError, `${key} = ${value}`)
    }
    for (const text of [
      `domain = ${value}`,
      `project = ${value}`,
      `[[domain]]\nname = "a.org"\n[[domain.records]]\ntype = ${value}`,
    ]) {
      const result = await load(t, text).catch((error: unknown) => error)
      t.ok(result instanceof MakiError && result.code !== 'MAKI_INTERNAL', text)
    }
  }
})

t.test('a file that is not there names what was looked for and how to begin', async (t) => {
  const folder = t.testdir({})
  const file = join(folder, 'makiatto.toml')
  await t.rejects(loadProject(file), {
    code: 'MAKI_CONFIG',
    message: `there is no project file: ${file} was looked for`,
    hint: /--config FILE.*\[\[domain\]\]/s,
  })
  await mkdir(file)
  await t.rejects(loadProject(file), { code: 'MAKI_CONFIG', message: /cannot be read: it is a folder/ })
  await writeFile(join(folder, 'empty.toml'), '')
  await t.rejects(loadProject(join(folder, 'empty.toml')), {
    code: 'MAKI_CONFIG',
    message: /there is no \[\[domain\]\]/,
  })
})
