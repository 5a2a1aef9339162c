import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import type { HttpServerOptions } from '../../../edge/index.ts'
import { inTime } from '../../support/in-time.ts'
import { startSite } from './support/https-site.ts'
import { continuation, encodeFields, headers, RawHttp2, request, settings } from './support/raw-http2.ts'

/**
 * Who takes a second for nothing is ended, whatever transport it came by: with `request_timeout_secs = 1`, and another
 * client is answered meanwhile.
 */

// They wait for the same second.
t.jobs = 5
const HOST = 'Host: example.com\r\n'
/** More than the buffers of both systems hold. */
const LARGE = new Uint8Array(32 * 1024 * 1024)
/** Far more often than a time-out is looked for. */
const TRICKLE_MS = 50

type Site = Awaited<ReturnType<typeof startSite>>

/** Ways to HTTP/1.1. */
const TRANSPORTS: Readonly<
  Record<string, { part: Partial<HttpServerOptions>; open: (site: Site) => Promise<Socket> }>
> = {
  'node:http': { part: { fast: false }, open: openPlain },
  'the fast path': { part: {}, open: openPlain },
  TLS: { part: {}, open: openTls },
}

async function openPlain({ plainPort }: Site): Promise<Socket> {
  const socket = connect(plainPort, '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

async function openTls({ port }: Site): Promise<Socket> {
  const options = { host: '127.0.0.1', port, servername: 'example.com', ALPNProtocols: ['http/1.1'] }
  const socket = connectTls({ ...options, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  return socket
}

const start = (t: Test, part: Partial<HttpServerOptions>): Promise<Site> =>
  startSite(t, { requestTimeoutMs: 1000, ...part }, { 'large.bin': LARGE })

/** Sends a piece again and again until the connection is closed; resolves then. */
async function trickle(what: string, socket: Socket, piece: () => Uint8Array | string): Promise<void> {
  const timer = setInterval(() => {
    if (socket.writable) socket.write(piece())
  }, TRICKLE_MS)
  socket.on('error', () => {})
  try {
    if (!socket.closed) await inTime(`${what} to be ended`, once(socket, 'close'))
  } finally {
    clearInterval(timer)
    socket.destroy()
  }
}

/** Where nothing is read, nobody hears of the end: the server knows. */
async function untilNoneActive({ server }: Site, socket: Socket): Promise<void> {
  const look = async () => {
    while (server.counters.active > 0) await new Promise((resolve) => setImmediate(resolve))
  }
  try {
    await inTime('a client that reads nothing to be ended', look())
  } finally {
    socket.destroy()
  }
}

async function untilActive({ server }: Site): Promise<void> {
  while (server.counters.active === 0) await new Promise((resolve) => setImmediate(resolve))
}

for (const [name, { part, open }] of Object.entries(TRANSPORTS)) {
  t.test(`HTTP/1.1 by ${name}`, { buffered: true }, async (t) => {
    const site = await start(t, part)
    const head = await open(site)
    head.resume().write(`GET / HTTP/1.1\r\n${HOST}`)
    const begun = await open(site)
    begun.resume().write(`GET / HTTP/1.1\r\n${HOST}\r\nGET / HTTP/1.1\r\n`)
    const body = await open(site)
    body.resume().write(`POST / HTTP/1.1\r\n${HOST}Content-Length: 60000\r\n\r\n`)
    const chunks = await open(site)
    chunks.resume().write(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`)
    await Promise.all([
      trickle('a head', head, () => 'x: y\r\n'),
      trickle('a second head', begun, () => 'x: y\r\n'),
      trickle('content', body, () => 'x'),
      trickle('content in chunks', chunks, () => '1\r\nx\r\n'),
    ])
    t.pass('those who trickle are ended')
    const deaf = await open(site)
    deaf.on('error', () => {})
    deaf.pause().write(`GET /large.bin HTTP/1.1\r\n${HOST}\r\n`)
    await untilActive(site)
    await untilNoneActive(site, deaf)
    t.equal(site.server.counters.aborted, 1, 'who reads nothing is cut')
  })
}

for (const fast of [true, false]) {
  t.test(`HTTP/2 by ${fast ? 'the fast path' : 'node:http2'}`, { buffered: true }, async (t) => {
    const site = await start(t, { fast })
    const head = await RawHttp2.connect(site.port)
    head.send(headers(1, encodeFields(request()), { endHeaders: false }))
    const deaf = await RawHttp2.connect(site.port)
    // No window for content, so that nothing of it is taken.
    deaf.send(settings([4, 0]), headers(1, request('/large.bin')))
    const body = await RawHttp2.connect(site.port)
    body.send(headers(1, request('/', 'POST'), { end: false }))
    const answered = await body.until(
      'an answer to a request whose content never comes',
      ({ stream }) => stream === 1 || undefined,
    )
    t.ok(answered)
    await untilActive(site)
    await Promise.all([
      trickle('a head', head.socket, () => continuation(1, [['x', 'y']], false)),
      untilNoneActive(site, deaf.socket),
    ])
    t.pass('who trickles a head or takes nothing is ended')
    for (const client of [head, deaf, body]) client[Symbol.dispose]()
  })
}
