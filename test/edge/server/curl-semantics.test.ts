import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { type Hostname, silentLog } from '../../../core/index.ts'
import { type HttpServerOptions, startHttpServer } from '../../../edge/index.ts'
import { buildManifest, buildSite, buildTable, MemoryBlobs, sendRaw } from '../fixtures.ts'
import { parseAnswers } from './support/wire.ts'

const exec = promisify(execFile)
const PUBLISHED = 'Sun, 06 Nov 1994 08:49:37 GMT'
const FILES = {
  'index.html': '<h1>home</h1>',
  'app.8e0d62a1.js': 'code',
  'site.css': 'body {}',
  'photo.jpg': 'jpeg',
  'doc.pdf': 'pdf',
  'feed.xml': '<xml/>',
  'data.txt': '0123456789',
  'a;b+c%.txt': 'name',
  'Upper.txt': 'upper',
}

async function start(t: Test, part: Partial<HttpServerOptions> = {}) {
  const blobs = new MemoryBlobs()
  const site = buildSite(buildManifest(blobs, FILES))
  const dated = { ...site, release: site.release && { ...site.release, lastModified: PUBLISHED } }
  const idn = buildSite(buildManifest(blobs, { 'index.html': 'köln' }), {
    domain: 'xn--kln-sna.de' as Hostname,
    hosts: ['xn--kln-sna.de' as Hostname],
  })
  const table = buildTable(dated, idn)
  const server = await startHttpServer({
    table: () => table,
    blobs,
    node: 'tokyo',
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    runtime: systemRuntime,
    ...part,
  })
  t.teardown(() => server.close())
  return { server, port: server.address.port, etag: `"${site.release?.manifest.find('data.txt')?.hash}"` }
}

/** Arguments of curl behind the URL, the status, fields that have to be there (null: must not be), the body. */
type Row = readonly [
  path: string,
  args: readonly string[],
  status: number,
  fields?: Record<string, string | null>,
  body?: string,
]

const rows = (etag: string): readonly Row[] => [
  [
    '/data.txt',
    [],
    200,
    {
      etag,
      'last-modified': PUBLISHED,
      'accept-ranges': 'bytes',
      'content-length': '10',
      'x-content-type-options': 'nosniff',
      'makiatto-node': 'tokyo',
    },
    FILES['data.txt'],
  ],
  ['/data.txt', ['-I'], 200, { etag, 'content-length': '10', 'last-modified': PUBLISHED }],
  [
    '/data.txt',
    ['-z', PUBLISHED],
    304,
    { etag, 'last-modified': PUBLISHED, 'cache-control': 'public, max-age=3600' },
    '',
  ],
  ['/data.txt', ['-z', 'Sun, 06 Nov 1994 08:49:36 GMT'], 200],
  ['/data.txt', ['-z', `-${PUBLISHED}`], 200],
  ['/data.txt', ['-z', '-Sun, 06 Nov 1994 08:49:36 GMT'], 412, { 'cache-control': 'no-store' }],
  ['/data.txt', ['-H', `If-None-Match: "x", W/${etag}`, '-z', 'Sun, 06 Nov 1994 08:49:36 GMT'], 304, { etag }],
  ['/data.txt', ['-H', 'If-None-Match: "x"', '-z', PUBLISHED], 200],
  ['/data.txt', ['-H', 'If-None-Match: *', '-I'], 304],
  ['/data.txt', ['-H', `If-Match: ${etag}`], 200],
  ['/data.txt', ['-H', `If-Match: W/${etag}`], 412],
  ['/data.txt', ['-r', '2-4'], 206, { 'content-range': 'bytes 2-4/10', 'content-length': '3', etag }, '234'],
  ['/data.txt', ['-r', '-3'], 206, { 'content-range': 'bytes 7-9/10' }, '789'],
  ['/data.txt', ['-r', '0-1,4-5'], 206, { 'content-range': 'bytes 0-5/10' }, '012345'],
  ['/data.txt', ['-r', '10-'], 416, { 'content-range': 'bytes */10' }],
  ['/data.txt', ['-r', '2-4', '-I'], 200, { 'content-length': '10', 'content-range': null }],
  ['/data.txt', ['-r', '2-4', '-H', `If-Range: ${etag}`], 206, {}, '234'],
  ['/data.txt', ['-r', '2-4', '-H', 'If-Range: "old"'], 200, {}, FILES['data.txt']],
  ['/data.txt', ['-r', '2-4', '-H', `If-Range: ${PUBLISHED}`], 200, {}, FILES['data.txt']],
  ['/', [], 200, { 'cache-control': 'no-cache', 'content-type': 'text/html; charset=utf-8' }],
  ['/app.8e0d62a1.js', [], 200, { 'cache-control': 'public, max-age=31536000, immutable' }],
  ['/site.css', [], 200, { 'cache-control': 'public, max-age=86400' }],
  ['/photo.jpg', [], 200, { 'cache-control': 'public, max-age=2592000' }],
  ['/doc.pdf', [], 200, { 'cache-control': 'public, max-age=3600' }],
  ['/feed.xml', [], 200, { 'cache-control': 'public, max-age=1800' }],
  ['/', ['-X', 'OPTIONS'], 204, { allow: 'GET, HEAD, OPTIONS' }],
  ['/', ['--request-target', '*', '-X', 'OPTIONS'], 204, { allow: 'GET, HEAD, OPTIONS' }],
  ['/', ['-d', 'x=1'], 405, { allow: 'GET, HEAD, OPTIONS' }],
  ['/', ['-X', 'DELETE'], 405],
  ['/', ['-X', 'BREW'], 501],
  ['/', ['-d', 'x=1', '-H', 'Expect: 100-continue'], 405, { connection: 'close' }],
  ['/', ['-H', 'Expect: a-miracle'], 417],
  ['/a;b+c%25.txt', [], 200, {}, 'name'],
  ['/a%3Bb%2Bc%25.txt', [], 200, {}, 'name'],
  ['/upper.txt', [], 404],
  ['/%55pper.txt', [], 200, {}, 'upper'],
  ['/', ['-H', 'Host: EXAMPLE.com.:8080'], 200],
  ['/', ['-H', 'Host: xn--kln-sna.de'], 200, {}, 'köln'],
  ['/', ['-H', 'Host: köln.de'], 400],
  ['/', ['-H', 'Host: other.com'], 404],
  ['/', ['-H', 'Host;'], 400],
  ['/', ['--request-target', 'http://example.com/data.txt', '-H', 'Host: other.com'], 200, {}, FILES['data.txt']],
]

