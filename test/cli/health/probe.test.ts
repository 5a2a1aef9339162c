import { once } from 'node:events'
import { createServer as createTlsServer } from 'node:tls'
import { encode } from 'dns-packet'
import t, { type Test } from 'tap'
import {
  isLocalCluster,
  type ProbeReport,
  probeDns,
  probeHttp,
  probeService,
  probeTls,
  refuseAddress,
} from '../../../cli/health/index.ts'
import { isLocalFault } from '../../../cli/health/local-fault.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { LEAF, LEAF_KEY } from '../../support/certificates.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { findClosedPort, openTcp, openUdp } from './peers.ts'

const host = '127.0.0.1'
const runtime = systemRuntime
/** So long that only a silent peer reaches it. */
const PATIENT_MS = 60_000
const QUICK_MS = 200

const dns = (port: number, timeoutMs = PATIENT_MS, name = 'example.com') =>
  probeDns({ host, port, name, timeoutMs, runtime })
const http = (port: number, timeoutMs = PATIENT_MS) =>
  probeHttp({ host, port, domain: 'example.com', version: '1.2.3', timeoutMs, runtime })

/** A response to a query, with these flags beside the response bit. */
function respondTo(query: Buffer, rcode = 0, edit: (bytes: Buffer) => Buffer = (bytes) => bytes): Buffer {
  const bytes = Buffer.from(query)
  bytes.writeUInt16BE(0x8400 | rcode, 2)
  return edit(bytes)
}

async function isDown(t: Test, outcome: Promise<ProbeReport>, reason: RegExp, message?: string) {
  const found = await outcome
  t.match(found, { kind: 'down', reason }, message ?? String(reason))
}

t.test('DNS: any answer to our question is life, but for SERVFAIL', async (t) => {
  for (const [rcode, kind] of [
    [0, 'up'],
    [3, 'up'],
    [5, 'up'],
    [2, 'down'],
  ] as const) {
    const port = await openUdp(t, (query, reply) => reply(respondTo(query, rcode)))
    t.equal((await dns(port)).kind, kind, `rcode ${rcode}`)
  }
  const port = await openUdp(t, (query, reply) => reply(respondTo(query)))
  t.equal((await dns(port, PATIENT_MS, '')).kind, 'up', 'the root, where there is no domain')
})

t.test('DNS: with records, in the bytes of another implementation', async (t) => {
  const port = await openUdp(t, (query, reply) => {
    const id = query.readUInt16BE()
    const questions = [{ name: 'example.com', type: 'SOA' as const }]
    const data = {
      mname: 'n1.example.com',
      rname: 'admin.example.com',
      serial: 1,
      refresh: 1,
      retry: 1,
      expire: 1,
      minimum: 1,
    }
    reply(encode({ type: 'response', id, questions, answers: [{ name: 'example.com', type: 'SOA', data }] }))
  })
  t.equal((await dns(port)).kind, 'up')
})

t.test('DNS: refused, silent, garbage', async (t) => {
  await isDown(t, dns(await findClosedPort()), /nothing listens/)
  await isDown(t, dns(await openUdp(t), QUICK_MS), /^no answer within 0\.2 s$/)
  const cut = await openUdp(t, (query, reply) => reply(respondTo(query, 0, (bytes) => bytes.subarray(0, -2))))
  await isDown(t, dns(cut), /no DNS message/)
  const longer = await openUdp(t, (query, reply) =>
    reply(respondTo(query, 0, (bytes) => Buffer.concat([bytes, bytes]))),
  )
  await isDown(t, dns(longer), /no DNS message/)
  for (const target of [12, 13, 29, 200]) {
    // A question whose name is a pointer to itself, or ahead.
    const looped = await openUdp(t, (query, reply) =>
      reply(
        respondTo(query, 0, (bytes) => Buffer.concat([bytes.subarray(0, 12), Buffer.of(0xc0, target, 0, 6, 0, 1)])),
      ),
    )
    await isDown(t, dns(looped), /no DNS message/, `pointer to ${target}`)
  }
  const echo = await openUdp(t, (query, reply) => reply(query))
  await isDown(t, dns(echo, QUICK_MS), /messages that answer nothing/, 'a query sent back is no answer')
})

t.test('DNS: what others may have sent is passed over, and the answer behind it counts', async (t) => {
  const port = await openUdp(t, (query, reply) => {
    const foreign = respondTo(query)
    foreign.writeUInt16BE(query.readUInt16BE() ^ 1, 0)
    reply(foreign)
    const other = respondTo(query)
    other.write('exempla', 13, 'latin1')
    reply(other)
    reply(Buffer.of(1))
    reply(respondTo(query))
  })
  t.equal((await dns(port)).kind, 'up')
})

t.test('DNS: one lost datagram is asked for again inside the time-out', async (t) => {
  let asked = 0
  const port = await openUdp(t, (query, reply) => {
    asked++
    if (asked === 2) reply(respondTo(query))
  })
  t.equal((await dns(port, 2_000)).kind, 'up')
  t.equal(asked, 2)
})

