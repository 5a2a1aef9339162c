import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { type Log, silentLog } from '../../../core/index.ts'
import { clientOf } from '../../../dns/server/tcp.ts'
import { ZoneTable } from '../../../dns/zone/zone-table.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { serviceOf } from '../answering.ts'
import { encodeQuery, frame, TcpClient, UdpClient } from '../dns-client.ts'
import { ManualTimers, serve, servedTable } from './served-zone.ts'

t.test('UDP and TCP answer on one port, from the table of the moment', async (t) => {
  let table = ZoneTable.empty
  await using server = await serve({ service: serviceOf(() => table) })
  const udp = new UdpClient(server.address.port)
  const tcp = await TcpClient.open(server.address.port)
  t.teardown(() => [udp.close(), tcp.close()])
  const query = encodeQuery('www.example.com', 'A', 9)
  t.match(await udp.ask(query), { id: 9, rcode: 'REFUSED' })
  table = servedTable()
  t.match(await udp.ask(query), { id: 9, rcode: 'NOERROR', answers: { length: 2 } })
  await tcp.write(frame(query))
  t.match(await tcp.next(), { id: 9, rcode: 'NOERROR', answers: { length: 2 } })
  t.match(server.counters, { queries: { udp: 2, tcp: 1 }, rcodes: { REFUSED: 1, NOERROR: 2 }, malformed: 0 })
})

t.test('what is no query is counted and not answered; the server goes on', async (t) => {
  await using server = await serve()
  const udp = new UdpClient(server.address.port)
  t.teardown(() => udp.close())
  const response = encodeQuery('www.example.com', 'A')
  response.writeUInt8(0x80, 2)
  for (const bad of [Buffer.alloc(0), Buffer.from('short'), response]) udp.send(bad)
  t.match(await udp.ask(encodeQuery('www.example.com', 'A', 77)), { id: 77, rcode: 'NOERROR' })
  t.match(await udp.ask(encodeQuery('www.example.com', 'A', 78).subarray(0, 20)), { id: 78, rcode: 'FORMERR' })
  t.match(server.counters, { queries: { udp: 2 }, dropped: 3, malformed: 3, failed: 0 })
})

t.test('a fault of our own is answered with SERVFAIL and logged at 1, 2, 4 times', async (t) => {
  const logged: unknown[] = []
  const log: Log = { ...silentLog, error: (event, data) => logged.push([event, data?.times]) }
  const table = () => {
    throw new Error('broken')
  }
  await using server = await serve({ service: serviceOf(table), log })
  const udp = new UdpClient(server.address.port)
  t.teardown(() => udp.close())
  for (let id = 1; id <= 5; id++)
    t.match(await udp.ask(encodeQuery('a.example.com', 'A', id)), { id, rcode: 'SERVFAIL' })
  t.strictSame(logged, [
    ['dns.failed', 1],
    ['dns.failed', 2],
    ['dns.failed', 4],
  ])
  t.match(server.counters, { failed: 5, rcodes: { SERVFAIL: 5 } })
})