t.test('what RFC 9110 and 9111 have an origin do', async (t) => {
  for (const fast of [true, false]) {
    const { port, etag } = await start(t, { fast })
    for (const [path, args, status, fields = {}, body] of rows(etag)) {
      const host = args.some((arg) => arg.startsWith('Host')) ? [] : ['-H', 'Host: example.com']
      const head = ['-sS', '-D', '-', '--path-as-is', '--http1.1', ...host, ...args]
      const { stdout } = await exec('curl', [...head, `http://127.0.0.1:${port}${path}`])
      const end = stdout.lastIndexOf('\r\n\r\n')
      const lines = stdout.slice(0, end).split('\r\n')
      const name = `${fast ? 'fast' : 'plain'} ${path} ${args.join(' ')}`
      t.equal(Number(lines[0]?.split(' ')[1]), status, name)
      const given = new Map(
        lines
          .slice(1)
          .map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
      )
      t.ok(given.has('date'), `${name}: Date`)
      for (const [field, value] of Object.entries(fields)) t.equal(given.get(field) ?? null, value, `${name}: ${field}`)
      if (body !== undefined) t.equal(stdout.slice(end + 4), body, `${name}: body`)
    }
  }
})

t.test('headers that tell of nodes can be left out', async (t) => {
  const { port } = await start(t, { serverHeaders: false })
  for (const target of ['/', '/none', '/%', '/data.txt']) {
    const raw = await sendRaw({ port }, `GET ${target} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n`)
    t.notMatch(raw, /makiatto|tokyo/i, target)
  }
})

t.test('who has said that it asked all has its answers', async (t) => {
  for (const fast of [true, false]) {
    const { port } = await start(t, { fast })
    for (const count of [1, 3]) {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      socket.end('GET /data.txt HTTP/1.1\r\nHost: example.com\r\n\r\n'.repeat(count))
      const chunks: Buffer[] = await socket.toArray()
      const answers = parseAnswers(Buffer.concat(chunks).toString('latin1'))
      t.strictSame(
        answers.map(({ body }) => body),
        Array.from({ length: count }, () => FILES['data.txt']),
      )
    }
  }
})

t.test('a thousand requests at once on one connection take nobody else the place', async (t) => {
  const { port, server } = await start(t, { fast: false, maxConcurrentRequests: 64 })
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  socket.write('GET /data.txt HTTP/1.1\r\nHost: example.com\r\n\r\n'.repeat(1000))
  await once(socket, 'close')
  t.equal(server.counters.overloaded, 0, 'it is cut, and nobody is told to come later')
  t.ok(server.counters.requests < 1000)
  const answers = parseAnswers(
    await sendRaw(
      { port },
      `${'GET / HTTP/1.1\r\nHost: example.com\r\n\r\n'.repeat(100)}GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n`,
    ),
  )
  t.strictSame(new Set(answers.map(({ status }) => status)), new Set([200]), 'a hundred are taken, in their order')
  t.equal(answers.length, 101)
})

t.test('content that nobody wants is read up to a bound', async (t) => {
  const { port } = await start(t)
  const { stdout } = await exec('/bin/sh', [
    '-c',
    `head -c 3000000 /dev/zero | curl -sS -o /dev/null -w '%{http_code}' -H 'Host: example.com' --data-binary @- http://127.0.0.1:${port}/`,
  ])
  t.equal(stdout, '413')
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  socket.write('POST / HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n')
  const piece = Buffer.from(`10000\r\n${'x'.repeat(0x10000)}\r\n`)
  let sent = 0
  socket.resume()
  while (!socket.destroyed && sent < 1e9) {
    if (!socket.write(piece))
      await Promise.race([once(socket, 'drain').catch(() => {}), once(socket, 'close').catch(() => {})])
    sent += piece.length
  }
  t.ok(sent < 100e6, 'who goes on for ever is cut')
})
