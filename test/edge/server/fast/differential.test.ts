import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { systemRuntime } from '../../../../cli/system.ts'
import { type Hostname, silentLog } from '../../../../core/index.ts'
import { type HttpServer, startHttpServer } from '../../../../edge/index.ts'
import { createRandom, type Random, seeds } from '../../../support/seeds.ts'
import { buildManifest, buildSite, buildTable, MemoryBlobs } from '../../fixtures.ts'
import { FILES, STRANGE, usualRequest } from './corpus.ts'

const HOSTS = ['example.com', 'www.example.com'] as Hostname[]
const LAST = 'GET /about HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n'

async function startPair(t: Test) {
  const blobs = new MemoryBlobs()
  const manifest = buildManifest(blobs, FILES)
  const table = buildTable(buildSite(manifest, { hosts: HOSTS }))
  const options = { table: () => table, blobs, node: 'tokyo', host: '127.0.0.1', port: 0, log: silentLog }
  const [fast, plain] = await Promise.all(
    [true, false].map((fast) => startHttpServer({ ...options, runtime: systemRuntime, fast })),
  )
  t.teardown(() => Promise.all([fast, plain].map((server) => server?.close())))
  return { fast: fast as HttpServer, plain: plain as HttpServer, manifest }
}

/** Strange and right: nothing that is sent behind them meets a closed connection, whose reset would cost answers. */
const ANSWERED = [
  'a method',
  'absolute form',
  'chunks',
  'a field twice',
  'an upgrade',
  'OPTIONS',
  'another host',
] as const

