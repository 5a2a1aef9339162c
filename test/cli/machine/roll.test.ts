import t from 'tap'
import { ClusterClient } from '../../../cli/client/cluster-client.ts'
import { createConnect } from '../../../cli/client/connect.ts'
import { loadProfile } from '../../../cli/config/index.ts'
import { cleanServer, judgeIdentity } from '../../../cli/machine/clean-server.ts'
import { type MachineOutcome, rollServer } from '../../../cli/machine/roll.ts'
import { StepList } from '../../../cli/provision/index.ts'
import type { SetupRequest } from '../../../cli/setup/index.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { silentLog } from '../../../core/index.ts'
import { startTestCluster, type TestCluster } from '../support/test-cluster.ts'
import { type Answer, fakeServer, result, versionOf } from './support/fake-server.ts'

const OLD = versionOf('a')
const NEW = versionOf('b')
const HURRY = 100
const runtime = {
  ...systemRuntime,
  monotonic: () => systemRuntime.monotonic() * HURRY,
  after: (delayMs: number, call: () => void) =>
    // How long a node may take to answer is as ever.
    systemRuntime.after(delayMs > 1_000 ? delayMs : delayMs / HURRY, call),
}
const host = {
  stdout: { write: () => {}, isTerminal: false, columns: undefined },
  stderr: { write: () => {}, isTerminal: false, columns: undefined },
  env: {},
  cwd: '/',
  runtime,
  signal: new AbortController().signal,
}

/** What a server was asked, and how its machine came out of it. */
async function roll(
  cluster: TestCluster,
  answer: Answer,
  version: string | null = NEW,
): Promise<{
  readonly asked: readonly SetupRequest[]
  readonly programs: readonly string[]
  readonly outcome: MachineOutcome
}> {
  const asked: SetupRequest[] = []
  const programs: string[] = []
  const profile = await loadProfile(cluster.profile, cluster.env)
  await using client = await ClusterClient.open({ profile, host, log: silentLog, offline: false })
  await client.exchange()
  const server = fakeServer('one', {
    running: OLD,
    control: cluster.nodes[0]?.socketPath ?? '',
    answer: (request, program) => {
      asked.push(request)
      programs.push(program)
      return answer(request, program)
    },
  })
  const steps = new StepList(host, { quiet: true })
  const outcome = await rollServer(server, version ?? undefined, {
    client,
    connect: createConnect(systemRuntime),
    steps,
  })
  return { asked, programs, outcome }
}

const switched: Answer = (request) =>
  result({ switched: true, running: request.do === 'activate' ? request.version : OLD })

/** Nodes that hear each other; both see `one` as the test wants it from the moment on that it is asked to change. */
async function startPair(): Promise<TestCluster> {
  return startTestCluster({ nodes: ['one', 'two'] })
}

t.test('a version that is well stays, and is asked for by the program that ran before', async (t) => {
  await using cluster = await startPair()
  for (const node of cluster.nodes) node.statusOf = (nodes) => nodes.map((each) => ({ ...each, lagMs: 0 }))
  const { outcome, asked, programs } = await roll(cluster, switched)
  t.strictSame(outcome, { machine: 'one', outcome: 'done', before: OLD, running: NEW, reason: null })
  t.strictSame(asked, [{ do: 'activate', version: NEW, timeoutSecs: 90 }])
  t.strictSame(programs, [OLD])
})

t.test('one that only others see to be ill goes back', async (t) => {
  await using cluster = await startPair()
  const [one, two] = cluster.nodes
  if (one === undefined || two === undefined) return
  let runs = OLD
  two.statusOf = (nodes) => nodes.map((each) => ({ ...each, lagMs: 0, up: each.name === 'two' || runs === OLD }))
  const { outcome, asked } = await roll(cluster, (request, program) => {
    if (request.do === 'activate') runs = request.version
    return switched(request, program)
  })
  t.match(outcome, { outcome: 'returned', before: OLD, running: OLD, reason: /two does not hear it/ })
  t.strictSame(
    asked.map((request) => request.do === 'activate' && request.version),
    [NEW, OLD],
  )
})

t.test('a word from before the change is no word', async (t) => {
  await using cluster = await startPair()
  const [, two] = cluster.nodes
  if (two === undefined) return
  two.statusOf = (nodes) => nodes.map((each) => ({ ...each, lagMs: each.name === 'one' ? 600_000 : 0 }))
  t.match((await roll(cluster, switched)).outcome, { outcome: 'returned', reason: /does not hear it/ })
})

t.test('what was wrong before is no reason to go back', async (t) => {
  await using cluster = await startPair()
  const [one, two] = cluster.nodes
  if (one === undefined || two === undefined) return
  two.statusOf = (nodes) => nodes.map((each) => ({ ...each, lagMs: 0, up: each.name === 'two' }))
  t.match((await roll(cluster, switched)).outcome, { outcome: 'done', running: NEW })
})

t.test('what the server says of itself', async (t) => {
  await using cluster = await startPair()
  const back = await roll(cluster, () => result({ switched: false, reason: 'it ended with code 1', running: OLD }))
  t.match(back.outcome, { outcome: 'returned', running: OLD, reason: 'it ended with code 1' })
  const restart = await roll(cluster, () => result({ switched: false, reason: 'no', running: OLD }), null)
  t.match(restart.asked, [{ do: 'restart' }])
  const nonsense = await roll(cluster, () => result({ switched: 'yes' }))
  t.match(nonsense.outcome, { outcome: 'failed', running: null, reason: /says something else/ })
  const refused = await roll(cluster, () => [
    { event: 'error', code: 'MAKI_CONFLICT', message: 'another setup runs', undone: true },
  ])
  t.match(refused.outcome, { outcome: 'failed', reason: 'another setup runs' })
  const stuck = await roll(cluster, async (request) => {
    const isBack = request.do === 'activate' && request.version === OLD
    await cluster.nodes[0]?.stop()
    return result(isBack ? { switched: false, reason: 'gone', running: NEW } : { switched: true, running: NEW })
  })
  t.match(stuck.outcome, { outcome: 'failed', running: NEW, reason: /could not go back: gone/ })
})

t.test('whose server it is', async (t) => {
  const expected = { cluster: 'c1', name: 'one' }
  const judge = (config: string) => judgeIdentity(config, expected)
  t.equal(judge(''), undefined)
  t.equal(judge('[node]\nname = "One"\ncluster = "c1"\n'), undefined)
  t.match(judge('[node]\nname = "one"\ncluster = "c2"\n'), /another cluster/)
  t.match(judge('[node]\nname = "two"\ncluster = "c1"\n'), /set up as two/)
  t.match(judge('[node\n'), /cannot be read/)
})

t.test('what is left on a server that was cleaned, or not', async (t) => {
  const steps = new StepList(host, { quiet: true })
  const clean = (options: Parameters<typeof fakeServer>[1]) => cleanServer(fakeServer('one', options), steps)
  const answer: Answer = () => result({ left: ['/etc/x\u001b[2J is another file now'] })
  t.strictSame(await clean({ answer, running: OLD }), ['/etc/x\\x1b[2J is another file now'])
  t.strictSame(await clean({ answer, facts: { isInstalled: false } }), [])
  await t.rejects(clean({ answer }), { code: 'MAKI_NOT_FOUND' })
  await t.rejects(clean({ answer: () => result(7), running: OLD }), { code: 'MAKI_PROTOCOL' })
})
