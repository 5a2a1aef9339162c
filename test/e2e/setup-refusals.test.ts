import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { createCluster } from '../../cli/client/create-cluster.ts'
import type { SetupEvent, SetupRequest } from '../../cli/setup/index.ts'
import { systemRuntime } from '../../cli/system.ts'
import { encodeOperationBatch } from '../../edge/index.ts'
import { BareHosts, compareListings, listServer, useResolved } from './support/bare-hosts.ts'
import { Scene } from './support/scene.ts'
import { makeBundle } from './support/servers.ts'

/** What `makiatto setup` refuses on a booted server, and what it does where things are not as they should be. */

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

function checkDone(t: Test, { last, stderr }: Ran, what: string): void {
  t.match(last, { event: 'result' }, `${what}: ${JSON.stringify(last)} ${stderr}`)
}

await place()
const placed = await listServer(host)

t.test('a node that does not start: told why, and all is put back', async (t) => {
  checkDone(t, await ask(install()), 'install')
  const ran = await ask({ ...begin, seed: Buffer.from('garbage').toString('base64') } as SetupRequest)
  t.match(ran.last, { event: 'error', undone: true, message: /bootstrap\.operations/ }, JSON.stringify(ran.last))
  t.strictSame(compareListings(placed, await listServer(host)), [])
})

/** What says, each time, that the service was started once more. */
const countStarts = async (mark: string): Promise<number> => {
  await shell('journalctl --sync')
  return (await shell('journalctl -u makiatto -o cat --no-pager')).split('\n').filter((line) => line.includes(mark))
    .length
}
/** A service that fails is started again five times a second, for five minutes: far less than that is waited for. */
const FEW_STARTS = 20

t.test('an address of DNS that the server has not: told at once, and all is put back', async (t) => {
  const wrong = `${config()}[dns]\naddr = "203.0.113.99:53"\n`
  checkDone(t, await ask(install({ config: wrong })), 'install')
  const before = await countStarts('node.starting')
  const { last } = await ask(begin)
  t.match(last, { event: 'error', undone: true, message: /does not start: 203\.0\.113\.99:53 is no address/ })
  const starts = (await countStarts('node.starting')) - before
  t.ok(starts > 0 && starts < FEW_STARTS, `after ${starts} starts`)
  t.strictSame(compareListings(placed, await listServer(host)), [])
})

t.test('a program that the service may not execute: told at once, and all is put back', async (t) => {
  const folder = '/etc/systemd/system/makiatto.service.d'
  await host.write(`${folder}/deny.conf`, '[Service]\nNoExecPaths=/opt/makiatto\n')
  const denied = await listServer(host)
  checkDone(t, await ask(install()), 'install')
  const before = await countStarts('EXEC')
  const { last } = await ask(begin)
  t.match(last, { event: 'error', undone: true, message: /does not start: .*EXEC.*[Pp]ermission denied/ })
  const starts = (await countStarts('EXEC')) - before
  t.ok(starts > 0 && starts < FEW_STARTS, `after ${starts} starts`)
  t.strictSame(compareListings(denied, await listServer(host)), [])
  await shell(`rm -r ${folder} && systemctl daemon-reload`)
})

t.test('files that the superuser may not change: what and what to look at is told, and all is put back', async (t) => {
  const denials: readonly [path: string, message: RegExp, hint: RegExp][] = [
    ['/etc/passwd', /useradd .*\/etc\/passwd/, /lsattr|SELinux/],
    ['/usr/local/bin', /superuser change \/usr\/local\/bin\/makiatto/, /lsattr.*SELinux/],
  ]
  for (const [path, message, hint] of denials) {
    await host.run('chattr', '+i', path)
    const { last } = await ask(install())
    await host.run('chattr', '-i', path)
    t.match(last, { event: 'error', undone: true, message, hint }, `${path}: ${JSON.stringify(last)}`)
  }
  t.strictSame(compareListings(placed, await listServer(host)), [])
})

t.test('what is refused before anything is changed', async (t) => {
  const refusals: readonly [what: string, request: SetupRequest, message: RegExp][] = [
    ['a configuration that is none', install({ config: '[node]\nname = 7\n' }), /name/],
    ['a user who is not there', install({ users: ['nobody-here'] }), /no user nobody-here/],
    ['a user who is none', install({ users: ['-o root'] }), /not a name of a user/],
    ['no request', { do: 'dance' } as unknown as SetupRequest, /no request/],
    ['a start without an installation', begin, /nothing is installed/],
    ['a removal without one', { do: 'remove' }, /nothing of Makiatto/],
  ]
  for (const [what, request, message] of refusals) {
    const { last } = await ask(request)
    t.match(last, { event: 'error', message, undone: true }, `${what}: ${JSON.stringify(last)}`)
  }
  t.strictSame(compareListings(placed, await listServer(host)), [])
  const inTheWay: readonly [what: string, before: string, after: string, message: RegExp][] = [
    ['a person of that name', 'useradd -m makiatto', 'userdel -r makiatto', /user makiatto/],
    [
      'a program of that name',
      'echo hi > /usr/local/bin/makiatto',
      'rm /usr/local/bin/makiatto',
      /local\/bin\/makiatto is there/,
    ],
  ]
  for (const [what, before, after, message] of inTheWay) {
    await shell(before)
    const listing = await listServer(host)
    const { last } = await ask(install())
    t.match(last, { event: 'error', message, undone: true }, `${what}: ${JSON.stringify(last)}`)
    t.strictSame(compareListings(listing, await listServer(host)), [], what)
    await shell(after)
  }
})

t.test('two at once: one waits for nobody', async (t) => {
  const second: Promise<Ran>[] = []
  const first = await ask(install(), (event) => {
    if (event.event === 'step' && second.length === 0) second.push(ask(install()))
  })
  checkDone(t, first, 'the first')
  const other = await second[0]
  t.match(other?.last, { event: 'error', code: 'MAKI_CONFLICT', message: /somebody else/ })
  const late = await ask(install({ config: config('rival') }))
  t.match(late.last, {
    event: 'error',
    code: 'MAKI_CONFLICT',
    message: /somebody else has set this server up: it is bare/,
  })
  checkDone(t, await ask({ do: 'remove' }), 'remove')
  await place()
})

t.test('port 53 comes from systemd-resolved, and names resolve all the same', async (t) => {
  await useResolved(host)
  const before = await listServer(host)
  checkDone(t, await ask(install()), 'install')
  checkDone(t, await ask(begin), 'begin')
  t.notMatch(await shell('ss -Hlnu'), /127\.0\.0\.53/)
  t.match(await shell('readlink /etc/resolv.conf'), /systemd\/resolve\/resolv\.conf/)
  checkDone(t, await ask({ do: 'remove' }), 'remove')
  await place()
  t.strictSame(compareListings(before, await listServer(host)), [])
})

t.test('the journal is lost: what is surely ours goes', async (t) => {
  checkDone(t, await ask(install()), 'install')
  checkDone(t, await ask(begin), 'begin')
  await shell('rm /opt/makiatto/journal.json')
  checkDone(t, await ask({ do: 'remove' }), 'remove')
  const left = await shell(
    'ls -d /opt/makiatto /var/makiatto /etc/makiatto /var/cache/makiatto /usr/local/bin/makiatto 2>/dev/null; getent passwd makiatto; pgrep -u makiatto || true',
  ).catch(String)
  t.equal(left.trim(), '')
})
