import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer as createHttp, type RequestListener } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { createServer, type Server, type Socket } from 'node:net'
import { decode, encode } from 'dns-packet'
import t, { type Test } from 'tap'
import { Upstream } from '../../dns/upstream.ts'
import { CertificateMaker } from '../../support/certificate-maker.ts'
import { eventually } from '../../support/eventually.ts'
import { codeOf, GuestClient, loopbackPolicy, openLoopback } from './guest-client.ts'

async function start(t: Test, server: Server, host = '127.0.0.1', port = 0): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => {})))
  server.listen(port, host)
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

const serve = (t: Test, listener: RequestListener) => start(t, createHttp(listener))
/** Answers whatever comes with these bytes, and leaves the connection to them. */
const say = (t: Test, bytes: string, then: (socket: Socket) => void = (socket) => socket.end()) =>
  start(
    t,
    createServer((socket) => {
      socket.once('data', () => {
        socket.write(bytes, 'latin1')
        then(socket)
      })
    }),
  )

function open(t: Test, ...more: Parameters<typeof openLoopback>) {
  const outgoing = openLoopback(...more)
  t.teardown(() => outgoing[Symbol.asyncDispose]())
  return { outgoing, guest: new GuestClient(outgoing.session({ domain: 'a.example', name: 'api/a.wasm' })) }
}

const settled = (outgoing: { readonly open: number }) =>
  eventually('nothing is under way', () => (outgoing.open === 0 ? true : undefined))

t.test('requests as they arrive, responses as they came', async (t) => {
  const port = await serve(t, (request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      response.writeHead(418, {
        'X-A': ['1', '2'],
        'content-encoding': 'gzip',
        connection: 'close, x-hop',
        'x-hop': '1',
      })
      response.end(JSON.stringify([request.method, request.url, request.rawHeaders, Buffer.concat(pieces).toString()]))
    })
  })
  const { guest, outgoing } = open(t)
  const headers = [['X-B', 'é']] as const
  const body = Buffer.from('content')
  const got = await guest.fetch(`http://127.0.0.1:${port}/p?q=1`, { method: 'PUT', headers }, body)
  t.equal(got.status, 418)
  t.match(got.headers, [
    ['X-A', '1'],
    ['X-A', '2'],
    ['content-encoding', 'gzip'],
  ])
  t.notOk(got.headers.some(([name]) => /^(connection|x-hop|transfer-encoding)$/i.test(name)))
  t.strictSame(JSON.parse(got.body.toString()), [
    'PUT',
    '/p?q=1',
    [
      ...['Host', `127.0.0.1:${port}`, 'X-B', 'é', 'User-Agent', 'makiatto'],
      ...['CDN-Loop', 'makiatto', 'Content-Length', '7', 'Connection', 'close'],
    ],
    'content',
  ])
  t.match(await guest.fetch(`http://127.0.0.1:${port}/`, { method: 'HEAD' }), { status: 418, body: Buffer.alloc(0) })
  await settled(outgoing)
})

t.test('redirects are answers', async (t) => {
  let asked = 0
  const port = await serve(t, (_, response) => {
    asked++
    response.writeHead(302, { location: `http://127.0.0.2:${port}/` }).end()
  })
  const { guest } = open(t, {}, { policy: loopbackPolicy('127.0.0.2') })
  const { status, headers } = await guest.fetch(`http://127.0.0.1:${port}/`)
  t.equal(status, 302)
  const [, location = ''] = headers.find(([name]) => name === 'location') ?? []
  t.equal(asked, 1)
  t.equal(await guest.tryFetch(location), 'destination-ip-prohibited')
})

