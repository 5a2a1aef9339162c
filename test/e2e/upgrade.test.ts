import { chmodSync, linkSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { NODE_FLAGS } from '../../cli/node/node-flags.ts'
import type { SetupEvent } from '../../cli/setup/index.ts'
import { CertificateMaker } from '../support/certificate-maker.ts'
import type { Child } from '../support/child.ts'
import { eventually } from '../support/eventually.ts'
import { TEST_CACHE } from './support/bare-hosts.ts'
import { BootedHosts, CHECKOUT } from './support/booted-hosts.ts'
import { type Daemon, DaemonCluster } from './support/daemons.ts'
import { writeProject } from './support/project.ts'
import type { Met } from './support/relentless-client.ts'
import { Scene } from './support/scene.ts'
import { makeBundle } from './support/servers.ts'

/**
 * A node as a service of a booted server: restarted, upgraded, and given versions that are broken each in its own way, while
 * visitors who never pause, and never ask again, count what they notice.
 */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const HOST = 'shop.test'
const SECURE = `secure.${HOST}`
const GOOD = 'a'.repeat(64)
const OTHER = 'b'.repeat(64)
const WATCHDOG_SECONDS = 4

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const cluster = await DaemonCluster.make(scene, { nodes: 1 })
t.teardown(() => cluster[Symbol.asyncDispose]())
const daemon = cluster.daemons[0] as Daemon
mkdirSync(scene.path('compiled'))
chmodSync(scene.folder, 0o711)
const hosts = await BootedHosts.open([daemon.name], scene.folder)
t.teardown(() => hosts[Symbol.asyncDispose]())
const host = hosts.host(daemon.name)
const shell = (script: string): Promise<string> => host.run('sh', '-c', script)

const UNIT = `[Unit]
After=network.target
StartLimitIntervalSec=0
[Service]
Type=notify
NotifyAccess=main
ExecStart=/opt/makiatto/current/bin/makiatto run --no-wireguard
User=makiatto
Restart=always
RestartSec=1
WatchdogSec=${WATCHDOG_SECONDS}
WatchdogSignal=SIGKILL
TimeoutStartSec=300
TimeoutStopSec=30
KillMode=process
RuntimeDirectory=makiatto
RuntimeDirectoryPreserve=restart
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateDevices=yes
RestrictNamespaces=yes
SystemCallFilter=@system-service seccomp
SystemCallArchitectures=native
ReadWritePaths=${scene.folder}
Environment=NODE_COMPILE_CACHE=${scene.path('compiled')}
[Install]
WantedBy=multi-user.target
`

const folderOf = (version: string): string => `/opt/makiatto/versions/${version}`

/** The same program under another name. */
async function copy(from: string, to: string): Promise<void> {
  await shell(`rm -rf ${folderOf(to)} && cp -al ${folderOf(from)} ${folderOf(to)}`)
}

/** Files are shared by the versions: what is another is written anew. */
async function rewrite(version: string, file: string, change: (text: string) => string): Promise<void> {
  const path = `${folderOf(version)}/dist/cli/${file}`
  const text = await host.read(path)
  await host.run('rm', path)
  await host.write(path, change(text))
}

await host.run('useradd', '--system', '--no-create-home', 'makiatto')
linkSync((await makeBundle({ env: { XDG_CACHE_HOME: TEST_CACHE } })).file, scene.path('bundle.tar.gz'))
await shell(`mkdir -p ${folderOf(GOOD)} && tar -xzf ${scene.path('bundle.tar.gz')} -C ${folderOf(GOOD)}`)
await copy(GOOD, OTHER)
await shell(
  `ln -s /opt/makiatto/versions/${GOOD} /opt/makiatto/current; chown -R makiatto ${scene.path('c')} ${scene.path('compiled')}`,
)
daemon.configure((text) =>
  text
    .replace('workers = 0', 'workers = 2')
    .replace('local_hosts = true', 'local_hosts = false')
    .replaceAll(`127.0.0.1:${daemon.layout.dnsPort}`, '[::]:53')
    .replaceAll(`127.0.0.1:${daemon.layout.httpPort}`, '[::]:80'),
)
await shell(`mkdir -p /etc/makiatto && cp ${daemon.layout.config} /etc/makiatto/makiatto.toml`)
await host.write('/etc/systemd/system/makiatto.service', UNIT)
await host.run('systemctl', 'daemon-reload')
// As every installation sets it: who is in the queue of a worker that ends goes to another one.
await host.run('sysctl', '-qw', 'net.ipv4.tcp_migrate_req=1')

const property = async (name: string): Promise<string> =>
  (await host.run('systemctl', 'show', `--property=${name}`, '--value', 'makiatto')).trim()
const readPid = async (): Promise<number> => Number(await property('MainPID'))
const countWorkers = async (): Promise<number> => Number((await shell('pgrep -fc [w]orker-main || true')).trim())

t.test('systemd waits until all listens', async (t) => {
  await host.run('systemctl', 'start', 'makiatto')
  t.equal(await property('ActiveState'), 'active')
  t.match(await property('StatusText'), /serving/)
  t.equal(
    (await hosts.run('curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', `http://${host.ipv4}/`)).trim(),
    '404',
  )
  const children = await shell('cat /proc/$(pgrep -f [w]orker-main | head -1)/environ | tr "\\0" "\\n"')
  t.notMatch(children, /NOTIFY_SOCKET|WATCHDOG/, 'no child speaks for the daemon')
})

const maker = new CertificateMaker()
t.teardown(() => maker[Symbol.dispose]())
const made = maker.make([SECURE])
writeFileSync(scene.path('cert.pem'), made.chain)
writeFileSync(scene.path('key.pem'), made.key)
t.test('it has something to serve', async (t) => {
  const env = { MAKIATTO_PROFILE: cluster.profile }
  const cert = ['cert', 'import', scene.path('cert.pem'), '--private-key', scene.path('key.pem')]
  for (const [domain, args] of [
    [HOST, ['sync', '--wait', 'all']],
    [SECURE, ['sync', '--wait', 'all']],
    [SECURE, cert],
  ] as const) {
    const site = writeProject(scene.path(domain), { domain, files: { 'index.html': 'hello' } })
    const { code, stdout, stderr } = await scene.maki([...args], { cwd: site, env })
    t.equal(code, 0, `${stdout}${stderr}`)
  }
})

let visits = 0
/** Visitors of every kind until they are told to stop. */
function visit(): { goOn(): Promise<void>; stop(): Promise<Record<string, Met>> } {
  const stop = scene.path(`stop-${visits++}`)
  const main = join(CHECKOUT, 'test/e2e/support/relentless-main.ts')
  const child: Child = hosts.start([process.execPath, ...NODE_FLAGS, main, host.ipv4, HOST, SECURE, maker.caFile, stop])
  const round = (line: string): boolean => line === 'round'
  return {
    async goOn() {
      // The one that is under way began before.
      const from = child.lines.length
      await child.waitForLine(round, from)
      await child.waitForLine(round, child.lines.lastIndexOf('round') + 1)
    },
    async stop() {
      writeFileSync(stop, '')
      return JSON.parse(await child.waitForLine((line) => line.startsWith('{'))) as Record<string, Met>
    },
  }
}

function judge(t: Test, all: Record<string, Met>): void {
  for (const [kind, { answers, failures }] of Object.entries(all)) {
    t.comment(`${kind}: ${answers} answers, failures: ${failures.join('; ')}`)
    // A datagram may come in between the last look at a queue and its end; no worker hears of it.
    if (kind === 'DNS over UDP') t.ok(failures.length <= 2, `${failures.length} questions were lost`)
    else t.strictSame(failures, [], kind)
  }
}

interface Told {
  readonly switched?: boolean
  readonly reason?: string
  readonly running?: string
  readonly refused?: { readonly code: string; readonly message: string }
}

async function ask(request: Record<string, unknown>): Promise<Told> {
  await host.write('/root/request.json', JSON.stringify({ timeoutSecs: 60, ...request }))
  const said = await shell(`${folderOf(GOOD)}/bin/makiatto setup < /root/request.json || true`)
  const last = JSON.parse(said.trim().split('\n').at(-1) as string) as SetupEvent
  if (last.event === 'error') return { refused: last }
  return last.event === 'result' ? (last.result as Told) : {}
}

t.test('restarted, upgraded and configured, no visitor notices', async (t) => {
  const visitors = visit()
  await visitors.goOn()
  const first = await readPid()
  const restarted = ask({ do: 'restart' })
  await eventually('its unit', async () =>
    (await shell('systemctl is-active makiatto-activate || true')).trim() === 'active' ? true : undefined,
  )
  t.match(await ask({ do: 'restart' }), { refused: { code: 'MAKI_CONFLICT' } }, 'one at a time')
  t.match(await restarted, { switched: true, running: GOOD })
  t.not(await readPid(), first)
  await visitors.goOn()
  // Whoever asked is cut off in the middle.
  const cut = ask({ do: 'activate', version: OTHER }).catch(() => undefined)
  await eventually('the switch', async () =>
    (await shell('readlink /opt/makiatto/current')).includes(OTHER) ? true : undefined,
  )
  await shell('pkill -KILL -f [m]akiatto.js.setup; pkill -KILL systemd-run || true')
  await cut
  await eventually('its end', async () =>
    (await shell('systemctl is-active makiatto-activate || true')).trim() !== 'active' ? true : undefined,
  )
  t.equal(await property('ActiveState'), 'active')
  t.match(await shell(`cat /proc/${await readPid()}/cmdline`), new RegExp(OTHER))
  await visitors.goOn()
  const config = await host.read('/etc/makiatto/makiatto.toml')
  t.match(await ask({ do: 'configure', config: 'nonsense' }), { refused: { code: 'MAKI_CONFIG' } })
  const taken = await ask({ do: 'configure', config: config.replace('[::]:80', '203.0.113.1:80') })
  t.match(taken, { switched: false, reason: /203\.0\.113\.1/ })
  t.equal(await host.read('/etc/makiatto/makiatto.toml'), config)
  await visitors.goOn()
  judge(t, await visitors.stop())
})

/** How a version is broken after it has passed the look at it, and what is told of it. */
const BROKEN: Record<string, { breaks: string; timeoutSecs?: number; reason: RegExp }> = {
  'ends at its start': { breaks: `throw new Error('planted')`, reason: /ended while it started/ },
  'hangs at its start': { breaks: 'for (;;);', timeoutSecs: 4, reason: /not ready in time/ },
}

t.test('a version that is not well goes back by itself, and no visitor notices', async (t) => {
  const visitors = visit()
  for (const [how, { breaks, timeoutSecs = 60, reason }] of Object.entries(BROKEN)) {
    const version = 'c'.repeat(64)
    await copy(OTHER, version)
    await rewrite(version, 'node/run-daemon.js', (text) => text.replace(/function runDaemon\(.*\{$/m, `$&\n${breaks}`))
    const told = await ask({ do: 'activate', version, timeoutSecs })
    t.match(told, { switched: false, running: OTHER, reason }, how)
    t.match(await shell('readlink /opt/makiatto/current'), OTHER)
    await visitors.goOn()
  }
  const workerless = 'c'.repeat(64)
  await copy(OTHER, workerless)
  await rewrite(workerless, 'node/worker-main.js', () => 'process.exit(3)')
  t.match(await ask({ do: 'activate', version: workerless }), { switched: false, running: OTHER }, 'workers that end')
  await visitors.goOn()
  await rewrite(workerless, 'makiatto.js', () => 'syntax error')
  t.match(
    await ask({ do: 'activate', version: workerless }),
    { refused: { code: 'MAKI_CONFIG' } },
    'a program that does not run',
  )
  t.match(await ask({ do: 'activate', version: 'e'.repeat(64) }), { refused: { code: 'MAKI_NOT_FOUND' } })
  t.match(await ask({ do: 'activate', version: '../../tmp' }), { refused: { code: 'MAKI_INVALID' } })
  judge(t, await visitors.stop())
})

t.test('a daemon that does nothing any more is started again while its workers serve', async (t) => {
  const visitors = visit()
  await visitors.goOn()
  const before = await readPid()
  await shell(`kill -STOP ${before}`)
  await eventually('another daemon', async () => {
    const pid = await readPid()
    return pid !== 0 && pid !== before && (await property('ActiveState')) === 'active' ? true : undefined
  })
  await visitors.goOn()
  judge(t, await visitors.stop())
})

t.test('stopped, nothing goes on serving, whatever the daemon could still do', async (t) => {
  await host.run('systemctl', 'stop', 'makiatto')
  t.equal(await countWorkers(), 0)
  await host.run('systemctl', 'start', 'makiatto')
  t.equal(await countWorkers(), 2)
  // Between two starts: systemd has nobody to tell, and the workers are alone.
  await shell('kill -KILL $(systemctl show --property=MainPID --value makiatto); systemctl stop makiatto')
  await eventually('the end of the workers', async () => ((await countWorkers()) === 0 ? true : undefined))
  t.equal(await property('MainPID'), '0')
})

t.test('nothing is left behind', async (t) => {
  await hosts[Symbol.asyncDispose]()
  t.strictSame(await scene.leftovers(), [])
})
