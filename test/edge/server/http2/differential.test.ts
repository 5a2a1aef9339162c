import { once } from 'node:events'
import { type ClientHttp2Session, connect, type OutgoingHttpHeaders } from 'node:http2'
import t from 'tap'
import { inTime } from '../../../support/in-time.ts'
import { createRandom, type Random, seeds } from '../../../support/seeds.ts'
import { startSite } from '../support/https-site.ts'

const PATHS = ['/', '/index.html', '/big.bin', '/none', '/index.html?a=1', '/%2e%2e/x', '/ü']
const METHODS = ['GET', 'GET', 'GET', 'HEAD', 'POST', 'OPTIONS', 'DELETE']

/** A request such as node's client sends, with fields of any kind: its encoder keeps them in the table and codes them. */
function randomRequest(random: Random): OutgoingHttpHeaders {
  const fields: OutgoingHttpHeaders = {
    ':method': random.pick(METHODS),
    ':path': random.pick(PATHS),
    ':authority': random.pick(['example.com', 'example.com', 'EXAMPLE.com', 'www.example.com', 'other.com']),
  }
  if (random.chance(0.5)) fields['accept-encoding'] = random.pick(['gzip, deflate, br, zstd', 'identity', '*;q=0'])
  if (random.chance(0.3))
    fields.range = random.pick(['bytes=0-0', 'bytes=-5', 'bytes=10-2000000', 'bytes=99999999-', 'x'])
  if (random.chance(0.2)) fields['if-none-match'] = random.pick(['*', '"no"', 'no tag'])
  if (random.chance(0.2)) fields['if-modified-since'] = 'Fri, 01 Jan 2100 00:00:00 GMT'
  if (random.chance(0.3)) fields.cookie = ['a=1', `b=${random.integer(1e6)}`]
  if (random.chance(0.3)) fields.te = 'trailers'
  if (random.chance(0.1)) fields.host = 'example.com'
  for (let i = random.integer(6); i > 0; i--)
    fields[`x-${random.integer(40)}`] = Buffer.from(
      random.bytes(random.integer(200)).map((byte) => 33 + (byte % 94)),
    ).toString()
  if (fields[':method'] === 'OPTIONS' && random.chance(0.5)) fields[':path'] = '*'
  return fields
}

/** The answer, or the code that the stream was reset with. */
async function ask(session: ClientHttp2Session, fields: OutgoingHttpHeaders) {
  const stream = session.request(fields, { endStream: true })
  const chunks: Buffer[] = []
  let head: object | undefined
  stream.on('response', ({ date, ...rest }) => {
    head = { ...rest, dated: typeof date }
  })
  stream.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => {})
  await inTime(
    'an answer',
    once(stream, 'close').catch(() => {}),
  )
  const body = Buffer.concat(chunks)
  return {
    head,
    code: stream.rstCode,
    bytes: body.length,
    start: body.toString('latin1', 0, 300),
    end: body.subarray(-99).toString('latin1'),
  }
}

t.test('what node:http2 answers, we answer, from memory too', async (t) => {
  const [own, plain] = await Promise.all([startSite(t), startSite(t, { fast: false })])
  const sessions = [own, plain].map(({ port }) =>
    connect(`https://127.0.0.1:${port}`, { servername: 'example.com', rejectUnauthorized: false }),
  )
  t.teardown(() => sessions.forEach((session) => void session.destroy()))
  for (const seed of seeds(60)) {
    const random = createRandom(seed)
    const requests = Array.from({ length: 1 + random.integer(10) }, () => randomRequest(random))
    for (const time of ['first', 'again']) {
      const [one, other] = await Promise.all(
        sessions.map((session) => Promise.all(requests.map((fields) => ask(session, fields)))),
      )
      t.strictSame(one, other, `${time}, seed ${seed}`)
    }
  }
  const { counters } = own.server
  t.ok(counters.remembered > 20 || process.env.SEED !== undefined, `${counters.remembered} from memory`)
  t.equal(plain.server.counters.remembered, 0, 'the other remembers nothing')
  t.strictSame(counters.responses, plain.server.counters.responses, 'and they are counted alike')
  t.equal(counters.active, 0)
})

t.test('one connection asks for much at once, and takes it slowly', async (t) => {
  const { port, big, server } = await startSite(t)
  const session = connect(`https://127.0.0.1:${port}`, { servername: 'example.com', rejectUnauthorized: false })
  t.teardown(() => session.destroy())
  const wanted = Buffer.from(big)
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      const stream = session.request({ ':path': '/big.bin', ':authority': 'example.com' })
      const chunks: Buffer[] = []
      for await (const chunk of stream) {
        chunks.push(chunk as Buffer)
        await new Promise((resolve) => setImmediate(resolve))
      }
      t.ok(Buffer.concat(chunks).equals(wanted))
    }),
  )
  t.equal(server.counters.aborted, 0)
})
