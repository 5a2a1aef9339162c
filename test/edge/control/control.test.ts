import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, type RequestOptions, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import {
  type BlobHash,
  hashBlob,
  type Log,
  MakiError,
  type Runtime,
  type SealEpochKey,
  silentLog,
} from '../../../core/index.ts'
import {
  CONTROL_LIMITS,
  CONTROL_PATHS,
  type ControlBackend,
  type ControlBlobs,
  type ControlEvent,
  type ControlSeals,
  decodeOperationsPage,
  type ExplainParameters,
  encodeOperationBatch,
  MESSAGEPACK_TYPE,
  SAME_LIMITS,
  signSameRequest,
  startControlServer,
} from '../../../edge/index.ts'
import { createTestCluster, testSigner } from '../../support/histories.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { FakeRuntime, MemoryBlobs, releaseId, sendRaw } from '../fixtures.ts'

class FakeBlobs extends MemoryBlobs implements ControlBlobs {
  /** Bytes that a put took so far, and what became of the last one. */
  taken = 0
  failed: unknown
  /** A put refuses after this many bytes. */
  limit = Number.POSITIVE_INFINITY

  async missing(hashes: readonly BlobHash[]): Promise<BlobHash[]> {
    return hashes.filter((hash) => !this.bytes.has(hash))
  }

  async put(hash: BlobHash, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const digest = createHash('sha256')
    this.taken = 0
    try {
      for await (const chunk of bytes) {
        this.taken += chunk.length
        if (this.taken > this.limit) throw new MakiError('MAKI_DISK_FULL', 'the disk is full')
        digest.update(chunk)
      }
    } catch (error) {
      this.failed = error
      throw error
    }
    if (digest.digest('hex') !== hash) throw new MakiError('MAKI_BLOB_MISMATCH', 'these are not the bytes of that hash')
  }

  async putPack(pack: AsyncIterable<Uint8Array>): Promise<number> {
    let sizeBytes = 0
    for await (const chunk of pack) sizeBytes += chunk.length
    return sizeBytes
  }
}

class FakeBackend implements ControlBackend {
  readonly compared: unknown[] = []
  readonly seals: ControlSeals = {
    epoch: async () => 'a'.repeat(52) as SealEpochKey,
    same: async ({ items }) => {
      this.compared.push(...items)
      return items.map(({ sealed, value }) => sealed.box === value.box)
    },
  }
  readonly blobs = new FakeBlobs()
  readonly listeners = new Set<(event: ControlEvent) => void>()
  readonly asked: unknown[] = []
  accepted: readonly Uint8Array[] = []

  async status() {
    return { cluster: { id: 'c', name: 'home' }, nodes: [] } as unknown as Awaited<ReturnType<ControlBackend['status']>>
  }
  async state(at?: string) {
    this.asked.push(at)
    if (at === 'never') throw new MakiError('MAKI_INVALID', 'never is no time', { hint: 'Try now.' })
    if (at === 'bug') throw new TypeError('x is not a function')
    return { entries: [['cluster', null] as const], touches: [] }
  }
  async explain(question: ExplainParameters) {
    this.asked.push(question)
    return { steps: [] }
  }
  async accept(operations: readonly Uint8Array[]) {
    this.accepted = operations
    return { accepted: operations.map(() => releaseId('d')), known: [] }
  }
  async operations(after: string | undefined) {
    this.asked.push(after)
    return { operations: [new Uint8Array([1, 2])], cursor: 'x:1', more: false }
  }
  subscribe(listener: (event: ControlEvent) => void) {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }
  async metrics() {
    return 'maki_up 1\n'
  }
  emit(event: ControlEvent) {
    for (const listener of this.listeners) listener(event)
  }
}

/** Under the system's folder: a socket path has room for 103 bytes only. */
function makeFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'maki-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function start(t: Test, part: { runtime?: Runtime; log?: Log } = {}) {
  const backend = new FakeBackend()
  const socketPath = join(makeFolder(t), 'control.sock')
  const server = await startControlServer({ backend, socketPath, log: silentLog, runtime: systemRuntime, ...part })
  t.teardown(() => server.close())
  return { backend, server, socketPath }
}

type Answer = { status: number | undefined; type: string | undefined; body: Buffer }

