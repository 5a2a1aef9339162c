import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Hostname, OwnerName, RecordValue } from '../../core/index.ts'
import { findDomain } from '../../core/index.ts'
import { listRecords, randomSets } from '../dns/master-file/random-sets.ts'
import { createRandom, seeds } from '../support/seeds.ts'
import {
  announceSchema,
  domainSet,
  example,
  runInProcess,
  startTestCluster,
  type TestCluster,
} from './support/test-cluster.ts'

interface Result {
  operations: string[]
  added: { name: string; type: string }[]
  changed: { name: string; type: string; ttl: number; values: string[] }[]
  removed: { name: string; type: string }[]
  same: number
  leftOut: { name: string; type: string; why: string }[]
  invalidCount: number
  notes: string[]
}

const BIND = `$TTL 1h
@ IN SOA ns1.old.example. admin.old.example. 1 2 3 4 5
@ NS ns1.old.example.
@ NS ns2.old.example.
@ A 192.0.2.10
@ MX 10 mail
mail A 192.0.2.20
www CNAME @
@ RRSIG A 8 2 300 20300101000000 20200101000000 1 example.com. AAAA
elsewhere.example. A 192.0.2.1
`

async function put(cluster: TestCluster, text: string, name = 'zone.txt'): Promise<string> {
  await writeFile(join(cluster.directory, name), text)
  return name
}

const recordsOf = (cluster: TestCluster, domain: Hostname = example): RecordValue[] =>
  (findDomain(cluster.nodes[0]!.replica.state, domain)?.records ?? []).map(({ value }) => value)

const linesOf = (records: readonly RecordValue[], apex: string): string[] =>
  listRecords(
    records.map(({ name, type, ttl, values, geo }) => {
      return { name: name === '@' ? apex : `${name}.${apex}`, type, ttl, values, geo: geo === true }
    }),
  )