t.test('DNS: no bytes end the probe in another way than by an outcome', async (t) => {
  for (const seed of seeds(40)) {
    const random = createRandom(seed)
    const port = await openUdp(t, (query, reply) => {
      const bytes = respondTo(query, 0, (all) => Buffer.concat([all, random.bytes(random.integer(60))]))
      for (let i = 0; i < 3; i++) bytes[2 + random.integer(bytes.length - 2)] = random.integer(256)
      reply(bytes)
    })
    t.match(await dns(port, 50), { kind: /up|down/ }, `seed ${seed}`)
  }
})

t.test('HTTP: what a status says', async (t) => {
  let head = ''
  for (const [status, kind] of [
    [200, 'up'],
    [301, 'up'],
    [404, 'up'],
    [503, 'up'],
    [100, 'down'],
    [500, 'down'],
    [502, 'down'],
  ] as const) {
    const port = await openTcp(t, (socket) =>
      socket.on('data', (piece) => {
        head = piece.toString()
        socket.write(`HTTP/1.1 ${status} Some Words\r\nContent-Length: 0\r\nLocation: http://127.0.0.1:1/\r\n\r\n`)
      }),
    )
    t.equal((await http(port)).kind, kind, `status ${status}`)
  }
  t.match(head, /^GET \/\.well-known\/makiatto-health HTTP\/1\.1\r\nHost: example\.com\r\n/)
  t.match(head, /\r\nUser-Agent: makiatto-health\/1\.2\.3\r\n/)
})

t.test('HTTP: refused, silent, garbage, half an answer, an endless one', async (t) => {
  await isDown(t, http(await findClosedPort()), /nothing listens/)
  await isDown(t, http(await openTcp(t), QUICK_MS), /^no answer within 0\.2 s$/)
  await isDown(t, http(await openTcp(t, (socket) => socket.destroy())), /cut the connection|closed the connection/)
  await isDown(t, http(await openTcp(t, (socket) => socket.end())), /closed the connection/)
  await isDown(t, http(await openTcp(t, (socket) => socket.write('SSH-2.0-OpenSSH\r\n'))), /no HTTP/)
  await isDown(t, http(await openTcp(t, (socket) => socket.write('\0'))), /no HTTP/)
  await isDown(t, http(await openTcp(t, (socket) => socket.write('HTTP/1.1 2000 OK\r\n'))), /no HTTP/)
  const half = await openTcp(t, (socket) => socket.write('HTTP/1.1 200 OK\r\nX: y'))
  await isDown(t, http(half, QUICK_MS), /no whole answer/)
  const endless = await openTcp(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\n')
    const more = () => socket.writable && socket.write('X: y\r\n'.repeat(1000), more)
    more()
  })
  await isDown(t, http(endless), /has more than/)
})

t.test('HTTP: a slow answer counts, byte by byte', async (t) => {
  const port = await openTcp(t, (socket) => {
    const bytes = [...'HTTP/1.1 204 No Content\r\n\r\n']
    const next = () => {
      const byte = bytes.shift()
      if (byte !== undefined) socket.write(byte, () => setImmediate(next))
    }
    next()
  })
  t.equal((await http(port)).kind, 'up')
})

t.test('TLS: a handshake, and what is none', async (t) => {
  await isDown(
    t,
    probeTls({ host, port: await findClosedPort(), domain: 'a.b', timeoutMs: PATIENT_MS, runtime }),
    /nothing/,
  )
  await isDown(t, probeTls({ host, port: await openTcp(t), domain: 'a.b', timeoutMs: QUICK_MS, runtime }), /handshake/)
  const garbage = await openTcp(t, (socket) => socket.write('HTTP/1.1 400 Bad\r\n\r\n'))
  await isDown(t, probeTls({ host, port: garbage, domain: 'a.b', timeoutMs: PATIENT_MS, runtime }), /./)
  const asked: string[] = []
  const server = createTlsServer({
    cert: LEAF,
    key: LEAF_KEY,
    SNICallback: (name, done) => {
      asked.push(name)
      done(null)
    },
  }).listen(0, host)
  t.teardown(() => server.close())
  server.on('tlsClientError', () => {}).on('secureConnection', (socket) => socket.on('error', () => {}).resume())
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const outcome = await probeTls({ host, port, domain: 'a.b', timeoutMs: PATIENT_MS, runtime })
  t.match(outcome, { kind: 'up' }, 'whoever signed the certificate')
  t.strictSame(asked, ['a.b'])
  const bare = createTlsServer({}).listen(0, host)
  t.teardown(() => bare.close())
  bare.on('tlsClientError', () => {})
  await once(bare, 'listening')
  const alert = probeTls({
    host,
    port: (bare.address() as { port: number }).port,
    domain: 'a.b',
    timeoutMs: PATIENT_MS,
    runtime,
  })
  t.match(await alert, { kind: 'up' }, 'an alert for want of a certificate')
})

