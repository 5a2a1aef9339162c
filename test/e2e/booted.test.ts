import { readFileSync } from 'node:fs'
import t from 'tap'
import { eventually } from '../support/eventually.ts'
import { buildJsGuest } from '../support/guests/build-js.ts'
import { buildWatGuest } from '../support/guests/build-wat.ts'
import { BootedCluster } from './support/booted-cluster.ts'
import { writeProject } from './support/project.ts'
import { Scene } from './support/scene.ts'

/** Nodes as services of real servers: booted with systemd, as a user without rights, hardened. */

t.setTimeout(0)
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const booted = await BootedCluster.start(scene, { nodes: 2 })
t.teardown(() => booted[Symbol.asyncDispose]())
const { hosts, cluster } = booted
const [first, second] = cluster.daemons

t.test('the daemon has one capability, and a filter of system calls', async (t) => {
  const main = (await booted.host(first!).run('systemctl', 'show', '--property=MainPID', '--value', 'makiatto')).trim()
  const status = await booted.host(first!).run('cat', `/proc/${main}/status`)
  t.match(status, /^CapEff:\s*0000000000000400$/m)
  t.match(status, /^NoNewPrivs:\s*1$/m)
  t.match(status, /^Seccomp:\s*2$/m)
})

t.test('it answers on the ports of a server, by both protocols', async (t) => {
  for (const daemon of cluster.daemons) {
    const { ipv4, ipv6 } = booted.host(daemon)
    for (const address of [ipv4, `[${ipv6}]`]) {
      const answer = await hosts.run('curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', `http://${address}/`)
      t.equal(answer, '404', `${daemon.name} at ${address}`)
    }
  }
})

const HOST = 'shop.test'
const site = writeProject(scene.path('site'), {
  domain: HOST,
  files: {
    'index.html': 'hello',
    'api/echo.wasm': await buildJsGuest('http-echo'),
    'api/spin.wasm': await buildWatGuest('http-spin'),
    'append.wasm': await buildWatGuest('transform-append'),
  },
  more: [
    '[[domain.functions]]\npath = "api/echo.wasm"',
    '[[domain.functions]]\npath = "api/spin.wasm"\ntimeout_ms = 500',
    '[[domain.transforms]]\npath = "append.wasm"\nfiles = "**/*.html"',
  ].join('\n'),
})

/** Asks a node from outside. */
async function ask(node: (typeof cluster.daemons)[number], path: string, ...options: string[]): Promise<string> {
  const url = `http://${booted.host(node).ipv4}${path}`
  return await hosts.run(
    'curl',
    '-s',
    '--max-time',
    '30',
    '-w',
    ' %{http_code}',
    '-H',
    `Host: ${HOST}`,
    ...options,
    url,
  )
}

t.test('functions and transforms run there, confined by the kernel twice', async (t) => {
  const env = { MAKIATTO_PROFILE: cluster.profile }
  const synced = await scene.maki(['sync', '--wait', 'all'], { cwd: site, env })
  t.equal(synced.code, 0, synced.stderr)
  for (const node of cluster.daemons) {
    t.match(await ask(node, '/api/echo', '--data', 'words'), /words.* 200$/s, `${node.name}: a function`)
    t.match(await ask(node, '/'), /^hello.+ 200$/s, `${node.name}: a transform`)
    const [spun, page] = await Promise.all([ask(node, '/api/spin'), ask(node, '/')])
    t.match(spun, / 504$/)
    t.match(page, / 200$/, 'a page beside it')
  }
  const countFilters = () => listGuests().map((pid) => Number(/^Seccomp_filters:\s*(\d+)$/m.exec(readStatus(pid))?.[1]))
  const filters = countFilters()
  const daemon = await booted.host(first!).run('systemctl', 'show', '--property=MainPID', '--value', 'makiatto')
  const own = await booted.host(first!).run('cat', `/proc/${daemon.trim()}/status`)
  const outer = Number(/^Seccomp_filters:\s*(\d+)$/m.exec(own)?.[1])
  t.ok(filters.length > 0)
  // One that has just been started is about to be.
  await eventually('all of them to be confined', () =>
    countFilters().every((count) => count >= outer + 2) ? true : undefined,
  )
  for (const pid of listGuests()) t.match(readStatus(pid), /^CapEff:\s*0000000000000000$|^CapEff:\s*0000000000000400$/m)
})

/** Processes that run components, on all hosts. */
function listGuests(): number[] {
  return hosts.processes().filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('host-main')
    } catch {
      return false
    }
  })
}

const readStatus = (pid: number): string => readFileSync(`/proc/${pid}/status`, 'utf8')

t.test('the plug is pulled, the disk boots again, and the node is there', async (t) => {
  await booted.host(second!).powerOff()
  await second!.kill().catch(() => {})
  await booted.host(second!).powerOn()
  t.equal(await booted.host(second!).run('cat', '/etc/hostname'), `${second!.name}\n`)
})

t.test('nothing is left behind', async (t) => {
  await booted[Symbol.asyncDispose]()
  await eventually('the namespaces to be gone', async () =>
    readFileSync('/proc/mounts', 'utf8').includes(scene.folder) ? undefined : true,
  )
  t.strictSame(await scene.leftovers(), [])
})
