import t from 'tap'
import type { Hostname, OperationId, OwnerName } from '../../core/index.ts'
import { announceSchema, domainSet, example, startTestCluster, testKey } from './support/test-cluster.ts'

interface Operation {
  id: string
  message: string
  words: string[]
  standing: string
  waiting: boolean
  author: { name: string }
}

t.test('record set, add, remove and list', async (t) => {
  await using cluster = await startTestCluster()
  const set = await cluster.maki('record', 'set', 'example.com', 'www', 'A', '192.0.2.2', '192.0.2.1')
  t.same(set, { code: 0, stdout: 'Set www.example.com A to 192.0.2.1, 192.0.2.2 (at one).\n', stderr: '' })

  const same = await cluster.maki('record', 'set', 'Example.com.', 'www.example.com', 'a', '192.0.2.1', '192.0.2.2')
  t.equal(same.stdout, 'www.example.com A is 192.0.2.1, 192.0.2.2 already; nothing was written.\n')

  t.match(await cluster.json('record', 'add', 'example.com', 'www', 'A', '192.0.2.3', '--ttl', '60'), {
    changed: true,
    record: 'www.example.com A',
    values: ['192.0.2.1', '192.0.2.2', '192.0.2.3'],
    node: 'one',
  })
  const rows = await cluster.json<{ name: string; type: string; ttl: number; source: string; values: string[] }[]>(
    'record',
    'list',
  )
  t.match(
    rows.find(({ name, type }) => name === 'www.example.com' && type === 'A'),
    { ttl: 60, source: 'explicit' },
  )
  t.match(
    rows.find(({ name, type }) => name === 'example.com' && type === 'A'),
    {
      source: 'automatic',
      values: ['127.0.0.1'],
    },
  )
  t.equal(rows.filter(({ type }) => type === 'SOA').length, 1)
  t.match(await cluster.maki('record', 'list', 'example.com', 'www', 'A'), {
    stdout:
      /^NAME +TYPE +TTL +VALUE +FROM\nwww\.example\.com +A +60 +192\.0\.2\.1 +explicit\n +192\.0\.2\.2\n +192\.0\.2\.3\n$/,
  })

  t.match(await cluster.json('record', 'remove', 'example.com', 'www', 'A', '192.0.2.2'), {
    changed: true,
    values: ['192.0.2.1', '192.0.2.3'],
  })
  t.equal(
    (await cluster.maki('record', 'remove', 'example.com', 'www', 'A')).stdout,
    'Removed www.example.com A (at one).\n',
  )
  const gone = await cluster.maki('record', 'remove', 'example.com', 'www', 'A')
  t.same(gone, { code: 0, stdout: 'There is no www.example.com A; nothing was written.\n', stderr: '' })
  t.equal(cluster.nodes[0]!.replica.state.get('domain/example.com/rrset/www/A'), undefined)
  t.match(await cluster.maki('record', 'remove', 'example.com', '@', 'A'), {
    code: 0,
    stdout: 'There is no example.com A; nothing was written.\n',
    stderr: /The cluster makes the A of example\.com by itself/,
  })
})

t.test('a name that looks like one of another domain is noted, and no other is', async (t) => {
  await using cluster = await startTestCluster()
  for (const other of ['maki.localhost', 'deep.maki.localhost', 'b.example'])
    await cluster.write(cluster.nodes[0]!, [domainSet(other as Hostname)])
  const noteOf = async (domain: string, name: string): Promise<string> => {
    const { code, stderr } = await cluster.maki('record', 'set', domain, name, 'A', '192.0.2.1')
    t.equal(code, 0, stderr)
    return stderr
  }
  const writes =
    /This writes www\.example\.org\.maki\.localhost: a name lies in maki\.localhost, whatever else it ends in\.\n$/
  t.match(await noteOf('maki.localhost', 'WWW.example.org'), writes)
  t.equal(await noteOf('maki.localhost', 'www.example.org'), '', 'it is so already')
  t.match(await noteOf('maki.localhost', 'a.www.b.example'), /For a\.www\.b\.example: DOMAIN b\.example, NAME a\.www\./)
  t.match(await noteOf('b.example', 'x.deep.maki.localhost'), /DOMAIN deep\.maki\.localhost, NAME x\./)
  t.match(await noteOf('maki.localhost', 'b.example'), /DOMAIN b\.example, NAME @\./)
  for (const name of ['www', 'org', 'api.dev', 'www.example', 'x.maki.localhost', 'y.example.com.maki.localhost'])
    t.equal(await noteOf('maki.localhost', name), '', name)
})

