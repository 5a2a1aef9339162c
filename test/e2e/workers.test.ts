import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { controlSocketPath } from '../../cli/dev/socket-path.ts'
import { CertificateMaker } from '../support/certificate-maker.ts'
import { eventually } from '../support/eventually.ts'
import { findFreePorts } from '../support/free-ports.ts'
import { type Family, parsePrometheus } from '../support/prometheus.ts'
import { type Daemon, DaemonCluster } from './support/daemons.ts'
import { writeProject } from './support/project.ts'
import { Relentless } from './support/relentless.ts'
import { RelentlessAsker } from './support/relentless-asker.ts'
import type { Met } from './support/relentless-client.ts'
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
const SOME = 30

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const cluster = await DaemonCluster.make(scene, { nodes: 1 })
t.teardown(() => cluster[Symbol.asyncDispose]())
const node = cluster.daemons[0] as Daemon
const maker = new CertificateMaker()
t.teardown(() => maker[Symbol.dispose]())
const httpsPort = await findFreePorts([0])
node.configure((text) =>
  text
    .replace('workers = 0', `workers = ${WORKERS}\naccess_log = 1\nhttps_addr = "127.0.0.1:${httpsPort}"`)
    .replace('local_hosts = true', 'local_hosts = false'),
)
await node.start()
const site = writeProject(scene.path('site'), { domain: HOST, files: { 'index.html': 'hello' } })
const env = { MAKIATTO_PROFILE: cluster.profile }
const synced = await scene.maki(['sync', '--wait', 'all'], { cwd: site, env })
if (synced.code !== 0) throw new Error(synced.stderr)

// For another name: in clear, the site is then served and not sent elsewhere.
const SECURE = `secure.${HOST}`
const secureSite = writeProject(scene.path('secure'), { domain: SECURE, files: { 'index.html': 'hello' } })
const made = maker.make([SECURE])
writeFileSync(scene.path('cert.pem'), made.chain)
writeFileSync(scene.path('key.pem'), made.key)
for (const args of [
  ['sync', '--wait', 'all'],
  ['cert', 'import', scene.path('cert.pem'), '--private-key', scene.path('key.pem')],
]) {
  const { code, stdout, stderr } = await scene.maki(args, { cwd: secureSite, env })
  if (code !== 0) throw new Error(`${args}: ${stdout}${stderr}`)
}
const ca = readFileSync(maker.caFile, 'utf8')

const register = join(node.layout.dataDirectory, 'workers')
const listWorkers = (): number[] => readdirSync(register).map(Number).filter(isAlive)

interface Client {
  readonly met: Met
  moreAnswers(count: number): Promise<void>
  stop(): Promise<Met>
}

/** Clients that never pause, of one kind. */
const KINDS = {
  kept: () => new Relentless({ port: node.layout.httpPort, host: HOST, connections: 'kept' }),
  new: () => new Relentless({ port: node.layout.httpPort, host: HOST, connections: 'new' }),
  'kept over TLS': () => new Relentless({ port: httpsPort, host: SECURE, connections: 'kept', ca }),
  'new over TLS': () => new Relentless({ port: httpsPort, host: SECURE, connections: 'new', ca }),
  'DNS over UDP': () => new RelentlessAsker({ port: node.layout.dnsPort, name: HOST, transport: 'udp' }),
  'DNS over TCP': () => new RelentlessAsker({ port: node.layout.dnsPort, name: HOST, transport: 'tcp' }),
} satisfies Record<string, () => Client>
type Kind = keyof typeof KINDS
const ALL = Object.keys(KINDS) as Kind[]

const begin = (kind: Kind, count = CLIENTS): Client[] => Array.from({ length: count }, (): Client => KINDS[kind]())

/** Some of each kind. */
const beginAll = (): ReadonlyMap<Kind, Client[]> => new Map(ALL.map((kind) => [kind, begin(kind, 2)]))

