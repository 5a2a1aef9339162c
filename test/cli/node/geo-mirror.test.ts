import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { GeoMirror } from '../../../cli/node/geo-mirror.ts'
import { FakeRuntime, recordLog } from '../../replication/fake-runtime.ts'
import { eventually } from '../../support/eventually.ts'
import { writeMmdb } from '../../support/mmdb.ts'

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000

/** A mirror, and what asks it; time stands still. */
class Scene implements AsyncDisposable {
  readonly asked: IncomingMessage['headers'][] = []
  answer: { status: number; body: Uint8Array; etag: string } = { status: 200, body: database('NL'), etag: '"1"' }
  readonly runtime = new FakeRuntime(1)
  readonly log = recordLog()
  readonly file: string
  fetched = 0
  /** It takes requests and says no more than its head. */
  isStuck = false
  readonly #server = createServer((request, response) => {
    this.asked.push(request.headers)
    const isKnown = request.headers['if-none-match'] === this.answer.etag
    response.writeHead(isKnown ? 304 : this.answer.status, { etag: this.answer.etag })
    if (this.isStuck) return void response.write('x')
    response.end(isKnown ? undefined : this.answer.body)
  })

  constructor(folder: string) {
    this.file = join(folder, 'geo', 'mirrored.mmdb')
  }

  async start(): Promise<GeoMirror> {
    const { runtime, log, file } = this
    if (!this.#server.listening) await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done))
    const { port } = this.#server.address() as AddressInfo
    const url = `http://me:hush@127.0.0.1:${port}/City.mmdb?license_key=hush`
    return await GeoMirror.start({ url, refreshDays: 21, file, runtime, log, onFetched: () => this.fetched++ })
  }

  /** What came of the requests so far. */
  get outcomes(): readonly string[] {
    return this.log.events.flatMap(([event, data]) =>
      event === 'geo.mirror-asked' ? [String(data.what)] : event === 'geo.mirror-failed' ? ['failed'] : [],
    )
  }

  /** Lets time pass, in which one more request is made, and its outcome come. */
  async pass(ms: number): Promise<string | undefined> {
    const before = this.outcomes.length
    const asking = () => this.log.events.filter(([event]) => event === 'geo.mirror-asking').length
    const asked = asking()
    // Time stops as soon as it asks, or the answer would come too late.
    for (let passed = 0; passed < ms && asking() === asked; passed += 10 * MINUTE_MS)
      this.runtime.advance(10 * MINUTE_MS)
    return await eventually('an outcome', () => this.outcomes[before])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((done) => this.#server.close(done))
  }
}

const database = (country: string): Buffer => writeMmdb({ '1.0.0.0/8': { country_code: country } })

/** One file of an archive, as `tar` writes it (ustar). */
function tarEntry(name: string, content: Uint8Array, type = '0'): Buffer {
  const header = Buffer.alloc(512)
  header.write(name, 0)
  header.write(type, 156)
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124)
  header.write('ustar\x0000', 257)
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)])
}

const archive = (content: Uint8Array): Buffer =>
  Buffer.concat([
    tarEntry('GeoLite2-City_20260101/LICENSE.txt', Buffer.from('text')),
    tarEntry('GeoLite2-City_20260101/GeoLite2-City.mmdb', content),
    Buffer.alloc(1024),
  ])

t.test('fetches at once, then when it is due, then only what has changed', async (t) => {
  await using scene = new Scene(t.testdir())
  await using _ = await scene.start()
  t.equal(await scene.pass(1), 'new')
  t.strictSame(readFileSync(scene.file), database('NL'))
  t.match(scene.asked[0], { authorization: `Basic ${Buffer.from('me:hush').toString('base64')}` })
  scene.runtime.advance(20 * DAY_MS)
  t.equal(scene.asked.length, 1, 'not before it is due')
  t.equal(await scene.pass(2 * DAY_MS), 'unchanged')
  t.equal(scene.fetched, 1)
  scene.answer = { status: 200, body: database('DE'), etag: '"2"' }
  t.equal(await scene.pass(22 * DAY_MS), 'new')
  t.strictSame(readFileSync(scene.file), database('DE'))
  t.equal(scene.fetched, 2)
  const written = `${JSON.stringify(scene.log.events)}${readFileSync(join(dirname(scene.file), 'mirror.json'), 'utf8')}`
  t.notMatch(written, 'hush', 'no secret is written')
})

