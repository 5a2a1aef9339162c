import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { systemRuntime } from '../../cli/system.ts'
import { type BlobHash, type Hostname, hashBlob, Manifest, silentLog } from '../../core/index.ts'
import { buildMeta, encodeMeta, GLUE_FILE, META_FILE, type PreparedFiles } from '../../edge/component-builder/index.ts'
import { BoundGuest } from '../../edge/guest-host/bound-guest.ts'
import { FunctionService, FunctionTable, Guests, type PreparedComponent, startHttpServer } from '../../edge/index.ts'
import { openBlobReader } from '../../replication/index.ts'
import { buildSite, buildTable, releaseId } from '../edge/fixtures.ts'
import { buildJsGuest } from '../support/guests/build-js.ts'
import { buildComponent, readGuestText } from '../support/guests/build-wat.ts'
import { CONTEXT, prepareFiles, request } from '../support/guests/pooled-guests.ts'
import { latencies, line, number, spread, title } from './report.ts'
import { ratios, summarize } from './stats.ts'

const ROUNDS = Number(process.env.ROUNDS ?? 5)
const SECONDS = process.env.SECONDS ?? '3'
const RUNS = 500
const MIB = 1024 * 1024
const LIMITS = {
  defaultTimeoutMs: 10_000,
  maxTimeoutMs: 30_000,
  defaultMemoryBytes: 64 * MIB,
  maxMemoryBytes: 512 * MIB,
}
const run = promisify(execFile)

/**
 * Functions over HTTP beside a static file of the same server, in turns, with an instance of its own for each request; what the
 * sandbox adds to a call; the first request of a component; and the memory of many components, few of which are used. `COMPONENT`
 * names another component of the http world that is measured too.
 */
export async function benchFunctions(): Promise<void> {
  title(`Functions, ${ROUNDS} rounds of ${SECONDS} s each`)
  const own = process.env.COMPONENT
  const components = [
    ['100 KB of WebAssembly', await buildLarge()] as const,
    ...(own === undefined ? [] : [[own, readFileSync(own)] as const]),
    ['JavaScript (QuickJS)', await buildJsGuest('http-echo')] as const,
  ]
  for (const [name, component] of components) {
    const folder = await mkdtemp(join(tmpdir(), 'makiatto-bench-'))
    try {
      await measure(name, component, folder)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
}

/** The echo with as many bytes more as a small program in a compiled language has. */
async function buildLarge(): Promise<Uint8Array> {
  const text = readGuestText('http-echo').replace(/\(memory \(export "memory"\) 2\)/, '(memory (export "memory") 17)')
  const padding = `(data (i32.const 131072) "${'0123456789abcdef'.repeat(6000)}")`
  return await buildComponent(
    text.replace(/\)\s*$/, () => `${padding})`),
    'http',
  )
}

async function measure(name: string, bytes: Uint8Array, folder: string): Promise<void> {
  line(name, `${Math.round(bytes.length / 1024)} KiB`)
  const component = hashBlob(bytes)
  const files = await prepareFiles(bytes)
  const prepared = await store(join(folder, 'prepared'), component, files)
  const blobs = openBlobReader(folder)
  const content = Buffer.from('hello from bench /\n')
  await mkdir(dirname(blobs.path(hashBlob(content))), { recursive: true })
  await writeFile(blobs.path(hashBlob(content)), content)
  const manifest = Manifest.of([{ path: 'static.txt', hash: hashBlob(content), sizeBytes: content.length }])
  const paths = Array.from({ length: 1000 }, (_, i) => ({ path: `api/f${i}.wasm`, component }))
  const ports = { blobs, runtime: systemRuntime, log: silentLog }
  const pool = { maxProcesses: 16, spares: 1 }
  await using guests = new Guests(
    { limits: LIMITS, pool },
    { ...ports, context: () => CONTEXT, prepare: async () => ({ prepared }), openEnvironment: async () => ({}) },
  )
  await guests.foresee('example.com' as Hostname, paths)
  const functions = new FunctionService({ ...ports, runner: guests })
  const release = { id: releaseId('b'), manifest, functions: new FunctionTable(paths) }
  const table = buildTable({ ...buildSite(manifest), release })
  await using server = await startHttpServer({
    ...ports,
    functions: true,
    learn: async (need, request) =>
      need.kind === 'function' ? { function: await functions.call(need.call, request) } : {},
    table: () => table,
    node: 'bench',
    host: '127.0.0.1',
    port: 0,
  })
  const origin = `http://127.0.0.1:${server.address.port}`
  await reportHttp(guests, origin)
  await reportFirst(origin, paths.length)
  await reportMemory(guests)
  await reportSandbox(guests, manifest, component, files)
}

/** As control leaves it on the disk. */
async function store(folder: string, component: BlobHash, files: PreparedFiles): Promise<PreparedComponent> {
  await mkdir(folder)
  const report = {
    world: 'http' as const,
    sizeBytes: 0,
    imports: [],
    otherExports: [],
    coreModules: files.modules.size,
    coreInstances: 0,
    initialMemoryBytes: 0,
    largestMemoryBytes: 0,
  }
  await writeFile(join(folder, META_FILE), encodeMeta(buildMeta(component, report, files)))
  for (const [name, bytes] of [[GLUE_FILE, files.glue] as const, ...files.modules])
    await writeFile(join(folder, name), bytes)
  return { component, world: 'http', folder, modules: [...files.modules.keys()] }
}

async function reportHttp(guests: Guests, origin: string): Promise<void> {
  const [single, one, fixed]: [number[], number[], number[]] = [[], [], []]
  const [rates, perCore]: [number[], number[]] = [[], []]
  for (let round = 0; round <= ROUNDS; round++) {
    const called = await load(`${origin}/api/f0`, 1)
    const file = await load(`${origin}/static.txt`, 1)
    const before = cpuMs(guests)
    const many = await load(`${origin}/api/f0`, 2)
    const micros = ((cpuMs(guests) - before) * 1000) / many.requests
    if (round === 0) continue
    one.push(called.p50Ms)
    fixed.push(file.p50Ms)
    single.push(called.perSecond)
    rates.push(many.perSecond)
    perCore.push(1e6 / micros)
  }
  line('  one after the other, p50', `${spread(summarize(one), ' ms')}, ${spread(summarize(single))} a second`)
  line('  a static file, p50', spread(summarize(fixed), ' ms'))
  line('  ratio of p50', spread(ratios(one, fixed)))
  line('  two at a time', `${spread(summarize(rates))} a second`)
  line('  by the processor time of the guests', `${spread(summarize(perCore))} a second on a core`)
}

async function load(url: string, connections: number): Promise<{ requests: number; perSecond: number; p50Ms: number }> {
  const flags = ['-t1', `-c${connections}`, `-d${SECONDS}s`, '--latency', '-H', 'Host: example.com', url]
  const { stdout } = await run('wrk', flags)
  if (/Non-2xx or 3xx|Socket errors/.test(stdout)) throw new Error(stdout)
  const [, value, unit] = /50%\s+([\d.]+)(us|ms|s)/.exec(stdout) ?? []
  const inMs = { us: 1000, ms: 1, s: 0.001 }[unit as 'us' | 'ms' | 's']
  return {
    requests: Number(/(\d+) requests in/.exec(stdout)?.[1]),
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]),
    p50Ms: Number(value) / inMs,
  }
}