t.test('no way of our own says nothing about them', async (t) => {
  // Nothing routes TCP to a broadcast address, and UDP may not go there unasked.
  const nowhere = { host: '255.255.255.255', timeoutMs: PATIENT_MS, runtime }
  const outcome = await probeHttp({ ...nowhere, port: 80, domain: undefined, version: '1' })
  t.equal(outcome.kind, 'unknown', JSON.stringify(outcome))
  t.equal((await probeTls({ ...nowhere, port: 443, domain: undefined })).kind, 'unknown')
  t.equal((await probeDns({ ...nowhere, port: 53, name: '' })).kind, 'unknown')
  const told = Object.assign(new Error('a router says so'), { code: 'EHOSTUNREACH' })
  t.equal(await isLocalFault(told, nowhere.host), true)
  t.equal(await isLocalFault(told, host), false, 'a way leads there, so it was not ours to fail')
  t.equal(await isLocalFault(Object.assign(new Error(), { code: 'EMFILE' }), host), true)
  t.equal(await isLocalFault(Object.assign(new Error(), { code: 'ECONNREFUSED' }), nowhere.host), false)
})

t.test('a probe can be cancelled before and while it runs', async (t) => {
  const port = await openTcp(t)
  const abort = new AbortController()
  const options = { host, port, domain: undefined, version: '1', timeoutMs: PATIENT_MS, runtime, signal: abort.signal }
  const running = [probeHttp(options), probeTls(options), probeDns({ ...options, port: await openUdp(t), name: '' })]
  abort.abort()
  for (const outcome of await Promise.all(running)) t.equal(outcome.kind, 'unknown')
  t.equal((await probeHttp(options)).kind, 'unknown')
})

t.test('a member makes nobody connect to what only they reach', async (t) => {
  let met = 0
  const port = await openTcp(t, () => met++)
  const ask = (address: string, isLocal: boolean) =>
    probeService(
      { service: 'web', address },
      {
        isLocal,
        ports: { http: port },
        apex: undefined,
        version: '1',
        dnsTimeoutMs: QUICK_MS,
        httpTimeoutMs: QUICK_MS,
        runtime,
      },
    )
  const own = ['127.0.0.1', '127.8.8.8', '::1', '0::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1', '::FFFF:7f00:1']
  for (const address of own) {
    t.match(await ask(address, false), { kind: 'down', reason: /loopback/ }, address)
    t.equal(refuseAddress(address, true), undefined, `${address} in a cluster on one computer`)
  }
  const never = [
    ...['0.0.0.0', '169.254.169.254', '224.0.0.251', '255.255.255.255', '250.1.2.3'],
    ...['::', '::ffff:169.254.169.254', '::a9fe:a9fe', 'fe80::1', 'ff02::fb', 'localhost', ''],
  ]
  for (const address of never)
    for (const isLocal of [false, true])
      t.match(await ask(address, isLocal), { kind: 'down', reason: /no visitor/ }, address)
  t.equal(met, 0, 'nobody was asked')
  for (const address of ['192.168.1.2', '10.0.0.1', '203.0.113.4', 'fd00::1', '2001:db8::1', '64:ff9b::1'])
    t.equal(refuseAddress(address, false), undefined, address)
})

t.test('a cluster on one computer has most of its addresses there', async (t) => {
  const at = (ipv4: string | null, ipv6: string | null = null) => ({ ipv4, ipv6 })
  t.ok(isLocalCluster([at('127.0.0.1'), at('127.0.0.1', '::1'), at('198.51.100.1')]))
  t.notOk(
    isLocalCluster([at('127.0.0.1', '::1'), at('192.0.2.1', '2001:db8::1'), at('192.0.2.2')]),
    'one that says so is not enough',
  )
  t.notOk(isLocalCluster([at(null)]))
})

t.test('a service: ports that are not known, parts that do not run, HTTP and HTTPS as one', async (t) => {
  const ok = await openTcp(t, (socket) => socket.end('HTTP/1.1 404 Not Found\r\n\r\n'))
  const closed = await findClosedPort()
  const common = {
    isLocal: true,
    apex: 'example.com',
    version: '1',
    dnsTimeoutMs: PATIENT_MS,
    httpTimeoutMs: PATIENT_MS,
    runtime,
  }
  const web = { service: 'web', address: host } as const
  t.match(await probeService(web, { ...common, ports: undefined }), { kind: 'unknown' })
  t.match(await probeService(web, { ...common, ports: { dns: 1 } }), { kind: 'down', reason: /^HTTP: it does not run/ })
  t.match(await probeService(web, { ...common, ports: { http: ok } }), { kind: 'up' })
  t.match(await probeService(web, { ...common, ports: { http: ok, https: closed } }), {
    kind: 'down',
    reason: /^HTTPS: /,
  })
  t.match(await probeService(web, { ...common, ports: { http: closed } }), { kind: 'down', reason: /^HTTP: nothing/ })
  const dns = { service: 'dns', address: host } as const
  t.match(await probeService(dns, { ...common, ports: { http: ok } }), { kind: 'down', reason: /^DNS: / })
})