async function ask(socketPath: string, options: RequestOptions, body?: string | Uint8Array): Promise<Answer> {
  const asking = request({ socketPath, agent: false, ...options })
  asking.end(body)
  const [response] = (await once(asking, 'response')) as [IncomingMessage]
  const bytes = Buffer.concat(await response.toArray())
  return { status: response.statusCode, type: response.headers['content-type'], body: bytes }
}

/** Waits turn by turn of the event loop; what it waits for comes from a socket. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}

t.test('routes', async (t) => {
  const { backend, socketPath } = await start(t)
  const go = (method: string, path: string, body?: string | Uint8Array) => ask(socketPath, { method, path }, body)
  const json = async (method: string, path: string, body?: string | Uint8Array) =>
    JSON.parse((await go(method, path, body)).body.toString()) as unknown

  t.equal(statSync(socketPath).mode & 0o777, 0o660)
  t.match(await go('GET', CONTROL_PATHS.status), { status: 200, type: 'application/json' })
  t.match(await json('GET', CONTROL_PATHS.status), { cluster: { name: 'home' } })
  t.strictSame(await json('GET', CONTROL_PATHS.state), { entries: [['cluster', null]], touches: [] })
  await go('GET', `${CONTROL_PATHS.state}?at=${encodeURIComponent('2026-11-22T10:00:00Z+1')}`)
  const metrics = await go('GET', CONTROL_PATHS.metrics)
  t.match(metrics, { status: 200, type: /^text\/plain; version=0.0.4/ })
  t.equal(metrics.body.toString(), 'maki_up 1\n')

  const operations = [new Uint8Array([1]), new Uint8Array(70_000)]
  t.strictSame(await json('POST', CONTROL_PATHS.operations, encodeOperationBatch(operations)), {
    accepted: [releaseId('d'), releaseId('d')],
    known: [],
  })
  t.strictSame(backend.accepted, operations)
  const page = await go('GET', `${CONTROL_PATHS.operations}?after=x%3A0`)
  t.equal(page.type, MESSAGEPACK_TYPE)
  t.strictSame(decodeOperationsPage(page.body), { operations: [new Uint8Array([1, 2])], cursor: 'x:1', more: false })
  t.strictSame(backend.asked, [undefined, '2026-11-22T10:00:00Z+1', 'x:0'])

  const here = backend.blobs.add('here')
  const gone = hashBlob(new Uint8Array(1))
  t.strictSame(await json('POST', CONTROL_PATHS.blobsMissing, JSON.stringify({ hashes: [here, gone] })), {
    missing: [gone],
  })
  t.strictSame(await json('POST', CONTROL_PATHS.blobsPack, new Uint8Array(200_000)), { stored: 200_000 })
  t.match(await go('PUT', `${CONTROL_PATHS.blobs}/${here}`, 'here'), { status: 204 })
  t.equal((await go('GET', `${CONTROL_PATHS.blobs}/${here}`)).body.toString(), 'here')
  const large = backend.blobs.add(new Uint8Array(3_000_000).fill(7))
  t.equal(hashBlob((await go('GET', `${CONTROL_PATHS.blobs}/${large}`)).body), large)
  t.equal(backend.blobs.open, 0)
})

t.test('faults have their code, status and hint', async (t) => {
  const { backend, socketPath } = await start(t)
  const { batchBytes, missingHashes } = CONTROL_LIMITS
  const blob = `${CONTROL_PATHS.blobs}/${'0'.repeat(64)}`
  const cases: [method: string, path: string, body: string | Uint8Array | undefined, status: number, code: string][] = [
    ['GET', '/', undefined, 404, 'MAKI_NOT_FOUND'],
    ['GET', '/v1/nothing', undefined, 404, 'MAKI_NOT_FOUND'],
    ['DELETE', CONTROL_PATHS.status, undefined, 404, 'MAKI_NOT_FOUND'],
    ['GET', '/v1/blobs/%', undefined, 400, 'MAKI_PROTOCOL'],
    ['GET', blob, undefined, 404, 'MAKI_NOT_FOUND'],
    ['GET', '/v1/blobs/..%2f..%2fetc', undefined, 400, 'MAKI_INVALID'],
    ['PUT', '/v1/blobs/ABC', 'x', 400, 'MAKI_INVALID'],
    ['PUT', blob, 'x', 422, 'MAKI_BLOB_MISMATCH'],
    ['GET', `${CONTROL_PATHS.state}?at=never`, undefined, 400, 'MAKI_INVALID'],
    ['GET', `${CONTROL_PATHS.state}?at=bug`, undefined, 500, 'MAKI_INTERNAL'],
    ['GET', `${CONTROL_PATHS.state}?at=${'x'.repeat(201)}`, undefined, 400, 'MAKI_INVALID'],
    ['GET', `${CONTROL_PATHS.operations}?after=${'x'.repeat(201)}`, undefined, 400, 'MAKI_INVALID'],
    ['POST', CONTROL_PATHS.operations, undefined, 400, 'MAKI_PROTOCOL'],
    ['POST', CONTROL_PATHS.operations, '{}', 400, 'MAKI_PROTOCOL'],
    ['POST', CONTROL_PATHS.operations, Uint8Array.of(0xdd, 255, 255, 255, 255), 413, 'MAKI_TOO_LARGE'],
    ['POST', CONTROL_PATHS.operations, new Uint8Array(batchBytes + 1), 413, 'MAKI_TOO_LARGE'],
    ['POST', CONTROL_PATHS.blobsMissing, '', 400, 'MAKI_INVALID'],
    ['POST', CONTROL_PATHS.blobsMissing, '{"hashes":', 400, 'MAKI_INVALID'],
    ['POST', CONTROL_PATHS.blobsMissing, '\xff', 400, 'MAKI_INVALID'],
    ['POST', CONTROL_PATHS.blobsMissing, 'null', 400, 'MAKI_INVALID'],
    ['POST', CONTROL_PATHS.blobsMissing, '[]', 400, 'MAKI_INVALID'],
    ['POST', CONTROL_PATHS.blobsMissing, '{"hashes":{"length":1}}', 400, 'MAKI_INVALID'],
    ['POST', CONTROL_PATHS.blobsMissing, '{"hashes":[1]}', 400, 'MAKI_INVALID'],
    ['POST', CONTROL_PATHS.blobsMissing, '{"hashes":["../x"]}', 400, 'MAKI_INVALID'],
    [
      'POST',
      CONTROL_PATHS.blobsMissing,
      JSON.stringify({ hashes: new Array(missingHashes + 1).fill(0) }),
      413,
      'MAKI_TOO_LARGE',
    ],
    ['POST', CONTROL_PATHS.blobsMissing, ' '.repeat(missingHashes * 70 + 1), 413, 'MAKI_TOO_LARGE'],
  ]
  for (const [method, path, body, status, code] of cases) {
    const answer = await ask(socketPath, { method, path }, body)
    t.match(
      { ...answer, body: JSON.parse(answer.body.toString()) },
      { status, type: 'application/json', body: { code, message: String } },
      `${method} ${path.slice(0, 40)} ${String(body).slice(0, 30)}`,
    )
  }
  const hinted = await ask(socketPath, { path: `${CONTROL_PATHS.state}?at=never` })
  t.strictSame(JSON.parse(hinted.body.toString()), {
    code: 'MAKI_INVALID',
    message: 'never is no time',
    hint: 'Try now.',
  })

  const chunked = await ask(
    socketPath,
    { method: 'POST', path: CONTROL_PATHS.operations, headers: { 'transfer-encoding': 'chunked' } },
    new Uint8Array(batchBytes + 1),
  )
  t.equal(chunked.status, 413, 'a body without a length is counted')
  backend.blobs.limit = 100_000
  const full = await ask(socketPath, { method: 'PUT', path: blob }, new Uint8Array(4_000_000))
  t.match(
    [full.status, full.body.toString()],
    [507, /MAKI_DISK_FULL/],
    'a refusal in the middle of a body reaches the client',
  )
  t.match(await sendRaw({ path: socketPath }, 'rubbish\r\n\r\n'), /^HTTP\/1\.1 400/)
  t.equal((await ask(socketPath, { path: CONTROL_PATHS.status })).status, 200)
})

t.test('any request is answered', async (t) => {
  const { socketPath } = await start(t)
  const paths = [
    CONTROL_PATHS.operations,
    CONTROL_PATHS.blobsMissing,
    CONTROL_PATHS.blobsPack,
    `/v1/blobs/${'a'.repeat(64)}`,
    '/v1/state?at',
    '/%ff',
    '//',
    '/v1/blobs/',
  ]
  for (const seed of seeds(100)) {
    const random = createRandom(seed)
    const method = random.pick(['GET', 'POST', 'PUT', 'PATCH', 'OPTIONS', 'HEAD'])
    const path = random.pick(paths)
    const { status = 0 } = await ask(
      socketPath,
      { method, path },
      method === 'HEAD' ? undefined : random.bytes(random.integer(60)),
    )
    if (status < 200 || status >= 500) t.fail(`seed ${seed}: ${method} ${path} gave ${status}`)
  }
  t.pass()
})

t.test('an upload that ends early fails at the backend', async (t) => {
  const { backend, socketPath } = await start(t)
  const socket = connect(socketPath)
  socket.write(
    `PUT /v1/blobs/${'0'.repeat(64)} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(1000)}`,
  )
  await until(() => backend.blobs.taken > 0)
  socket.destroy()
  await until(() => backend.blobs.failed !== undefined)
  t.match(backend.blobs.failed, { code: 'ECONNRESET' })
})

t.test('a 100 MB upload is not held in memory', async (t) => {
  const { backend, socketPath } = await start(t)
  const chunk = Buffer.alloc(1024 * 1024, 5)
  const digest = createHash('sha256')
  for (let i = 0; i < 100; i++) digest.update(chunk)
  const asking = request({ socketPath, method: 'PUT', path: `/v1/blobs/${digest.digest('hex')}`, agent: false })
  let most = 0
  let sent = 0
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const before = process.memoryUsage().arrayBuffers
  for (let i = 0; i < 100; i++) {
    sent += chunk.length
    if (!asking.write(chunk)) await once(asking, 'drain')
    most = Math.max(most, sent - backend.blobs.taken)
    if (i % 10 !== 0) continue
    // The client lives in this process too, but sends one and the same chunk: what is still held is the server's.
    collect()
    most = Math.max(most, process.memoryUsage().arrayBuffers - before)
  }
  asking.end()
  const [response] = (await once(asking, 'response')) as [IncomingMessage]
  t.equal(response.statusCode, 204)
  t.equal(backend.blobs.taken, 100 * chunk.length)
  t.ok(most < 32 * 1024 * 1024, `at most ${Math.round(most / 1024)} KiB were under way`)
})

t.test('events', async (t) => {
  const runtime = new FakeRuntime()
  const { backend, server, socketPath } = await start(t, { runtime })
  const asking = request({ socketPath, path: CONTROL_PATHS.events, agent: false }).end()
  const [response] = (await once(asking, 'response')) as [IncomingMessage]
  t.match(response.headers['content-type'], /^text\/event-stream/)
  let text = ''
  response.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  const event: ControlEvent = { event: 'operations', ids: [releaseId('d')] }
  backend.emit(event)
  await until(() => text.includes('data:'))
  t.equal(text, `:\n\nevent: operations\ndata: ${JSON.stringify(event)}\n\n`)
  runtime.advance(15_000)
  runtime.advance(15_000)
  await until(() => text.endsWith('\n\n:\n\n:\n\n'))
  const ended = once(response, 'end')
  await server.close()
  await ended
  t.equal(backend.listeners.size, 0, 'closing ends the stream in order')
})

t.test('an event stream ends with its client, and a client that does not read is cut', async (t) => {
  const warned: string[] = []
  const log = { ...silentLog, warn: (event: string) => warned.push(event) } as Log
  const { backend, socketPath } = await start(t, { log })
  const open = async (): Promise<Socket> => {
    const socket = connect(socketPath)
    socket.on('error', () => {}).write('GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(socket, 'data')
    return socket.pause()
  }
  const leaver = await open()
  t.equal(backend.listeners.size, 1)
  leaver.destroy()
  await until(() => backend.listeners.size === 0)

  const sleeper = await open()
  const event: ControlEvent = { event: 'operations', ids: new Array(1000).fill(releaseId('d')) }
  let sent = 0
  while (backend.listeners.size > 0 && sent < 1000) {
    backend.emit(event)
    sent++
    await new Promise((resolve) => setImmediate(resolve))
  }
  t.ok(sent < 200, `cut after ${sent} events of 55 KB`)
  t.strictSame(warned, ['control.events-overrun'])
  sleeper.destroy()
  t.equal((await ask(socketPath, { path: CONTROL_PATHS.status })).status, 200)

  const many = await Promise.all(Array.from({ length: 64 }, open))
  t.equal((await ask(socketPath, { path: CONTROL_PATHS.events })).status, 503, 'their number is bounded')
  for (const socket of many) socket.destroy()
  await until(() => backend.listeners.size === 0)
})

t.test('the socket path', async (t) => {
  const folder = makeFolder(t)
  writeFileSync(join(folder, 'file'), 'precious')
  const begin = (socketPath: string) =>
    startControlServer({ backend: new FakeBackend(), socketPath, log: silentLog, runtime: systemRuntime })
  await t.rejects(begin(join(folder, 'file')), { code: 'MAKI_CONFIG' })
  t.ok(existsSync(join(folder, 'file')), 'what is no socket stays')
  await t.rejects(begin(join(folder, 'x'.repeat(100))), { code: 'MAKI_CONFIG' })
  await t.rejects(begin(join(folder, 'no', 'folder')), { name: 'MakiError' })

  const path = join(folder, 's')
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
  await promisify(execFile)(process.execPath, ['-e', script]).catch(() => {})
  t.ok(existsSync(path), 'a killed process leaves its socket')
  const server = await begin(path)
  await t.rejects(begin(path), { code: 'MAKI_LOCKED', message: /already running/ })
  t.equal((await ask(path, { path: '/metrics' })).status, 200, 'the one that runs is not disturbed')
  const closed = server.close()
  t.equal(server.close(), closed)
  await closed
  t.notOk(existsSync(path), 'closing removes it')
  await (await begin(path)).close()
})

t.test('close waits for a request under way', async (t) => {
  const { backend, server, socketPath } = await start(t)
  const asking = request({ socketPath, method: 'POST', path: CONTROL_PATHS.blobsPack, agent: false })
  const answered = once(asking, 'response')
  asking.write('ab')
  await ask(socketPath, { path: CONTROL_PATHS.status })
  const closed = server.close()
  asking.end('c')
  const [response] = (await answered) as [IncomingMessage]
  t.equal(Buffer.concat(await response.toArray()).toString(), '{"stored":3}')
  await closed
  t.equal(backend.listeners.size, 0)
})

t.test('seals: the epoch, and comparisons of sealed values that are bounded', async (t) => {
  const { backend, socketPath } = await start(t)
  const epoch = 'a'.repeat(52)
  const post = (path: string, body?: unknown) =>
    ask(socketPath, { method: 'POST', path }, typeof body === 'string' ? body : JSON.stringify(body))
  t.strictSame(JSON.parse((await post(CONTROL_PATHS.sealsEpoch)).body.toString()), { epoch })
  const item = (a: string, b: string) => ({
    purpose: 'env example.com KEY api.wasm',
    sealed: { epoch, box: a },
    value: { epoch, box: b },
  })
  const signer = testSigner(1)
  const sign = (items: readonly ReturnType<typeof item>[]) =>
    signSameRequest(signer, createTestCluster().id, items as never)
  const answer = await post(CONTROL_PATHS.sealsSame, sign([item('AA', 'AA'), item('AA', 'BB')]))
  t.strictSame(JSON.parse(answer.body.toString()), { same: [true, false] })
  const many = Array.from({ length: SAME_LIMITS.items + 1 }, () => item('AA', 'AA'))
  const cases: [unknown, number, string][] = [
    ['{', 400, 'MAKI_INVALID'],
    [{ ...sign([]), items: 1 }, 400, 'MAKI_INVALID'],
    [{ items: [item('AA', 'AA')] }, 400, 'MAKI_INVALID'],
    [{ ...sign([]), signature: 'AA' }, 400, 'MAKI_INVALID'],
    [{ ...sign([]), items: [{ ...item('AA', 'AA'), value: 'in clear' }] }, 400, 'MAKI_INVALID'],
    [sign([item('AA', '+/')]), 400, 'MAKI_INVALID'],
    [sign(many), 413, 'MAKI_TOO_LARGE'],
    [' '.repeat(SAME_LIMITS.bytes + 1), 413, 'MAKI_TOO_LARGE'],
  ]
  const before = backend.compared.length
  for (const [body, status, code] of cases) {
    const refused = await post(CONTROL_PATHS.sealsSame, body)
    t.match({ status: refused.status, ...JSON.parse(refused.body.toString()) }, { status, code })
    t.notMatch(refused.body.toString(), 'in clear')
  }
  t.equal(backend.compared.length, before)
})
