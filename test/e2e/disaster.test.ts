import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { devFolderAt } from '../../cli/dev/data-folder.ts'
import { type NodeLayout, planNodes } from '../../cli/dev/layout.ts'
import { prepareCluster } from '../../cli/dev/local-cluster.ts'
import { controlSocketPath } from '../../cli/dev/socket-path.ts'
import { systemRuntime } from '../../cli/system.ts'
import {
  type Change,
  createOperation,
  decodeOperation,
  type MemberKey,
  type NodeName,
  nextStamp,
  type OperationId,
  type OwnerName,
  parseHostname,
  silentLog,
} from '../../core/index.ts'
import { eventually } from '../support/eventually.ts'
import { buildWatGuest } from '../support/guests/build-wat.ts'
import { Daemon, DaemonCluster, listOperations } from './support/daemons.ts'
import { Visitor } from './support/http.ts'
import { writeProject } from './support/project.ts'
import { Scene } from './support/scene.ts'

/** Bad days of docs/disaster.md that need no booted servers: real nodes on loopback addresses of their own. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const HOST = 'example.com'
const HOUR_MS = 3_600_000
const component = await buildWatGuest('http-echo')
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const cluster = await DaemonCluster.make(scene)
t.teardown(() => cluster[Symbol.asyncDispose]())
const [node1, node2, node3] = cluster.daemons as [Daemon, Daemon, Daemon]
/** Everybody listens for gossip on it, as on servers, each at an address of its own. */
const GOSSIP = node1.layout.gossipPort
let nextBlobsPort = node1.layout.blobsPort + 3
const addresses = new Map<Daemon, string>()
/** The file that says how far the clock of the nodes that look at it is off. */
const offset = scene.path('offset')
const clock = scene.path('clock.mjs')
writeFileSync(offset, '0')
writeFileSync(
  clock,
  `import { readFileSync } from 'node:fs'
const now = Date.now
let off = 0
const read = () => {
  const next = Number(readFileSync(${JSON.stringify(offset)}, 'utf8')) || 0
  if (next !== off && process.argv.includes('run')) console.log(JSON.stringify({ event: 'clock.jumped', by: next }))
  off = next
}
read()
setInterval(read, 20).unref()
Date.now = () => now() + off
`,
)

/** Puts a node, which was made for 127.0.0.1, to another address; it knows only these others, and whom the state names. */
function place(daemon: Daemon, address: string, knows: readonly string[]): void {
  addresses.set(daemon, address)
  const { gossipPort, blobsPort } = daemon.layout
  daemon.configure((text) =>
    text
      .replace(
        /^bootstrap = .*$/m,
        `bootstrap = ${JSON.stringify(knows.map((one) => `${one}:${GOSSIP}`))}\ndial_members = true`,
      )
      .replace(`"127.0.0.1:${gossipPort}"`, `"${address}:${GOSSIP}"`)
      // At every address: whom a node dialled sees it come from another than where it listens.
      .replace(`"127.0.0.1:${blobsPort}"`, `"0.0.0.0:${blobsPort}"`)
      .replaceAll('"127.0.0.1:', `"${address}:`),
  )
}
const addressOf = (daemon: Daemon): string => addresses.get(daemon) as string
const httpOf = (daemon: Daemon): string => `http://${addressOf(daemon)}:${daemon.layout.httpPort}`

