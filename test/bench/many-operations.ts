import { stat } from 'node:fs/promises'
import { makeNodeFolders } from '../../cli/node/node-folders.ts'
import { systemRuntime } from '../../cli/system.ts'
import {
  type Change,
  createOperation,
  decodeOperation,
  Fold,
  type Hostname,
  hashBlob,
  nextStamp,
  type Operation,
  silentLog,
} from '../../core/index.ts'
import { openLevelStore, Replica } from '../../replication/index.ts'
import { Author } from './author.ts'
import { addressOf, DOMAIN, domainSet, recordSet } from './changes.ts'
import { type BenchCluster, type BenchNode, sleep, startCluster } from './cluster.ts'
import { readMemory } from './memory.ts'
import { askAddress } from './propagation.ts'
import { line, number, spread, title } from './report.ts'
import { summarize } from './stats.ts'

const OPERATIONS = Number(process.env.OPERATIONS ?? 100_000)
/** One domain has a thousand names, so that most operations replace a value. */
const NAMES = 1000
const BATCH = 2000
const RESTARTS = 5
const LATE = 20
/** Long enough for a node to have nothing left to do but its scrub. */
const REST_MS = 5000

/**
 * A long history: folding it, packing the fold and unpacking it, an operation a month late, and the restart of a node that
 * holds it until it answers its first question, without a checkpoint and with one. Its memory is compared with that of the
 * same node before.
 */
export async function benchManyOperations(): Promise<void> {
  title(`5b. ${OPERATIONS} operations`)
  await using cluster = await startCluster(1)
  const node = cluster.nodes[0]!
  const author = await Author.at(cluster, node)
  const { operations: seed } = await node.control.operations(undefined)
  await sleep(REST_MS)
  const idle = await readMemory(node.pid())
  await node.stop()
  const operations: Operation[] = [author.make([domainSet])]
  for (let i = 1; i < OPERATIONS; i++) operations.push(author.make([changeAt(i)]))
  const sizes = operations.reduce((sum, { bytes }) => sum + bytes.length, 0)
  line('size of an operation, bytes', number(sizes / OPERATIONS))

  measureFold(cluster, seed, operations)
  await fill(cluster, node, operations)
  await measureLate(cluster, node, operations)
  await measureRestarts(node, idle.Rss)
}

/** Records, one in five a release, one in ten an alias. The last one is a record. */
function changeAt(i: number): Change {
  if (i < OPERATIONS - 1 && i % 10 === 3) return { kind: 'alias.set', domain: DOMAIN, host: hostAt(i) }
  if (i === OPERATIONS - 1 || i % 5 !== 1) return recordSet(i % NAMES, addressOf(i))
  const hash = hashBlob(Uint8Array.of(i & 255, (i >> 8) & 255, i >> 16))
  const aliases = [hostAt(i)]
  return { kind: 'release.publish', domain: domainAt(i), manifest: hash, tree: hash, files: 9, bytes: 999, aliases }
}

const hostAt = (i: number) => `h${i % 50}.${DOMAIN}` as Hostname
/** Published before they are set up: they lie dormant, and no node looks for their files. */
const domainAt = (i: number) => `d${i % 200}.example` as Hostname

function measureFold({ cluster }: BenchCluster, seed: readonly Uint8Array[], operations: readonly Operation[]): void {
  const fold = new Fold()
  for (const bytes of seed) fold.add(decodeOperation(bytes, cluster, { signatureChecked: true }))
  const written = operations.map(({ bytes }) => bytes)
  let read: readonly Operation[] = []
  timed('read', () => {
    read = written.map((bytes) => decodeOperation(bytes, cluster, { signatureChecked: true }))
  })
  timed('fold', () => {
    for (const operation of read) fold.add(operation)
  })
  fold.digest()
  const packing = performance.now()
  const packed = fold.pack()
  const unpacking = performance.now()
  new Fold(packed)
  const bytes = packed.lists.reduce((sum, { length }) => sum + length, 0)
  const times = `${number(unpacking - packing)} ms, ${number(performance.now() - unpacking)} ms`
  line('pack, unpack', `${times}, ${number(bytes / 1e6)} MB`)
}

/** What passed, and how long this thread was busy: on a machine with other work the first is much more. */
function timed(what: string, act: () => void): void {
  const started = performance.now()
  const cpu = process.threadCpuUsage()
  act()
  const { user, system } = process.threadCpuUsage(cpu)
  line(what, `${number(performance.now() - started)} ms, of processor time ${number((user + system) / 1000)} ms`)
}

/** Into the store of a node that does not run: handing them in one by one measures something else. */
async function fill({ cluster }: BenchCluster, node: BenchNode, operations: readonly Operation[]): Promise<void> {
  const { operations: directory } = await makeNodeFolders(node.layout.dataDirectory)
  await using store = await openLevelStore({ directory, cluster, runtime: systemRuntime, log: silentLog })
  for (let from = 0; from < operations.length; from += BATCH) await store.append(operations.slice(from, from + BATCH))
}

/** At a replica, so with signature and fsync; each follows the operation that ended the first tenth. */
async function measureLate(cluster: BenchCluster, node: BenchNode, operations: readonly Operation[]): Promise<void> {
  const { operations: directory } = await makeNodeFolders(node.layout.dataDirectory)
  const options = { cluster: cluster.cluster, runtime: systemRuntime, log: silentLog }
  await using store = await openLevelStore({ directory, ...options })
  await using replica = await Replica.open({ store, ...options })
  const head = operations[Math.floor(operations.length / 10)] as Operation
  const times: number[] = []
  for (let i = 0; i < LATE; i++) {
    // The name that is asked for at the end keeps its value.
    const { bytes } = createOperation(cluster.signer, cluster.cluster, {
      stamp: nextStamp(0, [head.stamp]),
      heads: [head.id],
      changes: [recordSet(i, addressOf(i))],
    })
    const started = performance.now()
    const { added } = await replica.merge([bytes])
    times.push(performance.now() - started)
    if (added.length !== 1) throw new Error('the late operation was not taken')
  }
  line('a late operation, until it is durable and folded', spread(summarize(times), ' ms'))
}

async function measureRestarts(node: BenchNode, idleMb: number): Promise<void> {
  line('start without checkpoint to the first DNS answer', `${number((await timeStart(node)) / 1000)} s`)
  const { checkpoint } = await makeNodeFolders(node.layout.dataDirectory)
  while ((await stat(checkpoint).catch(() => undefined)) === undefined) await sleep(100)
  await node.stop()
  const times: number[] = []
  for (let i = 0; i < RESTARTS; i++) {
    if (i > 0) await node.stop()
    times.push((await timeStart(node)) / 1000)
  }
  line('start with checkpoint to the first DNS answer', spread(summarize(times), ' s'))
  await sleep(REST_MS)
  const { Rss: heldMb } = await readMemory(node.pid())
  line('RSS of control, before and now', `${number(idleMb)} MB, ${number(heldMb)} MB: ${number(heldMb - idleMb)} more`)
}

/** Milliseconds until the newest value is told; the node is then given time to finish its start. */
async function timeStart(node: BenchNode): Promise<number> {
  const name = `r${(OPERATIONS - 1) % NAMES}.${DOMAIN}`
  const started = performance.now()
  const starting = node.start()
  while ((await askAddress(node.layout.dnsPort, name)) !== addressOf(OPERATIONS - 1));
  const ms = performance.now() - started
  await starting
  return ms
}