t.test('records of other types, of the nodes, and what a delegation hides', async (t) => {
  await using cluster = await startTestCluster()
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await cluster.maki('record', ...args)
    t.equal(code, 0, stderr)
    return { stdout, stderr }
  }
  const best = 'the address of the nearest healthy node'
  t.match(await cluster.maki('record', 'set', 'example.com', 'cdn', 'A', '--geo'), {
    code: 4,
    stderr: /older versions/,
  })
  await announceSchema(cluster)
  const geo = ['set', 'example.com', 'cdn', 'A', '--geo']
  t.match(await run('set', 'example.com', 'six', 'AAAA', '--geo'), { stderr: /No node has an IPv6 address/ })
  await run('remove', 'example.com', 'six', 'AAAA')
  t.strictSame(await run(...geo), { stdout: `Set cdn.example.com A to ${best} (at one).\n`, stderr: '' })
  t.equal((await run(...geo)).stdout, `cdn.example.com A is ${best} already; nothing was written.\n`)
  t.strictSame(cluster.nodes[0]!.replica.state.get('domain/example.com/rrset/cdn/A')?.value, {
    name: 'cdn',
    type: 'A',
    ttl: 300,
    values: [],
    geo: true,
  })
  t.match(
    (await run('list', 'example.com', 'cdn')).stdout,
    /cdn\.example\.com +A +300 +127\.0\.0\.1 +explicit, the nearest\n/,
  )
  t.match(await cluster.json('record', 'list', 'example.com', 'cdn'), [{ geo: true, values: ['127.0.0.1'] }])
  t.match(await cluster.maki('record', 'add', 'example.com', 'cdn', 'A', '192.0.2.1'), {
    code: 2,
    stderr: /maki record set/,
  })
  t.match((await cluster.maki('state')).stdout, new RegExp(`${best} \\(TTL 300\\)`))
  t.match((await cluster.maki('history')).stdout, new RegExp(`set cdn\\.example\\.com A to ${best}`))

  await run('set', 'example.com', '_sip._tcp', 'SRV', '5 5060 sip.example.com', '--priority', '10')
  await run('set', 'example.com', 'svc', 'https', '1 . port=8443 alpn=h2')
  await run('set', 'example.com', 'odd', 'TYPE65280', '\\# 2 c0de')
  const rows = await cluster.json<{ type: string; source: string; values: string[] }[]>('record', 'list', 'example.com')
  t.same(
    rows
      .filter(({ source, type }) => source === 'explicit' && type !== 'A')
      .map(({ type, values }) => [type, ...values]),
    [
      ['SRV', '10 5 5060 sip.example.com.'],
      ['TYPE65280', '\\# 2 C0DE'],
      ['HTTPS', '1 . alpn="h2" port=8443'],
    ],
  )
  const alias = await run('set', 'example.com', '@', 'ALIAS', 'app.example.net')
  t.match(alias.stderr, /replaces the automatic A.* of example\.com/)
  const servers = await run('set', 'example.com', '@', 'NS', 'ns1.example.net', 'ns2.example.net')
  t.match(servers.stderr, /replaces the automatic NS of example\.com/)

  await run('set', 'example.com', 'www.dev', 'A', '192.0.2.1')
  const cut = await run('set', 'example.com', 'dev', 'NS', 'ns.dev.example.com')
  t.match(cut.stderr, /hidden are: A of www\.dev\.example\.com\./)
  t.match((await run('set', 'example.com', 'a.dev', 'A', '192.0.2.1')).stderr, /dev\.example\.com is delegated/)
  await run('set', 'example.com', 'dev', 'DS', `1 13 2 ${'4A1B'.repeat(16)}`)
  t.match((await run('remove', 'example.com', 'dev', 'NS')).stderr, /maki record remove example\.com dev DS/)
})