/** A new server: its key is made there, the operator lets it in and gives it what the operator's copy has. */
async function makeNode(name: string, address: string, knows: readonly string[]): Promise<Daemon> {
  const [model] = planNodes({ nodes: 1, httpPort: scene.httpPort, dnsPort: scene.dnsPort }, scene.path('c'))
  const folder = scene.path('c', name)
  const layout: NodeLayout = {
    ...(model as NodeLayout),
    name: name as NodeName,
    blobsPort: nextBlobsPort++,
    folder,
    config: join(folder, 'makiatto.toml'),
    dataDirectory: join(folder, 'data'),
    log: join(folder, 'node.log'),
  }
  const profile = readFileSync(cluster.profile, 'utf8')
  const { signal } = new AbortController()
  const dev = devFolderAt(scene.path('c'))
  const env = { HOME: scene.path('home') }
  await prepareCluster({ folder: dev, nodes: [layout], env, runtime: systemRuntime, log: silentLog, signal })
  const machine = readFileSync(cluster.profile, 'utf8').match(/\n\[\[machines\]\][^[]*/)?.[0] ?? ''
  writeFileSync(cluster.profile, `${profile}${machine}`)
  const daemon = new Daemon(scene, layout)
  t.teardown(() => daemon[Symbol.asyncDispose]())
  place(daemon, address, knows)
  return daemon
}

const maki = (args: readonly string[], cwd = scene.folder) =>
  scene.maki([...args, '--profile', cluster.profile], { cwd, env: { NODE_COMPILE_CACHE: scene.path('compiled') } })
async function must(args: readonly string[], cwd?: string): Promise<string> {
  const { code, stdout, stderr } = await maki(args, cwd)
  if (code !== 0) throw new Error(`maki ${args.join(' ')} ended with ${code}: ${stderr}`)
  return stdout
}

const acknowledged = new Set<OperationId>()
let written = 0
/** Written in turn. */
const RECORDS = 9
/** Hands an operation to one node; its id where the node has acknowledged it, undefined where it refused the time. */
async function write(daemon: Daemon): Promise<OperationId | undefined> {
  const all = (await listOperations(daemon.client)).map((bytes) => decodeOperation(bytes, cluster.id))
  const followed = new Set(all.flatMap(({ heads }) => heads))
  // What a node with a wrong clock says lies in the future is followed by nobody else.
  const heads = all.filter(({ id, stamp }) => !followed.has(id) && stamp.wallMs < systemRuntime.now() + 1000)
  const { id, bytes } = createOperation(cluster.operator, cluster.id, {
    stamp: nextStamp(
      systemRuntime.now(),
      heads.map(({ stamp }) => stamp),
    ),
    heads: heads.map((head) => head.id).slice(0, 16),
    changes: [
      {
        kind: 'record.set',
        domain: parseHostname(HOST),
        name: `r${written % RECORDS}` as OwnerName,
        type: 'A',
        ttl: 300,
        values: [`192.0.2.${written++ % 250}`],
      },
    ],
  })
  try {
    await daemon.client.accept([bytes])
  } catch (error) {
    if ((error as { code?: string }).code === 'MAKI_OPERATION_REFUSED') return undefined
    throw error
  }
  acknowledged.add(id)
  return id
}

/** All of these hold and fold the same. */
async function equal(daemons: readonly Daemon[]): Promise<void> {
  await eventually(`equal digests of ${daemons.map(({ name }) => name).join()}`, async () => {
    const all = await Promise.all(daemons.map(({ client }) => client.status()))
    const own = all.map(({ self, nodes }) => nodes.find(({ key }) => key === self)?.digest)
    if (new Set(own).size === 1 && own[0] != null) return true
    throw new Error(own.join())
  })
}

/** All of these hold and fold the same, and all that was acknowledged counts. */
async function agree(t: Test, daemons: readonly Daemon[]): Promise<void> {
  await equal(daemons)
  for (const { client, name } of daemons) {
    const ids = new Set((await listOperations(client)).map((bytes) => decodeOperation(bytes, cluster.id).id))
    const { void: voids, pending, held } = await client.status()
    const lost = [...acknowledged].filter((id) => !ids.has(id) || voids.some(({ operation }) => operation === id))
    t.strictSame({ lost, pending, held }, { lost: [], pending: [], held: [] }, `${name} has all, and all of it counts`)
  }
}

async function serves(daemon: Daemon, path: string, text: string): Promise<void> {
  using visitor = new Visitor()
  await eventually(`${text} from ${daemon.name}`, async () => {
    const { status, body } = await visitor.get(httpOf(daemon), HOST, path)
    if (status === 200 && body.toString().includes(text)) return true
    throw new Error(`${status} ${body.toString().slice(0, 80)}`)
  })
}

const site = writeProject(scene.path('site'), {
  domain: HOST,
  files: { 'index.html': 'coffee', 'api/pay.wasm': component },
  more: '[[domain.functions]]\npath = "api/pay.wasm"\nenv = { TOKEN = "swordfish" }\n',
})

t.test('three nodes serve a site', async (t) => {
  place(node1, '127.0.0.11', ['127.0.0.12'])
  place(node2, '127.0.0.12', ['127.0.0.11'])
  place(node3, '127.0.0.13', ['127.0.0.12'])
  await cluster.start()
  await cluster.commit(
    ...cluster.daemons.map((daemon) => ({
      kind: 'node.update' as const,
      key: cluster.keyOf(daemon),
      set: { addresses: { ipv4: addressOf(daemon), ipv6: null } },
    })),
  )
  await agree(t, cluster.daemons)
  await must(['sync', '--wait', 'all'], site)
  await serves(node3, '/', 'coffee')
})

t.test('clocks jump an hour both ways while clients write', async (t) => {
  await node2.stop()
  node2.env = { NODE_OPTIONS: `--import=${clock}` }
  await node2.start()
  const refused = { ahead: 0, behind: 0 }
  for (const [when, ms] of [
    ['ahead', HOUR_MS],
    ['behind', -HOUR_MS],
  ] as const) {
    writeFileSync(offset, String(ms))
    await node2.event('clock.jumped', `"by":${ms}`)
    for (let i = 0; i < 4; i++)
      for (const daemon of cluster.daemons) if ((await write(daemon)) === undefined) refused[when] += 1
  }
  t.strictSame(refused, { ahead: 0, behind: 4 }, 'a clock that is behind refuses by name, none takes and loses')
  writeFileSync(offset, '0')
  for (const daemon of cluster.daemons) await eventually('a write', () => write(daemon))
  await agree(t, cluster.daemons)
})

t.test('a cloned VM: both run, it is reported, nothing is lost', async (t) => {
  await node3.stop()
  const folder = scene.path('c', 'clone')
  cpSync(node3.layout.folder, folder, { recursive: true })
  await node3.start()
  const layout = { ...node3.layout, folder, config: join(folder, 'makiatto.toml'), dataDirectory: join(folder, 'data') }
  const clone = new Daemon(scene, layout)
  t.teardown(() => clone[Symbol.asyncDispose]())
  clone.configure((text) =>
    text
      .replaceAll(node3.layout.folder, folder)
      .replaceAll('"127.0.0.13:', '"127.0.0.33:')
      .replace(`0.0.0.0:${layout.blobsPort}`, `0.0.0.0:${nextBlobsPort++}`)
      .replace(/^control = .*$/m, `control = ${JSON.stringify(controlSocketPath(layout, {}))}`),
  )
  await clone.start()
  await node1.event('member.cloned')
  for (let i = 0; i < 3; i++) for (const daemon of [...cluster.daemons, clone]) await write(daemon)
  t.match(await maki(['status']), { stdout: /node3: two machines run with its key/ })
  const { nodes } = JSON.parse((await maki(['status', '--json'])).stdout) as {
    nodes: { name: string; cloned?: true }[]
  }
  t.strictSame(
    nodes.filter(({ cloned }) => cloned).map(({ name }) => name),
    ['node3'],
  )
  // The one that began last is heard. What the copy took has to be elsewhere before it is ended for ever.
  await equal([node1, node2, clone])
  await clone.stop()
  rmSync(folder, { recursive: true })
  // What the original took meanwhile is heard when it starts again, as the page says.
  await node3.stop()
  await node3.start()
  await agree(t, cluster.daemons)
  t.match(await maki(['conflicts']), { code: 1 }, 'two machines wrote what the other did not see')
  for (let i = 0; i < RECORDS; i++) await write(node1)
  await agree(t, cluster.daemons)
  t.match(await maki(['conflicts']), { code: 0 }, 'whoever saw both settles it')
})

let fourth: Daemon

t.test('off while the only neighbour is replaced: found again by whom it does not know', async (t) => {
  await node3.stop()
  await write(node1)
  await must(['pull'])
  fourth = await makeNode('node4', '127.0.0.14', ['127.0.0.11'])
  const key = await keyOf('node4')
  await must(['push'])
  await cluster.commit(
    { kind: 'node.update', key, set: { addresses: { ipv4: '127.0.0.14', ipv6: null } } },
    { kind: 'node.remove', key: cluster.keyOf(node2), how: 'retire' },
  )
  await fourth.start()
  await agree(t, [node1, fourth])
  await serves(fourth, '/', 'coffee')
  await node2.stop()
  await write(fourth)
  await agree(t, [node1, fourth])
  await node1.powerOff()
  // All that it knows is dead: node2 for ever, node1 for now.
  await node3.start()
  await agree(t, [node3, fourth])
  await node1.start()
  await agree(t, [node1, node3, fourth])
})

t.test('a wiped disk: the same server as a new node, with another key', async (t) => {
  await node1.powerOff()
  rmSync(node1.layout.dataDirectory, { recursive: true })
  await must(['pull'])
  const again = await makeNode('node5', '127.0.0.11', ['127.0.0.13'])
  await must(['push'])
  const key = await keyOf('node5')
  await fourth.client.status()
  const changes = [
    { kind: 'node.remove', key: cluster.keyOf(node1), how: 'retire' },
    { kind: 'node.update', key, set: { addresses: { ipv4: '127.0.0.11', ipv6: null } } },
  ] as const
  await node3.client.accept([await signAt(node3, changes)])
  await again.start()
  await agree(t, [again, node3, fourth])
  await serves(again, '/', 'coffee')
  await again.stop()
})

t.test('all nodes are lost but the laptop', async (t) => {
  await must(['pull'])
  const before = JSON.parse(await must(['history', '--json', '--limit', '1000'])) as { id: string }[]
  for (const daemon of [node3, fourth]) {
    await daemon.powerOff()
    rmSync(daemon.layout.folder, { recursive: true })
  }
  const rebuilt = JSON.parse(await must(['cluster', 'rebuild', '--yes', '--json']))
  t.match(rebuilt, { cluster: cluster.id, domains: [{ domain: HOST, release: { files: 1 }, filesWaitHere: false }] })
  t.match(rebuilt.sealed, [{ kind: 'env', domain: HOST, name: 'TOKEN' }])
  const fresh = await makeNode('fresh', '127.0.0.16', [])
  await fresh.start()
  await agree(t, [fresh])
  const key = await keyOf('fresh')
  await fresh.client.accept([
    await signAt(fresh, [{ kind: 'node.update', key, set: { addresses: { ipv4: '127.0.0.16', ipv6: null } } }]),
  ])
  // The new node begins an epoch, which values can be sealed to.
  await eventually('the site to be synced', async () => {
    const { code, stderr } = await maki(['sync'], site)
    if (code === 0) return true
    throw new Error(stderr)
  })
  await serves(fresh, '/', 'coffee')
  using visitor = new Visitor()
  await eventually('the function with its secret', async () => {
    const { status, body } = await visitor.get(httpOf(fresh), HOST, '/api/pay')
    if (status === 200) return true
    throw new Error(`${status} ${body.toString().slice(0, 80)}`)
  })
  const status = JSON.parse(await must(['status', '--json'])) as { exposed?: unknown[]; void: unknown[] }
  t.strictSame(status.exposed ?? [], [], 'what was sealed for the lost nodes was given anew')
  const ids = new Set(
    (JSON.parse(await must(['history', '--json', '--limit', '1000'])) as { id: string }[]).map(({ id }) => id),
  )
  t.strictSame(
    before.filter(({ id }) => !ids.has(id)),
    [],
    'the whole history is there',
  )
  await fresh.stop()
})

t.test('nothing is left behind', async (t) => {
  t.strictSame(await scene.leftovers(), [])
})

/** By the copy on the operator's computer. */
async function keyOf(name: string): Promise<MemberKey> {
  const { nodes } = JSON.parse(await must(['cluster', 'show', '--json', '--offline'])) as {
    nodes: { name: string; key: MemberKey }[]
  }
  const found = nodes.find((node) => node.name === name)
  if (found === undefined) throw new Error(`there is no node ${name}`)
  return found.key
}

async function signAt(daemon: Daemon, changes: readonly Change[]): Promise<Uint8Array> {
  const all = (await listOperations(daemon.client)).map((bytes) => decodeOperation(bytes, cluster.id))
  const followed = new Set(all.flatMap(({ heads }) => heads))
  const heads = all.filter(({ id }) => !followed.has(id))
  const stamp = nextStamp(
    systemRuntime.now(),
    heads.map((head) => head.stamp),
  )
  return createOperation(cluster.operator, cluster.id, { stamp, heads: heads.map(({ id }) => id), changes }).bytes
}