for (const [name, pack] of Object.entries({
  gzip: (bytes: Buffer) => gzipSync(bytes),
  tar: archive,
  'gzipped tar': (bytes: Buffer) => gzipSync(archive(bytes)),
  'a tar that says more of each file': (bytes: Buffer) =>
    Buffer.concat([
      tarEntry('PaxHeaders/GeoLite2-City.mmdb', Buffer.from('30 mtime=1700000000.000000000\n'), 'x'),
      tarEntry('./._GeoLite2-City.mmdb', Buffer.alloc(163)),
      tarEntry('/etc/passwd.mmdb', Buffer.alloc(9), '2'),
      tarEntry('../../GeoLite2-City.mmdb', bytes),
      Buffer.alloc(1024),
    ]),
})) {
  t.test(`takes a database out of what it is packed in: ${name}`, async (t) => {
    await using scene = new Scene(t.testdir())
    await using _ = await scene.start()
    scene.answer = { ...scene.answer, body: pack(database('NL')) }
    t.equal(await scene.pass(1), 'new')
    t.strictSame(readFileSync(scene.file), database('NL'))
    t.strictSame(readdirSync(dirname(scene.file)).sort(), ['mirror.json', 'mirrored.mmdb'])
  })
}

t.test('the last good one stays, whatever the mirror says instead', async (t) => {
  await using scene = new Scene(t.testdir())
  await using _ = await scene.start()
  await scene.pass(1)
  const damaged = database('DE')
  damaged.fill(0, damaged.length - 60)
  const bad: Record<string, Partial<Scene['answer']>> = {
    'an error': { status: 500 },
    'a page': { body: Buffer.from('<html>Sign in</html>') },
    nothing: { body: Buffer.alloc(0) },
    'a damaged file': { body: damaged },
    'gzip cut short': { body: gzipSync(database('DE')).subarray(0, -10) },
    'an archive without one': { body: tarEntry('README.txt', Buffer.from('x')) },
    'an archive cut short': { body: archive(database('DE')).subarray(0, 1600) },
    'a lie about its size': { body: Buffer.from(archive(database('DE'))).fill('9', 124, 130) },
  }
  let waitMs = 22 * DAY_MS
  for (const [name, answer] of Object.entries(bad)) {
    scene.answer = { status: 200, body: database('DE'), etag: '"bad"', ...answer }
    t.equal(await scene.pass(waitMs), 'failed', name)
    t.strictSame(readFileSync(scene.file), database('NL'), name)
    t.strictSame(readdirSync(dirname(scene.file)).sort(), ['mirror.json', 'mirrored.mmdb'], name)
    waitMs = 7 * 60 * MINUTE_MS
  }
  t.equal(scene.fetched, 1)
  scene.answer = { status: 200, body: database('DE'), etag: '"3"' }
  t.equal(await scene.pass(waitMs), 'new', 'and it is asked again')
})

t.test('a mirror that fails is asked again soon, then ever later', async (t) => {
  await using scene = new Scene(t.testdir())
  scene.answer = { ...scene.answer, status: 503 }
  await using _ = await scene.start()
  await scene.pass(1)
  const retries: number[] = []
  for (let i = 0; i < 12; i++) {
    const [, data] = scene.log.events.at(-1) as [string, { retryMs: number }]
    retries.push(data.retryMs)
    await scene.pass(data.retryMs * 1.2 + MINUTE_MS)
  }
  t.equal(retries[0], MINUTE_MS)
  t.ok(retries.every((ms, i) => i === 0 || ms >= (retries[i - 1] as number)))
  t.equal(retries.at(-1), 6 * 60 * MINUTE_MS)
})

t.test('a start again asks for nothing that is not due, unless the file is gone or broken', async (t) => {
  await using scene = new Scene(t.testdir())
  await (await scene.start())[Symbol.asyncDispose]()
  t.equal(scene.runtime.timers, 0, 'one that ends leaves no timer')
  {
    await using _ = await scene.start()
    await scene.pass(1)
  }
  {
    await using _ = await scene.start()
    scene.runtime.advance(DAY_MS)
    t.equal(scene.asked.length, 1)
  }
  writeFileSync(scene.file, 'broken')
  await using _ = await scene.start()
  t.equal(await scene.pass(1), 'new')
  t.notMatch(scene.asked[1], { 'if-none-match': /./ })
  t.ok(existsSync(scene.file))
})

t.test('one that ends while the mirror hangs waits for nothing, and leaves what was there', async (t) => {
  await using scene = new Scene(t.testdir())
  scene.isStuck = true
  const mirror = await scene.start()
  scene.runtime.advance(10 * MINUTE_MS)
  await eventually('the beginning of a file', () => existsSync(`${scene.file}.new`) || undefined)
  await mirror[Symbol.asyncDispose]()
  t.equal(scene.runtime.timers, 0)
  t.strictSame(readdirSync(dirname(scene.file)), [])
  t.strictSame(scene.outcomes, [], 'that is no failure of the mirror')
})
