import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { ClusterClient } from '../../../cli/client/cluster-client.ts'
import { ControlClient } from '../../../cli/client/control-client.ts'
import { loadProfile } from '../../../cli/config/index.ts'
import type { Host } from '../../../cli/program/host.ts'
import {
  type InitContext,
  type InitRequest,
  type InitResult,
  initMachine,
  StepList,
} from '../../../cli/provision/index.ts'
import { KeyRing } from '../../../cli/ssh/index.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { listNodes, MakiError, type MemberKey, parseNodeName, silentLog } from '../../../core/index.ts'
import { createTestCluster } from '../../support/histories.ts'
import { keepAwake } from '../support/keep-awake.ts'
import type { TestNode } from '../support/test-node.ts'
import { FakeServer, type Fault } from './support/fake-server.ts'

t.setTimeout(0)
const awake = keepAwake()
t.teardown(() => awake[Symbol.dispose]())

/** A laptop, and servers that it can reach. */
class Laptop implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'maki-init-'))
  readonly profile = join(this.folder, 'profile.toml')
  readonly servers: FakeServer[] = []
  readonly #running = new Set<MemberKey>()
  interruption = new AbortController()
  said = ''

  server(number: number): FakeServer {
    const server = new FakeServer(this.folder, number, this.#running)
    this.servers.push(server)
    return server
  }

  init(server: FakeServer, name: string, more: Partial<InitRequest> = {}): Promise<InitResult> {
    const request: InitRequest = {
      name: parseNodeName(name),
      target: server.target,
      nameserver: 'usual',
      recreate: false,
      binaryPath: undefined,
      ipv4: undefined,
      ipv6: undefined,
      place: { latitude: 52, longitude: 5 },
      yes: true,
      ...more,
    }
    return initMachine(this.#context(server), request)
  }

  /** Files of the laptop that matter. */
  list(): string[] {
    return readdirSync(this.folder, { recursive: true })
      .map(String)
      .filter((file) => /profile|recovery|operator\.key/.test(file))
      .sort()
  }

  /** Nodes of the cluster, as a running server has them. */
  nodesAt(server: FakeServer): string[] {
    return server.node === undefined ? [] : listNodes(server.node.replica.state).map(({ name }) => name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.servers) await server.end()
    this[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  #context(server: FakeServer): InitContext {
    const sink = {
      write: (text: string) => {
        this.said += text
      },
      isTerminal: false,
      columns: undefined,
    }
    const env = { HOME: this.folder }
    const { signal } = this.interruption
    const host: Host = { stdout: sink, stderr: sink, env, cwd: this.folder, runtime: systemRuntime, signal }
    return {
      host,
      profileFile: this.profile,
      steps: new StepList(host, { quiet: false }),
      log: silentLog,
      keyRing: new KeyRing({ env, ask: undefined, askSecret: undefined }),
      askSecret: undefined,
      findBundle: async () => ({ file: '/dev/null', arch: 'x64', version: '1', sha256: 'ab'.repeat(32), sizeBytes: 0 }),
      connect: (async () => server) as unknown as NonNullable<InitContext['connect']>,
      verify: async () => [],
      openClient: (profile, { offline, node }) =>
        ClusterClient.open({
          profile: { ...profile, warnings: [] },
          host,
          log: silentLog,
          offline,
          ...(node === undefined ? {} : { node }),
          connect: async ({ name, sshTarget }) => {
            const at = this.servers.find(({ target }) => sshTarget === `root@${target.host}`)
            if (at?.node === undefined) throw new MakiError('MAKI_UNREACHABLE', `${name} is off`)
            return new ControlClient({ socketPath: at.node.socketPath, name, runtime: systemRuntime })
          },
        }),
      confirm: async () => {},
      caution: (text) => {
        this.said += `${text}\n`
      },
    }
  }
}

t.test('the first server makes the cluster, others join it, and again nothing is done', async (t) => {
  await using laptop = new Laptop()
  const [one, two] = [laptop.server(11), laptop.server(12)]
  const first = await laptop.init(one, 'amsterdam')
  t.match(first, { name: 'amsterdam', ipv4: '198.51.100.11', nameserver: true, faults: [] })
  t.match(readFileSync(first.recoveryKey as string, 'utf8'), /Recovery key/)
  const second = await laptop.init(two, 'tokyo', { nameserver: 'skip' })
  t.match(second, { cluster: first.cluster, recoveryKey: null, nameserver: false, faults: [] })
  t.strictSame(laptop.nodesAt(one).sort(), ['amsterdam', 'tokyo'], 'it was told')
  t.strictSame(laptop.nodesAt(two).sort(), ['amsterdam', 'tokyo'])
  t.match(two.config, /^# .*\n\n\[node\]\nname = "tokyo"\ncluster = ".*"\nis_nameserver = false\n$/)
  const meshes = [one, two].map(({ wireguardKey: publicKey }) => ({ publicKey, port: 51880 }))
  for (const { node } of [one, two])
    t.strictSame(
      listNodes((node as TestNode).replica.state).map(({ mesh }) => mesh),
      meshes,
      'each knows the key of both',
    )
  const before = readFileSync(laptop.profile, 'utf8')
  t.match((await loadProfile(laptop.profile, { HOME: laptop.folder })).machines, [
    { name: 'amsterdam', sshTarget: 'root@198.51.100.11', hostKey: one.hostKey, isNameserver: true, latitude: 52 },
    { name: 'tokyo', isNameserver: false, wgPublicKey: two.wireguardKey, wgAddress: /^fd/ },
  ])
  two.config = `${two.config}\n[web]\nworkers = 2\n`
  const operations = two.node?.replica.count
  t.match(await laptop.init(two, 'tokyo'), { key: second.key, faults: [] })
  t.match(two.config, /workers = 2/, 'what the owner wrote stays')
  t.equal(two.node?.replica.count, operations, 'no operation is written')
  t.equal(readFileSync(laptop.profile, 'utf8'), before, 'and the profile is as it was')
})

t.test(
  'names and servers that are taken, and servers that do not fit, are refused before anything is changed',
  async (t) => {
    await using laptop = new Laptop()
    const [one, two] = [laptop.server(11), laptop.server(12)]
    await laptop.init(one, 'amsterdam')
    const files = readFileSync(laptop.profile, 'utf8')
    await t.rejects(laptop.init(two, 'amsterdam'), {
      code: 'MAKI_CONFLICT',
      message: /amsterdam already/,
      hint: /recreate/,
    })
    await t.rejects(laptop.init(one, 'tokyo'), { code: 'MAKI_UNSUPPORTED', message: /by the name amsterdam/ })
    two.facts = { libc: 'musl' }
    await t.rejects(laptop.init(two, 'tokyo'), { code: 'MAKI_UNSUPPORTED', message: /musl/ })
    t.ok(two.isBare)
    t.strictSame(two.requests, [])
    t.equal(readFileSync(laptop.profile, 'utf8'), files)
    t.equal(laptop.nodesAt(one).length, 1)
    await using other = new Laptop()
    await t.rejects(other.init(one, 'amsterdam'), { message: /is a node already/, hint: /machine add/ })
    t.strictSame(other.list(), [])
  },
)

t.test('--recreate sets a machine up anew, with another key', async (t) => {
  await using laptop = new Laptop()
  const [one, two] = [laptop.server(11), laptop.server(12)]
  await laptop.init(one, 'amsterdam')
  const before = await laptop.init(two, 'tokyo')
  const after = await laptop.init(two, 'tokyo', { recreate: true })
  t.not(after.key, before.key)
  t.strictSame(laptop.nodesAt(one).sort(), ['amsterdam', 'tokyo'])
  t.ok(two.requests.some((request) => request.do === 'remove'))
})

t.test('every machine is told of a new one, and those that were missed are named', async (t) => {
  await using laptop = new Laptop()
  const servers = [11, 12, 13, 14].map((number) => laptop.server(number))
  const [one, two, three, four] = servers as [FakeServer, FakeServer, FakeServer, FakeServer]
  await laptop.init(one, 'amsterdam')
  await laptop.init(two, 'tokyo')
  await laptop.init(three, 'lima')
  await two.node?.stop()
  laptop.said = ''
  await laptop.init(four, 'oslo')
  t.match(laptop.said, /tokyo was not reached \(.*\): it learns this from the others, or by maki push/)
  t.match(laptop.said, /Join: known to amsterdam, lima\n/)
  for (const server of [one, three, four]) t.ok(laptop.nodesAt(server).includes('oslo'), server.address)
  t.notOk(laptop.nodesAt(two).includes('oslo'))
})

t.test('a new machine is refused where none of the others is in the mesh; those go on as they are', async (t) => {
  await using laptop = new Laptop()
  const [old, fresh] = [laptop.server(11), laptop.server(12)]
  old.hasMesh = false
  await laptop.init(old, 'amsterdam')
  t.strictSame(await laptop.init(old, 'amsterdam').then(({ faults }) => faults), [], 'again')
  await t.rejects(laptop.init(fresh, 'tokyo'), {
    code: 'MAKI_UNSUPPORTED',
    message: /amsterdam takes no part in the mesh/,
    hint: /machine upgrade amsterdam/,
  })
  t.ok(fresh.isBare)
  old.hasMesh = true
  t.strictSame(await laptop.init(old, 'amsterdam', { recreate: true }).then(({ faults }) => faults), [])
  t.strictSame(await laptop.init(fresh, 'tokyo').then(({ faults }) => faults), [])
})

const FAULTS: readonly [isFirst: boolean, fault: Fault][] = [
  [true, { at: 'look', how: 'cut' }],
  [true, { at: 'install', how: 'cut' }],
  [true, { at: 'begin', how: 'refused' }],
  [true, { at: 'begin', how: 'cut' }],
  [true, { at: 'begun', how: 'cut' }],
  [false, { at: 'upload', how: 'refused' }],
  [false, { at: 'install', how: 'refused' }],
  [false, { at: 'begin', how: 'refused' }],
  [false, { at: 'begin', how: 'cut' }],
  [false, { at: 'begun', how: 'cut' }],
]

for (const [isFirst, fault] of FAULTS)
  t.test(
    `${isFirst ? 'the first' : 'a second'} server, ${fault.how} at ${fault.at}: taken back or gone on with`,
    async (t) => {
      await using laptop = new Laptop()
      if (!isFirst) await laptop.init(laptop.server(11), 'amsterdam')
      const before = laptop.list()
      const profile = existsSync(laptop.profile) ? readFileSync(laptop.profile, 'utf8') : ''
      const server = laptop.server(12)
      server.fault = fault
      const error = await laptop.init(server, 'tokyo').then(
        () => undefined,
        (thrown: MakiError) => thrown,
      )
      t.ok(error instanceof MakiError, `${fault.at} fails`)
      if (fault.at !== 'look') t.ok(error?.hint, 'and says what to do')
      const mayRun = fault.how === 'cut' && (fault.at === 'begin' || fault.at === 'begun')
      if (!mayRun) {
        t.strictSame(laptop.list(), before, 'nothing is left on the laptop')
        if (profile !== '') t.equal(readFileSync(laptop.profile, 'utf8'), profile)
        t.equal(server.config, undefined, 'nor on the server')
        for (const one of laptop.servers) t.notOk(laptop.nodesAt(one).includes('tokyo'), 'nor in the cluster')
      }
      const again = await laptop.init(server, 'tokyo')
      t.strictSame(again.faults, [])
      t.strictSame(laptop.nodesAt(server).sort(), isFirst ? ['tokyo'] : ['amsterdam', 'tokyo'])
      t.equal(laptop.list().filter((file) => /recovery/.test(file)).length, 1, 'one recovery key')
    },
  )

t.test('what a run left that was killed before the node began is in nobody’s way', async (t) => {
  await using laptop = new Laptop()
  const server = laptop.server(12)
  const other = createTestCluster().id
  server.installOnly('cd'.repeat(32), `[node]\nname = "paris"\ncluster = "${other}"\n`)
  const { cluster, faults } = await laptop.init(server, 'tokyo')
  t.strictSame(faults, [])
  t.not(cluster, other)
  t.match(server.config, new RegExp(`name = "tokyo"\ncluster = "${cluster}"`))
})

t.test('a laptop that was killed while it made the first machine goes on with its cluster', async (t) => {
  await using laptop = new Laptop()
  const server = laptop.server(12)
  server.fault = { at: 'begun', how: 'cut' }
  await t.rejects(laptop.init(server, 'tokyo'))
  t.match(await loadProfile(laptop.profile, { HOME: laptop.folder }), { machines: [] })
  t.match(laptop.said, /✓ Make the cluster\n/)
  const again = await laptop.init(server, 'tokyo')
  t.match(laptop.said, new RegExp(`= Make the cluster: it is there: ${again.cluster}\n`))
  t.match(again.recoveryKey, /makiatto-recovery\.key$/, 'and says where its recovery key is')
})

for (const at of ['begin', 'begun'] as const)
  t.test(`Ctrl-C while the node starts, ${at}: what was done is taken back, and it is said`, async (t) => {
    await using laptop = new Laptop()
    const server = laptop.server(12)
    server.fault = { at, how: 'refused' }
    server.onFault = () => laptop.interruption.abort(new Error('interrupted'))
    await t.rejects(laptop.init(server, 'tokyo'))
    t.match(laptop.said, /interrupted: what was done was taken back/)
    t.strictSame(laptop.list(), [])
    t.ok(server.isBare)
  })

t.test('two that would be the first at once: one makes the cluster, the other joins it', async (t) => {
  await using laptop = new Laptop()
  const [one, two] = [laptop.server(11), laptop.server(12)]
  const results = await Promise.all([laptop.init(one, 'amsterdam'), laptop.init(two, 'tokyo')])
  t.equal(new Set(results.map(({ cluster }) => cluster)).size, 1)
  t.equal(results.filter(({ recoveryKey }) => recoveryKey !== null).length, 1)
  const { machines } = await loadProfile(laptop.profile, { HOME: laptop.folder })
  t.strictSame(machines.map(({ name }) => String(name)).sort(), ['amsterdam', 'tokyo'])
  await t.rejects(Promise.all([laptop.init(one, 'paris'), laptop.init(two, 'paris')]))
})