t.test('a record says why', async (t) => {
  await using cluster = await startTestCluster()
  await cluster.maki('record', 'set', 'example.com', 'www', 'A', '192.0.2.1', '-m', 'moved')
  await cluster.maki('record', 'add', 'example.com', 'www', 'A', '192.0.2.2', '--message', 'a second one')
  await cluster.maki('record', 'remove', 'example.com', 'www', 'A', '-m', 'gone')
  const rows = await cluster.json<{ message: string }[]>('history', '--limit', '3')
  t.same(
    rows.map(({ message }) => message),
    ['gone', 'a second one', 'moved'],
  )
})

t.test('what makes no sense is refused before it is signed', async (t) => {
  await using cluster = await startTestCluster()
  const count = cluster.nodes[0]!.replica.count
  await cluster.maki('record', 'set', 'example.com', 'www', 'A', '192.0.2.1')
  const cases: [string[], number, RegExp][] = [
    [['exmaple.com', 'www', 'A', '192.0.2.1'], 4, /no domain exmaple\.com\nTry: example\.com\n/],
    [
      ['www.example.com', '@', 'A', '192.0.2.1'],
      4,
      /Try: example\.com holds that name: its records are written as www\n/,
    ],
    [['example.com', 'www', 'CNAME', 'other.example'], 2, /a CNAME stands alone\nTry: Remove the A record first/],
    [['example.com', '@', 'CNAME', 'other.example'], 2, /the apex of a domain cannot be a CNAME/],
    [['example.com', 'www', 'A', '192.0.2'], 2, /"?192\.0\.2"?/],
    [['example.com', 'www', 'SRV', '1 2 host.example'], 2, /has no priority\nTry: Write "10 1 2 host\.example"/],
    [['example.com', 'www', 'SOA', 'x'], 2, /every zone has one, which we make/],
    [['example.com', 'www', 'CNMAE', 'x'], 2, /Did you mean CNAME\?/],
    [['example.com', 'www', 'A', '192.0.2.1', '--geo'], 2, /values and the addresses of the nodes/],
    [['example.com', 'cdn', 'TXT', '--geo'], 2, /only sets of type A and AAAA/],
    [['example.com', 'dev', 'DS', '1 13 1 4A1B4A1B4A1B4A1B4A1B4A1B4A1B4A1B4A1B4A1B'], 2, /nothing is delegated/],
    [['example.com', 'bad name', 'A', '192.0.2.1'], 2, /is not a name in example\.com/],
    [['example.com', 'www', 'A', '192.0.2.1', '--priority', '1'], 2, /has no priority/],
    [['example.com', 'www', 'A', '192.0.2.1', '--ttl', '4000000000'], 2, /TTL is 4000000000/],
    [['example.com', 'www', 'A', '192.0.2.1', '--ttl', 'soon'], 2, /--ttl: an integer is expected, not soon\n/],
    [['example.com', 'www', 'A'], 2, /there is no value\nTry: Give a value, or --geo/],
  ]
  for (const [args, code, text] of cases) {
    const outcome = await cluster.maki('record', 'set', ...args)
    t.match(outcome, { code, stdout: '', stderr: text }, args.join(' '))
  }
  t.equal(cluster.nodes[0]!.replica.count, count + 1)
})

