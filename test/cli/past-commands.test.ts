import t from 'tap'
import type { Hostname, OwnerName } from '../../core/index.ts'
import { domainSet, example, startTestCluster, type TestCluster, testKey } from './support/test-cluster.ts'
import type { TestNode } from './support/test-node.ts'

const record = (value: string, name = 'www', via?: string) => ({
  kind: 'record.set' as const,
  domain: example,
  name: name as OwnerName,
  type: 'A',
  ttl: 300,
  values: [value],
  ...(via === undefined ? {} : { via }),
})
const KEY = 'domain/example.com/rrset/www/A'

/** Two edits of www.example.com that have not seen each other: the laptop's stands or not, as its clock says. */
async function startConflict(cluster: TestCluster, node: TestNode): Promise<void> {
  await cluster.maki('pull')
  const ann = testKey(5)
  await cluster.write(node, [{ kind: 'operator.add', key: ann.key, name: 'ann', role: 'operator' }])
  await cluster.maki('record', 'set', 'example.com', 'www', 'A', '192.0.2.1', '--offline')
  await cluster.write(node, [record('192.0.2.99', 'www', 'blog')], ann)
}

t.test('blame: who wrote what is there, and who removed what is not', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  await cluster.write(node!, [record('192.0.2.1', 'www', 'blog'), record('192.0.2.2', '@')])
  const removal = await cluster.write(node!, [
    { kind: 'record.remove', domain: example, name: '@' as OwnerName, type: 'A' },
  ])
  const rows = await cluster.json<{ key: string; removed: boolean }[]>('blame', 'example.com')
  t.same(
    rows.map(({ key, removed }) => [key, removed]),
    [
      ['domain/example.com', false],
      ['domain/example.com/rrset/@/A', true],
      [KEY, false],
      ['host/example.com', false],
    ],
  )
  t.match(await cluster.json('blame', 'www.example.com', 'a'), [
    { key: KEY, via: 'blog', author: { name: 'owner' }, value: { values: ['192.0.2.1'] }, beside: [] },
  ])
  t.match(await cluster.json('blame', 'example.com', 'A'), [{ removed: true, value: null, operation: removal.id }])
  t.match(await cluster.json('blame', KEY), [{ key: KEY }])
  t.match(await cluster.json('blame', 'domain/example.com/rrset'), [{ removed: true }, { key: KEY }])
  t.match(await cluster.json<object[]>('blame', 'one'), [
    { key: /^member\// },
    { key: /^node-name\/one/ },
    { key: /^node\// },
  ])
  t.match(await cluster.json('blame', 'owner'), [{ value: { name: 'owner', role: 'operator' } }])
  t.match((await cluster.maki('blame', 'www.example.com', 'A')).stdout, `${KEY}  192.0.2.1 (TTL 300)\n  `)
  t.match((await cluster.maki('blame', 'www.example.com', 'A')).stdout, 'by owner, sync of blog')
  for (const words of [
    ['nowhere.example'],
    ['www.example.com', 'MX'],
    ['soup'],
    ['domain/other.example'],
    ['node/x/y/z'],
  ])
    t.match(await cluster.maki('blame', ...words), { code: 4, stderr: /nothing was ever written at/ }, words.join(' '))
})

t.test('state: now, at an operation, at a time, of a key', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  const first = await cluster.write(node!, [record('192.0.2.1')])
  await cluster.write(node!, [record('192.0.2.2'), domainSet('example.org' as Hostname)])
  const at = async (...args: string[]) =>
    (await cluster.json<{ key: string; value: { values?: string[] } | null }[]>('state', ...args)).map(
      ({ key, value }) => [key, value?.values],
    )
  t.same(await at('--key', 'www.example.com'), [[KEY, ['192.0.2.2']]])
  t.same(await at('--key', 'www.example.com', '--at', first.id), [[KEY, ['192.0.2.1']]])
  t.same(await at('--key', KEY, '--at', first.id.slice(0, 12)), [[KEY, ['192.0.2.1']]])
  t.same(await at('--at', '2d'), [])
  t.same(await at('--at', '2001-01-01'), [])
  t.same(await at('--at', '2099-01-01'), await at())
  const text = await cluster.maki('state', '--at', first.id)
  t.match(
    text.stdout,
    /\ndomain\/example\.com {2}a site {2}\w{10} owner\n {2}rrset\/www\/A {2}192\.0\.2\.1 \(TTL 300\)/,
  )
  t.match(await cluster.maki('state', '--at', 'last week'), { code: 2, stderr: /neither a time nor an operation/ })
  t.match(await cluster.maki('state', '--at', '9999'), { code: 2 })
  t.match(await cluster.maki('state', '--at', 'zzzz'), {
    code: 4,
    stderr: /there is no operation "zzzz"\nTry: Write how long ago/,
  })
  t.match(await cluster.maki('state', '--at', '2001-01-01', '--key', 'example.com'), {
    code: 4,
    stderr: /nothing was ever written at "example.com" before that moment/,
  })
  t.match(await cluster.maki('state', '--key', 'nowhere.example'), { code: 4 })
})

