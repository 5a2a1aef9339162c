import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect as connectPlain } from 'node:net'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import t from 'tap'
import type { CertificateStore, HostCertificate } from '../../../edge/index.ts'
import { CertificateMaker, type MadeCertificate } from '../../support/certificate-maker.ts'
import { inTime } from '../../support/in-time.ts'
import { BIG_BYTES, EXAMPLE, FILES, startSite } from './support/https-site.ts'

const run = promisify(execFile)
const maker = new CertificateMaker()
t.teardown(() => maker[Symbol.dispose]())
const YEAR_MS = 365 * 86_400_000
/** Of curl. */
const STREAM_ERROR = 92
const asHost = (name: string, made: MadeCertificate): HostCertificate => ({
  ...made,
  name,
  notBeforeMs: 0,
  notAfterMs: 200 * YEAR_MS,
})

/** What a client of node's sees of a handshake. */
async function shake(port: number, options: ConnectionOptions): Promise<{ socket: TLSSocket } | { code: string }> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['h2'], ...options })
  return await inTime(
    'a handshake or its end',
    new Promise((resolve) => {
      socket.once('secureConnect', () => resolve({ socket }))
      socket.once('error', (error: NodeJS.ErrnoException) => resolve({ code: error.code ?? error.message }))
      socket.once('close', () => resolve({ code: 'closed' }))
    }),
  )
}

/** What comes back for bytes, until the server closes the connection in whatever way. */
async function sendBytes(port: number, bytes: string): Promise<string> {
  const socket = connectPlain({ host: '127.0.0.1', port })
  const { promise, resolve } = Promise.withResolvers<void>()
  let got = ''
  socket.on('data', (chunk: Buffer) => (got += chunk.toString('latin1')))
  socket.on('error', () => {}).on('close', () => resolve())
  socket.write(Buffer.from(bytes, 'latin1'))
  await inTime('the connection to be closed', promise)
  return got
}

