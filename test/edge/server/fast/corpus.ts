import type { Manifest } from '../../../../core/index.ts'
import type { Random } from '../../../support/seeds.ts'

/** Files of every kind that answers differ by. */
export const FILES = {
  'index.html': '<h1>home</h1>',
  '404.html': 'lost',
  'about.html': 'about',
  'docs/index.html': 'docs',
  'docs/404.html': 'lost in docs',
  'app.css': 'a { color: red }\n'.repeat(200),
  'assets/app-4f9a1c2e.js': 'console.log(1)\n'.repeat(300),
  'empty.txt': '',
  'a b.txt': 'spaced',
  'img/ü.png': new Uint8Array(3000).fill(7),
  'middle.bin': new Uint8Array(100 * 1024).map((_, i) => (i * 7) & 0xff),
  'large.bin': new Uint8Array(400 * 1024).map((_, i) => (i * 13 + (i >> 8)) & 0xff),
}

const TARGETS = [
  '/',
  '/index.html',
  '/about',
  '/about/',
  '/about.html',
  '/docs',
  '/docs/',
  '/docs/none',
  '/none',
  '/app.css',
  '/app.css?v=3',
  '/assets/app-4f9a1c2e.js',
  '/empty.txt',
  '/a%20b.txt',
  '/img/%C3%BC.png',
  '/middle.bin',
  '/large.bin',
  '/%2e%2e/etc/passwd',
  '/%zz',
  '//about',
  '/_headers',
] as const

const BROWSER = [
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'Accept-Language: en-US,en;q=0.9',
  'Cookie: sid=0123456789abcdef; theme=dark',
  'Referer: https://example.test/',
  'Sec-Fetch-Dest: document',
  'Sec-Fetch-Mode: navigate',
  'Upgrade-Insecure-Requests: 1',
  'DNT: 1',
]
const CODINGS = ['gzip, deflate, br, zstd', 'gzip', 'br;q=0.5, zstd', 'identity', '*;q=0', '']
const RANGES = [
  'bytes=0-0',
  'bytes=10-',
  'bytes=-5',
  'bytes=0-999999999',
  'bytes=999999999-',
  'bytes=1-2,4-5',
  'lines=1-2',
]
const HOSTS = ['example.com', 'EXAMPLE.com', 'example.com:8080', 'example.com.', 'www.example.com']

/** A request that browsers, curl, caches and crawlers send: the fast path reads all of them. */
export function usualRequest(random: Random, manifest: Manifest): string {
  const method = random.chance(0.2) ? 'HEAD' : 'GET'
  const target = random.pick(TARGETS)
  const lines = [`${random.pick(['Host', 'host', 'HOST'])}:${random.pick(['', ' ', '\t '])}${random.pick(HOSTS)}`]
  if (random.chance(0.7)) lines.push(...random.shuffle(BROWSER).slice(0, 1 + random.integer(BROWSER.length)))
  if (random.chance(0.7)) lines.push(`Accept-Encoding: ${random.pick(CODINGS)}${random.pick(['', ' '])}`)
  if (random.chance(0.2)) lines.push('Connection: keep-alive')
  const tag = () => {
    const file = random.pick([...manifest.files()])
    return random.pick([`"${file.hash}"`, `W/"${file.hash}"`, `"x", "${file.hash}"`, '*', '"no"', 'no tag'])
  }
  const date = () => random.pick(['Sun, 06 Nov 1994 08:49:37 GMT', 'Fri, 01 Jan 2100 00:00:00 GMT', 'yesterday'])
  if (random.chance(0.25)) lines.push(`If-None-Match: ${tag()}`)
  if (random.chance(0.1)) lines.push(`If-Match: ${tag()}`)
  if (random.chance(0.1)) lines.push(`If-Modified-Since: ${date()}`)
  if (random.chance(0.05)) lines.push(`If-Unmodified-Since: ${date()}`)
  if (random.chance(0.15)) lines.push(`Range: ${random.pick(RANGES)}`)
  if (random.chance(0.1)) lines.push(`If-Range: ${random.chance(0.5) ? tag() : date()}`)
  return `${method} ${target} HTTP/1.1\r\n${random.shuffle(lines).join('\r\n')}\r\n\r\n`
}

