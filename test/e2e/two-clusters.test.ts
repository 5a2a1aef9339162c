import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { controlSocketPath } from '../../cli/dev/socket-path.ts'
import { decodeOperation, type Hostname, hashBlob, operationIdOf } from '../../core/index.ts'
import { encodePack } from '../../replication/index.ts'
import { createRandom } from '../support/seeds.ts'
import { type Daemon, DaemonCluster, listOperations } from './support/daemons.ts'
import { PowerCutWriter } from './support/power-cut-writer.ts'
import { Scene } from './support/scene.ts'

/**
 * Two clusters that meet by mistake never mix: every way in is refused and says why, and nothing that belongs to one is
 * ever among the operations of the other (DESIGN.md, section 4, Who may connect).
 */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const WRITES = 7

const sceneA = await Scene.open()
t.teardown(() => sceneA[Symbol.asyncDispose]())
const a = await DaemonCluster.make(sceneA)
t.teardown(() => a[Symbol.asyncDispose]())
await a.start()
// Opened after the first listens, so that it finds other ports.
const sceneB = await Scene.open()
t.teardown(() => sceneB[Symbol.asyncDispose]())
const b = await DaemonCluster.make(sceneB, { nodes: 1 })
t.teardown(() => b[Symbol.asyncDispose]())
await b.start()

const [a1, a2] = a.daemons as [Daemon, Daemon]
const [b1] = b.daemons as [Daemon]
const writerB = await write(b, b1, 'b.test')
const writerA = await write(a, a1, 'a.test')
await a.agreement()
const before = await idsOf(a, a1)

async function write(cluster: DaemonCluster, daemon: Daemon, domain: string): Promise<PowerCutWriter> {
  const last = cluster.seed.at(-1)
  if (last === undefined) throw new Error('the cluster has no operation')
  const { id, operator } = cluster
  const random = createRandom(domain.length)
  const writer = new PowerCutWriter(daemon, { cluster: id, operator, last, random, domain: domain as Hostname })
  const stop = new AbortController()
  let left = WRITES
  writer.onAcknowledged = () => {
    if (--left === 0) stop.abort()
  }
  await writer.run(stop.signal)
  return writer
}

async function idsOf(cluster: DaemonCluster, daemon: Daemon): Promise<readonly string[]> {
  return (await listOperations(daemon.client)).map((bytes) => operationIdOf(bytes, cluster.id)).sort()
}

/** All that a node of B has, or had, in the bytes that would have come from it. */
const ofB = new Set<string>()

/** Everything in A is what A itself wrote: signed for A, and none of it from B. */
async function checkUntouched(t: Test): Promise<void> {
  for (const { name, client, isRunning } of a.daemons) {
    if (!isRunning) continue
    const operations = await listOperations(client)
    const foreign = operations.filter((bytes) => ofB.has(Buffer.from(bytes).toString('hex')))
    t.equal(foreign.length, 0, `${name} has nothing of B`)
    // Throws for what was not signed for A.
    const ids = operations.map((bytes) => decodeOperation(bytes, a.id).id as string)
    const missing = before.filter((one) => !ids.includes(one))
    t.strictSame(missing, [], `${name} has all that it had`)
  }
  const { pending, held, void: voids } = await a1.client.status()
  t.strictSame({ pending, held, voids }, { pending: [], held: [], voids: [] })
}

/** B has all that its client wrote; nodes add operations of their own. */
async function checkB(t: Test): Promise<void> {
  const operations = await listOperations(b1.client)
  const ids = operations.map((bytes) => decodeOperation(bytes, b.id).id)
  t.strictSame(
    writerB.acknowledged.filter((id) => !ids.includes(id)),
    [],
    'B has what it had',
  )
  for (const bytes of operations) ofB.add(Buffer.from(bytes).toString('hex'))
}

const gossipOf = (daemon: Daemon): string => `127.0.0.1:${daemon.layout.gossipPort}`
const setBootstrap = (daemon: Daemon, addresses: readonly string[]): void =>
  daemon.configure((text) => text.replace(/^bootstrap = .*$/m, `bootstrap = ${JSON.stringify(addresses)}`))

