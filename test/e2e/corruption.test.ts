import { cpSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Hostname, operationIdOf } from '../../core/index.ts'
import { eventually } from '../support/eventually.ts'
import { createRandom, seeds } from '../support/seeds.ts'
import { type Daemon, DaemonCluster, listOperations } from './support/daemons.ts'
import {
  cutShort,
  FILE_DAMAGES,
  findLevelFile,
  flip,
  listBlobFiles,
  listOwnFiles,
  remove,
  STORE_DAMAGES,
} from './support/damage.ts'
import { encodePath, Visitor } from './support/http.ts'
import { PowerCutWriter } from './support/power-cut-writer.ts'
import { Scene } from './support/scene.ts'

/**
 * A node whose files were damaged repairs itself from the others, or refuses to start and says why. Nothing that was
 * acknowledged is lost while one node has it (DESIGN.md, section 4, Store).
 */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
/** Enough that a cut in the middle of a file loses some and keeps some. */
const WRITES = 12
const [seed = 1] = seeds(1)
const random = createRandom(seed)

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const cluster = await DaemonCluster.make(scene)
t.teardown(() => cluster[Symbol.asyncDispose]())
await cluster.start()
const [first, victim, third] = cluster.daemons as [Daemon, Daemon, Daemon]
const data = victim.layout.dataDirectory
const last = cluster.seed.at(-1)
if (last === undefined) throw new Error('the cluster has no operation')
const writer = new PowerCutWriter(first, {
  cluster: cluster.id,
  operator: cluster.operator,
  last,
  random,
  domain: 'w.test' as Hostname,
})

/** Lets the client write, and all nodes take it in. */
async function write(): Promise<void> {
  const stop = new AbortController()
  let left = WRITES
  writer.onAcknowledged = () => {
    if (--left === 0) stop.abort()
  }
  await writer.run(stop.signal)
  await checkAll()
}

async function checkAll(t?: Test, what = ''): Promise<void> {
  for (const daemon of cluster.daemons) {
    await eventually(`all operations at ${daemon.name}`, async () => {
      const here = new Set((await listOperations(daemon.client)).map((bytes) => operationIdOf(bytes, cluster.id)))
      return writer.acknowledged.every((id) => here.has(id)) ? true : undefined
    })
  }
  const status = await cluster.agreement()
  t?.strictSame(
    status.flatMap(({ void: voids }) => voids),
    [],
    `${what}: all have all, and none is void`,
  )
}

async function checkServed(t: Test, what: string): Promise<void> {
  const release = writer.releases.at(-1)
  if (release === undefined) return
  using visitor = new Visitor()
  for (const [path, content] of release.files) {
    const served = await eventually(`${path} at ${victim.name}`, async () => {
      const answer = await visitor.get(victim.http, writer.domain, encodePath(path)).catch(() => undefined)
      return answer?.body.equals(content) === true ? true : undefined
    }).catch((error: Error) => error.message)
    t.equal(served, true, `${what}: ${path} is served as it was published`)
  }
}

for (const { name, hurt, loses, inTables } of STORE_DAMAGES) {
  t.test(`${name} (SEED=${seed})`, async (t) => {
    await write()
    if (inTables === true) {
      await victim.stop()
      await victim.start()
    }
    await victim.kill()
    const where = hurt(data, random)
    t.type(where, 'string', String(where))
    await victim.start()
    const noticed = victim.log.some(({ event }) => event === 'store.damaged')
    if (loses === 'operations') t.ok(noticed, 'the node says that it lost operations')
    if (loses === 'nothing') t.notOk(noticed, 'the node lost nothing')
    if (noticed) await victim.event('store.recovered')
    await checkAll(t, name)
  })
}

t.test('while no other node is there a damaged node says so, and goes on when one comes', async (t) => {
  await write()
  // What it does not have yet when the others go, it cannot serve alone.
  await checkServed(t, 'before')
  await Promise.all(cluster.daemons.map((daemon) => daemon.kill()))
  const where = cutShort(findLevelFile(data, /\.log$/), random)
  await victim.start()
  const { damaged } = await victim.client.status()
  t.match(damaged, { readable: Number, lost: Number }, String(where))
  await checkServed(t, 'alone')
  const env = { MAKIATTO_PROFILE: cluster.profile }
  const told = await scene.maki(['status', '--node', victim.name], { env })
  t.equal(told.code, 1)
  t.match(told.stdout, /damaged node2: its store was damaged: \d+ operations? lost, \d+ kept/)
  t.match(told.stdout, /accept-loss/)
  t.match(JSON.parse((await scene.maki(['status', '--json', '--node', victim.name], { env })).stdout), { damaged })
  await Promise.all([first.start(), third.start()])
  await victim.event('store.recovered')
  t.equal((await victim.client.status()).damaged, undefined)
  await checkAll(t, 'with the others')
  await checkServed(t, 'with the others')
})