/** What ends on the plain path: rare or wrong, and at times both. */
export const STRANGE: Readonly<Record<string, string>> = {
  'no Host': 'GET / HTTP/1.1\r\n\r\n',
  'two Hosts': 'GET / HTTP/1.1\r\nHost: example.com\r\nHost: example.com\r\n\r\n',
  'an empty Host': 'GET / HTTP/1.1\r\nHost:\r\n\r\n',
  'a path for a Host': 'GET / HTTP/1.1\r\nHost: /etc/passwd\r\n\r\n',
  'another host': 'GET / HTTP/1.1\r\nHost: other.com\r\n\r\n',
  'HTTP/1.0': 'GET / HTTP/1.0\r\nHost: example.com\r\n\r\n',
  'HTTP/1.2': 'GET / HTTP/1.2\r\nHost: example.com\r\n\r\n',
  'HTTP/2.0': 'GET / HTTP/2.0\r\nHost: example.com\r\n\r\n',
  'no version': 'GET /\r\n\r\n',
  'lower case': 'get / HTTP/1.1\r\nHost: example.com\r\n\r\n',
  'a method': 'POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 3\r\n\r\nabc',
  OPTIONS: 'OPTIONS * HTTP/1.1\r\nHost: example.com\r\n\r\n',
  TRACE: 'TRACE / HTTP/1.1\r\nHost: example.com\r\n\r\n',
  'absolute form': 'GET http://example.com/about HTTP/1.1\r\nHost: other.com\r\n\r\n',
  'a length':
    'GET / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 5\r\n\r\nGET /GET /about HTTP/1.1\r\nHost: example.com\r\n\r\n',
  'two lengths': 'GET / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
  'length and chunks':
    'GET / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  chunks: 'GET / HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'chunks, hidden': 'GET / HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n',
  'chunks, folded': 'GET / HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n',
  'bare line feeds': 'GET / HTTP/1.1\nHost: example.com\n\n',
  'a bare line feed': 'GET / HTTP/1.1\r\nHost: example.com\r\nX: a\nY: b\r\n\r\n',
  'a bare carriage return': 'GET / HTTP/1.1\r\nHost: example.com\r\nX: a\rY: b\r\n\r\n',
  'a NUL in a field': 'GET / HTTP/1.1\r\nHost: example.com\r\nX: a\0b\r\n\r\n',
  'a NUL in the path': 'GET /\0 HTTP/1.1\r\nHost: example.com\r\n\r\n',
  'a path not in ASCII': 'GET /\xfc HTTP/1.1\r\nHost: example.com\r\n\r\n',
  'a folded field': 'GET / HTTP/1.1\r\nHost: example.com\r\nX: a\r\n b\r\n\r\n',
  'no name': 'GET / HTTP/1.1\r\nHost: example.com\r\n: a\r\n\r\n',
  'no colon': 'GET / HTTP/1.1\r\nHost: example.com\r\nX\r\n\r\n',
  'two spaces': 'GET  / HTTP/1.1\r\nHost: example.com\r\n\r\n',
  'a tab': 'GET\t/ HTTP/1.1\r\nHost: example.com\r\n\r\n',
  'a field twice': 'GET / HTTP/1.1\r\nHost: example.com\r\nIf-None-Match: "a"\r\nIf-None-Match: *\r\n\r\n',
  'an upgrade': 'GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  h2c: 'GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n',
  'a preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'an expectation': 'GET / HTTP/1.1\r\nHost: example.com\r\nExpect: 100-continue\r\n\r\n',
  'a closing client': 'GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n',
  'a long target': `GET /${'x'.repeat(5000)} HTTP/1.1\r\nHost: example.com\r\n\r\n`,
  'a long head': `GET / HTTP/1.1\r\nHost: example.com\r\nX: ${'x'.repeat(9000)}\r\n\r\n`,
  'a head too long': `GET / HTTP/1.1\r\nHost: example.com\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
  'an empty line first': '\r\nGET / HTTP/1.1\r\nHost: example.com\r\n\r\n',
  'a TLS hello': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  rubbish: 'hello\r\n\r\n',
}