t.test('content larger than anything is read as it is taken', async (t) => {
  let sent = 0
  const port = await serve(t, (_, response) => {
    response.writeHead(200, { 'content-length': 1024 ** 3 })
    const more = (): void => {
      while (sent < 1024 ** 3 && !response.destroyed && response.write(Buffer.alloc(65_536))) sent += 65_536
    }
    response.on('drain', more)
    more()
  })
  const { guest, outgoing } = open(t, { maxBytes: 1_000_000 })
  const id = await guest.send(`http://127.0.0.1:${port}/`)
  await guest.head(id)
  let got = 0
  for (;;) {
    const piece = await guest.read('http-read', id).catch(codeOf)
    if (typeof piece === 'string') {
      t.equal(piece, 'http-response-body-size')
      break
    }
    got += piece?.length ?? 0
  }
  t.equal(got, 1_000_000)
  t.ok(sent < 32 * 1024 * 1024, `the server got rid of ${sent} bytes`)
  t.equal(
    await guest.send(`http://127.0.0.1:${port}/`, {}, Buffer.alloc(1_000_001)).catch(codeOf),
    'http-request-body-size',
  )
  guest.session.close()
  await settled(outgoing)
})

t.test('servers that are no good', async (t) => {
  const { guest, outgoing } = open(t)
  const code = async (port: number, more = {}) => await guest.tryFetch(`http://127.0.0.1:${port}/`, more)
  const head = 'HTTP/1.1 200 OK\r\n'
  t.equal(await code(await say(t, 'nonsense\r\n\r\n')), 'http-protocol-error')
  t.equal(await code(await say(t, '')), 'connection-terminated', 'hangs up')
  t.equal(await code(await say(t, '', (socket) => socket.resetAndDestroy())), 'connection-terminated', 'resets')
  t.equal(await code(await say(t, '', () => {}), { timeoutMs: 150 }), 'http-response-timeout', 'says nothing')
  t.equal(await code(await say(t, `${head}a: `, () => {}), { timeoutMs: 150 }), 'http-response-timeout', 'half a head')
  t.equal(await code(await say(t, `${head}a: ${'b'.repeat(100_000)}`)), 'http-response-header-section-size')
  t.equal(await code(await say(t, `${head}${'a: b\r\n'.repeat(300)}\r\n`)), 'http-response-header-section-size')
  t.equal(await code(await say(t, `${head}content-length: 10\r\n\r\nabc`)), 'http-response-incomplete')
  t.equal(await code(await say(t, `${head}content-length: 1\r\ncontent-length: 2\r\n\r\nabc`)), 'http-protocol-error')
  t.equal(await code(await say(t, `${head}transfer-encoding: chunked\r\n\r\nzz\r\n`)), 'http-response-incomplete')
  t.equal(await code(await say(t, 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(1000))), 'http-protocol-error')
  t.equal(await code(await say(t, 'HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx')), '200 x', 'a few are fine')
  const upgrade = 'HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'
  t.equal(await code(await say(t, upgrade, () => {})), 'http-upgrade-failed')
  t.equal(await code(await say(t, `${head}\r\nto the end`)), '200 to the end')
  const closed = createServer()
  const port = await start(t, closed)
  closed.close()
  await once(closed, 'close')
  t.equal(await code(port), 'connection-refused')
  t.equal(outgoing.counters.failed, 13)
  await settled(outgoing)
})

t.test('who drips is waited for as long as the run lasts, by nobody else', async (t) => {
  const port = await serve(t, (_, response) => response.writeHead(200).write('x'))
  const { guest, outgoing } = open(t)
  const id = await guest.send(`http://127.0.0.1:${port}/`)
  await guest.head(id)
  t.equal(Buffer.from((await guest.read('http-read', id)) ?? []).toString(), 'x')
  t.notOk(await guest.wait(id, 'read', 50))
  const waiting = guest.wait(id, 'read')
  guest.session.close()
  await waiting
  await settled(outgoing)
})