t.test('show says what an operation replaced', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  await cluster.write(node!, [record('192.0.2.1')])
  const second = await cluster.write(node!, [record('192.0.2.2'), domainSet()])
  t.match(await cluster.json('show', second.id), {
    replaced: [{ key: KEY, before: { values: ['192.0.2.1'] }, after: { values: ['192.0.2.2'] } }],
  })
  t.match((await cluster.maki('show', second.id)).stdout, `${KEY}\n  - 192.0.2.1 (TTL 300)\n  + 192.0.2.2 (TTL 300)`)
  const removal = await cluster.write(node!, [{ kind: 'domain.remove', domain: example }])
  t.match(await cluster.json('show', removal.id), {
    replaced: [
      { key: 'domain/example.com', after: null },
      { key: KEY, after: null },
    ],
  })
})

t.test('history by key, domain, author and time, alone and together; --key is no key file here', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  const ci = testKey(7)
  await cluster.write(node!, [{ kind: 'operator.add', key: ci.key, name: 'ci', role: 'deployer', domains: [example] }])
  const overstep = await cluster.write(node!, [record('192.0.2.66')], ci)
  await cluster.write(node!, [record('192.0.2.1')])
  await cluster.write(node!, [record('192.0.2.2', 'mail')])
  await cluster.write(node!, [{ kind: 'operator.remove', key: ci.key, how: 'retire' }])
  const count = async (...args: string[]) => (await cluster.json<object[]>('history', ...args)).length
  t.equal(await count('--key', KEY), 1)
  t.equal(await count('--key', 'www.example.com'), 1)
  t.equal(await count('--key', 'domain/example.com/rrset'), 2)
  t.equal(await count('--domain', 'example.com', '--author', 'owner'), 3)
  t.match(await cluster.json('history', '--author', 'ci'), [
    { id: overstep.id, standing: 'void', reason: 'a deployer may only publish releases', author: { name: 'ci' } },
  ])
  t.equal(await count('--author', ci.key.slice(0, 6)), 1)
  t.match(await cluster.json('history', '--domain', 'example.com', '--limit', '9'), [{}, {}, { standing: 'void' }, {}])
  t.equal(await count('--domain', 'example.com', '--since', '1h', '--limit', '2'), 2)
  t.equal(await count('--key', KEY, '--since', '2099-01-01'), 0)
  t.match(await cluster.maki('history', '--key', '/etc/operator.key'), { code: 4, stderr: /nothing was ever written/ })
  t.match(
    (await cluster.maki('history', '--help')).stdout.replace(/\s+/g, ' '),
    'An identity comes from MAKIATTO_KEY here',
  )

  const { writeKeyFile } = await import('../../cli/client/identity.ts')
  const file = `${cluster.directory}/ci.key`
  await writeKeyFile(file, new Uint8Array(32).fill(7), 'ci')
  const { runInProcess } = await import('./support/test-cluster.ts')
  for (const words of [
    ['history', '--key', KEY],
    ['blame', KEY],
    ['state', '--key', KEY],
    ['show', overstep.id],
    ['conflicts'],
  ]) {
    const outcome = await runInProcess([...words, '--json'], {
      env: { ...cluster.env, MAKIATTO_KEY: file },
      cwd: cluster.directory,
    })
    t.equal(outcome.code, 0, `${words[0]} without a replica on disk`)
  }
})

t.test('conflicts are listed with their ways out, and settled by either side', async (t) => {
  for (const side of ['winner', 'loser'] as const) {
    await using cluster = await startTestCluster()
    const [node] = cluster.nodes
    t.match(await cluster.maki('conflicts'), { code: 0, stdout: 'There is no conflict.\n' })
    await startConflict(cluster, node!)
    await cluster.maki('push')
    const text = await cluster.maki('conflicts')
    t.match(text, {
      code: 1,
      stdout:
        /\n {2}stands \w{10} {2}192\.0\.2\.99 \(TTL 300\) .* by ann, sync of blog\)\n {2}beside \w{10} {2}\+ 192\.0\.2\.1, - 192\.0\.2\.99/,
    })
    const [conflict] =
      await cluster.json<
        { key: string; winner: { operation: string }; losers: { operation: string }[]; resolve: string[] }[]
      >('conflicts')
    t.equal(conflict?.resolve.length, 2)
    const taken = side === 'winner' ? conflict!.winner.operation : conflict!.losers[0]!.operation
    t.match(await cluster.maki('conflicts', 'resolve', 'soup', '--take', taken), { code: 4 })
    t.match(await cluster.maki('conflicts', 'resolve', 'example.com', '--take', 'zz'), {
      code: 4,
      stderr: /operation of this conflict/,
    })
    t.match(await cluster.maki('conflicts', 'resolve', 'www.example.com'), { code: 2 })
    const words = conflict!.resolve[side === 'winner' ? 0 : 1]!.split(' ').slice(1)
    t.match(await cluster.json(...words), { key: KEY, taken, node: 'one' })
    t.equal((await cluster.maki('conflicts')).code, 0)
    const entry = node!.replica.state.get(KEY)
    t.match(entry?.value, { values: [side === 'winner' ? '192.0.2.99' : '192.0.2.1'] })
    t.equal(entry?.via, side === 'winner' ? 'blog' : undefined, 'a project keeps what it wrote')
  }
})