t.test('a file of another provider is taken over, and what the cluster does itself is left out', async (t) => {
  await using cluster = await startTestCluster()
  const file = await put(cluster, BIND)
  const before = cluster.nodes[0]!.replica.count
  const dry = await cluster.maki('dns', 'import', 'example.com', file, '--dry-run')
  t.match(dry, { code: 0, stdout: /^Would import zone\.txt into example\.com \(4 added\); nothing was written:\n/ })
  t.equal(cluster.nodes[0]!.replica.count, before)

  const done = await cluster.maki('dns', 'import', 'example.com', file)
  t.equal(done.code, 0, done.stderr)
  t.match(done.stdout, /^Imported zone\.txt into example\.com by \w+ \(at one\), RRsets: 4 added\.\n/)
  t.match(done.stdout, / {2}\+ www\.example\.com CNAME 3600 example\.com\.\n/)
  t.match(done.stdout, /example\.com NS \(line 3\): your name servers are the cluster's; --keep-ns takes it over/)
  t.match(done.stdout, /example\.com SOA \(line 2\): the cluster makes it/)
  t.match(done.stdout, /elsewhere\.example A \(line 10\): it lies outside example\.com/)
  t.match(done.stderr, /The zone is signed.*DS records/)
  t.match(done.stderr, /It replaces the automatic A of example\.com; maki record remove example\.com @ A brings/)
  t.equal(cluster.nodes[0]!.replica.count, before + 1, 'one operation')
  t.strictSame(linesOf(recordsOf(cluster), 'example.com'), [
    'example.com 3600 A 192.0.2.10',
    'example.com 3600 MX 10 mail.example.com.',
    'mail.example.com 3600 A 192.0.2.20',
    'www.example.com 3600 CNAME example.com.',
  ])

  const again = await cluster.maki('dns', 'import', 'example.com', file)
  t.match(again, { code: 0, stdout: /^Nothing to do: example\.com has the records of zone\.txt already\.\n/ })
  t.equal(cluster.nodes[0]!.replica.count, before + 1)

  await cluster.maki('dns', 'import', 'example.com', file, '--keep-ns')
  t.match(linesOf(recordsOf(cluster), 'example.com')[2], 'example.com 3600 NS ns1.old.example.')
  t.match((await cluster.json<{ message: string }[]>('history', '--limit', '1'))[0], { message: 'import zone.txt' })
})

t.test('what changes is shown; what would go is asked for', async (t) => {
  await using cluster = await startTestCluster()
  await cluster.maki('record', 'set', 'example.com', 'old', 'A', '192.0.2.1')
  await cluster.maki('record', 'set', 'example.com', 'www', 'A', '192.0.2.1', '--ttl', '60')
  await cluster.maki('record', 'set', 'example.com', '@', 'NS', 'ns1.example.net')
  const file = await put(
    cluster,
    'www 300 A 192.0.2.2\nwww 200 A 192.0.2.3\nnew 300 A 192.0.2.4\n@ NS ns2.example.net.\n',
  )
  const kept = await cluster.json<Result>('dns', 'import', 'example.com', file)
  t.match(kept, {
    added: [{ name: 'new.example.com' }],
    changed: [
      {
        name: 'www.example.com',
        ttl: 200,
        values: ['192.0.2.2', '192.0.2.3'],
        before: { ttl: 60, values: ['192.0.2.1'] },
      },
    ],
    removed: [],
    notes: [/smallest was taken for www\.example\.com A/],
  })
  const options = { env: cluster.env, cwd: cluster.directory }
  const replace = ['dns', 'import', 'example.com', file, '--replace']
  t.match(await runInProcess(replace, options), {
    code: 2,
    stderr: /no terminal to ask on\nTry: maki dns import example\.com zone\.txt --replace --yes/,
  })
  const refused = await runInProcess(replace, { ...options, answer: 'n' })
  t.match(refused, {
    code: 1,
    stderr:
      /- old\.example\.com A 300 192\.0\.2\.1\nRemove 1 RRset of example\.com that zone\.txt does not have\? \[y\/N\] /,
  })
  t.equal(recordsOf(cluster).length, 4)
  const done = await runInProcess(replace, { ...options, answer: 'y' })
  t.match(done, {
    code: 0,
    stdout: /1 removed\.\n {2}- old\.example\.com A 300 192\.0\.2\.1\n {2}= 2 RRsets are so already/,
  })
  t.strictSame(
    recordsOf(cluster).map(({ name, type }) => `${name} ${type}`),
    ['@ NS', 'new A', 'www A'],
    'NS that the file names stay',
  )
  t.match(await cluster.json('dns', 'import', 'example.com', file, '--replace'), {
    operations: [],
    same: 2,
    removed: [],
  })
})

t.test('a file with faults writes nothing, unless they are to be left out', async (t) => {
  await using cluster = await startTestCluster()
  await cluster.maki('record', 'set', 'example.com', 'busy', 'A', '192.0.2.1')
  const count = cluster.nodes[0]!.replica.count
  const lines = [
    'good 60 A 192.0.2.1',
    'bad 60 A 192.0.2',
    'x 60 CNAME a',
    'x 60 TXT b',
    'busy 60 CNAME a',
    'b\\@d 60 A 192.0.2.1',
    'd 60 DS 1 8 2 aabb',
  ]
  const file = await put(cluster, lines.join('\n'))
  t.match(await cluster.maki('dns', 'import', 'example.com', file), {
    code: 2,
    stdout: '',
    stderr: /zone\.txt:2: bad 60 A 192\.0\.2: "192\.0\.2" .*\n.*2 faults|zone\.txt has 2 faults/s,
  })
  const one = await put(cluster, lines.filter((_, i) => i !== 1 && i !== 6).join('\n'), 'one.txt')
  const { code, stderr } = await cluster.maki('dns', 'import', 'example.com', one)
  t.equal(code, 2)
  t.match(
    stderr,
    /one\.txt has 3 faults:\n {2}one\.txt:2: x\.example\.com CNAME: .*TXT.*\n {2}one\.txt:4: busy\.example\.com CNAME: .*type A.*\n {2}one\.txt:5: /,
  )
  const busy = await put(cluster, 'busy 60 CNAME a', 'busy.txt')
  t.match(await cluster.maki('dns', 'import', 'example.com', busy), {
    code: 2,
    stderr: /a CNAME stands alone\nTry: Remove what is there first .*--replace/,
  })
  t.match(await cluster.maki('dns', 'import', 'example.com', busy, '--replace', '--skip-invalid'), { code: 2 })
  t.equal(cluster.nodes[0]!.replica.count, count)
  const skipped = await cluster.json<Result>('dns', 'import', 'example.com', one, '--skip-invalid')
  t.match(skipped, { invalidCount: 3, added: [{ name: 'good.example.com' }, { name: 'x.example.com', type: 'TXT' }] })
  t.match(await cluster.maki('dns', 'import', 'example.com', busy, '--replace', '--yes'), { code: 0 })
  t.match(recordsOf(cluster), [{ name: 'busy', type: 'CNAME' }])
})

t.test('files that are no good are named', async (t) => {
  await using cluster = await startTestCluster()
  const other = await put(cluster, '@ SOA a b 1 2 3 4 5\n@ 60 A 192.0.2.1'.replaceAll('@', 'example.org.'))
  t.match(await cluster.maki('dns', 'import', 'example.com', other), {
    code: 2,
    stderr: /it is of example\.org\nTry: .*--domain-from example\.org/,
  })
  t.match(await cluster.json('dns', 'import', 'example.com', other, '--domain-from', 'example.org'), {
    added: [{ name: 'example.com', values: ['192.0.2.1'] }],
  })
  t.match(await cluster.maki('dns', 'import', 'example.com', 'missing.txt'), {
    code: 2,
    stderr: /missing\.txt cannot be read/,
  })
  t.match(await cluster.maki('dns', 'import', 'example.com', await put(cluster, '; nothing\n')), {
    code: 2,
    stderr: /no record/,
  })
  t.match(await cluster.maki('dns', 'import', 'exmaple.com', other), { code: 4, stderr: /Try: example\.com/ })
  t.match(await cluster.maki('dns', 'export', 'example.com', '-o', 'no/such/folder'), {
    code: 2,
    stderr: /cannot be written/,
  })
})

t.test('a provider that flattens and chooses TTLs', async (t) => {
  await using cluster = await startTestCluster()
  const file = await put(
    cluster,
    'example.com\t3600\tIN\tSOA\tann.ns.cloudflare.com. dns.cloudflare.com. 1 2 3 4 5\nexample.com.\t86400\tIN\tNS\tann.ns.cloudflare.com.\nexample.com.\t1\tIN\tCNAME\tapp.example.net. ; cf_tags=cf-proxied:true\n',
  )
  t.match(await cluster.json('dns', 'import', 'example.com', file), {
    added: [{ name: 'example.com', type: 'ALIAS', ttl: 300, values: ['app.example.net.'] }],
    notes: [/Cloudflare/, /becomes an ALIAS/, /automatic A/],
  })
})

t.test('what no answer can have stands in the export as a comment, on one line', async (t) => {
  await using cluster = await startTestCluster()
  const hostile = ['192.0.2.1\n$INCLUDE /etc/passwd', '\u001b[2J\u2028x']
  const set = { kind: 'record.set' as const, domain: example, ttl: 60 }
  await cluster.write(cluster.nodes[0]!, [
    { ...set, name: 'evil' as OwnerName, type: 'A', values: hostile },
    { ...set, name: 'both' as OwnerName, type: 'A', values: ['192.0.2.1'] },
    { ...set, name: 'both' as OwnerName, type: 'CNAME', values: ['x.example.net.'] },
    { ...set, name: 'old' as OwnerName, type: 'SIG', values: ['x'] },
    { ...set, name: 'fine' as OwnerName, type: 'AAAA', values: ['2001:DB8::0:1'] },
  ])
  const { stdout } = await cluster.maki('dns', 'export', 'example.com')
  t.match(stdout, /^; not answered, .*: evil +60 IN A 192\.0\.2\.1\?\$INCLUDE/m)
  t.match(stdout, /^; not answered, .*: old +60 IN SIG x$/m)
  t.match(stdout, /^fine +60 IN AAAA 2001:db8::1$/m)
  t.match(stdout, /^[ -~\n]*$/, 'printable ASCII only')
  t.notMatch(stdout, /^\$INCLUDE/m)
  await put(cluster, stdout)
  t.match(await cluster.json('dns', 'import', 'example.com', 'zone.txt', '--dry-run'), {
    added: [],
    changed: [{ name: 'fine.example.com' }],
  })
})

t.test('a large file becomes as few operations as fit', async (t) => {
  await using cluster = await startTestCluster()
  const file = await put(
    cluster,
    `$GENERATE 1-200 t$ TXT ${'"'}${'x'.repeat(250)}${'" "'}${'y'.repeat(250)}${'" "'.concat('z'.repeat(250), '" "').repeat(40)}"`,
  )
  const { operations, added } = await cluster.json<Result>('dns', 'import', 'example.com', file)
  t.equal(added.length, 200)
  t.ok(operations.length >= 2 && operations.length <= 4, `${operations.length} operations`)
  t.equal(recordsOf(cluster).length, 200)
})

for (const seed of seeds(2)) {
  t.test(`an export goes into an empty domain and is the same there (seed ${seed})`, async (t) => {
    await using cluster = await startTestCluster()
    await announceSchema(cluster)
    const node = cluster.nodes[0]!
    const target = 'other.example' as Hostname
    const sets = randomSets(createRandom(seed), 'example.com', { count: 60, ours: true })
    const changes = sets.map(({ name, type, ttl, values, geo }) => {
      const owner = (name === 'example.com' ? '@' : name.slice(0, -'.example.com'.length)) as OwnerName
      return {
        kind: 'record.set' as const,
        domain: example,
        name: owner,
        type,
        ttl,
        values,
        ...(geo ? { geo: true as const } : {}),
      }
    })
    await cluster.write(node, changes)
    await cluster.write(node, [domainSet(target)])
    t.match(await cluster.maki('dns', 'export', 'example.com', '-o', 'a.zone'), {
      code: 0,
      stdout: /^Wrote \d+ records of example\.com to a\.zone\.\n$/,
    })
    const printed = await cluster.maki('dns', 'export', 'example.com')
    t.equal(printed.stdout, await readFile(join(cluster.directory, 'a.zone'), 'utf8'))
    const { added, leftOut } = await cluster.json<Result>(
      'dns',
      'import',
      target,
      'a.zone',
      '--domain-from',
      'example.com',
    )
    t.strictSame({ added: added.length, leftOut }, { added: sets.length, leftOut: [] })
    // Names in data that are names of the domain move with it; random ones are none.
    t.strictSame(linesOf(recordsOf(cluster, target), target), linesOf(recordsOf(cluster), target))

    const whole = await cluster.maki('dns', 'export', 'example.com', '--automatic', '-o', 'whole.zone')
    t.equal(whole.code, 0)
    const same = await cluster.json<Result>('dns', 'import', 'example.com', 'whole.zone', '--replace')
    t.match(same, { operations: [], added: [], changed: [], removed: [], same: sets.length })
  })
}

t.test(
  'a file of something else is refused in few lines, and one of faults alone is not said to be done',
  async (t) => {
    await using cluster = await startTestCluster()
    const file = await put(cluster, Array.from({ length: 40 }, (_, i) => `name${i} AAA 192.0.2.1\n`).join(''))
    const refused = await cluster.maki('dns', 'import', 'example.com', file)
    t.match(refused, {
      code: 2,
      stderr:
        /zone\.txt has 40 faults:\n(.+\n){20} {2}and 20 more\nTry: Line 1: Did you mean .*\. Correct all of them, or/,
    })
    const skipped = await cluster.maki('dns', 'import', 'example.com', file, '--skip-invalid')
    t.match(skipped, {
      code: 0,
      stdout: /^Nothing to do: no line of zone\.txt can be taken over\.\n40 lines with faults/,
    })
  },
)
