import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import type { Edge, EdgeOptions } from '../../../cli/node/edge-messages.ts'
import { EdgePool } from '../../../cli/node/edge-pool.ts'
import { EdgeWorker } from '../../../cli/node/edge-worker.ts'
import { systemRuntime } from '../../../cli/system.ts'
import {
  createOperation,
  Fold,
  findRelease,
  type Hostname,
  hashBlob,
  Manifest,
  nextStamp,
  type Operation,
  type OwnerName,
  type Release,
  type StateDelta,
  silentLog,
} from '../../../core/index.ts'
import { BlobStore } from '../../../replication/index.ts'
import { recordLog } from '../../replication/fake-runtime.ts'
import { eventually } from '../../support/eventually.ts'
import { createTestCluster, testSigner } from '../../support/histories.ts'

const dig = promisify(execFile)
const apex = 'example.com' as Hostname

/** A cluster with one domain, one record and two releases of one page. */
async function prepare(directory: string) {
  const store = await BlobStore.open(directory)
  const cluster = createTestCluster()
  const fold = new Fold()
  const deltas: StateDelta[] = []
  let last: Operation = cluster.creation
  const add = (operation: Operation) => {
    deltas.push(fold.add(operation))
    last = operation
  }
  const write = (changes: Operation['changes']) =>
    add(createOperation(cluster.operator, cluster.id, { stamp: nextStamp(0, [last.stamp]), heads: [last.id], changes }))
  add(cluster.creation)
  write([
    { kind: 'domain.set', domain: apex, spa: false, onConcurrent: 'latest', previews: true },
    { kind: 'record.set', domain: apex, name: 'txt' as OwnerName, type: 'TXT', ttl: 300, values: ['"one"'] },
    {
      kind: 'node.join',
      key: testSigner(5).key,
      name: 'one' as never,
      addresses: { ipv4: '127.0.0.1', ipv6: null },
      place: null,
      nameserver: true,
      drained: false,
    },
  ])
  const releases: Release[] = []
  for (const text of ['first', 'second']) {
    const page = Buffer.from(text)
    const manifest = Manifest.of([{ path: 'index.html', hash: hashBlob(page), sizeBytes: page.length }]).encode()
    await store.put(hashBlob(page), chunks(page))
    await store.put(manifest.hash, chunks(manifest.bytes))
    write([
      {
        kind: 'release.publish',
        domain: apex,
        manifest: manifest.hash,
        tree: manifest.tree,
        files: 1,
        bytes: page.length,
        aliases: [],
      },
    ])
    releases.push(findRelease(fold.state, apex) as Release)
  }
  const setText = (value: string): StateDelta => {
    write([
      { kind: 'record.set', domain: apex, name: 'txt' as OwnerName, type: 'TXT', ttl: 300, values: [`"${value}"`] },
    ])
    return deltas.at(-1) as StateDelta
  }
  return { store, deltas: [...deltas], releases, setText }
}

async function* chunks(bytes: Uint8Array) {
  yield bytes
}

function get(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: '127.0.0.1', port, path: '/', headers: { host: apex }, agent: false },
      async (response) => {
        let body = ''
        for await (const chunk of response) body += chunk
        resolve(`${response.statusCode} ${body}`)
      },
    )
    asked.on('error', reject)
    asked.end()
  })
}

async function txt(port: number): Promise<string> {
  const { stdout } = await dig('dig', ['@127.0.0.1', '-p', String(port), '+short', '+tries=3', `txt.${apex}`, 'TXT'])
  return stdout.trim()
}

const kinds: Record<string, (edge: EdgeOptions, register: string) => Edge> = {
  'in the same process': (edge) => new EdgeWorker(edge, { runtime: systemRuntime, log: silentLog }),
  'in two worker processes': (edge, register) =>
    new EdgePool({ edge, workers: 2, register, runtime: systemRuntime, log: silentLog }),
}

kinds['in two worker processes that were started before'] = (edge, register) =>
  new EdgePool({ edge, workers: 2, register, runtime: systemRuntime, log: silentLog }).prepare()

const NAMES = {
  answers: 1,
  authorities: ['letsencrypt.org'],
  places: { databases: [], overrides: undefined },
  cookieSecret: '00'.repeat(16),
  rateLimit: 0,
  nsid: undefined,
  version: undefined,
}

for (const [kind, start] of Object.entries(kinds)) {
  t.test(`an edge ${kind}`, async (t) => {
    const directory = t.testdir()
    const { store, deltas, releases, setText } = await prepare(directory)
    const socket = { host: '127.0.0.1', port: 0 }
    const options: EdgeOptions = {
      node: 'one',
      blobsDirectory: directory,
      dns: { ...socket, ...NAMES },
      http: { ...socket, maxConcurrentRequests: 100, requestTimeoutMs: 10_000, localHosts: false },
      reusePort: false,
    }
    const edge = start(options, join(directory, 'workers'))
    t.teardown(async () => {
      await edge.close()
      await store[Symbol.asyncDispose]()
    })
    for (const delta of deltas) edge.apply(delta)
    await edge.activate(apex, releases[0] as Release)
    const addresses = await edge.listen()
    const dns = addresses.dns?.port as number
    const http = addresses.http?.port as number
    t.equal(await get(http), '200 first')
    t.equal(await txt(dns), '"one"')
    await Promise.all([edge.activate(apex, releases[0] as Release), edge.activate(apex, releases[1] as Release)])
    for (let i = 0; i < 8; i++) t.equal(await get(http), '200 second', 'every worker has switched')
    const missing = {
      ...(releases[1] as Release),
      id: releases[0]?.id as Release['id'],
      manifest: hashBlob(Buffer.of()),
    }
    await t.rejects(edge.activate(apex, missing), { code: 'MAKI_BLOB_MISSING' })
    for (let i = 0; i < 4; i++) t.equal(await get(http), '200 second', 'every worker has stayed')
    edge.apply(setText('two'))
    await edge.activate(apex, releases[1] as Release)
    for (let i = 0; i < 4; i++) t.equal(await txt(dns), '"two"')
    const subnet = { family: 'ipv4', sourcePrefix: 24, address: Uint8Array.of(192, 0, 2, 0) } as const
    t.match(await edge.explain({ name: `txt.${apex}`, type: 16, asker: '192.0.2.7', subnet }), {
      asker: { address: '192.0.2.7', subnet: '192.0.2.0/24' },
      steps: [{ step: 'look-up', found: 'set', written: { via: null } }],
      answers: [{ name: `txt.${apex}`, value: '"two"' }],
    })
    const counted = await edge.counters()
    t.equal(counted.http?.requests, 13)
    t.ok((counted.dns?.queries.udp ?? 0) >= 5)
    await edge.activate(apex, null)
    t.match(await get(http), /^(404|503)/)
  })
}

