import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Change, findDomain, type Hostname } from '../../core/index.ts'
import { domainSet, example, startTestCluster, type TestCluster } from './support/test-cluster.ts'

/** Domains and aliases without a project file, beside projects that have some of them. */

interface Written {
  readonly changed?: boolean
  readonly operation: string
}

const www = 'www.example.com' as Hostname
const other = 'other.org' as Hostname

async function publish(cluster: TestCluster, aliases: readonly string[] = [], domain = 'example.com'): Promise<void> {
  await mkdir(join(cluster.directory, 'site'), { recursive: true })
  await writeFile(join(cluster.directory, 'site', 'index.html'), 'hello')
  await writeFile(
    join(cluster.directory, 'makiatto.toml'),
    `project = "blog"\n[[domain]]\nname = "${domain}"\npath = "site"\naliases = ${JSON.stringify(aliases)}\n`,
  )
  const { code, stderr } = await cluster.maki('sync', '--take-over')
  if (code !== 0) throw new Error(stderr)
}

const aliasesOf = ({ nodes }: TestCluster, domain = example) => findDomain(nodes[0]!.replica.state, domain)?.aliases

async function says(t: Test, cluster: TestCluster, line: string, code: number, words: RegExp): Promise<void> {
  const { code: exit, stdout, stderr } = await cluster.maki(...line.split(' '))
  t.equal(exit, code, `${line}: ${stderr}`)
  t.match(stdout + stderr, words, line)
}

t.test('an alias is added once, removed once, and brought back', async (t) => {
  await using cluster = await startTestCluster()
  await says(t, cluster, `alias add example.com ${www}`, 0, /^Added www\.example\.com to example\.com \(at one\)\.\n$/)
  t.same(aliasesOf(cluster), [www])
  await says(t, cluster, `alias add example.com WWW.example.com.`, 0, /already; nothing was written/)
  const { operation } = await cluster.json<Written>('alias', 'remove', 'example.com', www)
  t.same(aliasesOf(cluster), [])
  await says(t, cluster, `alias remove example.com ${www}`, 0, /has no alias www\.example\.com; nothing was written/)
  t.equal((await cluster.maki('undo', operation)).code, 0)
  t.same(aliasesOf(cluster), [www])
})

t.test('what is no alias, belongs to somebody, or lies elsewhere', async (t) => {
  await using cluster = await startTestCluster()
  const [one] = cluster.nodes
  await cluster.write(one!, [domainSet(other), { kind: 'alias.set', domain: other, host: 'shared.net' as Hostname }])
  const cases: [string, number, RegExp][] = [
    ['alias add example.com example.com', 2, /is the domain itself.*Try: .*www\.example\.com/s],
    ['alias add example.com not_a_host!', 2, /host name/],
    ['alias add example.com shared.net', 4, /belongs to other\.org\nTry: maki alias remove other\.org shared\.net/],
    ['alias add example.com other.org', 4, /belongs to other\.org\nTry: .*maki domain remove other\.org/],
    ['alias remove example.com shared.net', 0, /is an alias of other\.org: maki alias remove other\.org shared\.net/],
    ['alias add exmple.com www.example.com', 4, /no domain exmple\.com\nTry: .*example\.com/],
    ['alias add example.com', 2, /Try: .*--help/s],
    ['alias add example.com elsewhere.net', 0, /no zone of this cluster: where its DNS is, point it at/],
    ['alias add example.com deep.www.other.org', 0, /^Added/],
  ]
  for (const [line, code, words] of cases) await says(t, cluster, line, code, words)
  t.same(aliasesOf(cluster), ['deep.www.other.org', 'elsewhere.net'])
})

t.test('a sync leaves what was written by hand, and what was taken away', async (t) => {
  await using cluster = await startTestCluster()
  await publish(cluster, [www])
  await says(t, cluster, 'alias add example.com hand.example.com', 0, /^Added/)
  await says(
    t,
    cluster,
    `alias remove example.com ${www}`,
    0,
    /in the makiatto\.toml of the project blog still: take it out there too/,
  )
  t.same(aliasesOf(cluster), ['hand.example.com'])
  await says(t, cluster, 'sync', 0, /alias www\.example\.com was removed by another/)
  t.same(aliasesOf(cluster), ['hand.example.com'], 'as it said')
  t.equal((await cluster.maki('sync', '--take-over')).code, 0)
  t.same(aliasesOf(cluster), ['hand.example.com', www], 'it was told to')
})

