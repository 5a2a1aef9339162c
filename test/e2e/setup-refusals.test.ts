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

t.test('what is refused before anything is changed', async (t) => {
  const refusals: readonly [what: string, before: string, after: string, request: SetupRequest, message: RegExp][] = [
    ['a configuration that is none', 'true', 'true', install({ config: '[node]\nname = 7\n' }), /name/],
    ['a person of that name', 'useradd -m makiatto', 'userdel -r makiatto', install(), /user makiatto/],
    [
      'a program of that name',
      'echo hi > /usr/local/bin/makiatto',
      'rm /usr/local/bin/makiatto',
      install(),
      /local\/bin\/makiatto is there/,
    ],
    ['a user who is not there', 'true', 'true', install({ users: ['nobody-here'] }), /no user nobody-here/],
    ['a user who is none', 'true', 'true', install({ users: ['-o root'] }), /not a name of a user/],
    ['no request', 'true', 'true', { do: 'dance' } as unknown as SetupRequest, /no request/],
    ['a start without an installation', 'true', 'true', begin, /nothing is installed/],
    ['a removal without one', 'true', 'true', { do: 'remove' }, /nothing of Makiatto/],
  ]
  for (const [what, before, after, request, message] of refusals) {
    await shell(before)
    const listing = await listServer(host)
    const ran = await ask(request)
    t.match(ran.last, { event: 'error', message, undone: true }, `${what}: ${JSON.stringify(ran.last)}`)
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
