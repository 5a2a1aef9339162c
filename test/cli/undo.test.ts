import t from 'tap'
import { createOperation, type Hostname, keys, nextStamp, type OwnerName } from '../../core/index.ts'
import { domainSet, example, startTestCluster, type TestCluster, testKey } from './support/test-cluster.ts'

interface Undone {
  undone: string
  operation: string | null
  words: string[]
  restored: { key: string; from: unknown; to: unknown }[]
  skipped: { key: string; reason: string; why: string; by: string | null }[]
}

const recordKey = keys.record(example, 'www' as OwnerName, 'A')
const set = (value: string, ...more: string[]) => ['record', 'set', 'example.com', 'www', 'A', value, ...more]
const newest = async (cluster: TestCluster): Promise<string> =>
  (await cluster.json<{ id: string }[]>('history', '--limit', '1'))[0]?.id ?? ''

t.test('undo takes one operation back and keeps the later ones', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  await cluster.maki(...set('192.0.2.1'))
  await cluster.maki(...set('192.0.2.2'))
  const wrong = await newest(cluster)
  await cluster.maki('record', 'set', 'example.com', 'mail', 'A', '192.0.2.9')

  const dry = await cluster.maki('undo', wrong.slice(0, 8), '--dry-run')
  t.match(dry, {
    code: 0,
    stdout: /Would take back .*nothing was written:\n {2}set www\.example\.com A to 192\.0\.2\.1/,
  })
  const done = await cluster.maki('undo', wrong.slice(0, 8), '-m', 'wrong address')
  t.match(done, {
    code: 0,
    stdout: /^Took back \w+ by \w+ \(at one\):\n {2}set www\.example\.com A to 192\.0\.2\.1 \(TTL 300\)\n$/,
  })
  t.match(node!.replica.state.get(recordKey)?.value, { values: ['192.0.2.1'] })
  t.ok(node!.replica.state.get(keys.record(example, 'mail' as OwnerName, 'A')), 'what came later stays')
  t.match(await cluster.json('history', '--limit', '1'), [{ message: 'wrong address' }])

  const again = await cluster.maki('undo', wrong)
  t.match(again, {
    code: 1,
    stdout: /^Nothing of \w+ is left to take back\.\n {2}stays domain\/example\.com\/rrset\/www\/A: owner/,
  })
  const redo = await cluster.json<Undone>('undo', await newest(cluster))
  t.match(redo, { restored: [{ key: recordKey, from: { values: ['192.0.2.1'] }, to: { values: ['192.0.2.2'] } }] })
  t.match(node!.replica.state.get(recordKey)?.value, { values: ['192.0.2.2'] })
  t.match(await cluster.json('history', '--limit', '1'), [{ message: /^undo \w{10}: wrong address|^undo \w{10}: / }])
})

t.test('undo of the removal of a domain brings it back with all that it took; what came since is named', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  const shop = 'shop.test.example' as Hostname
  await cluster.write(node!, [
    domainSet(shop, 'shop'),
    {
      kind: 'record.set',
      domain: shop,
      name: 'www' as OwnerName,
      type: 'A',
      ttl: 300,
      values: ['192.0.2.1'],
      via: 'shop',
    },
    { kind: 'alias.set', domain: shop, host: 'shop.example' as Hostname, via: 'shop' },
  ])
  const before = node!.replica.state.scope(keys.domain(shop)).map(({ key, value, via }) => ({ key, value, via }))
  const removal = await cluster.write(node!, [{ kind: 'domain.remove', domain: shop, via: 'shop' }])
  t.equal((await cluster.maki('undo', removal.id)).code, 0)
  t.same(
    node!.replica.state.scope(keys.domain(shop)).map(({ key, value, via }) => ({ key, value, via })),
    before,
  )
})