t.test('a node whose store is gone is no new node: it signs nothing before it has met another', async (t) => {
  await write()
  await Promise.all(cluster.daemons.map((daemon) => daemon.kill()))
  remove(join(data, 'operations'))
  await victim.start()
  const { damaged } = await victim.client.status()
  t.match(damaged, { gone: true })
  t.strictSame(
    (await listOperations(victim.client)).map((bytes) => operationIdOf(bytes, cluster.id)).sort(),
    cluster.seed.map(({ id }) => id).sort(),
    'it has what it was set up with',
  )
  t.match(await victim.event('store.incomplete'), { gone: true, hint: /touch .*accept-loss/ })
  const env = { MAKIATTO_PROFILE: cluster.profile }
  const told = await scene.maki(['status', '--node', victim.name], { env })
  t.equal(told.code, 1)
  t.match(told.stdout, /damaged node2: its store was gone; it signs nothing before/)
  await victim.kill()
  await victim.start()
  t.match((await victim.client.status()).damaged, { gone: true }, 'a restart makes it no newer')
  await Promise.all([first.start(), third.start()])
  await victim.event('store.recovered')
  await checkAll(t, 'with the others')
  await checkServed(t, 'with the others')
})

t.test('an owner who has nothing else goes on without what was lost', async (t) => {
  await write()
  await victim.kill()
  await Promise.all([first.kill(), third.kill()])
  const kept = `${data}.kept`
  cpSync(data, kept, { recursive: true })
  cutShort(findLevelFile(data, /\.log$/), random)
  writeFileSync(join(data, 'accept-loss'), '')
  await victim.start()
  await victim.event('store.loss-accepted')
  t.equal((await victim.client.status()).damaged, undefined)
  t.notOk(existsSync(join(data, 'accept-loss')), 'it holds for this loss only')
  await victim.stop()
  rmSync(data, { recursive: true })
  renameSync(kept, data)
  await Promise.all(cluster.daemons.map((daemon) => daemon.start()))
  await checkAll(t, 'as before')
})

t.test(`files that the node made for itself (SEED=${seed})`, async (t) => {
  await write()
  await victim.stop()
  const files = listOwnFiles(data)
  t.ok(files.length >= 4, files.join())
  for (const file of files) {
    // Two for each, others for other seeds.
    let left = 2
    for (const [what, hurt] of random.shuffle(FILE_DAMAGES)) {
      const path = join(data, file)
      if (left === 0 || hurt(path, random) === undefined) continue
      left--
      await victim.start()
      await checkAll(t, `${file} ${what}`)
      await victim.stop()
    }
  }
  await victim.start()
  await checkServed(t, 'after all that')
})

t.test('a key that is gone or garbage: refused, with what to do; back, it goes on', async (t) => {
  await victim.stop()
  const key = join(data, 'keys', 'node.key')
  renameSync(key, `${key}.kept`)
  t.match((await victim.refuseToStart()).output, /this node has no key: .*node\.key does not exist\n.*keygen/)
  writeFileSync(key, 'garbage', { mode: 0o600 })
  t.match((await victim.refuseToStart()).output, /node\.key/)
  renameSync(`${key}.kept`, key)
  await victim.start()
  await checkAll(t, 'with its key')
})

// A file with a wrong bit and the right size is met by the scrub, hours later; test/replication/blobs has that.
for (const [name, hurt] of [
  ['gone', (file: string) => remove(file)],
  ['cut short', (file: string) => cutShort(file, random)],
  ['manifests with a flipped bit', (file: string) => (isManifest(file) ? flip(file, random) : undefined)],
] as const) {
  t.test(`blobs that are ${name} are fetched again, and the site is served as it was (SEED=${seed})`, async (t) => {
    await write()
    await checkServed(t, 'before')
    await victim.kill()
    const hurtFiles = listBlobFiles(data).filter((file) => hurt(file) !== undefined)
    t.ok(hurtFiles.length > 0, `${hurtFiles.length} blobs`)
    await victim.start()
    await checkServed(t, 'after')
    await checkAll(t, 'after')
  })
}

/** By the magic number of zstd, RFC 8878. */
function isManifest(file: string): boolean {
  return readFileSync(file)
    .subarray(0, 4)
    .equals(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]))
}

t.test('nothing is left behind', async (t) => {
  await Promise.all(cluster.daemons.map((daemon) => daemon.stop()))
  t.strictSame(await scene.leftovers(), [])
})