t.test('all of a domain on one page', async (t) => {
  await using cluster = await startTestCluster()
  await publish(cluster, ['www.mine.org', 'elsewhere.net'], 'mine.org')
  await cluster.json('record', 'set', 'mine.org', '@', 'TXT', 'words')
  const shown = await cluster.json<Record<string, unknown>>('domain', 'show', 'mine.org')
  t.match(shown, {
    name: 'mine.org',
    project: 'blog',
    redirect: null,
    held: false,
    aliases: [
      { host: 'elsewhere.net', zone: null, project: 'blog' },
      { host: 'www.mine.org', zone: 'mine.org', project: 'blog' },
    ],
    release: { files: 1, bytes: 5, author: 'owner' },
    certificates: [],
  })
  t.match(
    (shown.records as { type: string; source: string }[]).filter(({ source }) => source === 'explicit'),
    [{ name: 'mine.org', type: 'TXT', values: ['"words"'] }],
  )
  await says(
    t,
    cluster,
    'domain show mine.org',
    0,
    /project +blog\nserves +\w{10}, 1 file, 5 B, .* by owner.*\naliases +elsewhere\.net \(its DNS is elsewhere\)\n +www\.mine\.org\n\nNAME/,
  )
  await says(t, cluster, 'domain show www.mine.org', 4, /mine\.org has it as an alias/)
})

t.test('a domain goes as a whole, and comes back as a whole', async (t) => {
  await using cluster = await startTestCluster()
  await publish(cluster, [www])
  await cluster.json('record', 'set', 'example.com', '@', 'TXT', 'words')
  const before = await cluster.json('domain', 'show', 'example.com')
  await says(
    t,
    cluster,
    'domain remove example.com',
    2,
    /example\.com goes with its site, 1 record and 1 alias \(www\.example\.com\).*--yes/s,
  )
  t.same(aliasesOf(cluster), [www], 'nobody said yes')
  const gone = await cluster.json<Written>('domain', 'remove', 'example.com', '--yes', '-m', 'sold')
  t.match(gone, { domain: 'example.com', aliases: [www], records: 1, release: String, node: 'one' })
  t.same(await cluster.json('domain', 'list'), [])
  await says(t, cluster, 'domain remove example.com --yes', 4, /no domain example\.com/)
  await cluster.write(cluster.nodes[0]!, [domainSet(other), { kind: 'alias.set', domain: other, host: www } as Change])
  t.same(aliasesOf(cluster, other), [www], 'its names are free')
  await cluster.json('alias', 'remove', other, www)
  const { code, stderr } = await cluster.maki('undo', gone.operation)
  t.equal(code, 0, stderr)
  const without = ({ project, aliases, ...rest }: Record<string, unknown>) => rest
  t.match(
    without(await cluster.json('domain', 'show', 'example.com')),
    { ...without(before as Record<string, unknown>), records: [], release: { files: 1 } },
    'but for who wrote it last',
  )
  t.same(aliasesOf(cluster), [www])
})

t.test('a domain that only redirects, or is empty, says so; what a project has is named', async (t) => {
  await using cluster = await startTestCluster()
  await says(t, cluster, 'domain remove example.com', 2, /example\.com goes with nothing in it/)
  await cluster.write(cluster.nodes[0]!, [
    { ...domainSet(example, 'blog'), redirect: 'https://new.example/' } as Change,
  ])
  await says(t, cluster, 'domain remove example.com', 2, /project blog still: take it out.*with its redirect/s)
  await says(t, cluster, 'domain show example.com', 0, /redirect +https:\/\/new\.example\//)
})

t.test('a domain is removed on a train', async (t) => {
  await using cluster = await startTestCluster()
  await cluster.json('domain', 'list')
  const { code, stdout, stderr } = await cluster.maki('domain', 'remove', 'example.com', '--yes', '--offline')
  t.equal(code, 0, stderr)
  t.match(stdout, /^Removed example\.com\. To bring it back: maki undo \w+/)
  t.not(findDomain(cluster.nodes[0]!.replica.state, example), undefined)
  t.equal((await cluster.maki('push')).code, 0)
  t.equal(findDomain(cluster.nodes[0]!.replica.state, example), undefined)
})
