import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readlinkSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { Agent, get, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { systemRuntime } from '../../../../cli/system.ts'
import { type BlobHash, silentLog } from '../../../../core/index.ts'
import { type HttpServer, startHttpServer } from '../../../../edge/index.ts'
import { BlobFolder } from '../../../../replication/index.ts'
import { createRandom, seeds } from '../../../support/seeds.ts'
import { buildManifest, buildSite, buildTable, FakeRuntime, MemoryBlobs, sendRaw } from '../../fixtures.ts'

const run = promisify(execFile)
const LARGE_BYTES = 10 * 1024 * 1024
const large = Buffer.alloc(LARGE_BYTES).map((_, i) => (i * 31 + (i >> 8)) & 0xff)
const FILES = { 'index.html': 'home', 'large.bin': large }
const LAST = 'GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n'

/** A folder of blobs that knows which of them were asked for by path. */
class Folder extends BlobFolder {
  opened = 0
  override path(hash: BlobHash): string {
    this.opened++
    return super.path(hash)
  }
}

async function start(t: Test, part: { runtime?: FakeRuntime } = {}) {
  const memory = new MemoryBlobs()
  const manifest = buildManifest(memory, FILES)
  const folder = new Folder(t.testdir())
  for (const [hash, bytes] of memory.bytes) {
    mkdirSync(dirname(folder.path(hash)), { recursive: true })
    writeFileSync(folder.path(hash), bytes)
  }
  const table = buildTable(buildSite(manifest))
  const failed: BlobHash[] = []
  const server = await startHttpServer({
    table: () => table,
    blobs: folder,
    node: 'tokyo',
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    runtime: part.runtime ?? systemRuntime,
    onBlobFailed: (hash) => failed.push(hash),
  })
  t.teardown(() => server.close())
  const hash = manifest.find('large.bin')?.hash as BlobHash
  return { server, folder, failed, hash, file: folder.path(hash), port: server.address.port }
}

const request = (more = '') => `GET /large.bin HTTP/1.1\r\nHost: example.com\r\n${more}\r\n`

async function fetchPart(port: number, range?: string): Promise<Buffer> {
  // One that closes the connection would ask for that, which is not for the fast path.
  const agent = new Agent({ keepAlive: true })
  const headers = { host: 'example.com', ...(range === undefined ? {} : { range }) }
  const asked = get({ port, host: '127.0.0.1', path: '/large.bin', headers, agent })
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  const body = Buffer.concat(await response.toArray())
  agent.destroy()
  return body
}

async function settled(server: HttpServer): Promise<void> {
  while (server.counters.active > 0) await new Promise((resolve) => setImmediate(resolve))
}

/** Files that this process holds open below a folder. */
function openFiles(folder: string): number {
  const links = readdirSync('/proc/self/fd')
  return links.filter((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`).startsWith(folder)
    } catch {
      return false
    }
  }).length
}

/** Resolves when none of the blobs is open any more. */
async function closed({ directory }: BlobFolder): Promise<void> {
  while (openFiles(directory) > 0) await new Promise((resolve) => setImmediate(resolve))
}

t.test('the whole and any part of a large file arrive as they are, and the next answer behind them', async (t) => {
  const { port, server, folder } = await start(t)
  t.ok((await fetchPart(port)).equals(large))
  for (const seed of seeds(10)) {
    const random = createRandom(seed)
    const from = random.integer(LARGE_BYTES)
    const to = from + random.integer(LARGE_BYTES - from)
    const part = await fetchPart(port, `bytes=${from}-${to}`)
    t.ok(part.equals(large.subarray(from, to + 1)), `${from} to ${to}, seed ${seed}`)
  }
  const raw = await sendRaw({ port }, request() + request('Range: bytes=-300000\r\n') + LAST)
  t.equal([...raw.matchAll(/HTTP\/1\.1 (\d+) /g)].map((match) => match[1]).join(), '200,206,200')
  await settled(server)
  await closed(folder)
  t.ok(server.counters.fast > 10)
})

t.test('a client that leaves in the middle costs nobody anything', async (t) => {
  const { port, server, folder, failed } = await start(t)
  for (const seed of seeds(20)) {
    const random = createRandom(seed)
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(request())
    let seen = 0
    const enough = random.integer(LARGE_BYTES)
    for await (const chunk of socket) {
      seen += (chunk as Buffer).length
      if (seen > enough) break
    }
    if (random.chance(0.5)) socket.resetAndDestroy()
    else socket.destroy()
  }
  await settled(server)
  await closed(folder)
  t.strictSame(failed, [], 'and no blob is to blame')
  t.ok((await fetchPart(port)).equals(large))
})

t.test('a file that is shorter than it should be, or gone, ends that answer and is reported', async (t) => {
  const { port, server, file, failed, hash } = await start(t)
  truncateSync(file, LARGE_BYTES - 1)
  t.match(await sendRaw({ port }, request() + LAST), /^HTTP\/1\.1 503 /, 'seen before the head is sent')
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  writeFileSync(file, large)
  socket.write(request())
  await once(socket, 'readable')
  truncateSync(file, LARGE_BYTES / 2)
  let seen = 0
  for await (const chunk of socket) seen += (chunk as Buffer).length
  t.ok(seen <= LARGE_BYTES, 'less than was promised, then the end')
  await settled(server)
  rmSync(file)
  t.match(await sendRaw({ port }, request() + LAST), /^HTTP\/1\.1 503 /)
  t.ok(failed.length >= 2 && failed.every((one) => one === hash))
  t.equal(server.counters.active, 0)
})

t.test('a client that takes nothing is cut', async (t) => {
  const runtime = new FakeRuntime()
  const { port, server, folder } = await start(t, { runtime })
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write(request())
  let seen = 0
  await new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      seen += chunk.length
      if (seen > 300_000) resolve(void socket.pause())
    })
  })
  runtime.advance(60_000)
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(server.counters.active, 1, 'what it took so far was enough for the first span')
  // The system takes some more for it; then nothing.
  for (let span = 0; span < 100 && server.counters.active > 0; span++) {
    runtime.advance(60_000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await settled(server)
  await closed(folder)
  socket.destroy()
})

t.test('memory stays flat', async (t) => {
  const { port } = await start(t)
  const url = `http://127.0.0.1:${port}/large.bin`
  // Another process reads, so that what it holds is not counted here.
  const fetchTimes = (times: number) =>
    run('curl', [
      '-sS',
      '-H',
      'Host: example.com',
      ...Array.from({ length: times }, () => ['-o', '/dev/null', url]).flat(),
    ])
  await fetchTimes(3)
  const before = process.memoryUsage().rss
  await Promise.all([1, 2, 3, 4].map(() => fetchTimes(10)))
  const grownBytes = process.memoryUsage().rss - before
  t.ok(grownBytes < 4 * LARGE_BYTES, `${grownBytes} bytes more after ${40 * LARGE_BYTES}`)
})
