import { once } from 'node:events'
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer, type Server } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { createConnect } from '../../../cli/client/connect.ts'
import { ControlClient } from '../../../cli/client/control-client.ts'
import { loadProfile, type Machine, writeProfile } from '../../../cli/config/index.ts'
import { connectSsh, type SshConnection } from '../../../cli/ssh/index.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { parseClusterId, parseNodeName } from '../../../core/index.ts'
import { makeKey, Sshd, type SshdOptions } from '../../support/sshd.ts'

/** The control API through SSH, however much the server allows. */

const home = t.testdir()
const keyFile = join(home, 'key')
const line = makeKey(keyFile)
const CHECKOUT = join(import.meta.dirname, '..', '..', '..')

async function open(sshd: Sshd): Promise<SshConnection> {
  return await connectSsh({
    target: { user: 'root', host: '127.0.0.1', port: sshd.port },
    name: 'berlin',
    hostKey: sshd.hostKey(),
    firstUse: 'require',
    keyFile,
    env: { HOME: home },
    runtime: systemRuntime,
    signal: new AbortController().signal,
    onNote: () => {},
  })
}

/** A server, and what is allowed to the key. */
async function serve(options: SshdOptions = {}, restriction = ''): Promise<Sshd> {
  const sshd = await Sshd.start(options)
  sshd.allow(`${restriction}${line}`)
  return sshd
}

/** In place of the daemon: answers with what it was sent. */
async function daemonAt(sshd: Sshd): Promise<Server & AsyncDisposable> {
  const server = createHttpServer((request, response) => {
    if (request.url?.startsWith('/v1/blobs/') === true) response.end(Buffer.alloc(3_000_000, 'x'))
    else request.pipe(response)
  })
  server.listen(sshd.controlSocket)
  await once(server, 'listening')
  return Object.assign(server, {
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      rmSync(sshd.controlSocket, { force: true })
    },
  })
}

/** The command that a server has, run from this checkout. */
function installCommand(sshd: Sshd): void {
  const config = join(sshd.folder, 'makiatto.toml')
  writeFileSync(
    config,
    `[node]\nname = "berlin"\ndata_dir = "/var/makiatto"\ncontrol = "/run/makiatto/control.sock"\ncluster = "c${'a'.repeat(51)}"\n`,
  )
  const path = join(sshd.folder, 'bin', 'makiatto')
  const node = join(CHECKOUT, 'cli', 'bin', 'node')
  writeFileSync(path, `#!/bin/sh\nexec ${node} ${join(CHECKOUT, 'cli', 'makiatto.ts')} "$@" --config ${config}\n`)
  chmodSync(path, 0o755)
}

const control = (host: SshConnection): ControlClient =>
  new ControlClient({ open: () => host.openControl(), name: 'berlin', runtime: systemRuntime })

const sshd = await serve()
t.teardown(() => sshd[Symbol.asyncDispose]())

const restricted = { forwarded: '', restrict: 'restrict ', bound: 'restrict,command="/usr/local/bin/makiatto stdio" ' }
for (const [name, restriction] of Object.entries(restricted)) {
  t.test(`the control API: ${name}`, async (t) => {
    const config = name === 'restrict' ? ['DisableForwarding yes', 'MaxSessions 2'] : []
    await using server = await serve({ config }, restriction)
    installCommand(server)
    await using daemon = await daemonAt(server)
    t.ok(daemon.listening)
    await using host = await open(server)
    using client = control(host)
    const hash = 'b'.repeat(52) as never
    const bodies = await Promise.all([1, 2, 3].map(() => client.readBlob(hash)))
    t.strictSame(
      bodies.map(({ length }) => length),
      [3_000_000, 3_000_000, 3_000_000],
    )
  })
}