t.test('daemons of B are given addresses of A: each side names the other cluster', async (t) => {
  await b1.stop()
  setBootstrap(b1, [gossipOf(a1), gossipOf(a2)])
  await b1.start()
  const atB = await b1.event('link.closed', 'wrong-cluster')
  t.match(atB, { reason: 'wrong-cluster', detail: new RegExp(a.id) })
  const atA = await a1.event('link.closed', b.id)
  t.match(atA, { level: 'warn', reason: 'wrong-cluster', remote: /127\.0\.0\.1/ })
  await checkB(t)
  await checkUntouched(t)
})

t.test('operations of B handed to A are refused, whichever way', async (t) => {
  const foreign = await listOperations(b1.client)
  for (const [i, bytes] of foreign.entries()) {
    const outcome = await a1.client.accept([bytes]).catch((error: unknown) => error)
    t.match(outcome, { code: 'MAKI_OPERATION_INVALID' }, `operation ${i}, whatever files are here`)
  }
  const [own] = await listOperations(a1.client)
  const mixed = await a1.client.accept([own as Uint8Array, foreign[1] as Uint8Array]).catch((error: unknown) => error)
  t.match(mixed, { code: 'MAKI_OPERATION_INVALID' }, 'also in between operations of A')
  await checkUntouched(t)
})

t.test('blobs of B are bytes like any other, and publish nothing in A', async (t) => {
  const release = writerB.releases.at(-1)
  const contents = await Promise.all((release?.blobs ?? []).map((hash) => b1.client.readBlob(hash)))
  t.ok(contents.length > 0)
  const items = contents.map((bytes) => ({ hash: hashBlob(bytes), sizeBytes: bytes.length, chunks: [bytes] }))
  t.equal(await a1.client.putBlobPack(encodePack(items)), contents.length)
  const operations = await listOperations(b1.client)
  const published = operations.find((bytes) => operationIdOf(bytes, b.id) === release?.id)
  const outcome = await a1.client.accept([published as Uint8Array]).catch((error: unknown) => error)
  t.match(outcome, { code: 'MAKI_OPERATION_INVALID' }, 'the release that names them is of B')
  const { nodes } = await a1.client.status()
  t.strictSame(Object.keys(nodes[0]?.active ?? {}), ['a.test'])
  await checkUntouched(t)
})

t.test('a data folder of A under the configuration of B: refused at start', async (t) => {
  await b1.stop()
  await a2.stop()
  const data = b1.layout.dataDirectory
  renameSync(data, `${data}.kept`)
  cpSync(a2.layout.dataDirectory, data, { recursive: true })
  const { output } = await b1.refuseToStart()
  t.match(output, new RegExp(`the store holds .* no operation of cluster ${b.id}`))
  t.match(output, 'Check that the data directory belongs to this cluster.')
  await a2.start()
  await a.agreement()
  await checkUntouched(t)
  rmSync(data, { recursive: true })
  renameSync(`${data}.kept`, data)
  await b1.start()
  await checkB(t)
})

t.test('a configuration that names A with a data folder, or a first file, of B: refused at start', async (t) => {
  await b1.stop()
  b1.configure((text) => text.replace(b.id, a.id))
  t.match((await b1.refuseToStart()).output, new RegExp(`no operation of cluster ${a.id}`))
  const data = b1.layout.dataDirectory
  renameSync(join(data, 'operations'), join(data, 'kept'))
  t.match((await b1.refuseToStart()).output, /MAKI_|bootstrap|operation/, 'what a new node starts from is of B')
  rmSync(join(data, 'operations'), { recursive: true, force: true })

  // Without any operation it knows nothing but the name of A, and A does not know it.
  renameSync(join(data, 'bootstrap.operations'), join(data, 'bootstrap.kept'))
  await b1.start()
  t.match(await a1.event('link.closed', '"stranger"'), { level: 'warn', reason: 'stranger' })
  // Only who dials shows what admits it before it knows who answers, and it dials the addresses that it was given.
  const seed = a.seed.map(({ id }) => id as string)
  t.ok(
    (await idsOf(a, b1)).every((id) => seed.includes(id)),
    'it gets nothing of A but who its nodes are',
  )
  await b1.stop()
  rmSync(join(data, 'operations'), { recursive: true })
  renameSync(join(data, 'kept'), join(data, 'operations'))
  renameSync(join(data, 'bootstrap.kept'), join(data, 'bootstrap.operations'))
  b1.configure((text) => text.replace(a.id, b.id))
  await b1.start()
  await checkUntouched(t)
})