/** What openssl s_client says of it. */
async function openssl(port: number, ...args: readonly string[]): Promise<string> {
  const child = execFile('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...args])
  child.stdin?.end()
  let said = ''
  child.stdout?.on('data', (text: string) => (said += text))
  child.stderr?.on('data', (text: string) => (said += text))
  await once(child, 'close')
  return said
}

t.test('curl: HTTP/2 and HTTP/1.1, files, ranges, heads, and the way here from HTTP', async (t) => {
  const { port, plainPort, certificates, big } = await startSite(t)
  certificates.replace([asHost('example.com', maker.make(['example.com', 'www.example.com']))])
  const curl = async (...args: string[]) => {
    const resolve = [port, plainPort].flatMap((one) => ['--resolve', `example.com:${one}:127.0.0.1`])
    const base = ['-sS', '--cacert', maker.caFile, ...resolve]
    return (await run('curl', [...base, ...args], { encoding: 'buffer', maxBuffer: 2 * BIG_BYTES })).stdout
  }
  // curl before 8.0 forgets an answer that is over before it has sent its content (RFC 9113 section 8.1 says not to).
  const post = async (...args: string[]) => {
    for (let tries = 1; ; tries++) {
      try {
        return await curl(...args)
      } catch (error) {
        if ((error as { code?: unknown }).code !== STREAM_ERROR || tries === 10) throw error
      }
    }
  }
  const site = `https://example.com:${port}`
  for (const version of ['--http2', '--http1.1']) {
    t.equal((await curl(version, `${site}/`)).toString(), FILES['index.html'], version)
    t.ok((await curl(version, `${site}/big.bin`)).equals(Buffer.from(big)), `${version}: a large file`)
    t.ok(
      (await curl(version, '-r', '100-1999999', `${site}/big.bin`)).equals(Buffer.from(big.subarray(100, 2_000_000))),
    )
    t.match((await curl(version, '-I', `${site}/big.bin`)).toString(), new RegExp(`content-length: ${BIG_BYTES}`, 'i'))
    t.match((await curl(version, '-i', '-X', 'DELETE', `${site}/`)).toString(), /^HTTP\/[12.]+ 405/)
    t.match((await curl(version, '-i', '-H', 'Host: www.example.com', `${site}/`)).toString(), /^HTTP\/[12.]+ 404/)
    t.match((await curl(version, '-i', '-H', 'Host: other.com', `${site}/`)).toString(), /^HTTP\/[12.]+ 421/)
    t.match((await post(version, '-i', '--data-binary', '@/etc/passwd', `${site}/`)).toString(), /^HTTP\/[12.]+ 405/)
  }
  const both = await curl(
    '-w',
    '%{http_version} %{num_connects};',
    '-o',
    '/dev/null',
    '-o',
    '/dev/null',
    `${site}/`,
    `${site}/big.bin`,
  )
  t.equal(both.toString(), '2 1;2 0;', 'ALPN chooses HTTP/2, and keeps the connection')
})

t.test('openssl: versions, protocols, names', async (t) => {
  const { port, certificates, server } = await startSite(t)
  const [ec, rsa] = [maker.make(['example.com']), maker.make(['example.com', 'rsa.com'], 'rsa')]
  certificates.replace([asHost('a', ec), asHost('b', rsa), asHost('c', maker.make(['other.com', '*.other.com']))])
  const name = ['-servername', 'example.com']
  for (const [args, expected] of [
    [
      [...name, '-tls1_3', '-groups', 'X25519:P-256'],
      /New, TLSv1.3[\s\S]*Server Temp Key: X25519|Server Temp Key: X25519[\s\S]*New, TLSv1.3/,
    ],
    [[...name, '-tls1_2'], /New, TLSv1.2, Cipher is ECDHE-(ECDSA|RSA)-(AES(128|256)-GCM|CHACHA20)/],
    [['-servername', 'rsa.com', '-tls1_2'], /Cipher is ECDHE-RSA-(AES(128|256)-GCM|CHACHA20)/],
    [['-servername', 'rsa.com'], /Peer signature type: RSA-PSS/],
    [[...name, '-sigalgs', 'ecdsa_secp256r1_sha256'], /Peer signature type: ECDSA/],
    [[...name, '-tls1_2', '-cipher', 'AES128-SHA:AES256-GCM-SHA384'], /alert handshake failure/],
    [[...name, '-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-SHA256'], /alert handshake failure/],
    [[...name, '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'], /alert protocol version/],
    [[...name, '-alpn', 'h2,http/1.1'], /ALPN protocol: h2/],
    [[...name, '-alpn', 'http/1.1'], /ALPN protocol: http\/1.1/],
    [[...name, '-alpn', 'spdy/3'], /alert no application protocol/],
    [['-servername', 'EXAMPLE.com'], /subject=CN = /],
    [['-servername', 'a.other.com'], /subject=CN = /],
    [['-servername', 'a.b.other.com'], /alert handshake failure/],
    [['-servername', 'nowhere.com'], /alert handshake failure/],
    [['-noservername'], /alert handshake failure/],
    [['-noservername', '-tls1_2'], /alert handshake failure/],
  ] as const)
    t.match(await openssl(port, ...args), expected, args.join(' '))
  t.ok(server.counters.tlsFailed >= 8)
})

t.test('a client resumes while its certificate is there, with whichever worker; early data is not taken', async (t) => {
  const ticketKeys = new Uint8Array(48).fill(7)
  const tls = { ticketKeys } as { ticketKeys: Uint8Array } & { certificates?: CertificateStore }
  const one = await startSite(t, { tls: tls as never })
  const two = await startSite(t, { tls: tls as never })
  for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
    const session = async (port: number, options: ConnectionOptions = {}) => {
      const socket = connect({
        host: '127.0.0.1',
        port,
        servername: 'example.com',
        maxVersion,
        rejectUnauthorized: false,
        ...options,
      })
      const tickets: Buffer[] = []
      socket.on('session', (ticket: Buffer) => tickets.push(ticket)).on('error', () => {})
      await once(socket, 'secureConnect')
      const reused = socket.isSessionReused()
      let got = ''
      socket.on('data', (chunk: Buffer) => {
        got += chunk.toString('latin1')
      })
      const closed = new Promise((resolve) => socket.once('close', resolve))
      socket.write('GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n')
      await closed
      return { reused, session: tickets.at(-1), got }
    }
    const first = await session(one.port)
    t.equal(first.reused, false)
    const before = two.server.counters.tlsResumed
    t.equal((await session(two.port, { session: first.session })).reused, true, `${maxVersion}: resumed with the other`)
    t.equal(two.server.counters.tlsResumed, before + 1)
    two.server.https?.setTicketKeys(new Uint8Array(48).fill(9))
    const turned = await session(two.port, { session: first.session })
    t.equal(turned.reused, false, `${maxVersion}: a whole handshake after keys were turned`)
    two.server.https?.setTicketKeys(ticketKeys)
    two.certificates.replace([])
    // A session of TLS 1.2 is resumed without its name, so its requests are refused instead.
    const gone = await session(two.port, { session: first.session }).catch(() => ({ got: '' }))
    t.match(
      gone.got,
      maxVersion === 'TLSv1.3' ? /^$/ : /^(HTTP\/1.1 421 |$)/,
      `${maxVersion}: nothing more once it is gone`,
    )
    two.certificates.replace([EXAMPLE])
  }
  t.match(await openssl(one.port, '-servername', 'example.com', '-tls1_3'), /Early data was not sent|Max Early Data: 0/)
})