/** Of all processes that run guests. */
function cpuMs({ pids }: Guests): number {
  const ticks = pids.map((pid) => {
    const [, rest = ''] = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')
    const fields = rest.split(' ')
    return Number(fields[11]) + Number(fields[12])
  })
  return ticks.reduce((sum, own) => sum + own, 0) * 10
}

/** Of components that nobody has called yet: a process lies ready, as after a release. */
async function reportFirst(origin: string, count: number): Promise<void> {
  const times: number[] = []
  for (let i = 1; i < Math.min(count, 10); i++) {
    // Until there is a process again that lies ready.
    await pause(1000)
    const shown = ['-sS', '-o', '/dev/null', '-w', '%{http_code} %{time_total}', '-H', 'Host: example.com']
    const { stdout } = await run('curl', [...shown, `${origin}/api/f${i}`])
    const [status, seconds] = stdout.split(' ').map(Number)
    if (status !== 200) throw new Error(`a function answered ${status}`)
    times.push((seconds as number) * 1000)
  }
  line('  the first request of a component', spread(summarize(times), ' ms'))
}

async function reportMemory(guests: Guests): Promise<void> {
  const bytes = guests.pids.map((pid) => {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
    return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1]) * 1024
  })
  const all = bytes.reduce((sum, own) => sum + own, 0) / MIB
  line('  1,000 components, 10 in use', `${bytes.length} processes, ${number(all)} MiB (PSS)`)
}

/** From the owner's call to its answer, with an instance that lies ready; and the same call in this process. */
async function reportSandbox(
  guests: Guests,
  manifest: Manifest,
  component: BlobHash,
  files: PreparedFiles,
): Promise<void> {
  const input = request('/')
  if (input.world !== 'http') return
  const asked = { domain: 'example.com' as Hostname, release: releaseId('b'), manifest, trace: 't' }
  const called: number[] = []
  const channel = { ask: refuse, tell: () => {} }
  const limits = { maxMemoryPages: 1024, maxTableElements: 1_000_000 }
  const env = {}
  const glue = files.glue.toString()
  const { modules } = files
  const bound = await BoundGuest.bind({ world: 'http', glue, modules, limits, env, channel, runtime: systemRuntime })
  const alone: number[] = []
  const { body, ...head } = input.request
  for (let i = 0; i < RUNS; i++) {
    const call = bound.instantiate()
    // Between two visitors, so that the next instance is made; each of the two calls wakes up a machine that rests.
    await pause(4)
    let fromMs = performance.now()
    const outcome = await guests.run({ ...asked, component: { path: 'api/f0.wasm', component }, input })
    called.push(performance.now() - fromMs)
    if (outcome.kind !== 'answered') throw new Error(JSON.stringify(outcome))
    await pause(4)
    fromMs = performance.now()
    call(CONTEXT, { ...head, body })
    alone.push(performance.now() - fromMs)
  }
  line('  a call with an instance that lies ready', latencies(summarize(called.slice(50))))
  line('  the same in one process, unconfined', latencies(summarize(alone.slice(50))))
  line(
    '  what the sandbox adds',
    spread(summarize(called.slice(50).map((ms, i) => ms - (alone[i + 50] as number))), ' ms'),
  )
}

function refuse(): never {
  throw new Error('nothing is offered here')
}