t.test('a profile of A with the machines of B: nothing is read from them or handed to them', async (t) => {
  const profile = sceneA.path('mixed.toml')
  const own = readFileSync(a.profile, 'utf8')
  const text = own.replace(/^data = .*$/m, `data = "${join(dirname(a.profile), 'operator')}"`)
  writeFileSync(profile, text.replace(/^control = .*$/gm, `control = "${controlSocketPath(b1.layout, {})}"`))
  const env = { MAKIATTO_PROFILE: profile }
  for (const args of [['status'], ['pull'], ['record', 'set', 'a.test', 'x', 'A', '192.0.2.7'], ['push']]) {
    const { code, stdout, stderr } = await sceneA.maki(args, { env })
    t.not(code, 0, `maki ${args[0]}: ${stdout}${stderr}`)
    t.match(
      `${stdout}${stderr}`,
      /node1 belongs to another cluster|there is no domain a\.test/,
      `maki ${args[0]} says why`,
    )
  }
  await checkB(t)
  await checkUntouched(t)
})

t.test('a node of B at the address of a node of A', async (t) => {
  await a2.stop()
  await b1.stop()
  const own = readFileSync(b1.layout.config, 'utf8')
  b1.configure((text) => text.replace(/^addr = .*$/m, `addr = "${gossipOf(a2)}"`))
  setBootstrap(b1, [])
  await b1.start()
  t.match(await a1.event('link.closed', `${gossipOf(a2)}`), { remote: gossipOf(a2) })
  t.match(await b1.event('link.closed', 'wrong-cluster'), { detail: new RegExp(a.id) })
  await b1.stop()
  writeFileSync(b1.layout.config, own)
  await b1.start()
  await a2.start()
  await a.agreement()
  await checkUntouched(t)
})

t.test('a node of A set up anew with another key at its address is a stranger until an operator adds it', async (t) => {
  await a2.stop()
  const data = a2.layout.dataDirectory
  renameSync(data, `${data}.kept`)
  mkdirSync(join(data, 'keys'), { recursive: true, mode: 0o700 })
  cpSync(join(`${data}.kept`, 'bootstrap.operations'), join(data, 'bootstrap.operations'))
  const made = await sceneA.run(process.execPath, [a2.program, 'keygen', '--config', a2.layout.config])
  t.equal(made.code, 0, made.stderr)
  await a2.start()
  t.match(await a1.event('link.closed', made.stdout.trim()), { reason: 'stranger' })
  t.equal((await idsOf(a, a2)).length, a.seed.length, 'it gets nothing but what it was set up with')
  await a2.stop()
  rmSync(data, { recursive: true })
  renameSync(`${data}.kept`, data)
  await a2.start()
  await a.agreement()
  await checkUntouched(t)
})

t.test('a data folder of A that runs twice: the cloned machine is reported', async (t) => {
  await b1.stop()
  const own = readFileSync(b1.layout.config, 'utf8')
  const data = `${b1.layout.dataDirectory}.clone`
  cpSync(a2.layout.dataDirectory, data, { recursive: true })
  setBootstrap(b1, [gossipOf(a1)])
  b1.configure((text) => text.replace(b.id, a.id).replace(/^data_dir = .*$/m, `data_dir = "${data}"`))
  await b1.start()
  // The machine that was copied hears words in its name that it did not say.
  const cloned = await a2.event('member.cloned')
  t.equal(cloned.level, 'error')
  await b1.stop()
  writeFileSync(b1.layout.config, own)
  await checkUntouched(t)
})

t.test('the end', async (t) => {
  await write(a, a1, 'late.test')
  await a.agreement()
  t.ok(writerA.acknowledged.length >= WRITES)
  const voids = (await a2.client.status()).void
  t.strictSame(voids, [], 'A goes on as before')
  await Promise.all([...a.daemons, ...b.daemons].filter(({ isRunning }) => isRunning).map((daemon) => daemon.stop()))
  t.strictSame([...(await sceneA.leftovers()), ...(await sceneB.leftovers())], [])
})
