import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { controlSocketPath } from '../../cli/dev/socket-path.ts'
import { CertificateMaker } from '../support/certificate-maker.ts'
import { eventually } from '../support/eventually.ts'
import { findFreePorts } from '../support/free-ports.ts'
import { buildJs, buildJsGuest } from '../support/guests/build-js.ts'
import { buildWatGuest } from '../support/guests/build-wat.ts'
import { parsePrometheus } from '../support/prometheus.ts'
import { type Daemon, DaemonCluster } from './support/daemons.ts'
import { writeProject } from './support/project.ts'
import { Scene } from './support/scene.ts'

/** Functions of a real node, asked by curl over HTTP/1.1, TLS and HTTP/2, while releases come and go. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const HOST = 'shop.test'
const SECRET = 'a-value-nobody-else-sees'

/** Waits a second or so without the network, then says which code it is. */
const sleeper = (name: string) => `
import { encode } from './makiatto.js'
export const handler = {
  handleRequest(_ctx, req) {
    const end = Date.now() + Number(req.query ?? 0)
    while (Date.now() < end);
    return { status: 200, headers: [['cache-control', 'max-age=60'], ['set-cookie', 'a=1'], ['set-cookie', 'b=2']], body: encode('${name}') }
  },
}`

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
    .replace('workers = 0', `workers = 2\nhttps_addr = "127.0.0.1:${httpsPort}"`)
    .replace('local_hosts = true', 'local_hosts = false'),
)
await node.start()

const tables = [
  '[[domain.functions]]\npath = "api/version.wasm"\nmethods = ["GET"]\ntimeout_ms = 10000',
  '[[domain.functions]]\npath = "api/echo.wasm"\nmethods = ["POST"]',
  '[[domain.functions]]\npath = "api/spin.wasm"\ntimeout_ms = 300',
  '[[domain.functions]]\npath = "api/throw.wasm"',
  `[[domain.functions]]\npath = "api/env.wasm"\nenv = { TOKEN = "${SECRET}" }`,
  '[[domain.functions]]\npath = "app/[...rest].wasm"',
]
const site = writeProject(scene.path('site'), {
  domain: HOST,
  files: {
    'index.html': 'hello',
    _redirects: '/old/* /app/:splat 200\n',
    'api/version.wasm': await buildJs(sleeper('one'), 'http'),
    'api/echo.wasm': await buildJsGuest('http-echo'),
    'api/spin.wasm': await buildWatGuest('http-spin'),
    'api/throw.wasm': await buildJsGuest('http-throw'),
    'api/env.wasm': await buildJsGuest('http-env'),
    'app/[...rest].wasm': await buildWatGuest('http-echo'),
  },
  more: tables.join('\n'),
})
const env = { MAKIATTO_PROFILE: cluster.profile }

async function maki(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await scene.maki(args, { cwd: site, env })
  if (code !== 0) throw new Error(`maki ${args.join(' ')}: ${stdout}${stderr}`)
  return stdout
}

await maki('sync', '--wait', 'all')

const socket = controlSocketPath(node.layout, {})

async function readMetric(name: string): Promise<number> {
  const { stdout } = await scene.run('curl', ['-sf', '--unix-socket', socket, 'http://node/metrics'])
  return (parsePrometheus(stdout).get(name)?.samples ?? []).reduce((sum, { value }) => sum + value, 0)
}

/** Of `maki release list`. */
interface Listed {
  readonly id: string
  readonly preview: string
}

interface Got {
  readonly status: number
  readonly head: string
  readonly body: string
}

/** What curl gets; a path on this host unless it is a whole URL. */
async function curl(path: string, ...options: string[]): Promise<Got> {
  const url = path.startsWith('http') ? path : `${node.http}${path}`
  const isNamed = path.startsWith('https') || options.some((each) => each.startsWith('Host:'))
  const host = isNamed ? [] : ['-H', `Host: ${HOST}`]
  const { stdout } = await scene.run('curl', ['-sk', '-i', '--max-time', '30', ...host, ...options, url])
  const parts = stdout.split('\r\n\r\n')
  const at = parts.findIndex((part) => !part.startsWith('HTTP/1.1 100'))
  const head = parts[at] ?? ''
  return {
    status: Number(/^HTTP\/\S+ ([0-9]+)/.exec(head)?.[1]),
    head: head.toLowerCase(),
    body: parts.slice(at + 1).join('\r\n\r\n'),
  }
}

t.test('methods, failures and time-outs tell visitors a status, and the log why', async (t) => {
  t.match(await curl('/api/version', '-X', 'DELETE'), { status: 405, head: /allow: get, head, options/ })
  t.match(await curl('/api/version', '--head'), { status: 200, head: /content-length: 3/, body: '' })
  t.match(await curl('/api/version', '-X', 'OPTIONS'), { status: 204 })
  t.match(await curl('/api/version.wasm'), { status: 404 })
  t.match(await curl('/', '-X', 'POST', '-d', 'x'), { status: 405 })
  const spun = await curl('/api/spin')
  t.match(spun, { status: 504, body: /^504 Gateway Timeout \(trace [0-9a-f]{32}\)\n$/ })
  const thrown = await curl('/api/throw?x=1')
  t.match(thrown, { status: 500, body: /^500 Internal Server Error \(trace [0-9a-f]{32}\)\n$/ })
  t.notMatch(thrown.head + thrown.body, 'hunter2')
  const trace = /trace ([0-9a-f]{32})/.exec(thrown.body)?.[1]
  const line = await eventually('the line of the log', () =>
    node.log.find((each) => each.event === 'function.failed' && each.trace === trace),
  )
  t.match(line, { domain: HOST, function: 'api/throw.wasm', why: 'trap' })
  t.match(await curl('/'), { status: 200, body: 'hello' }, 'all else is as it was')
})

