import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { ControlClient } from '../../../cli/client/control-client.ts'
import { readEventStream } from '../../../cli/client/sse.ts'
import { formatExplanation } from '../../../cli/output/explanation-text.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { type BlobHash, hashBlob, type Runtime } from '../../../core/index.ts'
import { encodePack } from '../../../replication/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { domainSet, startTestCluster } from '../support/test-cluster.ts'

async function serve(handler: RequestListener) {
  const directory = await mkdtemp(join(tmpdir(), 'maki-'))
  const socketPath = join(directory, 'control.sock')
  const server = createServer(handler).listen(socketPath)
  await once(server, 'listening')
  return {
    socketPath,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
      await rm(directory, { recursive: true, force: true })
    },
  }
}

const same = (text: string): string => text
const style = {
  bold: same,
  dim: same,
  good: same,
  bad: same,
  warn: same,
  name: same,
  columns: undefined,
  isColoured: false,
}

const clientOf = (socketPath: string, runtime: Pick<Runtime, 'after'> = systemRuntime) =>
  new ControlClient({ socketPath, name: 'one', runtime })

t.test('a status of another shape is refused, whoever made it so', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  using honest = clientOf(node!.socketPath)
  const status = await honest.status()
  const [one] = status.nodes
  let answer: unknown
  await using liar = await serve((_, response) => response.end(JSON.stringify(answer)))
  using client = clientOf(liar.socketPath)
  answer = { ...status, more: 1, nodes: [{ ...one, more: 1 }] }
  t.same(await client.status(), answer, 'newer nodes may say more')
  const host = { memory: 0.5, disk: 0.5, load: null }
  const bad = [
    { host },
    { health: [{}] },
    { name: 7 },
    { version: {} },
    { unservable: null },
    { heads: 'x' },
    { lagMs: '' },
  ]
  for (const wrong of [
    null,
    [],
    'x',
    {},
    { ...status, nodes: {} },
    { ...status, conflicts: [{}] },
    { ...status, aliases: [{ target: 'x' }] },
    ...bad.map((part) => ({ ...status, nodes: [{ ...one, ...part }] })),
  ]) {
    answer = wrong
    await t.rejects(client.status(), { code: 'MAKI_PROTOCOL' }, JSON.stringify(wrong).slice(-80))
  }
})

t.test('an explanation of another shape is refused, and what is taken can be shown', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  await cluster.write(node!, [domainSet()])
  using honest = clientOf(node!.socketPath)
  const question = { type: 'A', client: '198.51.100.9', resolver: undefined }
  const asked = ['example.com', 'none.example.com', 'example.org']
  const told = await Promise.all(asked.map((name) => honest.explain({ ...question, name })))
  t.same(
    told.map(({ steps }) => steps.map(({ step }) => step)),
    [['look-up', 'choice'], ['look-up'], ['no-zone']],
  )
  const [report] = told
  const [look, choice] = report!.steps
  const other = { ...choice, candidates: [{ node: 'x', address: 'y', distanceKm: 1, readiness: 'new', why: 'newer' }] }
  const written = { operation: 'x', author: 'constructor', at: '', via: null }
  let answer: unknown
  await using liar = await serve((_, response) => response.end(JSON.stringify(answer)))
  using client = clientOf(liar.socketPath)
  answer = { ...report, more: 1, steps: [{ ...look, more: 1, written }, other] }
  const taken = await client.explain({ ...question, name: 'x' })
  t.same(taken, answer, 'newer nodes may say more')
  t.match(formatExplanation(taken, 0, style), /newer/)
  const broken = [
    { step: 'other' },
    { step: 'no-zone' },
    { ...look, found: 'x' },
    { ...look, written: {} },
    { ...choice, located: {} },
  ]
  for (const wrong of [
    null,
    { steps: [] },
    { ...report, steps: {} },
    { ...report, answers: [{ name: 'x' }] },
    { ...report, asker: null },
    { ...report, aliases: [{ target: 'x', refused: null }] },
    ...broken.map((step) => ({ ...report, steps: [step] })),
  ]) {
    answer = wrong
    await t.rejects(
      client.explain({ ...question, name: 'x' }),
      { code: 'MAKI_PROTOCOL' },
      JSON.stringify(wrong).slice(-80),
    )
  }
})