const goOn = (clients: readonly Client[]): Promise<unknown> =>
  Promise.all(clients.map((client) => client.moreAnswers(SOME)))

async function finish(clients: readonly Client[]): Promise<{ answers: number; failures: string[] }> {
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

const ENDS = {
  'is killed': { rounds: 1, end: () => node.killControl() },
  'hands over': { rounds: 2, end: () => node.handOver() },
}

for (const [how, { rounds, end }] of Object.entries(ENDS))
  t.test(`control ${how} and returns: no client notices`, async (t) => {
    const clients = beginAll()
    const all = [...clients.values()].flat()
    await goOn(all)
    for (let round = 0; round < rounds; round++) {
      const before = listWorkers()
      t.equal(before.length, WORKERS)
      await end()
      await goOn(all)
      t.strictSame(listWorkers(), before, 'the workers go on')
      await node.start()
      await goOn(all)
      await eventually('the end of the old workers', () => (before.some(isAlive) ? undefined : true))
      t.equal(listWorkers().length, WORKERS)
      await goOn(all)
    }
    for (const [kind, some] of clients) {
      const { answers, failures } = await finish(some)
      t.comment(`${kind}: ${answers} answers, failures: ${failures.join('; ')}`)
      // A datagram may come in between the last look at a queue and its end; no worker hears of it.
      if (kind === 'DNS over UDP') t.ok(failures.length <= 2, `${failures.length} questions were lost`)
      else t.strictSame(failures, [], kind)
    }
  })

t.test('a worker is killed: only its own connections break, and nothing that was counted is lost', async (t) => {
  const clients = beginAll()
  const all = [...clients.values()].flat()
  await goOn(all)
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
    await goOn(all)
    const after = await readMetrics()
    t.ok(readValue(after, 'server_request_count_total') >= countedBefore, 'no counter goes back')
    t.equal(readValue(after, 'makiatto_workers_died_total'), diedBefore + killed)
  }
  for (const [kind, some] of clients) {
    const { answers, failures } = await finish(some)
    t.comment(`${kind}: ${answers} answers, failures: ${failures.join('; ')}`)
    // One that was accepted already goes with the worker: at most each client's present one at each death.
    t.ok(failures.length <= some.length * killed, `${kind}: ${failures.length} broke by ${killed} deaths`)
    t.notOk(
      failures.some((failure) => failure.includes('ECONNREFUSED')),
      `${kind}: nobody is refused`,
    )
  }
})

/** What has no series before a function was called, or where a node gets no certificates. */
const NOT_FROM_THE_START = [
  'makiatto_certificate_orders_total',
  'makiatto_function_cpu_seconds_total',
  'makiatto_function_failures_total',
  'makiatto_function_requests_total',
  'makiatto_guest_processes_lost_total',
]

t.test('every metric is documented, and none that is not there', async (t) => {
  const page = readFileSync(join(ROOT, 'docs', 'metrics.md'), 'utf8').split('## Access log')[0] ?? ''
  const cells = [...page.matchAll(/^\| (`[^|]*) \|/gm)].map(([, cell]) => String(cell))
  const documented = cells.flatMap((cell) => cell.match(/(?<=`)\w+/g) ?? [])
  const there = [...(await readMetrics()).keys()]
  t.strictSame(
    there.filter((name) => !documented.includes(name)),
    [],
  )
  t.strictSame(
    documented.filter((name) => !there.includes(name)).sort(),
    NOT_FROM_THE_START,
    'the rest is there from the start',
  )
})

t.test('told to end, a node ends the workers of a daemon that was killed, too', async (t) => {
  const before = listWorkers()
  await node.killControl()
  t.strictSame(listWorkers(), before)
  // Told before its own workers serve, and so before it sends those away.
  const starting = node.start().catch(() => {})
  await node.event('node.starting')
  await node.stop()
  await starting
  t.strictSame(listWorkers(), [])
  await eventually('the system to forget them', () => (before.some(isAlive) ? undefined : true), { tries: 100 })
  await node.start()
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