t.test('endless heads and endless answers at once take no memory', async (t) => {
  const endless = (socket: Socket) => {
    const more = (): void => {
      while (!socket.destroyed && socket.write(Buffer.alloc(65_536, 'a')));
    }
    socket.on('drain', more)
    more()
  }
  const body = await say(t, 'HTTP/1.1 200 OK\r\n\r\n', endless)
  const heads = await say(t, 'HTTP/1.1 200 OK\r\na: ', endless)
  const { guest, outgoing } = open(t)
  globalThis.gc?.()
  const before = process.memoryUsage().rss
  const ids = await Promise.all(Array.from({ length: 12 }, () => guest.send(`http://127.0.0.1:${body}/`)))
  for (const id of ids) await guest.head(id)
  for (let i = 0; i < 4; i++)
    t.equal(await guest.tryFetch(`http://127.0.0.1:${heads}/`), 'http-response-header-section-size')
  const grown = process.memoryUsage().rss - before
  t.ok(grown < 96 * 1024 * 1024, `${grown} bytes more, the servers' part among them`)
  guest.session.close()
  await settled(outgoing)
})

t.test('TLS: for the name that was asked for, by an authority that is believed', async (t) => {
  using maker = new CertificateMaker()
  const { chain: cert, key } = maker.make(['good.example'])
  const names: string[] = []
  const server = createHttps({
    cert,
    key,
    SNICallback(name, done) {
      names.push(name)
      done(null)
    },
  })
  server.on('request', (_, response) => response.end('secret'))
  server.on('tlsClientError', () => {})
  const port = await start(t, server)
  await using upstream = await Upstream.start()
  upstream.set('good.example', { addresses: ['127.0.0.1'] })
  const { guest, outgoing } = open(t, {}, { resolvers: [`127.0.0.1:${upstream.port}`] })
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  t.teardown(() => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED)
  t.equal(
    await guest.tryFetch(`https://good.example:${port}/`),
    'tls-certificate-error',
    'whatever the environment says',
  )
  t.strictSame(names, ['good.example'])
  t.equal(await guest.tryFetch(`https://127.0.0.1:${port}/`), 'tls-certificate-error')
  t.equal(await guest.tryFetch(`http://good.example:${port}/`), 'connection-terminated')
  const plain = await say(t, 'HTTP/1.1 200 OK\r\n\r\nx')
  t.equal(await guest.tryFetch(`https://good.example:${plain}/`), 'tls-protocol-error')
  await settled(outgoing)
})

t.test('names: resolved once, and every address judged', async (t) => {
  await using upstream = await Upstream.start()
  const asked: string[] = []
  const port = await serve(t, (request, response) => {
    asked.push(`${request.socket.localAddress} ${request.headers.host}`)
    response.end('x')
  })
  let forbidden = 0
  const trap = createServer((socket) => {
    forbidden++
    socket.destroy()
  })
  await start(t, trap, '127.0.0.2', port)
  const { guest, outgoing } = open(
    t,
    {},
    { policy: loopbackPolicy('127.0.0.2'), resolvers: [`127.0.0.1:${upstream.port}`] },
  )
  upstream.set('good.example', { addresses: ['127.0.0.1'] })
  upstream.set('bad.example', { addresses: ['127.0.0.2'] })
  upstream.set('mixed.example', { addresses: ['127.0.0.2', '::1', '::ffff:127.0.0.2', '127.0.0.1'] })
  upstream.set('alias.example', { addresses: ['127.0.0.2'], chain: ['bad.example'] })
  upstream.set('mapped.example', { addresses: ['::ffff:127.0.0.2', '64:ff9b::7f00:2'] })
  upstream.set('broken.example', { rcode: 'SERVFAIL' })
  upstream.set('garbage.example', 'garbage')
  upstream.set('empty.example', { addresses: [] })
  t.equal(await guest.resolve('good.example'), '127.0.0.1')
  t.equal(await guest.resolve('GOOD.example.'), '127.0.0.1')
  t.equal(await guest.resolve('mixed.example'), '127.0.0.1', 'the others are not told')
  t.equal(await guest.resolve('bad.example'), 'access-denied')
  t.equal(await guest.resolve('none.example'), 'name-unresolvable')
  t.equal(await guest.resolve('empty.example'), 'name-unresolvable')
  t.equal(await guest.resolve('broken.example'), 'permanent-resolver-failure')
  t.equal(await guest.resolve('localhost'), 'name-unresolvable')
  t.equal(await guest.resolve('2130706433'), 'name-unresolvable')
  const before = upstream.asked.length
  t.equal(await guest.tryFetch(`http://good.example:${port}/`), '200 x')
  t.equal(upstream.asked.length - before, 2, 'A and AAAA, once each')
  t.equal(await guest.tryFetch(`http://mixed.example:${port}/`), '200 x')
  for (const name of ['bad', 'alias', 'mapped'])
    t.equal(await guest.tryFetch(`http://${name}.example:${port}/`), 'destination-ip-prohibited', name)
  for (const name of ['broken', 'garbage', 'none', 'empty'])
    t.match(await guest.tryFetch(`http://${name}.example:${port}/`), /^dns-(error|timeout)$/, name)
  t.notOk(
    upstream.asked.some((question) => /localhost|2130706433/.test(question)),
    'nor is anybody asked for those',
  )
  t.strictSame(asked, [`127.0.0.1 good.example:${port}`, `127.0.0.1 mixed.example:${port}`])
  t.equal(forbidden, 0)
  await settled(outgoing)
})