t.test('what undo does not do is refused, with what does it', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  const admit = await cluster.write(node!, [
    { kind: 'operator.add', key: testKey(7).key, name: 'ci', role: 'deployer', domains: [example] },
  ])
  t.match(await cluster.maki('undo', admit.id), {
    code: 4,
    stderr: /is not taken back by undo: it admitted the deployer ci\nTry: maki operator remove ci/,
  })
  const overstep = await cluster.write(node!, [{ kind: 'domain.remove', domain: example }], testKey(7))
  t.match(await cluster.maki('undo', overstep.id), {
    code: 1,
    stderr: /does not count, so there is nothing to take back/,
  })
  t.match(await cluster.maki('undo', 'zzzz'), { code: 4, stderr: /there is no operation "zzzz"/ })
  t.match(await cluster.maki('undo'), { code: 2 })
  const count = node!.replica.count
  t.equal(node!.replica.count, count)
})

t.test('a release whose files are gone is refused before it is signed', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  const publish = (digit: string) => ({
    kind: 'release.publish' as const,
    domain: example,
    manifest: digit.repeat(64) as never,
    tree: digit.repeat(64) as never,
    files: 1,
    bytes: 2,
    aliases: [],
  })
  await cluster.write(node!, [publish('a')])
  const second = await cluster.write(node!, [publish('b')])
  const count = node!.replica.count
  t.match(await cluster.maki('undo', second.id), {
    code: 4,
    stderr: /the files of the release of example\.com .* are not at one any more/,
  })
  t.equal(node!.replica.count, count)
})

t.test('a deployer takes back what its role may write, and nothing else is signed', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  const { writeKeyFile } = await import('../../cli/client/identity.ts')
  const file = `${cluster.directory}/ci.key`
  await writeKeyFile(file, new Uint8Array(32).fill(7), 'ci')
  await cluster.write(node!, [
    { kind: 'operator.add', key: testKey(7).key, name: 'ci', role: 'deployer', domains: [example] },
  ])
  // Nodes that say they read it: holds came with schema 2.
  await cluster.write(node!, [{ kind: 'node.update', key: testKey(100).key, set: { schema: 2 } }])
  const hold = await cluster.write(node!, [{ kind: 'release.hold', domain: example, hold: true }], testKey(7))
  const record = await cluster.write(node!, [
    { kind: 'record.set', domain: example, name: 'www' as OwnerName, type: 'A', ttl: 300, values: ['192.0.2.1'] },
  ])
  t.match(await cluster.maki('undo', record.id, '--key', file), {
    code: 4,
    stderr: /this would not count: a deployer may/,
  })
  t.equal((await cluster.maki('undo', hold.id, '--key', file)).code, 0)
  t.equal(node!.replica.state.get(keys.hold(example)), undefined)
})

t.test('undo offline waits for a node like any other write', async (t) => {
  await using cluster = await startTestCluster()
  await cluster.maki(...set('192.0.2.1'))
  await cluster.maki(...set('192.0.2.2'))
  const wrong = await newest(cluster)
  t.match(await cluster.maki('undo', wrong, '--offline'), { code: 0, stderr: /1 operation of yours waits/ })
  t.equal((await cluster.maki('push')).code, 0)
  t.match(cluster.nodes[0]!.replica.state.get(recordKey)?.value, { values: ['192.0.2.1'] })
})

t.test('an operation whose time has not come has nothing to take back yet', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  const heads = node!.replica.heads()
  const stamp = nextStamp(
    Date.now() + 3_600_000,
    heads.map((head) => head.stamp),
  )
  const early = createOperation(cluster.created.operator, cluster.cluster, {
    stamp,
    heads: heads.map(({ id }) => id),
    changes: [
      { kind: 'record.set', domain: example, name: 'www' as OwnerName, type: 'A', ttl: 300, values: ['192.0.2.1'] },
    ],
  })
  await node!.replica.merge([early.bytes])
  t.match(await cluster.maki('undo', early.id), { code: 4, stderr: /has no effect yet/ })
  t.match(await cluster.json('history', '--limit', '1'), [{ standing: 'held', reason: /it counts from \d{4}-/ }])
  t.match((await cluster.maki('show', early.id)).stdout, /held: its time lies ahead of this clock; it counts from/)
})
