import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { controlSocketPath } from '../../cli/dev/socket-path.ts'
import { eventually } from '../support/eventually.ts'
import { type Family, parsePrometheus } from '../support/prometheus.ts'
import { type Daemon, DaemonCluster } from './support/daemons.ts'
import { writeProject } from './support/project.ts'
import { Relentless } from './support/relentless.ts'
import { isAlive, ROOT, Scene } from './support/scene.ts'

/**
 * A node of several processes, while they are killed: clients that never pause count what they notice. A connection to a
 * worker that is killed with -9 breaks, and nothing else does.
 */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const HOST = 'shop.test'
const WORKERS = 2
const CLIENTS = 4
/** Answers between two events, of each client. */
const SOME = 50

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const cluster = await DaemonCluster.make(scene, { nodes: 1 })
t.teardown(() => cluster[Symbol.asyncDispose]())
const node = cluster.daemons[0] as Daemon
node.configure((text) => text.replace('workers = 0', `workers = ${WORKERS}\naccess_log = 1`))
await node.start()
const site = writeProject(scene.path('site'), { domain: HOST, files: { 'index.html': 'hello' } })
const env = { MAKIATTO_PROFILE: cluster.profile }
const synced = await scene.maki(['sync', '--wait', 'all'], { cwd: site, env })
t.equal(synced.code, 0, synced.stderr)

const register = join(node.layout.dataDirectory, 'workers')
const listWorkers = (): number[] => readdirSync(register).map(Number).filter(isAlive)

const begin = (connections: 'new' | 'kept', count = CLIENTS): Relentless[] =>
  Array.from({ length: count }, () => new Relentless({ port: node.layout.httpPort, host: HOST, connections }))

const goOn = (clients: readonly Relentless[]): Promise<unknown> =>
  Promise.all(clients.map((client) => client.moreAnswers(SOME)))

async function finish(clients: readonly Relentless[]): Promise<{ answers: number; failures: string[] }> {
  const met = await Promise.all(clients.map((client) => client.stop()))
  return { answers: met.reduce((sum, { answers }) => sum + answers, 0), failures: met.flatMap((m) => m.failures) }
}

async function readMetrics(): Promise<ReadonlyMap<string, Family>> {
  const { stdout } = await scene.run('curl', [
    '-sf',
    '--unix-socket',
    controlSocketPath(node.layout, {}),
    'http://node/metrics',
  ])
  return parsePrometheus(stdout)
}

const readValue = (families: ReadonlyMap<string, Family>, name: string): number =>
  (families.get(name)?.samples ?? []).reduce((sum, { value }) => sum + value, 0)

t.test('control is killed and returns: no client notices', async (t) => {
  const kept = begin('kept')
  const fresh = begin('new')
  await goOn([...kept, ...fresh])
  for (let round = 0; round < 2; round++) {
    const before = listWorkers()
    t.equal(before.length, WORKERS)
    await node.killControl()
    await goOn([...kept, ...fresh])
    t.strictSame(listWorkers(), before, 'the workers go on')
    await node.start()
    await goOn([...kept, ...fresh])
    await eventually('the end of the old workers', () => (before.some(isAlive) ? undefined : true))
    t.equal(listWorkers().length, WORKERS)
    await goOn([...kept, ...fresh])
  }
  const keptMet = await finish(kept)
  const freshMet = await finish(fresh)
  t.comment(`${keptMet.answers} answers on connections that were kept, ${freshMet.answers} on new ones`)
  t.strictSame(keptMet.failures, [], 'connections that are kept')
  t.strictSame(freshMet.failures, [], 'new connections')
})

t.test('a worker is killed: only its own connections break, and nothing that was counted is lost', async (t) => {
  const kept = begin('kept')
  const fresh = begin('new')
  await goOn([...kept, ...fresh])
  const families = await readMetrics()
  const diedBefore = readValue(families, 'makiatto_workers_died_total')
  let killed = 0
  for (let round = 0; round < 3; round++) {
    const countedBefore = readValue(await readMetrics(), 'server_request_count_total')
    const victim = listWorkers()[round % WORKERS] as number
    const from = node.log.length
    process.kill(victim, 'SIGKILL')
    killed++
    await eventually('another worker', () =>
      node.log.slice(from).some(({ event }) => event === 'worker.started') ? true : undefined,
    )
    await goOn([...kept, ...fresh])
    const after = await readMetrics()
    t.ok(readValue(after, 'server_request_count_total') >= countedBefore, 'no counter goes back')
    t.equal(readValue(after, 'makiatto_workers_died_total'), diedBefore + killed)
  }
  const keptMet = await finish(kept)
  const freshMet = await finish(fresh)
  t.comment(`kept: ${keptMet.answers} answers, ${keptMet.failures.length} broken by ${killed} deaths`)
  t.ok(keptMet.failures.length <= CLIENTS * killed, `${keptMet.failures.length} connections broke`)
  // One that was accepted already goes with the worker: at most each client's present one at each death.
  t.comment(`new: ${freshMet.answers} answers, failures: ${freshMet.failures.join('; ')}`)
  t.ok(freshMet.failures.length <= CLIENTS * killed, 'what the dead worker had accepted')
  t.notOk(
    freshMet.failures.some((failure) => failure.includes('ECONNREFUSED')),
    'nobody is refused',
  )
})

t.test('every metric is documented, and none that is not there', async (t) => {
  const page = readFileSync(join(ROOT, 'docs', 'metrics.md'), 'utf8').split('## Access log')[0] ?? ''
  const cells = [...page.matchAll(/^\| (`[^|]*) \|/gm)].map(([, cell]) => String(cell))
  const documented = cells.flatMap((cell) => cell.match(/(?<=`)\w+/g) ?? [])
  t.strictSame([...(await readMetrics()).keys()].sort(), documented.sort())
})

t.test('told to end, a node answers what was asked', async (t) => {
  const kept = begin('kept')
  await goOn(kept)
  await node.stop()
  const { answers, failures } = await finish(kept)
  t.ok(answers > CLIENTS * SOME)
  // After the last answer, which said so, a client may find the port closed; nothing else may happen to it.
  t.strictSame(
    failures.filter((failure) => failure !== 'connect ECONNREFUSED'),
    [],
  )
  await node.start()
})

t.test('what was asked stands in the log', async (t) => {
  const [client] = begin('new', 1)
  await client?.moreAnswers(3)
  await client?.stop()
  const line = await eventually('a line', () =>
    node.log.find(({ event, path }) => event === 'http.request' && path === '/'),
  )
  t.match(line, {
    host: HOST,
    domain: HOST,
    method: 'GET',
    path: '/',
    status: 200,
    bytes: 5,
    protocol: 'http/1.1',
    client: '127.0.0.0/24',
  })
})

t.test('nothing is left behind', async (t) => {
  await node.stop()
  t.strictSame(await scene.leftovers(), [])
})