t.test('a daemon that is down and a server without makiatto are told apart', async (t) => {
  await using server = await serve({ config: ['DisableForwarding yes'] })
  await using host = await open(server)
  using client = control(host)
  const ask = (): Promise<unknown> => client.status()
  await t.rejects(ask(), { code: 'MAKI_UNREACHABLE', message: /there is no makiatto on it/, hint: /machine init/ })
  installCommand(server)
  await t.rejects(ask(), { code: 'MAKI_UNREACHABLE', message: /its daemon does not run/, hint: /systemctl status/ })
  writeFileSync(join(server.folder, 'bin', 'makiatto'), '#!/bin/sh\nprintf "\\033[31mhostile\\n" >&2; exit 9\n')
  const hostile = await ask().then(String, (thrown: Error) => thrown.message)
  t.match(hostile, /stdio ended with 9/)
  t.notMatch(hostile, /\p{Cc}/u, 'what it says moves no cursor')
})

t.test('one connection for a machine, however many use it, and none when all are done', async (t) => {
  await using daemon = await daemonAt(sshd)
  t.ok(daemon.listening)
  mkdirSync(join(home, 'data'), { recursive: true })
  const machine: Machine = {
    name: parseNodeName('berlin'),
    sshTarget: 'root@127.0.0.1',
    port: sshd.port,
    hostKey: sshd.hostKey(),
    isNameserver: true,
  }
  const file = join(home, 'profile.toml')
  const connect = createConnect(systemRuntime, {
    host: { env: { HOME: home }, signal: new AbortController().signal },
    profile: { dataFolder: join(home, 'data'), file },
    keyFile,
    onNote: () => {},
  })
  const count = (): number => sshd.output.split('Accepted publickey').length
  const before = count()
  const clients = await Promise.all([1, 2, 3].map(() => connect(machine)))
  await Promise.all(clients.map((client) => client.readBlob('c'.repeat(52) as never)))
  t.equal(count() - before, 1)
  for (const client of clients) client[Symbol.dispose]()
  using again = await connect(machine)
  t.equal((await again.readBlob('c'.repeat(52) as never)).length, 3_000_000)
  t.equal(count() - before, 2, 'it was closed in between')
  const controller = new AbortController()
  const late = connect({ ...machine, name: parseNodeName('paris'), port: 9 }, controller.signal)
  controller.abort(new Error('another answered'))
  await t.rejects(late, /another answered/)
})

t.test('a machine without a pinned host key gets one, as the profile stands then', async (t) => {
  const [name, other] = [parseNodeName('berlin'), parseNodeName('paris')]
  const known = sshd.hostKey()
  const folder = join(home, 'pin')
  mkdirSync(join(folder, '.ssh'), { recursive: true })
  writeFileSync(join(folder, '.ssh', 'known_hosts'), `[127.0.0.1]:${sshd.port} ${known}\n`)
  const env = { HOME: folder, XDG_CACHE_HOME: folder }
  const machine: Machine = { name, sshTarget: 'root@127.0.0.1', port: sshd.port, isNameserver: true }
  const profile = {
    file: join(folder, 'profile.toml'),
    cluster: parseClusterId('a'.repeat(52)),
    machines: [machine, { ...machine, name: other, port: 9 }],
    dataFolder: join(folder, 'data'),
  }
  await writeProfile(profile, env, systemRuntime)
  const notes: string[] = []
  const signal = new AbortController().signal
  const connect = createConnect(systemRuntime, {
    host: { env, signal },
    profile,
    keyFile,
    onNote: (text) => notes.push(text),
  })
  const pins = async () => (await loadProfile(profile.file, env)).machines.map(({ hostKey }) => hostKey)
  const one = await connect(machine)
  t.strictSame(await pins(), [known, undefined])
  t.match(notes, [/has the host key of berlin/])
  one[Symbol.dispose]()
  // Somebody has moved it meanwhile: what was proven is no more of that machine.
  await writeProfile({ ...profile, machines: [{ ...machine, sshTarget: 'root@203.0.113.7' }] }, env, systemRuntime)
  const two = await connect(machine)
  t.strictSame(await pins(), [undefined])
  two[Symbol.dispose]()
  // One that cannot be written: the command goes on, and says what to write.
  rmSync(profile.file)
  mkdirSync(profile.file)
  const three = await connect(machine)
  three[Symbol.dispose]()
  t.match(notes.at(-1), new RegExp(`could not be written .*host_key = "${known.slice(0, 30)}`))
})