t.test('history and show', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  await cluster.write(node!, [domainSet('example.org' as Hostname, 'shop')])
  await cluster.maki('record', 'set', 'example.com', 'www', 'A', '192.0.2.1')
  await cluster.maki('record', 'set', 'example.com', 'www', 'A', '192.0.2.2')
  const all = await cluster.json<Operation[]>('history')
  t.same(
    all.map(({ words }) => words.at(-1)),
    [
      'set www.example.com A to 192.0.2.2 (TTL 300)',
      'set www.example.com A to 192.0.2.1 (TTL 300)',
      'set up the domain example.org',
      'set up the domain example.com',
      'create the cluster "test" with the operator "owner"',
    ],
  )
  t.equal((await cluster.json<Operation[]>('history', '--limit', '2')).length, 2)
  t.equal((await cluster.json<Operation[]>('history', '--domain', 'example.org')).length, 1)
  t.equal((await cluster.json<Operation[]>('history', '--key', 'domain/example.com/rrset/www/A')).length, 2)
  t.equal((await cluster.json<Operation[]>('history', '--author', 'owner')).length, 5)
  t.equal((await cluster.json<Operation[]>('history', '--since', '1h')).length, 5)
  t.equal((await cluster.json<Operation[]>('history', '--since', '2099-01-01')).length, 0)
  t.match(await cluster.maki('history', '--author', 'alice'), {
    code: 4,
    stderr: /nobody called "alice".*\nTry: There are: .*owner/s,
  })
  t.match(await cluster.maki('history', '--since', 'soon'), { code: 2, stderr: /"soon" is not a time/ })

  const newest = all[0]!
  const shown = await cluster.json<Operation & { heads: string[] }>('show', newest.id.slice(0, 8))
  t.match(shown, { id: newest.id, standing: 'counted', waiting: false, author: { name: 'owner' }, heads: [all[1]!.id] })
  t.match(await cluster.maki('show', newest.id), { code: 0, stdout: new RegExp(`id {6}${newest.id}`) })
  t.match(await cluster.maki('show', '99'), { code: 4, stderr: /there is no operation "99"/ })
})

t.test('an operation that does not count says why', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one'] })
  const [node] = cluster.nodes
  const deployer = testKey(7)
  await cluster.write(node!, [
    { kind: 'operator.add', key: deployer.key, name: 'ci', role: 'deployer', domains: [example] },
  ])
  const overstep = await cluster.write(node!, [{ kind: 'domain.remove', domain: example }], deployer)
  const shown = await cluster.json<Operation & { reason: string }>('show', overstep.id)
  t.match(shown, { standing: 'void', reason: 'a deployer may only publish releases' })
  t.match((await cluster.maki('show', overstep.id)).stdout, 'does not count: a deployer may only publish releases')
  t.match(await cluster.json('status'), { void: [{ operation: overstep.id }] })
})

t.test('domain list', async (t) => {
  await using cluster = await startTestCluster()
  t.same(await cluster.json('domain', 'list'), [
    {
      name: 'example.com',
      aliases: [],
      records: 0,
      release: null,
      redirect: null,
      spa: false,
      onConcurrent: 'latest',
      previews: true,
      project: null,
    },
  ])
})

t.test('status: healthy, down, differing, conflicting, unreachable', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  const [one, two] = cluster.nodes
  const shape = await cluster.json<{ nodes: object[] }>('status')
  t.match(shape, {
    cluster: { id: cluster.cluster, name: 'test' },
    answeredBy: 'one',
    pending: [],
    held: [],
    void: [],
    unknown: [],
    conflicts: [],
  })
  t.same(Object.keys(shape.nodes[0]!).sort(), [
    'active',
    'damagedBlobs',
    'digest',
    'heads',
    'key',
    'lagMs',
    'merged',
    'name',
    'unservable',
    'up',
    'version',
  ])
  t.equal((await cluster.maki('status')).code, 0)
  t.match(await cluster.json('status', '--node', 'two'), { answeredBy: 'two' })
  t.match(await cluster.maki('status', '--node', 'tow'), { code: 2, stderr: /no node "tow"\nTry: --node two/ })

  const release = 'b'.repeat(51).concat('a') as OperationId
  const unservable = [
    { domain: 'a.org', release, missing: 3 },
    { domain: 'b.org', release, missing: 0, reason: 'the disk is full' },
  ]
  one!.statusOf = (nodes) => nodes.map((node) => ({ ...node, unservable, damagedBlobs: 1 }))
  const troubled = await cluster.maki('status')
  t.equal(troubled.code, 1)
  t.match(
    troubled.stdout,
    /unservable a\.org bbbbbbbbbb on one, two: no node has 3 blobs of it; the release before stays/,
  )
  t.match(troubled.stdout, /unservable b\.org bbbbbbbbbb on one, two: the disk is full; the release before stays/)
  t.match(troubled.stdout, /damaged two: 1 file on its disk; they are fetched from the other nodes/)
  t.match(await cluster.json('status'), { nodes: [{ unservable, damagedBlobs: 1 }] })

  const merged = { 'example.com': [release, release] }
  one!.statusOf = (nodes) => nodes.map((node) => ({ ...node, merged }))
  t.match(await cluster.maki('status'), { code: 0, stdout: /\nmerged example\.com: its releases are served as one; / })

  one!.statusOf = (nodes) => nodes.map((node) => (node.name === 'two' ? { ...node, up: false } : node))
  t.match(await cluster.maki('status'), { code: 1, stdout: /two +down/ })
  one!.statusOf = (nodes) => nodes.map((node) => (node.name === 'two' ? { ...node, digest: '1-other-other' } : node))
  t.match(await cluster.maki('status'), { code: 1, stdout: /differs/ })
  one!.statusOf = (nodes) => nodes

  await one!.stop()
  t.match(await cluster.json('status'), { answeredBy: 'two' })
  await two!.stop()
  const nobody = await cluster.maki('status')
  t.match(nobody, {
    code: 3,
    stdout: /from the copy on this computer, never exchanged yet\n\n/,
    stderr: /no node can be reached:\n {2}one cannot be reached: nothing listens/,
  })
  t.equal((await cluster.maki('status', '--offline')).code, 0)
})