/** Sends pieces, each when the one before has left, and gives all that comes back until the server closes. */
async function exchange({ address }: HttpServer, pieces: readonly string[], half = false): Promise<string> {
  const socket = connect({ port: address.port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', () => {})
  const closed = new Promise((resolve) => socket.once('close', resolve).once('end', () => socket.end()))
  for (const piece of pieces) {
    await new Promise<void>((resolve) => socket.write(Buffer.from(piece, 'latin1'), () => setImmediate(resolve)))
  }
  if (half) socket.end()
  await closed
  return Buffer.concat(chunks).toString('latin1')
}

/** Answers differ by when they were given, and by nothing else. */
const undated = (raw: string): string => raw.replace(/^date: [^\r]*\r\n/gim, '')

const REFUSED =
  /HTTP\/1\.1 (400 Bad Request|501 Not Implemented|505 HTTP Version Not Supported)\r\ncontent-type: text\/plain; charset=utf-8\r\ncontent-length: \d+\r\ncache-control: no-store\r\nconnection: close\r\n\r\n.*\n$/

/** How node:http names bytes that are no request depends on what came with them in one segment. */
const comparable = (raw: string): string => undated(raw).replace(REFUSED, 'refused')

/** Where two texts part, with some of what is there: whole answers are too long to read. */
function firstDifference(a: string, b: string): string | undefined {
  if (a === b) return undefined
  let at = 0
  while (a[at] === b[at]) at++
  const around = (text: string) => JSON.stringify(text.slice(Math.max(0, at - 200), at + 100))
  return `at ${at} of ${a.length} and ${b.length}: ${around(a)} and ${around(b)}`
}

function split(random: Random, text: string): string[] {
  const pieces: string[] = []
  for (let at = 0; at < text.length; ) {
    const length = random.chance(0.3) ? 1 + random.integer(4) : 1 + random.integer(400)
    pieces.push(text.slice(at, at + length))
    at += length
  }
  return pieces
}

t.test('both paths give the same bytes, and nearly all that is usual takes the fast one', async (t) => {
  const { fast, plain, manifest } = await startPair(t)
  let asked = 0
  for (const seed of seeds(40)) {
    const random = createRandom(seed)
    const requests = Array.from({ length: 1 + random.integer(15) }, () => usualRequest(random, manifest))
    const text = requests.join('') + LAST
    for (const time of ['first', 'again']) {
      asked += requests.length
      const [one, other] = await Promise.all([exchange(fast, [text]), exchange(plain, [text])])
      t.equal(firstDifference(undated(one), undated(other)), undefined, `${time}, seed ${seed}`)
      t.equal(one.match(/HTTP\/1\.1 \d{3} /g)?.length, requests.length + 1, `all have an answer, seed ${seed}`)
    }
  }
  const { counters } = fast
  t.ok(counters.fast >= 0.9 * asked, `${counters.fast} of ${asked} on the fast path`)
  t.ok(counters.remembered > asked / 10, `${counters.remembered} from memory`)
  t.equal(plain.counters.fast, 0, 'the other knows no fast path')
  t.strictSame(counters.responses, plain.counters.responses, 'and they are counted alike')
  t.equal(counters.requests, plain.counters.requests)
  t.equal(counters.active, 0)
})

for (const [name, strange] of Object.entries(STRANGE)) {
  t.test(`${name}: as on the plain path, alone, after others, and before`, async (t) => {
    const { fast, plain, manifest } = await startPair(t)
    const random = createRandom(name.length)
    const usual = () => usualRequest(random, manifest)
    for (const [where, text] of Object.entries({
      alone: strange,
      after: usual() + usual() + strange,
      between: usual() + strange + usual() + LAST,
    })) {
      const [one, other] = await Promise.all([exchange(fast, [text], true), exchange(plain, [text], true)])
      t.equal(firstDifference(comparable(one), comparable(other)), undefined, where)
    }
    t.equal(fast.counters.malformed, plain.counters.malformed, 'counted alike')
  })
}

t.test('however the bytes are cut into pieces, the answers are the same', async (t) => {
  const { fast, manifest } = await startPair(t)
  for (const seed of seeds(15)) {
    const random = createRandom(seed)
    const requests = Array.from({ length: 1 + random.integer(6) }, () =>
      random.chance(0.1) ? STRANGE[random.pick(ANSWERED)]! : usualRequest(random, manifest),
    )
    const text = requests.join('') + LAST
    const whole = await exchange(fast, [text], true)
    const pieces = split(random, text)
    const cut = await exchange(fast, pieces, true)
    t.equal(firstDifference(comparable(cut), comparable(whole)), undefined, `${pieces.length} pieces, seed ${seed}`)
  }
})

/** Whether the connection stays is said too late to be known: its end came with the requests. */
const unkept = (raw: string): string =>
  undated(raw).replace(/^connection: (?:close|keep-alive)\r\n(?:keep-alive: [^\r]*\r\n)?/gim, '')

t.test('who says that nothing more will be asked is answered all that was', async (t) => {
  const { fast, plain, manifest } = await startPair(t)
  for (const seed of seeds(30)) {
    const random = createRandom(seed)
    const requests = Array.from({ length: 1 + random.integer(5) }, () => usualRequest(random, manifest))
    // Behind an upgrade nothing is answered.
    const strange = random.pick(ANSWERED.filter((name) => name !== 'an upgrade'))
    if (random.chance(0.3)) requests.push(STRANGE[strange]!, usualRequest(random, manifest))
    const text = requests.join('')
    for (const time of ['first', 'again']) {
      const [one, other] = await Promise.all([askAndEnd(fast, text), askAndEnd(plain, text)])
      t.equal(firstDifference(unkept(one), unkept(other)), undefined, `${time}, seed ${seed}`)
      t.ok(one.split('HTTP/1.1 ').length > requests.length, `all have an answer, ${time}, seed ${seed}`)
    }
    const part = text.slice(0, -1 - random.integer(20))
    const [one, other] = await Promise.all([askAndEnd(fast, part), askAndEnd(plain, part)])
    t.equal(firstDifference(unkept(one), unkept(other)), undefined, `the last is cut off, seed ${seed}`)
  }
  t.equal(fast.counters.active, 0)
})

/** Sends all in one piece, with the end of what is sent behind it, and gives what comes back. */
async function askAndEnd({ address }: HttpServer, text: string): Promise<string> {
  const socket = connect({ port: address.port, host: '127.0.0.1', allowHalfOpen: true })
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', () => {})
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.end(Buffer.from(text, 'latin1'))
  await closed
  return Buffer.concat(chunks).toString('latin1')
}