t.test('certificates are swapped a hundred times under clients that keep asking, and none of them fails', async (t) => {
  const { port, certificates } = await startSite(t)
  const swaps = [0, 1, 2].map((i) => asHost('example.com', maker.make(['example.com'], i === 1 ? 'rsa' : 'ec')))
  certificates.replace([swaps[0] as HostCertificate])
  const kept = connectHttp2(`https://127.0.0.1:${port}`, { servername: 'example.com', rejectUnauthorized: false })
  t.teardown(() => kept.destroy())
  const ask = async (): Promise<number> => {
    const stream = kept.request({ ':path': '/', ':authority': 'example.com' })
    const [head] = (await once(stream, 'response')) as [{ ':status'?: number }]
    await once(stream.resume(), 'end')
    return head[':status'] ?? 0
  }
  const issuers = new Set<string>()
  for (let i = 0; i < 100; i++) {
    certificates.replace([swaps[i % 3] as HostCertificate])
    const met = await shake(port, { servername: 'example.com' })
    if ('code' in met) t.fail(met.code)
    else {
      issuers.add(met.socket.getPeerCertificate().serialNumber)
      met.socket.destroy()
    }
    t.equal(await ask(), 200)
  }
  t.equal(issuers.size, 3, 'new connections see the new one')
})

t.test('what is no handshake ends by itself, and others are served meanwhile', async (t) => {
  const { port, server } = await startSite(t, { tls: { handshakeTimeoutMs: 300 } as never, maxConnections: 64 })
  for (const [name, bytes] of [
    ['plain HTTP', 'GET / HTTP/1.1\r\nHost: example.com\r\n\r\n'],
    ['garbage', `\x00\xff${'garbage'.repeat(100)}`],
    ['an SSLv2 hello', '\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10'],
    ['a record of 64 KiB', `\x16\x03\x01\xff\xff${'a'.repeat(70_000)}`],
    ['a hello that says 16 MiB', `\x16\x03\x01\x40\x00\x01\xff\xff\xff${'a'.repeat(20_000)}`],
    ['a hello that ends in the middle', '\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03'],
    ['silence', ''],
  ] as const)
    t.notMatch(await sendBytes(port, bytes), /HTTP/, `${name}: closed`)
  t.ok(server.counters.tlsFailed >= 6)
  const idle = Array.from({ length: 40 }, () => connectPlain({ host: '127.0.0.1', port }))
  for (const socket of idle) socket.on('error', () => {})
  t.teardown(() => idle.forEach((socket) => void socket.destroy()))
  const met = await shake(port, { servername: 'example.com' })
  t.ok('socket' in met, 'who shakes hands is let in among those who do not')
  if ('socket' in met) met.socket.destroy()
  await inTime('slow handshakes to be cut', Promise.all(idle.map((socket) => socket.closed || once(socket, 'close'))))
})

t.test('renegotiation is refused', async (t) => {
  const { port } = await startSite(t)
  const met = await shake(port, { servername: 'example.com', maxVersion: 'TLSv1.2', ALPNProtocols: ['http/1.1'] })
  if (!('socket' in met)) throw new Error(met.code)
  const { socket } = met
  const refused = new Promise<boolean>((resolve) => {
    socket.once('error', () => resolve(true)).once('close', () => resolve(true))
    socket.renegotiate({}, (error) => resolve(error !== null))
  })
  t.ok(await inTime('renegotiation to be refused', refused))
  socket.destroy()
})
