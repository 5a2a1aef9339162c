import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { createCluster } from '../../cli/client/create-cluster.ts'
import type { SetupEvent, SetupRequest } from '../../cli/setup/index.ts'
import { systemRuntime } from '../../cli/system.ts'
import { encodeOperationBatch } from '../../edge/index.ts'
import { eventually } from '../support/eventually.ts'
import { createRandom, seeds } from '../support/seeds.ts'
import { BareHosts, compareListings, listServer } from './support/bare-hosts.ts'
import { Scene } from './support/scene.ts'
import { makeBundle } from './support/servers.ts'

/** `makiatto setup` on a booted server: installed, begun, removed; cut and killed at every step. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const { cluster, creation } = await createCluster({
  name: 'test',
  operatorName: 'owner',
  dataDir: scene.path('operator'),
  recoveryKeyPath: scene.path('recovery.key'),
  runtime: systemRuntime,
})
const hosts = await BareHosts.open(scene, ['bare'])
t.teardown(() => hosts[Symbol.asyncDispose]())
const host = hosts.hosts.host('bare')
const shell = (script: string): Promise<string> => host.run('sh', '-c', script)
const bundle = await makeBundle(hosts.operator)
const VERSION = bundle.sha256
const PROGRAM = `/opt/makiatto/versions/${VERSION}/bin/makiatto`

/** The program as it is brought to a server. */
async function place(): Promise<void> {
  const folder = `/opt/makiatto/versions/${VERSION}`
  await host.run('mkdir', '-p', folder)
  const [program, ...args] = [...host.wrapper, 'tar', '-xzof', '-', '-C', folder]
  const tar = spawn(program as string, args, { stdio: ['pipe', 'inherit', 'inherit'] })
  createReadStream(bundle.file).pipe(tar.stdin)
  await once(tar, 'close')
}

const config = (name = 'bare'): string =>
  `[node]\nname = "${name}"\ncluster = "${cluster}"\nis_nameserver = true\n` +
  '[replication]\naddr = "[::]:8787"\nblobs_addr = "[::]:8282"\n[web]\nworkers = 1\n'
const install = (over: Partial<Extract<SetupRequest, { do: 'install' }>> = {}): SetupRequest => ({
  do: 'install',
  version: VERSION,
  config: config(),
  users: [],
  freePort53: true,
  ...over,
})
const begin: SetupRequest = {
  do: 'begin',
  seed: Buffer.from(encodeOperationBatch([creation.bytes])).toString('base64'),
  undo: true,
}

interface Ran {
  readonly events: readonly SetupEvent[]
  readonly last: SetupEvent | undefined
  readonly stderr: string
}

/** Runs a request; `onEvent` may end its input or kill it. */
async function ask(
  request: SetupRequest,
  onEvent: (event: SetupEvent, how: { leave(): void; kill(): void }) => void = () => {},
): Promise<Ran> {
  const [program, ...args] = [...host.wrapper, PROGRAM, 'setup']
  const child = spawn(program as string, args, { env: { PATH: process.env.PATH, HOME: '/root' } })
  const events: SetupEvent[] = []
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  child.stdin.on('error', () => {})
  child.stdin.write(`${JSON.stringify(request)}\n`)
  const kill = (): void => {
    void shell("pkill -KILL -f '[m]akiatto.js setup'").catch(() => {})
  }
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line) as SetupEvent
    events.push(event)
    onEvent(event, { leave: () => child.stdin.end(), kill })
  }
  child.stdin.end()
  return { events, last: events.at(-1), stderr }
}

function stepsOf({ events }: Ran): string[] {
  return events.flatMap((event) => (event.event === 'step' && event.state === 'begun' ? [event.step] : []))
}

function checkDone(t: Test, { last, stderr }: Ran, what: string): void {
  t.match(last, { event: 'result' }, `${what}: ${JSON.stringify(last)} ${stderr}`)
}

