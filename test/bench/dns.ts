import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { KnotServer } from '../dns/answer/knot-server.ts'
import { Author } from './author.ts'
import { addressOf, DOMAIN, domainSet, recordSet } from './changes.ts'
import { type BenchCluster, startCluster } from './cluster.ts'
import { askAddress, until } from './propagation.ts'
import { framed, question, subnet } from './questions.ts'
import { line, number, spread, title } from './report.ts'
import { ratios, summarize } from './stats.ts'

const ROUNDS = Number(process.env.ROUNDS ?? 5)
const SECONDS = Number(process.env.SECONDS ?? 3)
const NAMES = 100
const SUBNETS = 5000
/** Of `utime` and `stime` in /proc, on every Linux that people run. */
const TICK_MS = 10

const run = promisify(execFile)

/** One thing to ask in a run: a file of messages as dnsperf reads them with -B. */
interface Questions {
  readonly what: string
  readonly file: string
}

interface Server {
  readonly port: number
  readonly pid: number
}

interface Run {
  readonly perSecond: number
  /** Of the server's process, kernel included. */
  readonly cpuMicros: number
  readonly lost: number
}

/**
 * Questions a second that dnsperf gets answered over UDP by a node of a cluster of three, and the processor time of each,
 * beside one worker of Knot with the same names. Knot answers the apex the same for everybody, our node by where the
 * client is. The client has a processor of its own only where there are two.
 */
export async function benchDns(): Promise<void> {
  title(`DNS over UDP beside Knot, ${ROUNDS} rounds of ${SECONDS} s each`)
  await using owned = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'makiatto-bench-'))
  owned.defer(() => rm(folder, { recursive: true, force: true }))
  const cluster = owned.use(await startCluster(3))
  await writeRecords(cluster)
  const knot = owned.use(await KnotServer.start(join(folder, 'knot'), [{ apex: DOMAIN, text: buildZoneText() }]))
  const node = cluster.nodes[0]!
  const ours: Server = { port: node.layout.dnsPort, pid: node.pid() }
  for (const questions of await writeQuestions(folder)) {
    const runs = { ours: [] as Run[], knot: [] as Run[] }
    for (let round = 0; round <= ROUNDS; round++) {
      const found = { ours: await ask(ours, questions), knot: await ask(knot, questions) }
      // The first round warms up.
      if (round === 0) continue
      runs.ours.push(found.ours)
      runs.knot.push(found.knot)
    }
    const list = (of: readonly Run[], key: keyof Run) => of.map((one) => one[key])
    line(
      `${questions.what}: a second, ours`,
      `${spread(summarize(list(runs.ours, 'perSecond')))}  lost ${number(sum(list(runs.ours, 'lost')))}`,
    )
    line(
      `${questions.what}: a second, Knot`,
      `${spread(summarize(list(runs.knot, 'perSecond')))}  lost ${number(sum(list(runs.knot, 'lost')))}`,
    )
    line(`${questions.what}: ours / Knot`, spread(ratios(list(runs.ours, 'perSecond'), list(runs.knot, 'perSecond'))))
    line(`${questions.what}: processor, ours`, spread(summarize(list(runs.ours, 'cpuMicros')), ' µs'))
    line(`${questions.what}: processor, Knot`, spread(summarize(list(runs.knot, 'cpuMicros')), ' µs'))
  }
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)

async function writeRecords(cluster: BenchCluster): Promise<void> {
  const [node] = cluster.nodes
  const author = await Author.at(cluster, node!)
  const operations = [author.make([domainSet])]
  for (let i = 0; i < NAMES; i++) operations.push(author.make([recordSet(i)]))
  await node!.control.accept(operations.map(({ bytes }) => bytes))
  const last = NAMES - 1
  await until(async () => (await askAddress(node!.layout.dnsPort, `r${last}.${DOMAIN}`)) === addressOf(last))
}

function buildZoneText(): string {
  const names = Array.from({ length: NAMES }, (_, i) => `r${i} 300 IN A ${addressOf(i)}\n`).join('')
  return `$ORIGIN ${DOMAIN}.
@ 300 IN SOA ns1 admin 1 86400 10800 3600000 3600
@ 300 IN NS ns1
ns1 300 IN A 127.0.0.1
@ 300 IN A 127.0.0.1
${names}`
}

async function writeQuestions(folder: string): Promise<Questions[]> {
  const names = Array.from({ length: NAMES }, (_, i) => `r${i}.${DOMAIN}`)
  const kinds: Readonly<Record<string, readonly Buffer[]>> = {
    'fixed names': names.map((name) => question(name)),
    'fixed names, EDNS': names.map((name) => question(name, [])),
    'the nodes': [question(DOMAIN)],
    'the nodes, client subnets': Array.from({ length: SUBNETS }, (_, i) => question(DOMAIN, [subnet(i)])),
    'names that are not there': names.map((name) => question(`not-${name}`)),
  }
  return Promise.all(
    Object.entries(kinds).map(async ([what, messages], i) => {
      const file = join(folder, `questions-${i}`)
      await writeFile(file, framed(messages))
      return { what, file }
    }),
  )
}

async function ask({ port, pid }: Server, { file }: Questions): Promise<Run> {
  const before = await readCpuMs(pid)
  const flags = ['-s', '127.0.0.1', '-p', `${port}`, '-B', '-d', file, '-l', `${SECONDS}`, '-c', '8', '-t', '2', '-W']
  const { stdout } = await run('dnsperf', flags)
  const cpuMs = (await readCpuMs(pid)) - before
  const read = (what: RegExp) => Number(what.exec(stdout)?.[1])
  const completed = read(/Queries completed:\s+([0-9]+)/)
  return {
    perSecond: read(/Queries per second:\s+([0-9.]+)/),
    cpuMicros: (cpuMs * 1000) / completed,
    lost: read(/Queries lost:\s+([0-9]+)/),
  }
}

/** User and system time of a process and its threads. */
async function readCpuMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}