for (const seed of seeds(10)) {
  t.test(`TCP takes queries in any fragments, many at once, and answers in order (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    await using server = await serve()
    const tcp = await TcpClient.open(server.address.port)
    t.teardown(() => tcp.close())
    const count = 60
    const names = Array.from({ length: count }, () => random.pick(['www', 'alias', 'text', 'big', 'missing']))
    const stream = Buffer.concat(names.map((name, i) => frame(encodeQuery(`${name}.example.com`, 'TXT', i))))
    const writing = (async () => {
      for (let start = 0; start < stream.length; ) {
        const length = random.pick([1, 2, 3, 17, 100, 1000])
        await tcp.write(stream.subarray(start, start + length))
        start += length
      }
    })()
    for (const [id, name] of names.entries()) {
      const answers = name === 'big' ? 250 : name === 'text' || name === 'alias' ? 1 : 0
      const got = await tcp.next()
      if (got?.id !== id || got.answers?.length !== answers) t.match(got, { id, answers: { length: answers } }, name)
    }
    await writing
    t.equal(server.counters.queries.tcp, count)
  })
}

t.test('a client that is done asking still gets its answers', async (t) => {
  await using server = await serve()
  const tcp = await TcpClient.open(server.address.port)
  tcp.socket.end(
    Buffer.concat([frame(encodeQuery('big.example.com', 'TXT', 1)), frame(encodeQuery('a.example.com', 'A', 2))]),
  )
  t.match(await tcp.next(), { id: 1, answers: { length: 250 } })
  t.match(await tcp.next(), { id: 2, rcode: 'NXDOMAIN' })
  t.equal(await tcp.next(), undefined)
})

t.test('who does not take its answers is not read any further', async (t) => {
  await using server = await serve()
  const tcp = await TcpClient.open(server.address.port)
  t.teardown(() => tcp.close())
  tcp.socket.pause()
  const count = 2000
  const query = frame(encodeQuery('big.example.com', 'TXT'))
  tcp.socket.write(Buffer.concat(Array<Buffer>(count).fill(query)))
  const other = await TcpClient.open(server.address.port)
  t.teardown(() => other.close())
  for (let i = 0; i < 50; i++) {
    await other.write(frame(encodeQuery('www.example.com', 'A', i)))
    t.equal((await other.next())?.id, i, 'others are served meanwhile')
  }
  t.ok(server.counters.queries.tcp < count / 2, `${server.counters.queries.tcp} answers were made`)
  tcp.socket.resume()
  for (let i = 0; i < count; i++) if ((await tcp.next())?.answers?.length !== 250) t.fail(`answer ${i}`)
  t.equal(server.counters.queries.tcp, count + 50, 'and it gets all of them once it reads')
})

t.test('connections end: idle ones, old ones, ones that send what is no query', async (t) => {
  const runtime = new ManualTimers()
  await using server = await serve({ runtime, limits: { idleMs: 10, maxAgeMs: 1000 } })
  const open = async () => {
    const tcp = await TcpClient.open(server.address.port)
    await tcp.write(frame(encodeQuery('www.example.com', 'A')))
    await tcp.next()
    return tcp
  }
  const idle = await open()
  await idle.write(frame(encodeQuery('www.example.com', 'A')).subarray(0, 9))
  t.equal(runtime.pending, 2)
  runtime.fire(10)
  t.equal(await idle.next(), undefined, 'idle, with a piece of a query')
  const old = await open()
  runtime.fire(1000)
  t.equal(await old.next(), undefined, 'old')
  for (const bytes of [
    Buffer.from([0, 0]),
    frame(Buffer.from('short')),
    frame(Buffer.from([0, 1, 0x80, ...Array(9).fill(0)])),
  ]) {
    const bad = await open()
    await bad.write(bytes)
    t.equal(await bad.next(), undefined, bytes.toString('hex'))
  }
  t.equal(runtime.pending, 0, 'no timer is left behind')
})

t.test('connections are limited for each client and in all', async (t) => {
  await using server = await serve({ limits: { maxConnectionsPerClient: 2, maxConnections: 3 } })
  const { port } = server.address
  const works = async (tcp: TcpClient) => {
    await tcp.write(frame(encodeQuery('www.example.com', 'A')))
    return (await tcp.next()) !== undefined
  }
  const [a, b] = [await TcpClient.open(port), await TcpClient.open(port)]
  t.ok((await works(a)) && (await works(b)))
  t.notOk(await works(await TcpClient.open(port)), 'a third one from the same client')
  const c = await TcpClient.open(port, '127.0.0.2')
  t.ok(await works(c))
  t.ok(await works(a))
  const d = await TcpClient.open(port, '127.0.0.3')
  t.ok(await works(d), 'a fourth in all is let in')
  t.equal(await b.next(), undefined, 'in place of the one that was quiet longest')
  t.ok((await works(a)) && (await works(c)))
  t.equal(server.counters.shed, 2)
  a.close()
  c.close()
  await Promise.all([a.closed, c.closed])
  const again = await TcpClient.open(port)
  t.ok(await works(again), 'a place that is left is free again')
  for (const tcp of [d, again]) tcp.close()
})

t.test('clients are told apart by address, IPv6 ones by /64', async (t) => {
  const clients = [
    ['192.0.2.1', '::ffff:192.0.2.1'],
    ['192.0.2.2'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::', '2001:db8:1:2:ffff:ffff:ffff:ffff'],
    ['2001:db8:1:3:3:4:5:6'],
    ['2001:db8::1', '2001:db8:0:0:1::'],
    ['::1'],
    ['fe80::1%eth0', 'fe80::2'],
    [undefined, ''],
  ]
  for (const addresses of clients) t.equal(new Set(addresses.map(clientOf)).size, 1, String(addresses))
  t.equal(new Set(clients.flat().map(clientOf)).size, clients.length)
})

t.test('a port that is taken is named, with its protocol, and nothing stays open', async (t) => {
  const udp = createSocket('udp4')
  udp.bind(0, '127.0.0.1')
  await once(udp, 'listening')
  const udpPort = udp.address().port
  await t.rejects(serve({ port: udpPort }), {
    code: 'MAKI_PORT_IN_USE',
    message: new RegExp(`UDP port ${udpPort} `),
    hint: /ss -lunp/,
  })
  udp.close()
  await once(udp, 'close')
  const tcp = createServer().listen(0, '127.0.0.1')
  await once(tcp, 'listening')
  const address = tcp.address()
  const tcpPort = typeof address === 'object' && address !== null ? address.port : 0
  await t.rejects(serve({ port: tcpPort }), { code: 'MAKI_PORT_IN_USE', message: new RegExp(`TCP port ${tcpPort} `) })
  tcp.close()
  await once(tcp, 'close')
  await using server = await serve({ port: tcpPort })
  t.equal(server.address.port, tcpPort, 'the UDP port was given back')
  await t.rejects(serve({ host: '192.0.2.77' }), { code: 'MAKI_CONFIG', message: /no such address/ })
})

t.test('closed, it answers who has asked nothing yet, and then nobody', async (t) => {
  const runtime = new ManualTimers()
  const server = await serve({ runtime })
  const clients = await Promise.all([1, 2, 3].map(() => TcpClient.open(server.address.port)))
  const [rests, asks, waits] = clients as [TcpClient, TcpClient, TcpClient]
  for (const client of clients) t.teardown(() => client.socket.destroy())
  const question = (id: number) => frame(encodeQuery('www.example.com', 'A', id))
  await rests.write(question(1))
  t.match(await rests.next(), { id: 1 })
  const closed = server.close()
  t.equal(await rests.next(), undefined, 'who rests is let go')
  await asks.write(question(2).subarray(0, 5))
  await asks.write(question(2).subarray(5))
  t.match(await asks.next(), { id: 2 })
  t.equal(await asks.next(), undefined, 'one last question')
  runtime.fire(1_000)
  t.equal(await waits.next(), undefined, 'who asks nothing is waited for no longer')
  await closed
  t.equal(runtime.pending, 0)
})

t.test('with reusePort two servers share a port; closing twice is closing once', async (t) => {
  const first = await serve({ reusePort: true, runtime: systemRuntime })
  const second = await serve({ reusePort: true, port: first.address.port, runtime: systemRuntime })
  t.equal(second.address.port, first.address.port)
  const tcp = await TcpClient.open(first.address.port)
  await Promise.all([first.close(), first.close(), second.close()])
  t.equal(await tcp.next(), undefined)
  await using third = await serve({ port: first.address.port })
  t.equal(third.address.port, first.address.port)
})