t.test('the environment is the function’s own', async (t) => {
  t.match(await curl('/api/env?TOKEN'), { status: 200, body: SECRET })
  t.match(await curl('/api/env?PATH'), { status: 404 })
  t.notMatch(node.output, SECRET)
})

t.test('a new release answers the next request, what is under way ends in peace, and all can go back', async (t) => {
  const slow = curl('/api/version?8000')
  // It runs: nobody else counts what is under way.
  await eventually('the slow call', async () =>
    (await readMetric('makiatto_http_requests_active')) > 0 ? true : undefined,
  )
  writeFileSync(join(site, 'public/api/version.wasm'), await buildJs(sleeper('two'), 'http'))
  await maki('sync', '--wait', 'all')
  t.equal((await curl('/api/version')).body, 'two')
  t.match(await slow, { status: 200, body: 'one' })
  const releases = JSON.parse(await maki('release', 'list', HOST, '--json')) as readonly Listed[]
  const [two, one] = releases as [Listed, Listed]
  await maki('rollback', HOST)
  t.equal((await curl('/api/version')).body, 'one')
  const shown = await curl('/api/version', '-H', `Host: ${new URL(two.preview).hostname}`)
  t.match(shown, { status: 200, head: /x-robots-tag: noindex/, body: 'two' }, 'a preview runs its own')
  t.match(shown.head, /cache-control: no-store/)
  writeFileSync(join(site, 'makiatto.toml'), `[[domain]]\nname = "${HOST}"\npath = "public"\n`)
  rmSync(join(site, 'public/api'), { recursive: true })
  rmSync(join(site, 'public/app'), { recursive: true })
  await maki('sync', '--wait', 'all')
  t.equal((await curl('/api/version')).status, 404, 'a release without functions has none')
  await maki('rollback', HOST, one.id)
  t.equal((await curl('/api/version')).body, 'one')
})

t.test('calls are counted', async (t) => {
  const { stdout } = await scene.run('curl', ['-sf', '--unix-socket', socket, 'http://node/metrics'])
  t.match(stdout, /makiatto_function_requests_total\{domain="shop.test",function="api\/spin.wasm",status="5xx"\} 1\n/)
  t.match(stdout, /makiatto_function_failures_total\{why="timeout"\} 1\n/)
  t.match(stdout, /makiatto_function_failures_total\{why="trap"\} 1\n/)
  t.ok((await readMetric('makiatto_function_cpu_seconds_total')) > 0)
})

t.test('a function answers, over every transport', async (t) => {
  const maked = maker.make([HOST])
  const content = scene.path('content')
  writeFileSync(content, 'c'.repeat(300_000))
  const post = ['--data-binary', `@${content}`, '-H', 'content-type: text/x-own']
  const first = await curl('/api/version')
  t.match(first, { status: 200, body: 'one' })
  t.match(first.head, /cache-control: max-age=60/)
  t.match(first.head, /set-cookie: a=1\r\nset-cookie: b=2/)
  t.match(first.head, /makiatto-trace: [0-9a-f]{32}/)
  t.match(await curl('/api/echo', ...post), {
    status: 200,
    head: /content-type: text\/x-own/,
    body: 'c'.repeat(300_000),
  })
  t.match(await curl('/api/echo', ...post, '-H', 'Expect: 100-continue'), { status: 200, body: /^c{300000}$/ })
  t.match(await curl('/app/a%20b/c'), {
    status: 200,
    head: /cache-control: no-store/,
    body: /^hello from \S+ \/app\/a%20b\/c\n$/,
  })
  t.match(await curl('/old/x'), { status: 200, body: /^hello from \S+ \/app\/x\n$/ })
  writeFileSync(scene.path('cert.pem'), maked.chain)
  writeFileSync(scene.path('key.pem'), maked.key)
  await maki('cert', 'import', scene.path('cert.pem'), '--private-key', scene.path('key.pem'))
  const secure = `https://${HOST}:${httpsPort}`
  const to = ['--resolve', `${HOST}:${httpsPort}:127.0.0.1`]
  await eventually('HTTPS', async () => ((await curl(`${secure}/`, ...to)).status === 200 ? true : undefined))
  for (const version of ['--http1.1', '--http2']) {
    t.match(await curl(`${secure}/api/echo`, version, ...to, ...post), { status: 200, body: /^c{300000}$/ }, version)
    t.match(await curl(`${secure}/api/version`, version, ...to), { status: 200, body: 'one' })
  }
})
