import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { silentLog } from '../../../core/index.ts'
import { type HttpServer, startHttpServer } from '../../../edge/index.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { buildManifest, buildSite, buildTable, MemoryBlobs } from '../fixtures.ts'
import { parseAnswers } from './support/wire.ts'

const CONNECTIONS = 200
const HOST = 'Host: example.com\r\n'
const WORDS = [
  'GET ',
  'HEAD ',
  'POST ',
  'OPTIONS ',
  'BREW ',
  '/ ',
  '* ',
  '/a%2e ',
  'http://example.com/ ',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/2.0',
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  ':',
  HOST,
  'Host:',
  'Content-Length: 3\r\n',
  'Content-Length: ',
  '3',
  '-1',
  '4294967296',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding',
  'chunked',
  '0\r\n\r\n',
  '3\r\nabc\r\n',
  'Connection: close\r\n',
  'Connection: keep-alive\r\n',
  'Upgrade: h2c\r\n',
  'Expect: 100-continue\r\n',
  'Range: bytes=0-1\r\n',
  'If-None-Match: *\r\n',
  '\xff',
  '\x80',
  '\r\n\r\n',
  'X: y\r\n',
  `X: ${'y'.repeat(3000)}\r\n`,
  '%00',
  '%ff',
  ';',
  '"',
]

function request(random: Random): string {
  const method = random.pick(['GET', 'GET', 'HEAD', 'POST', 'OPTIONS', 'PUT', 'BREW'])
  const target = random.pick([
    '/',
    '/',
    '/big.bin',
    '/none',
    '*',
    'http://example.com/',
    '/%',
    `/${'a'.repeat(random.integer(300))}`,
  ])
  const content = random.pick(['', '', 'abc', '3\r\nabc\r\n0\r\n\r\n'])
  const framing = content === '' ? '' : content === 'abc' ? 'Content-Length: 3\r\n' : 'Transfer-Encoding: chunked\r\n'
  const more = random.chance(0.3)
    ? random.pick(['X: y\r\n', 'Range: bytes=1-2\r\n', 'Connection: close\r\n', 'If-None-Match: *\r\n'])
    : ''
  return `${method} ${target} HTTP/1.${random.chance(0.9) ? 1 : 0}\r\n${HOST}${framing}${more}\r\n${content}`
}

function mutate(random: Random, text: string): string {
  const at = random.integer(text.length + 1)
  const to = Math.min(text.length, at + random.integer(20))
  switch (random.integer(6)) {
    case 0:
      return text.slice(0, at) + String.fromCharCode(random.integer(256)) + text.slice(at + 1)
    case 1:
      return text.slice(0, at) + text.slice(to)
    case 2:
      return text.slice(0, to) + text.slice(at)
    case 3:
      return text.slice(0, at)
    default:
      return text.slice(0, at) + random.pick(WORDS) + text.slice(random.chance(0.5) ? at : to)
  }
}

function hostileBytes(random: Random): Buffer {
  let text = Array.from({ length: 1 + random.integer(4) }, () => request(random)).join('')
  for (let i = random.integer(5); i > 0; i--) text = mutate(random, text)
  return Buffer.from(text, 'latin1')
}

/** Sends the bytes in pieces, says that this was all, and gives what comes until the end. */
async function exchange(port: number, bytes: Buffer, random: Random): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const chunks: Buffer[] = []
  socket.on('error', () => {})
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  const ended = new Promise((resolve) => socket.once('end', resolve).once('close', resolve))
  await once(socket, 'connect').catch(() => {})
  for (let at = 0; at < bytes.length; ) {
    const to = random.chance(0.5) ? bytes.length : at + 1 + random.integer(bytes.length - at)
    socket.write(bytes.subarray(at, to))
    at = to
    if (at < bytes.length) await new Promise((resolve) => setImmediate(resolve))
  }
  socket.end()
  await ended
  socket.destroy()
  return Buffer.concat(chunks).toString('latin1')
}

/** Throws where no reading of what came is a row of answers, or where there are more of them than requests. */
function checkAnswers(bytes: string, raw: string): void {
  const heads = bytes.match(/HTTP\/|\r?\n\r?\n/g)?.length ?? 0
  // Which of the requests were HEAD is only known of those that were understood: some reading has to fit.
  const most = bytes.includes('HEAD') ? 2 ** 6 : 1
  let fault: unknown
  for (let mask = 0; mask < most; mask++) {
    const methods = Array.from({ length: 6 }, (_, i) => ((mask >> i) & 1 ? 'HEAD' : 'GET'))
    try {
      const answers = parseAnswers(raw, methods)
      if (answers.length > heads + 1) throw new Error(`${answers.length} answers to ${heads} heads`)
      return
    } catch (error) {
      fault ??= error
    }
  }
  throw fault
}

async function start(t: Test, fast: boolean): Promise<HttpServer> {
  const blobs = new MemoryBlobs()
  const big = new Uint8Array(200_000).fill(0x78)
  const table = buildTable(buildSite(buildManifest(blobs, { 'index.html': 'home', 'big.bin': big })))
  const server = await startHttpServer({
    table: () => table,
    blobs,
    node: 'n',
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    runtime: systemRuntime,
    requestTimeoutMs: 1_000,
    fast,
  })
  t.teardown(() => server.close())
  return server
}

for (const seed of seeds(6))
  for (const fast of [true, false])
    t.test(
      `whatever comes, answers are answers, and none is to nothing (seed ${seed}, ${fast ? 'fast' : 'plain'})`,
      async (t) => {
        const random = createRandom(seed)
        const server = await start(t, fast)
        const { port } = server.address
        let answered = 0
        for (let i = 0; i < CONNECTIONS; i++) {
          const bytes = hostileBytes(random)
          const raw = await exchange(port, bytes, random)
          try {
            checkAnswers(bytes.toString('latin1'), raw)
          } catch (error) {
            t.fail(`${(error as Error).message} for ${JSON.stringify(bytes.toString('latin1'))}`, {
              raw: raw.slice(0, 2000),
            })
            return
          }
          if (raw !== '') answered++
        }
        t.ok(answered > CONNECTIONS / 2, `${answered} connections had answers`)
        const calm = await exchange(port, Buffer.from(`GET / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`), random)
        t.match(calm, /^HTTP\/1\.1 200 OK\r\n.*home$/s, 'others are served on')
        t.equal(server.counters.active, 0)
      },
    )
