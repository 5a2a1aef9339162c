import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { silentLog, verifySignatureAside } from '../../core/index.ts'
import { createMemoryStore, openLevelStore, SharedReplica } from '../../replication/index.ts'
import { Document } from '../../replication/replica/document.ts'
import { FakeRuntime } from '../replication/fake-runtime.ts'
import { createTestCluster } from '../support/histories.ts'
import { Author } from './author.ts'
import { addressOf, domainSet, recordSet } from './changes.ts'
import { line, number, title } from './report.ts'

const OPERATIONS = Number(process.env.OPERATIONS ?? 100_000)
const NAMES = 1000
const CLIENTS = 5
const DIFFERING = 10
const BATCH = 2000

const cluster = createTestCluster()

/** The document that carries operations: its memory, and two replicas that find and exchange what they lack. */
export async function benchDocument(): Promise<void> {
  title(`8. The document of ${OPERATIONS} operations`)
  line('memory of the index', `${number(measureIndex())} bytes an operation`)
  const folder = await mkdtemp(join(tmpdir(), 'makiatto-bench-'))
  try {
    await fill(join(folder, 'a'))
    await cp(join(folder, 'a'), join(folder, 'b'), { recursive: true })
    await using a = await openReplica(join(folder, 'a'), 1)
    await using b = await openReplica(join(folder, 'b'), 2)
    for (let i = 0; i < DIFFERING; i++)
      await (i % 2 === 0 ? a : b).shared.replica.commit(cluster.operator, [recordSet(i, addressOf(i))])
    const started = performance.now()
    const bytes = (await pull(b.shared, a.shared)) + (await pull(a.shared, b.shared))
    line(`${DIFFERING} that differ, exchanged`, `${number(performance.now() - started)} ms, ${number(bytes / 1000)} KB`)
    await using c = await SharedReplica.open({
      ...memoryOptions(3),
      index: undefined,
      checkSignature: verifySignatureAside,
    })
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const syncing = performance.now()
    const all = await read(c, a.shared)
    line(
      'whole document read',
      `${number(performance.now() - syncing)} ms, ${number(all.bytes / 1e6)} MB, ${all.parts} parts`,
    )
    line('longest block meanwhile', `${number(delay.max / 1e6)} ms`)
    delay.reset()
    const merging = performance.now()
    const cpu = [process.threadCpuUsage(), process.cpuUsage()] as const
    await pull(c, a.shared)
    const busy = [process.threadCpuUsage(cpu[0]), process.cpuUsage(cpu[1])].map(
      ({ user, system }) => (user + system) / 1e6,
    )
    line('whole document merged by an empty replica', `${number((performance.now() - merging) / 1000)} s`)
    line('processor time of that: this thread, all', `${number(busy[0] ?? 0)} s, ${number(busy[1] ?? 0)} s`)
    line('longest block meanwhile', `${number(delay.max / 1e6)} ms`)
    delay.reset()
    const known = performance.now()
    await b[Symbol.asyncDispose]()
    await using d = await openReplica(join(folder, 'b'), 4, { document: 'none' })
    await pull(d.shared, a.shared)
    line('told to a replica that lost its index', `${number((performance.now() - known) / 1000)} s with its start`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function measureIndex(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const used = () => {
    collect()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return heapUsed + arrayBuffers
  }
  const before = used()
  const document = new Document(new FakeRuntime(1))
  for (let sequence = 0; sequence < OPERATIONS; sequence++)
    document.restore({ client: sequence % CLIENTS, clock: Math.floor(sequence / CLIENTS), sequence })
  const bytes = (used() - before) / OPERATIONS
  if (document.size !== OPERATIONS) throw new Error('the index is not whole')
  return bytes
}

async function fill(folder: string): Promise<void> {
  await using one = await openReplica(folder, 9)
  const { replica } = one.shared
  await replica.submit([cluster.creation.bytes])
  const author = new Author(cluster.operator, cluster.id, [cluster.creation])
  let batch = [author.make([domainSet]).bytes]
  for (let i = 2; i < OPERATIONS; i++) {
    batch.push(author.make([recordSet(i % NAMES, addressOf(i))]).bytes)
    if (batch.length < BATCH && i < OPERATIONS - 1) continue
    await replica.merge(batch)
    batch = []
  }
}

function memoryOptions(seed: number) {
  const runtime = new FakeRuntime(seed, Date.now())
  return { store: createMemoryStore(runtime), cluster: cluster.id, runtime, log: silentLog }
}

async function openReplica(folder: string, seed: number, { document = 'document' } = {}) {
  const owned = new AsyncDisposableStack()
  const runtime = new FakeRuntime(seed, Date.now())
  const options = { cluster: cluster.id, runtime, log: silentLog }
  const store = owned.use(await openLevelStore({ ...options, directory: join(folder, 'operations') }))
  const shared = owned.use(await SharedReplica.open({ ...options, store, index: join(folder, document) }))
  return { shared, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

async function read(to: SharedReplica, from: SharedReplica): Promise<{ bytes: number; parts: number }> {
  const total = { bytes: to.stateVector().length, parts: 0 }
  for await (const update of from.diff(to.stateVector())) {
    total.bytes += update.length
    total.parts++
  }
  return total
}

/** A sync step 1 and its answer, part after part. Returns the bytes of both. */
async function pull(to: SharedReplica, from: SharedReplica): Promise<number> {
  const vector = to.stateVector()
  let bytes = vector.length
  for await (const update of from.diff(vector)) {
    bytes += update.length
    const { refused, gap } = await to.mergeUpdate(update, 1)
    if (gap || refused.length > 0) throw new Error('an update was not taken')
  }
  return bytes
}