t.test('pull and push say what was exchanged', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  await cluster.maki('push')
  await cluster.write(node!, [domainSet('example.org' as Hostname)])
  const pulled = await cluster.json<{ pulled: number; operations: Operation[] }>('pull')
  t.match(pulled, { node: 'one', pulled: 1, waiting: 0, operations: [{ words: ['set up the domain example.org'] }] })
  t.equal((await cluster.maki('pull')).stdout, 'Nothing new at one.\n')
  t.equal((await cluster.maki('push')).stdout, 'Nothing waits here.\n')
  await node!.stop()
  t.match(await cluster.maki('pull'), { code: 3 })
  t.match(await cluster.maki('push'), { code: 3 })
  t.match(await cluster.maki('push', '--offline'), { code: 3, stderr: /--offline/ })
})

t.test('operator key', async (t) => {
  await using cluster = await startTestCluster()
  const key = cluster.created.operator.key
  t.match(await cluster.maki('operator', 'key'), {
    code: 0,
    stdout: `${key}\n`,
    stderr: /knows it as the operator owner/,
  })
  t.same(await cluster.json('operator', 'key'), { cluster: cluster.cluster, key, name: 'owner', role: 'operator' })
})

t.test('push --dry-run says what would win and lose against what others wrote', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  await cluster.maki('pull')
  const ann = testKey(5)
  await cluster.write(node!, [{ kind: 'operator.add', key: ann.key, name: 'ann', role: 'operator' }])
  const set = (value: string) => ['record', 'set', 'example.com', 'www', 'A', value, '--offline']
  t.match(await cluster.maki(...set('192.0.2.1')), { code: 0, stderr: /2 operations of yours wait here/ })
  const other = { kind: 'record.set', domain: example, name: 'www' as OwnerName, type: 'A', ttl: 300 } as const
  await cluster.write(node!, [{ ...other, values: ['192.0.2.99'] }], ann)
  const count = node!.replica.count
  const plan = await cluster.json<{ operations: { conflicts: { wins: boolean; otherAuthor: string }[] }[] }>(
    'push',
    '--dry-run',
  )
  t.match(plan.operations.at(-1)?.conflicts, [
    { key: 'domain/example.com/rrset/www/A', wins: false, otherAuthor: 'ann' },
  ])
  t.match((await cluster.maki('push', '--dry-run')).stdout, /loses to what ann wrote/)
  t.equal(node!.replica.count, count, 'a dry run hands nothing over')
  t.equal((await cluster.maki('push')).code, 0)
  t.match(await cluster.maki('status'), { code: 1, stdout: /conflict at domain\/example\.com\/rrset\/www\/A/ })
})