t.test('against the real control server', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  using client = clientOf(node!.socketPath)
  t.equal((await client.status()).cluster.id, cluster.cluster)
  const first = await client.operations(undefined)
  t.equal(first.operations.length, 2)
  t.same((await client.operations(first.cursor)).operations, [])
  t.match(await client.accept(first.operations), { accepted: [] })

  const blobs = ['a', 'bb'].map((text) => Buffer.from(text))
  const hashes = blobs.map((bytes) => hashBlob(bytes))
  t.same(await client.missingBlobs(hashes), hashes)
  const items = blobs.map((bytes, i) => ({ hash: hashes[i] as BlobHash, sizeBytes: bytes.length, chunks: [bytes] }))
  t.equal(await client.putBlobPack(encodePack(items)), 2)
  t.same(await client.missingBlobs(hashes), [])
  t.same(Buffer.from(await client.readBlob(hashes[1] as BlobHash)), blobs[1])
  await t.rejects(client.readBlob('0'.repeat(64) as BlobHash), { code: 'MAKI_NOT_FOUND' })
  const lie = [{ hash: '0'.repeat(64) as BlobHash, sizeBytes: 1, chunks: [Buffer.from('x')] }]
  await t.rejects(client.putBlobPack(encodePack(lie)), { code: 'MAKI_BLOB_MISMATCH' })
  const broken = async function* () {
    yield Buffer.alloc(10)
    throw new Error('the source broke')
  }
  await t.rejects(client.putBlobPack(broken()), /the source broke/)

  const events = (await client.events())[Symbol.asyncIterator]()
  const next = events.next()
  await cluster.write(node!, [domainSet()])
  using other = clientOf(node!.socketPath)
  const { operations } = await other.operations(undefined)
  await other.accept(operations)
  t.match(await next, { value: { event: 'operations' } })
  await events.return?.()
})

t.test('a node that is not there, not ours or not sane has a reason in words', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'maki-'))
  t.teardown(() => rm(directory, { recursive: true }))
  using absent = clientOf(join(directory, 'absent.sock'))
  await t.rejects(absent.status(), { code: 'MAKI_UNREACHABLE', message: /^one cannot be reached: nothing listens on / })
  using long = clientOf(join(directory, 'x'.repeat(100), 'absent.sock'))
  await t.rejects(long.status(), { code: 'MAKI_UNREACHABLE', message: /too long/ })
  await writeFile(join(directory, 'file.sock'), '')
  using file = clientOf(join(directory, 'file.sock'))
  await t.rejects(file.status(), { code: 'MAKI_UNREACHABLE' })

  const answers: [RequestListener, { code: string; message?: RegExp | string; hint?: string }][] = [
    [(_, response) => response.end('hello'), { code: 'MAKI_PROTOCOL' }],
    [(_, response) => response.writeHead(500).end('<html>'), { code: 'MAKI_PROTOCOL', message: /status 500/ }],
    [
      (_, response) => response.writeHead(403).end('{"code":"MAKI_LOCKED","message":"no","hint":"wait"}'),
      { code: 'MAKI_LOCKED', message: 'no', hint: 'wait' },
    ],
    [(_, response) => response.writeHead(403).end('{"code":"EVIL","message":"no"}'), { code: 'MAKI_PROTOCOL' }],
    [(_, response) => response.writeHead(403).end(`"${'x'.repeat(100_000)}"`), { code: 'MAKI_PROTOCOL' }],
    [(request) => request.socket.destroy(), { code: 'MAKI_UNREACHABLE' }],
    [
      (request, response) =>
        response.writeHead(200, { 'content-length': '100' }).write('{', () => request.socket.destroy()),
      { code: 'MAKI_UNREACHABLE' },
    ],
  ]
  for (const [handler, expected] of answers) {
    await using server = await serve(handler)
    using client = clientOf(server.socketPath)
    const error = await client.status().catch((thrown: unknown) => thrown)
    t.match(error, expected)
  }
  await using shapes = await serve((_, response) => response.end('{"missing":["zz"],"stored":"many"}'))
  using client = clientOf(shapes.socketPath)
  await t.rejects(client.missingBlobs(['0'.repeat(64) as BlobHash]), { code: 'MAKI_PROTOCOL' })
  await t.rejects(client.putBlobPack(encodePack([])), { code: 'MAKI_PROTOCOL' })
  await t.rejects(client.operations(undefined), { code: 'MAKI_PROTOCOL' })
})

t.test('a wedged node times out, and an interruption ends the wait', async (t) => {
  await using server = await serve(() => {})
  using hasty = clientOf(server.socketPath, {
    after(_delayMs, call) {
      const immediate = setImmediate(call)
      return () => clearImmediate(immediate)
    },
  })
  await t.rejects(hasty.status(), { code: 'MAKI_TIMEOUT', exitCode: 3 })
  using client = clientOf(server.socketPath)
  const interruption = new AbortController()
  const waiting = client.status({ signal: interruption.signal })
  const reason = new Error('stop')
  interruption.abort(reason)
  await t.rejects(waiting, reason)
})

for (const seed of seeds(20)) {
  t.test(`events are read however the stream is cut (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const events = [
      { event: 'operations', ids: ['a', 'ü', '日本'] },
      { event: 'nodes', nodes: [] },
    ]
    const text = `: hello\r\n\r\nevent: x\ndata: {"event":"strange"}\n\ndata: not json\n\n${events
      .map((event) => `event: ${event.event}\ndata: ${JSON.stringify(event)}${random.pick(['\n\n', '\r\n\r\n'])}`)
      .join(': beat\n\n')}`
    const bytes = Buffer.from(text)
    async function* cut() {
      for (let at = 0; at < bytes.length; ) {
        const end = at + 1 + random.integer(9)
        yield bytes.subarray(at, end)
        at = end
      }
    }
    t.same(await Array.fromAsync(readEventStream(cut())), events)
  })
}
