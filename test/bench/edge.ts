import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  findProgram,
  readCpuMs,
  readRssBytes,
  startCaddy,
  startNginx,
  startOurs,
  type WebServer,
} from './edge-peers.ts'
import { fileBytes } from './edge-site.ts'
import { line, number, spread, title } from './report.ts'
import { ratios, summarize } from './stats.ts'

const ROUNDS = Number(process.env.ROUNDS ?? 5)
const SECONDS = Number(process.env.SECONDS ?? 3)
const FILES = { '1k.bin': 1024, '100k.bin': 100 * 1024, '10m.bin': 10 * 1024 * 1024 }
const DOMAIN = 'example.com'

/** What a browser sends with each request, Host aside. */
const BROWSER = [
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Accept-Language: en-US,en;q=0.9',
  'Cookie: sid=0123456789abcdef0123456789abcdef; theme=dark',
  'Referer: https://example.test/',
  'Sec-Fetch-Dest: document',
  'Sec-Fetch-Mode: navigate',
  'Sec-Fetch-Site: same-origin',
]

const run = promisify(execFile)

interface Run {
  readonly perSecond: number
  /** Of all processes of the server, kernel included, for each request. */
  readonly cpuMicros: number
  readonly rssBytes: number
}

type Load = (server: WebServer, path: string, seconds: number) => Promise<{ requests: number; perSecond: number }>

interface Row {
  readonly what: string
  readonly path: keyof typeof FILES
  readonly load: Load
}

const ROWS: readonly Row[] = [
  { what: '1 KiB', path: '1k.bin', load: wrk(64) },
  { what: '100 KiB', path: '100k.bin', load: wrk(64) },
  { what: '10 MiB', path: '10m.bin', load: wrk(8) },
  { what: '1 KiB, HTTPS/1.1', path: '1k.bin', load: h2load(['--h1', '-c64', '-m1']) },
  { what: '1 KiB, HTTP/2', path: '1k.bin', load: h2load(['-c16', '-m10']) },
  { what: '100 KiB, HTTP/2', path: '100k.bin', load: h2load(['-c16', '-m10']) },
  { what: '304', path: '1k.bin', load: wrk(64, 'conditional') },
  // wrk and h2load wait for the body that an answer to HEAD has not, but for HTTP/2, which says so.
  { what: 'HEAD, HTTP/2', path: '1k.bin', load: h2load(['-c16', '-m10', '-H', ':method: HEAD']) },
]

/**
 * Requests a second and processor time a request of one worker of ours, beside nginx and Caddy with the same files on one
 * processor each; then of larger and busier sites beside the small one. Rounds are interleaved, so that all meet the same load.
 */
export async function benchEdge(): Promise<void> {
  title(`HTTP beside nginx and Caddy, ${ROUNDS} rounds of ${SECONDS} s each`)
  const missing = ['wrk', 'h2load', 'openssl'].filter((name) => findProgram(name) === undefined)
  if (missing.length > 0) return line(missing.join(', '), 'not installed: nothing can be measured')
  await using owned = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'makiatto-bench-'))
  owned.defer(() => rm(folder, { recursive: true, force: true }))
  const certificate = makeCertificate(folder)
  mkdirSync(join(folder, 'www'))
  for (const [path, size] of Object.entries(FILES)) writeFileSync(join(folder, 'www', path), fileBytes(size))
  const ours = owned.use(await startOurs('ours', { folder, files: FILES, certificate }))
  const peers: WebServer[] = []
  for (const [name, start] of [['nginx', startNginx] as const, ['caddy', startCaddy] as const]) {
    const program = findProgram(name)
    if (program === undefined) line(name, 'is not installed, not measured')
    else peers.push(owned.use(await start(program, folder, certificate)))
  }
  for (const row of ROWS) report(row.what, await measure(row, [ours, ...peers]))

  title('Larger and busier sites beside a small one, 1 KiB')
  const others = [
    owned.use(await startOurs('100,000 files', { folder, files: FILES, moreFiles: 100_000 })),
    owned.use(await startOurs('1,000 domains', { folder, files: FILES, moreDomains: 1000 })),
    owned.use(await startOurs('100 releases a second elsewhere', { folder, files: FILES, releasesPerSecond: 100 })),
  ]
  for (const other of others) report(other.name, await measure(ROWS[0] as Row, [other, ours]))
}

