import t from 'tap'
import { describeClocks } from '../../cli/client/compare-clocks.ts'
import { systemRuntime } from '../../cli/system.ts'
import { createOperation, MAX_STAMP_AHEAD_MS, type OwnerName } from '../../core/index.ts'
import { example, runInProcess, startTestCluster, type TestCluster } from './support/test-cluster.ts'

const MINUTE_MS = 60_000
const SET = ['record', 'set', 'example.com', 'www', 'A', '192.0.2.1']

/** `maki` on a laptop whose clock is wrong. */
const withClock = (cluster: TestCluster, aheadMs: number, ...argv: string[]) =>
  runInProcess(argv, {
    env: cluster.env,
    cwd: cluster.directory,
    runtime: { ...systemRuntime, now: () => systemRuntime.now() + aheadMs },
  })

t.test('an operation made too far ahead is refused with both clocks and the way out', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  await cluster.maki('push')
  const refused = await withClock(cluster, 10 * MINUTE_MS, ...SET)
  t.match(refused, {
    code: 4,
    stderr:
      /Warning: the clock of this computer is 10 minutes ahead of that of one, so nodes refuse.*Error: operation \w+ was made at \S+Z by its author’s clock, and it is \S+Z by the clock here: \d+ s ahead, 5 minutes are allowed\nTry: Let both computers keep their time by NTP/s,
  })
  t.equal(node!.replica.state.get('domain/example.com/rrset/www/A'), undefined)
})

t.test('a laptop whose clock differs is told once, and goes on', async (t) => {
  await using cluster = await startTestCluster()
  const behind = await withClock(cluster, -3 * MINUTE_MS, ...SET)
  t.match(behind, {
    code: 0,
    stderr: /^Warning: the clock of this computer is 3 minutes behind that of one, so what is changed here may lose/,
  })
  t.equal(behind.stderr.split('Warning').length, 2)
  const ahead = await withClock(cluster, MINUTE_MS, 'history')
  t.match(ahead, { code: 0, stderr: /6\d s ahead of that of one, so what is changed here wins/ })
  t.match(await withClock(cluster, 5_000, 'history'), { code: 0, stderr: '' })
  t.equal(describeClocks('one', 29_000), undefined)
})

t.test('status shows what is held, and when it falls due', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  const wallMs = systemRuntime.now() + 60 * MINUTE_MS
  const tips = node!.replica.heads()
  const record = { kind: 'record.set', domain: example, name: 'www' as OwnerName, type: 'A', ttl: 300 } as const
  const ahead = createOperation(cluster.created.operator, cluster.cluster, {
    stamp: { wallMs, counter: 0 },
    heads: tips.map(({ id }) => id),
    changes: [{ ...record, values: ['192.0.2.1'] }],
  })
  await node!.replica.merge([ahead.bytes])
  const due = new Date(wallMs - MAX_STAMP_AHEAD_MS).toISOString()
  t.match(await cluster.json('status'), { held: [ahead.id], due: { [ahead.id]: due } })
  t.match(
    (await cluster.maki('status')).stdout,
    new RegExp(`held ${ahead.id.slice(0, 10)} until ${due} \\(in 5\\d minutes\\)`),
  )
  await cluster.maki('pull')
  t.match((await cluster.maki('status', '--offline')).stdout, new RegExp(`until ${due}`), 'also from the copy')
  t.match(
    await withClock(cluster, 56 * MINUTE_MS, 'status', '--offline', '--json'),
    { stdout: /"held": \[\]/ },
    'until it is',
  )
})