t.test('a worker that is killed is replaced and knows everything', async (t) => {
  const directory = t.testdir()
  const register = join(directory, 'workers')
  const { store, deltas, releases } = await prepare(directory)
  const replaced = Promise.withResolvers<void>()
  let started = 0
  const log = {
    ...silentLog,
    info: (event: string) => event === 'worker.started' && ++started === 3 && replaced.resolve(),
  }
  const socket = { host: '127.0.0.1', port: 0 }
  const http = { ...socket, maxConcurrentRequests: 100, requestTimeoutMs: 10_000, localHosts: false }
  const edge = new EdgePool({
    edge: { node: 'one', blobsDirectory: directory, dns: { ...socket, ...NAMES }, http, reusePort: true },
    workers: 2,
    register,
    runtime: systemRuntime,
    log: log as typeof silentLog,
  })
  t.teardown(async () => {
    await edge.close()
    await store[Symbol.asyncDispose]()
  })
  for (const delta of deltas) edge.apply(delta)
  await edge.activate(apex, releases[0] as Release)
  const addresses = await edge.listen()
  const [victim] = await readdir(register)
  process.kill(Number(victim), 'SIGKILL')
  let waiting = true
  void replaced.promise.then(() => {
    waiting = false
  })
  while (waiting)
    t.match(await get(addresses.http?.port as number).catch(() => 'cut'), /^(200 first|cut)$/, 'never an empty table')
  await edge.activate(apex, releases[1] as Release)
  const pids = await readdir(register)
  t.equal(pids.length, 2)
  t.notOk(pids.includes(victim as string))
  for (let i = 0; i < 10; i++) t.equal(await get(addresses.http?.port as number), '200 second')
})

t.test(
  'workers that were started before are those that listen, unless they died; none outlives a pool that never did',
  async (t) => {
    const directory = t.testdir()
    const started: number[] = []
    const log = {
      ...silentLog,
      info: (event: string, data?: Record<string, unknown>) =>
        event === 'worker.started' && started.push(data?.pid as number),
    }
    const http = { host: '127.0.0.1', port: 0, maxConcurrentRequests: 100, requestTimeoutMs: 10_000, localHosts: false }
    const create = () =>
      new EdgePool({
        edge: { node: 'one', blobsDirectory: directory, dns: undefined, http, reusePort: true },
        workers: 2,
        register: join(directory, 'workers'),
        runtime: systemRuntime,
        log: log as typeof silentLog,
      }).prepare()
    const pool = create()
    t.teardown(() => pool.close())
    const [first, second] = await childrenOf(process.pid)
    process.kill(first as number, 'SIGKILL')
    while ((await childrenOf(process.pid)).includes(first as number));
    await pool.listen()
    t.equal(started.length, 2)
    t.ok(started.includes(second as number))
    t.notOk(started.includes(first as number))
    const before = await childrenOf(process.pid)
    const never = create()
    t.equal((await childrenOf(process.pid)).length, before.length + 2)
    await never.close()
    t.same(await childrenOf(process.pid), before)
  },
)

t.test('a pool that is closed while a worker starts again starts no other', async (t) => {
  const directory = t.testdir()
  const log = recordLog()
  const timers = new Set<() => void>()
  const after = (delayMs: number, run: () => void) => {
    // What the pool watches its workers by is another matter.
    if (delayMs > 1000) return () => {}
    timers.add(run)
    return () => void timers.delete(run)
  }
  const http = { host: '127.0.0.1', port: 0, maxConcurrentRequests: 100, requestTimeoutMs: 10_000, localHosts: false }
  const pool = new EdgePool({
    edge: { node: 'one', blobsDirectory: directory, dns: undefined, http, reusePort: true },
    workers: 1,
    register: join(directory, 'workers'),
    runtime: { ...systemRuntime, after },
    log,
  })
  t.teardown(() => pool.close())
  await pool.listen()
  process.kill(log.events.find(([event]) => event === 'worker.started')?.[1].pid as number, 'SIGKILL')
  const [startAgain] = await eventually('its death', () => (timers.size > 0 ? [...timers] : undefined))
  timers.clear()
  startAgain?.()
  await pool.close()
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(timers.size, 0)
  t.strictSame(
    log.events.map(([event]) => event),
    ['worker.started', 'worker.died'],
  )
})

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map(Number)
}