t.test('a name that flips between looks', async (t) => {
  let questions = 0
  const dns = createSocket('udp4')
  dns.bind(0, '127.0.0.1')
  await once(dns, 'listening')
  t.teardown(() => dns.close())
  dns.on('message', (message, from) => {
    const query = decode(message)
    const [question] = query.questions ?? []
    if (question === undefined) return
    const data = questions % 2 === 0 ? '127.0.0.1' : '127.0.0.2'
    if (question.type === 'A') questions++
    const answers = question.type === 'A' ? [{ name: question.name, type: 'A' as const, ttl: 0, data }] : []
    const flags = 0x8180
    dns.send(
      encode({ type: 'response', id: query.id ?? 0, flags, questions: [question], answers }),
      from.port,
      from.address,
    )
  })
  const port = await serve(t, (_, response) => response.end('good'))
  let forbidden = 0
  await start(
    t,
    createServer((socket) => {
      forbidden++
      socket.destroy()
    }),
    '127.0.0.2',
    port,
  )
  const resolvers = [`127.0.0.1:${dns.address().port}`]
  const { guest } = open(t, {}, { policy: loopbackPolicy('127.0.0.2'), resolvers })
  const outcomes: string[] = []
  for (let i = 0; i < 10; i++) outcomes.push(await guest.tryFetch(`http://flip.example:${port}/`))
  t.strictSame(
    outcomes,
    outcomes.map((_, i) => (i % 2 === 0 ? '200 good' : 'destination-ip-prohibited')),
  )
  t.equal(questions, 10, 'one look for each request')
  t.equal(forbidden, 0)
})

t.test('who gives up, gives up at every stage', async (t) => {
  await using upstream = await Upstream.start()
  upstream.set('silent.example', 'silent')
  upstream.set('good.example', { addresses: ['127.0.0.1'] })
  const silent = await say(t, '', () => {})
  const { outgoing } = open(t, {}, { resolvers: [`127.0.0.1:${upstream.port}`] })
  const urls = [
    'http://silent.example/',
    `http://good.example:${silent}/`,
    `https://good.example:${silent}/`,
    `https://127.0.0.1:${silent}/`,
  ]
  for (const url of urls) {
    for (const byClose of [true, false]) {
      const guest = new GuestClient(outgoing.session({ domain: 'a.example', name: 'x' }))
      const id = await guest.send(url)
      t.notOk(await guest.wait(id, 'read', 30), url)
      if (byClose) await guest.ask({ ask: 'close', id })
      else guest.session.close()
      await settled(outgoing)
    }
  }
  t.equal(outgoing.counters.requests, urls.length * 2)
})