t.test('a removal is a side too; a release is taken with its aliases; some keys are settled otherwise', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  const base = node!.replica.heads().map(({ id }) => id)
  const { createOperation } = await import('../../core/index.ts')
  const beside = async (changes: Parameters<typeof createOperation>[2]['changes'], atMs: number) => {
    const stamp = { wallMs: Date.now() + atMs, counter: 0 }
    const operation = createOperation(cluster.created.operator, cluster.cluster, { stamp, heads: base, changes })
    await node!.replica.submit([operation.bytes])
    return operation
  }
  const host = 'www.example.com' as Hostname
  const publish = (digit: string, aliases: Hostname[]) => ({
    kind: 'release.publish' as const,
    domain: example,
    manifest: digit.repeat(64) as never,
    tree: digit.repeat(64) as never,
    files: 1,
    bytes: 2,
    aliases,
  })
  const join = (number: number) => ({
    kind: 'node.join' as const,
    key: testKey(number).key,
    name: 'twin' as never,
    addresses: { ipv4: null, ipv6: null },
    place: null,
    nameserver: false,
    drained: false,
  })
  const left = await beside([record('192.0.2.1'), publish('a', [host]), join(50)], 1)
  const right = await beside(
    [{ kind: 'record.remove', domain: example, name: 'www' as OwnerName, type: 'A' }, publish('b', []), join(51)],
    2,
  )
  const views = await cluster.json<{ key: string; resolve: string[] }[]>('conflicts')
  t.match(
    views.map(({ key }) => key),
    ['domain/example.com/release', KEY, 'node-name/twin'],
  )
  t.match(views.at(-1)?.resolve, [/maki machine remove/])
  t.match(await cluster.maki('conflicts', 'resolve', 'node-name/twin', '--take', left.id), {
    code: 4,
    stderr: /two nodes are called twin/,
  })
  t.equal((await cluster.maki('conflicts', 'resolve', KEY, '--take', right.id)).code, 0)
  t.equal(node!.replica.state.get(KEY), undefined)
  await cluster.maki('conflicts', 'resolve', 'domain/example.com/release', '--take', left.id, '--offline')
  const shown = await cluster.json<{ changes: object[] }[]>('history', '--limit', '1', '--offline')
  t.match(shown[0]?.changes, [
    { kind: 'release.publish', tree: 'a'.repeat(64), rollbackOf: left.id, aliases: [host] },
    { kind: 'alias.set', host },
  ])
})

t.test('push --dry-run says what becomes of the state, and of the operations of who is removed', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  await startConflict(cluster, node!)
  const dry = await cluster.maki('push', '--dry-run')
  t.match(dry.stdout, /loses to what ann wrote/)
  t.notMatch(dry.stdout, 'The state would become')
  await cluster.maki('record', 'set', 'example.com', 'mail', 'A', '192.0.2.7', '--offline')
  t.match(await cluster.json('push', '--dry-run'), {
    changed: [{ key: 'domain/example.com/rrset/mail/A', before: null, after: { values: ['192.0.2.7'] } }],
    becomeVoid: [],
  })
  t.match(
    (await cluster.maki('push', '--dry-run')).stdout,
    /would become:\n {2}domain\/example\.com\/rrset\/mail\/A: nothing -> 192\.0\.2\.7/,
  )
})

t.test('pull says which conflicts came, and what counts no more', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  const bob = testKey(6)
  const admit = await cluster.write(node!, [{ kind: 'operator.add', key: bob.key, name: 'bob', role: 'operator' }])
  const work = await cluster.write(node!, [record('192.0.2.5', 'bob')], bob)
  await startConflict(cluster, node!)
  const { createOperation } = await import('../../core/index.ts')
  const revoke = createOperation(cluster.created.operator, cluster.cluster, {
    stamp: { wallMs: Date.now(), counter: 0 },
    heads: [admit.id],
    changes: [{ kind: 'operator.remove', key: bob.key, how: 'revoke' }],
  })
  await cluster.maki('pull', '--node', 'one')
  await node!.replica.submit([revoke.bytes])
  t.match(await cluster.json('pull'), { pulled: 1, void: [{ operation: work.id, reason: /revoked/ }] })
})
