import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { systemRuntime } from '../../../../cli/system.ts'
import { type Hostname, type OperationId, silentLog } from '../../../../core/index.ts'
import {
  type HttpServer,
  type HttpServerOptions,
  type Site,
  SiteTable,
  startHttpServer,
} from '../../../../edge/index.ts'
import { createRandom, seeds } from '../../../support/seeds.ts'
import { buildManifest, buildSite, buildTable, FakeRuntime, MemoryBlobs, sendRaw } from '../../fixtures.ts'

const GET = (target: string, host = 'example.com') => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`

async function start(t: Test, options: Pick<HttpServerOptions, 'table' | 'blobs'> & Partial<HttpServerOptions>) {
  const server = await startHttpServer({
    node: 'tokyo',
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    runtime: systemRuntime,
    ...options,
  })
  t.teardown(() => server.close())
  return server
}

/** A connection on which one request follows another. */
class Visitor {
  readonly socket: Socket
  #heard = ''
  #wake = () => {}

  constructor({ address }: HttpServer) {
    this.socket = connect(address.port, '127.0.0.1')
    this.socket.on('error', () => {})
    this.socket.on('data', (chunk: Buffer) => {
      this.#heard += chunk.toString('latin1')
      this.#wake()
    })
    this.socket.on('close', () => this.#wake())
  }

  /** The next answer, head and body. */
  async ask(request: string): Promise<string> {
    this.socket.write(request)
    for (;;) {
      const end = this.#heard.indexOf('\r\n\r\n')
      const length = Number(/content-length: (\d+)/.exec(this.#heard)?.[1])
      if (end !== -1 && this.#heard.length >= end + 4 + length) {
        const answer = this.#heard.slice(0, end + 4 + length)
        this.#heard = this.#heard.slice(answer.length)
        return answer
      }
      if (this.socket.closed) throw new Error(`closed after ${JSON.stringify(this.#heard)}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

const releaseOf = (answer: string): number => Number(/release-(\d+)-/.exec(answer)?.[1])
const pause = () => new Promise((resolve) => setImmediate(resolve))

/** Two domains that publish one release after another; what is served is the last. */
class Publisher {
  readonly blobs = new MemoryBlobs()
  table = SiteTable.empty
  readonly release = new Map<string, number>()

  publish(name: string): void {
    const number = (this.release.get(name) ?? 0) + 1
    const paths = ['index.html', 'a.css', 'b.js', 'c.html']
    const files = Object.fromEntries(paths.map((path) => [path, `release-${number}-${path}-${name}`]))
    const manifest = buildManifest(this.blobs, files)
    const domain = name as Hostname
    const id = `${number
      .toString(16)
      .padStart(51, 'a')
      .replaceAll(/[0189]/g, 'z')}a` as OperationId
    const site: Site = buildSite(manifest, { domain, hosts: [domain], release: { id, manifest } })
    this.table = this.table.with(new Map([[domain, site]]))
    this.release.set(name, number)
  }
}

for (const seed of seeds(6)) {
  t.test(`once a release is visible no answer is of the one before, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const publisher = new Publisher()
    const names = ['example.com', 'other.com']
    for (const name of names) publisher.publish(name)
    const server = await start(t, { table: () => publisher.table, blobs: publisher.blobs })
    let wrong = 0
    const visit = async () => {
      const visitor = new Visitor(server)
      for (let i = 0; i < 60; i++) {
        if (random.chance(0.2)) publisher.publish(random.pick(names))
        if (random.chance(0.2)) await pause()
        const name = random.pick(names)
        const least = publisher.release.get(name) as number
        const path = random.pick(['/', '/a.css', '/b.js', '/c'])
        const answer = await visitor.ask(GET(path, name))
        const got = releaseOf(answer)
        if (!(got >= least && got <= (publisher.release.get(name) as number)) || !answer.endsWith(name)) wrong++
      }
      visitor.socket.destroy()
    }
    await Promise.all([visit(), visit(), visit()])
    t.equal(wrong, 0)
    t.ok(server.counters.remembered > 10, 'though some came from memory')
  })
}

t.test('releases of another domain leave what is remembered of this one', async (t) => {
  const publisher = new Publisher()
  for (const name of ['example.com', 'other.com']) publisher.publish(name)
  const server = await start(t, { table: () => publisher.table, blobs: publisher.blobs })
  const visitor = new Visitor(server)
  await visitor.ask(GET('/'))
  for (let i = 0; i < 100; i++) {
    publisher.publish('other.com')
    await visitor.ask(GET('/'))
  }
  t.equal(server.counters.remembered, 100)
  visitor.socket.destroy()
})

t.test('a head that stops, a connection that rests, and one that never asks', async (t) => {
  const runtime = new FakeRuntime()
  const publisher = new Publisher()
  publisher.publish('example.com')
  const server = await start(t, { table: () => publisher.table, blobs: publisher.blobs, runtime })
  const begun = new Visitor(server)
  const resting = new Visitor(server)
  const silent = new Visitor(server)
  await Promise.all([begun, resting].map((visitor) => visitor.ask(GET('/'))))
  begun.socket.write('GET / HTTP/1.1\r\nHo')
  const heard: Record<string, string> = {}
  for (const [name, { socket }] of Object.entries({ begun, silent }))
    socket.on('data', (chunk: Buffer) => {
      heard[name] = (heard[name] ?? '') + chunk.toString()
    })
  const closed = Promise.all([begun, silent].map(({ socket }) => once(socket, 'close')))
  // Until the server has read the half.
  for (let i = 0; i < 100; i++) await pause()
  runtime.advance(20_000)
  await closed
  t.match(heard.begun, /^HTTP\/1\.1 408 /)
  t.match(heard.silent, /^HTTP\/1\.1 408 /)
  t.equal(resting.socket.closed, false, 'browsers come back')
  const rested = once(resting.socket, 'close')
  runtime.advance(60_000)
  await rested
})

t.test('who asks much and reads nothing is not read from, and cut in the end', async (t) => {
  const runtime = new FakeRuntime()
  const blobs = new MemoryBlobs()
  const manifest = buildManifest(blobs, { 'index.html': 'x'.repeat(60_000) })
  const table = buildTable(buildSite(manifest))
  const server = await start(t, { table: () => table, blobs, runtime })
  await sendRaw(
    { port: server.address.port },
    `${GET('/')}GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n`,
  )
  const socket = connect(server.address.port, '127.0.0.1')
  socket.on('error', () => {})
  const many = GET('/').repeat(10_000)
  socket.write(many)
  let before = -1
  while (server.counters.requests !== before) {
    before = server.counters.requests
    for (let i = 0; i < 50; i++) await pause()
  }
  t.ok(server.counters.requests < 2000, `${server.counters.requests} of 10000 were taken`)
  t.equal(server.counters.active, 1)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  for (let i = 0; i < 20; i++) runtime.advance(10_000)
  socket.resume()
  await closed
  t.equal(server.counters.active, 0)
  t.equal(server.counters.aborted, 1)
})

t.test('close ends what rests and answers what is under way', async (t) => {
  const publisher = new Publisher()
  publisher.publish('example.com')
  const server = await start(t, { table: () => publisher.table, blobs: publisher.blobs })
  const resting = new Visitor(server)
  await resting.ask(GET('/'))
  const asking = new Visitor(server)
  asking.socket.write(GET('/a.css'))
  while (server.counters.active === 0 && server.counters.requests < 2) await pause()
  const closed = server.close()
  await Promise.all([resting, asking].map(({ socket }) => socket.closed || once(socket, 'close')))
  await closed
  t.equal(server.counters.active, 0)
  t.equal(server.counters.requests, 2)
})