const bare = await listServer(host)
await place()
const placed = await listServer(host)
let steps: readonly string[] = []
const [seed = 1] = seeds(1)
const random = createRandom(seed)
/** Others for another seed. */
const someSteps = (): readonly string[] => random.shuffle(steps).slice(0, Number(process.env.STEPS ?? 3))

t.test('installed, begun, done once more, removed: the server is as it was', async (t) => {
  const first = await ask(install())
  checkDone(t, first, 'install')
  steps = stepsOf(first)
  t.match(first.last, { result: { known: false, key: /^[a-z2-7]{52}$/ } })
  checkDone(t, await ask(begin), 'begin')
  t.equal((await shell('systemctl is-active makiatto')).trim(), 'active')
  t.equal((await shell('systemctl is-enabled makiatto')).trim(), 'enabled')
  const dig = await hosts.hosts.run('dig', `@${host.ipv4}`, 'version.bind', 'CH', 'TXT', '+tries=1', '+time=5')
  t.match(dig, /status: REFUSED/, 'it answers DNS')
  const main = (await shell('systemctl show --property=MainPID --value makiatto')).trim()
  const status = await host.run('cat', `/proc/${main}/status`)
  t.match(status, /^CapEff:\s*0000000000001400$/m, 'two capabilities')
  t.notMatch(status, /^Uid:\s*0\b/m, 'no root')
  t.match(
    await shell('stat -c "%a %U:%G" /etc/makiatto/makiatto.toml /var/makiatto /var/makiatto/keys/node.key'),
    /^640 root:makiatto\n700 makiatto:makiatto\n600 makiatto:makiatto\n$/,
  )
  await t.test('how safe systemd takes it to be', checkUnit)
  const again = await ask(install({ config: `${config()}# of another day\n` }))
  checkDone(t, again, 'install again')
  t.match(again.last, { result: { known: true } })
  t.match(await shell('cat /etc/makiatto/makiatto.toml'), /name = "bare"/, 'the configuration stays')
  checkDone(t, await ask(begin), 'begin again')
  t.equal((await shell('systemctl show --property=MainPID --value makiatto')).trim(), main, 'it was not restarted')
  const removed = await ask({ do: 'remove' })
  t.strictSame(removed.last, { event: 'result', result: { left: [] } })
  t.strictSame(compareListings(bare, await listServer(host)), [])
})

async function checkUnit(t: Test): Promise<void> {
  const said = await shell('systemd-analyze security --no-pager makiatto.service | tail -1')
  const exposure = Number(/: ([0-9.]+)/.exec(said)?.[1])
  t.ok(exposure < 3, said)
  t.comment(said)
  const verified = await shell('systemd-analyze verify /etc/systemd/system/makiatto.service 2>&1 || true')
  t.notMatch(verified, /makiatto\.service:\d+/, verified)
}

t.test(`whoever asked is gone, at any step: all is put back (SEED=${seed})`, async (t) => {
  await place()
  for (const at of someSteps()) {
    const ran = await ask(install(), (event, { leave }) => {
      if (event.event === 'step' && event.step === at && event.state === 'begun') leave()
    })
    if (at === steps.at(-1)) continue
    t.match(ran.last, { event: 'error', code: 'MAKI_UNREACHABLE', undone: true }, at)
    t.strictSame(compareListings(placed, await listServer(host)), [], `${at}: nothing is left`)
  }
})

t.test(`killed at any step: the next one finishes, and removal puts all back (SEED=${seed})`, async (t) => {
  for (const at of someSteps()) {
    await ask(install(), (event, { kill }) => {
      if (event.event === 'step' && event.step === at && event.state === 'begun') kill()
    })
    await eventually('it to be gone', async () =>
      (await shell("pgrep -f '[m]akiatto.js setup' || true")) === '' ? true : undefined,
    )
    checkDone(t, await ask(install()), at)
    checkDone(t, await ask({ do: 'remove' }), `${at}: removed`)
    t.strictSame(compareListings(bare, await listServer(host)), [], `${at}: as before`)
    await place()
  }
})