function makeCertificate(folder: string) {
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile]
  const names = ['-subj', `/CN=${DOMAIN}`, '-addext', `subjectAltName=DNS:${DOMAIN},IP:127.0.0.1`]
  execFileSync('openssl', ['req', '-x509', '-days', '2', ...newKey, '-out', certFile, ...names], { stdio: 'ignore' })
  return { certFile, keyFile }
}

async function measure({ path, load }: Row, servers: readonly WebServer[]): Promise<Map<WebServer, Run[]>> {
  const runs = new Map<WebServer, Run[]>(servers.map((server) => [server, []]))
  for (let round = 0; round <= ROUNDS; round++) {
    for (const server of servers) {
      const before = readCpuMs(server.pid)
      const { requests, perSecond } = await load(server, `/${path}`, round === 0 ? 1 : SECONDS)
      const cpuMicros = ((readCpuMs(server.pid) - before) * 1000) / requests
      // The first round warms up.
      if (round > 0) runs.get(server)?.push({ perSecond, cpuMicros, rssBytes: readRssBytes(server.pid) })
    }
  }
  return runs
}

function report(what: string, runs: ReadonlyMap<WebServer, readonly Run[]>): void {
  const [[ours, own] = [undefined, []], ...peers] = runs
  if (ours === undefined) return
  const list = (of: readonly Run[], key: keyof Run) => of.map((one) => one[key])
  for (const [{ name }, of] of runs) {
    const mib = Math.max(...list(of, 'rssBytes')) / 2 ** 20
    const cpu = spread(summarize(list(of, 'cpuMicros')), ' µs')
    line(`${what}: ${name}`, `${spread(summarize(list(of, 'perSecond')))} a second, ${cpu} each, ${number(mib)} MiB`)
  }
  for (const [{ name }, of] of peers) {
    const rate = spread(ratios(list(own, 'perSecond'), list(of, 'perSecond')))
    // The other way round, so that more is better in both.
    const cpu = spread(ratios(list(of, 'cpuMicros'), list(own, 'cpuMicros')))
    line(`${what}: ${ours.name} / ${name}`, `${rate} requests, ${cpu} by processor time`)
  }
}

/** Over HTTP/1.1 in clear. */
function wrk(connections: number, kind: 'plain' | 'conditional' = 'plain'): Load {
  return async (server, path, seconds) => {
    const url = `http://127.0.0.1:${server.port}${path}`
    const fields = [`Host: ${DOMAIN}`, ...BROWSER, 'Connection: keep-alive']
    if (kind === 'conditional') fields.push(`If-None-Match: ${await tagOf(url)}`)
    const flags = ['-t1', `-c${connections}`, `-d${seconds}s`]
    const { stdout } = await run('wrk', [...flags, ...fields.flatMap((field) => ['-H', field]), url])
    if (/Non-2xx or 3xx|Socket errors/.test(stdout)) throw new Error(`${server.name} failed: ${stdout}`)
    return {
      requests: Number(/(\d+) requests in/.exec(stdout)?.[1]),
      perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]),
    }
  }
}

async function tagOf(url: string): Promise<string> {
  const { stdout } = await run('curl', ['-sSI', '-H', `Host: ${DOMAIN}`, url])
  return /^etag: *(.*?)\r?$/im.exec(stdout)?.[1] ?? ''
}

/** Over TLS. */
function h2load(flags: readonly string[]): Load {
  return async (server, path, seconds) => {
    if (server.httpsPort === undefined) throw new Error(`${server.name} has no HTTPS`)
    // It says the host of the URL by itself, with its port.
    const all = ['-t1', ...flags, `-D${seconds}`, ...BROWSER.flatMap((field) => ['-H', field])]
    const { stdout } = await run('h2load', [
      ...all,
      `--connect-to=127.0.0.1:${server.httpsPort}`,
      `https://${DOMAIN}:${server.httpsPort}${path}`,
    ])
    const done = /requests: .*? (\d+) succeeded, (\d+) failed/.exec(stdout)
    if (done === null || Number(done[1]) === 0) throw new Error(`${server.name} failed: ${stdout}`)
    return { requests: Number(done[1]), perSecond: Number(/finished in .*?([\d.]+) req\/s/.exec(stdout)?.[1]) }
  }
}
