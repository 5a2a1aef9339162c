import t, { type Test } from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { silentLog } from '../../../core/index.ts'
import { startHttpServer } from '../../../edge/index.ts'
import { buildManifest, buildSite, buildTable, MemoryBlobs, sendRaw } from '../fixtures.ts'
import { parseAnswers } from './support/wire.ts'

const HOST = 'Host: example.com\r\n'
/** What a smuggler wants answered. */
const EVIL = `GET /evil.txt HTTP/1.1\r\n${HOST}\r\n`
const LAST = `GET / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`
const post = (fields: string, content: string) => `POST / HTTP/1.1\r\n${HOST}${fields}\r\n${content}`
const get = (fields: string) => `GET / HTTP/1.1\r\n${HOST}${fields}\r\n`
const chunked = 'Transfer-Encoding: chunked\r\n'

/** One refusal, by whatever reading. */
const NOT_OK: readonly number[] = []

/**
 * Bytes, and the statuses of all answers until the connection ends. What a row sends behind the fault is never answered:
 * whoever stood between may have read it as content. After the ideas of "HTTP Desync Attacks" (PortSwigger), of the HTTP
 * Garden, and of RFC 9112 sections 2.2, 3.2, 5.1, 5.2, 6.1, 6.3, 7.1 and 11.2.
 */
const ROWS: Readonly<Record<string, readonly (readonly [name: string, bytes: string, statuses: readonly number[]])[]>> =
  {
    'length and coding at once': [
      ['CL.TE', post(`Content-Length: 6\r\n${chunked}`, `0\r\n\r\n${EVIL}`), [400]],
      ['TE.CL', post(`${chunked}Content-Length: 4\r\n`, `5c\r\n${EVIL}0\r\n\r\n`), [400]],
      ['on a GET', get(`Content-Length: 1\r\n${chunked}`) + EVIL, [400]],
      ['CL.0', post('Content-Length: 0\r\n', '') + LAST, [405, 200]],
    ],
    'codings that are not chunked': [
      ...[
        'xchunked',
        'chunked, identity',
        'identity',
        'identity, chunked',
        'gzip, chunked',
        'chunked, chunked',
        '"chunked"',
        'chunked;q=1',
        'chunked,',
        ',chunked',
        'x\tchunked',
        'cow',
        'chunke\u0064x',
        '',
      ].map((coding) => [coding, post(`Transfer-Encoding: ${coding}\r\n`, `0\r\n\r\n${EVIL}`), NOT_OK] as const),
      ['twice', post(`${chunked}Transfer-Encoding: cow\r\n`, `0\r\n\r\n${EVIL}`), NOT_OK],
      ['twice the same', post(chunked + chunked, `0\r\n\r\n${EVIL}`), NOT_OK],
      ['space before the colon', post('Transfer-Encoding : chunked\r\n', `0\r\n\r\n${EVIL}`), [400]],
      ['tab before the colon', post('Transfer-Encoding\t: chunked\r\n', `0\r\n\r\n${EVIL}`), [400]],
      ['space before the name', post(' Transfer-Encoding: chunked\r\n', `0\r\n\r\n${EVIL}`), [400]],
      ['folded', post('Transfer-Encoding:\r\n chunked\r\n', `0\r\n\r\n${EVIL}`), [400]],
      ['vertical tab', post('Transfer-Encoding:\x0bchunked\r\n', `0\r\n\r\n${EVIL}`), [400]],
      ['NUL', post('Transfer-Encoding: chunked\0\r\n', `0\r\n\r\n${EVIL}`), [400]],
      ['bare CR', post('X: y\rTransfer-Encoding: chunked\r\n', `0\r\n\r\n${EVIL}`), [400]],
      ['bare LF', post('X: y\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${EVIL}`), [400]],
      ['in HTTP/1.0', `POST / HTTP/1.0\r\n${HOST}${chunked}\r\n0\r\n\r\n${EVIL}`, [400]],
      [
        'in HTTP/1.0 that would stay',
        `POST / HTTP/1.0\r\n${HOST}Connection: keep-alive\r\n${chunked}\r\n0\r\n\r\n${EVIL}`,
        [400],
      ],
      [
        'an underscore is another field',
        post('Transfer_Encoding: chunked\r\nContent-Length: 3\r\n', 'abc') + LAST,
        [405, 200],
      ],
      ['any case, spaces around', post('tRANSFER-eNCODING: \t Chunked\r\n', '0\r\n\r\n') + LAST, [405, 200]],
    ],
    lengths: [
      ...['+3', '-3', '0x3', '3.0', '3,3', '3, 3', '3 3', '1e1', '', 'abc', '\u00b3', '99999999999999999999999'].map(
        (length) => [JSON.stringify(length), post(`Content-Length: ${length}\r\n`, `abc${EVIL}`), [400]] as const,
      ),
      ['two that differ', post('Content-Length: 3\r\nContent-Length: 30\r\n', `abc${EVIL}`), [400]],
      ['two that agree', post('Content-Length: 3\r\nContent-Length: 3\r\n', `abc${EVIL}`), [400]],
      ['leading zeros', post('Content-Length: 003\r\n', 'abc') + LAST, [405, 200]],
      ['on a GET: read, and gone on with', `${get('Content-Length: 3\r\n')}abc${LAST}`, [200, 200]],
      ['on a GET: a request as content', get(`Content-Length: ${EVIL.length}\r\n`) + EVIL + LAST, [200, 200]],
      ['on a HEAD', `HEAD / HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabc${LAST}`, [200, 200]],
    ],
    chunks: [
      ['as they should be', post(chunked, '3\r\nabc\r\n0\r\n\r\n') + LAST, [405, 200]],
      ['with extensions', post(chunked, '3;a=b;c="d"\r\nabc\r\n0;x\r\n\r\n') + LAST, [405, 200]],
      ['with trailers', post(chunked, '0\r\nX: y\r\n\r\n') + LAST, [405, 200]],
      ['no trailer is a field', post(chunked, '0\r\nHost: evil.com\r\n\r\n') + LAST, [405, 200]],
      ['a trailer about lengths', post(chunked, `0\r\nContent-Length: 5\r\n\r\n${EVIL}`), [405]],
      ...['zz', '-1', '+3', '0x3', '3 ', ' 3', '', 'FFFFFFFFFFFFFFFFF', '3\0', '3;\n', '3\rX'].map(
        (size) => [`size ${JSON.stringify(size)}`, post(chunked, `${size}\r\nabc\r\n0\r\n\r\n${EVIL}`), [405]] as const,
      ),
      ['longer than said', post(chunked, `3\r\nabcX\r\n0\r\n\r\n${EVIL}`), [405]],
      ['ended by a bare LF', post(chunked, `3\nabc\n0\n\n${EVIL}`), [405]],
      ['extension with a bare LF', post(chunked, `3;x\nabc\r\n0\r\n\r\n${EVIL}`), [405]],
    ],
    lines: [
      ['LF alone', `GET / HTTP/1.1\n${HOST.trim()}\n\n${EVIL}`, [400]],
      ['LF in the head', `GET / HTTP/1.1\r\nHost: example.com\n\r\n${EVIL}`, [400]],
      ['folded', get('X: a\r\n b\r\n') + EVIL, [400]],
      ['folded first', `GET / HTTP/1.1\r\n ${HOST}\r\n${EVIL}`, [400]],
      ['no colon', get('nocolon\r\n') + EVIL, [400]],
      ['no name', get(': x\r\n') + EVIL, [400]],
      ['NUL in a value', get('X: a\0b\r\n') + EVIL, [400]],
      ['CR in a value', get('X: a\rb\r\n') + EVIL, [400]],
      ['other controls in a value', get('X: a\x01b\r\n') + EVIL, [400]],
      ['a name with a space', get('X Y: z\r\n') + EVIL, [400]],
      ['a name beyond ASCII', get('X\xe9: z\r\n') + EVIL, [400]],
      ['empty lines before', `\r\n\r\n${LAST}`, [200]],
      ['a space before', ` ${LAST}`, [400]],
      ['a space behind the version', `GET / HTTP/1.1 \r\n${HOST}\r\n${EVIL}`, [400]],
      ['a target with a space', `GET /a b HTTP/1.1\r\n${HOST}\r\n${EVIL}`, [400]],
      ['a tab for a space', `GET\t/\tHTTP/1.1\r\n${HOST}\r\n${EVIL}`, [400]],
      // RFC 9112 section 3 lets words be told apart by any run of spaces; whoever reads them has the same words.
      ['two spaces before the target', `GET  / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`, [200]],
      ['two spaces behind the target', `GET /  HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`, [200]],
      ['two spaces, and a target with one', `GET  /a b HTTP/1.1\r\n${HOST}\r\n${EVIL}`, [400]],
      ['no target', `GET HTTP/1.1\r\n${HOST}\r\n${EVIL}`, [400]],
    ],
    'versions and methods': [
      ['HTTP/0.9', `GET /\r\n\r\n${EVIL}`, [505]],
      ['HTTP/0.9 by name', `GET / HTTP/0.9\r\n${HOST}\r\n${EVIL}`, [505]],
      ['HTTP/1.2', `GET / HTTP/1.2\r\n${HOST}\r\n${EVIL}`, [505]],
      ['HTTP/2.0', `GET / HTTP/2.0\r\n${HOST}\r\n${EVIL}`, [505]],
      ['HTTP/9.9', `GET / HTTP/9.9\r\n${HOST}\r\n${EVIL}`, [505]],
      ['HTTP/1.10', `GET / HTTP/1.10\r\n${HOST}\r\n${EVIL}`, [400]],
      ['http/1.1', `GET / http/1.1\r\n${HOST}\r\n${EVIL}`, [400]],
      ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [505]],
      ['a method nobody knows', `BREW / HTTP/1.1\r\n${HOST}\r\n${EVIL}`, [501]],
      ['a method in lower case', `get / HTTP/1.1\r\n${HOST}\r\n${EVIL}`, [501]],
      ['CONNECT', `CONNECT example.com:443 HTTP/1.1\r\n${HOST}\r\n${EVIL}`, [405]],
      ['CONNECT behind another', `${get('')}CONNECT a:1 HTTP/1.1\r\n${HOST}\r\n${EVIL}`, [200, 405]],
      ['TRACE', `TRACE / HTTP/1.1\r\n${HOST}X-Secret: 1\r\nConnection: close\r\n\r\n`, [405]],
      ['PROPFIND', `PROPFIND / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`, [501]],
      ['rubbish behind a request', `${get('')}hello\r\n\r\n`, [200, 400]],
      [
        'an upgrade',
        get('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n') + LAST,
        [200],
      ],
    ],
    'hosts and targets': [
      ['none', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', [400]],
      ['two', `GET / HTTP/1.1\r\n${HOST}${HOST}Connection: close\r\n\r\n`, [400]],
      ...[
        '../../etc/passwd',
        '/etc/passwd',
        '\\\\server\\share',
        'C:\\',
        'example.com/..',
        'a@example.com',
        'example.com:80:80',
        'example.com%00',
        'exa mple.com',
        '*',
        '[::1',
        "'; drop table",
      ].map((host) => [`Host ${host}`, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`, [400]] as const),
      ['a Host too long', `GET / HTTP/1.1\r\nHost: ${'a'.repeat(5000)}\r\nConnection: close\r\n\r\n`, [400]],
      ['another host', 'GET / HTTP/1.1\r\nHost: other.com\r\nConnection: close\r\n\r\n', [404]],
      ...[
        '/%2e%2e%2f',
        '/%2e%2e/x',
        '/..%2f',
        '/..;/x%00',
        '/%c0%ae%c0%ae/',
        '/%e0%80%ae',
        '/%ff',
        '/%0d%0aX: y%00',
        '/%',
        '/%2',
        '/..',
        '/./',
        '/\\..\\',
      ].map(
        (target) =>
          [target, `GET ${target.replaceAll(' ', '%20')} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`, [400]] as const,
      ),
      ...['/%0d%0aSet-Cookie:%20a=b', '/%0aX', '//evil.com', '/;a=b', '/a+b', '/%25', '/none?%00'].map(
        (target) => [target, `GET ${target} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`, [404]] as const,
      ),
      ['a NUL', `GET /\0 HTTP/1.1\r\n${HOST}\r\n${EVIL}`, [400]],
      ['a target too long', `GET /${'a'.repeat(9000)} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`, [414]],
      ['a target without end', `GET /${'a'.repeat(40_000)} HTTP/1.1\r\n${HOST}\r\n`, [414]],
      ['a field without end', get(`X: ${'a'.repeat(40_000)}\r\n`), [431]],
      ['too many fields', get('X: y\r\n'.repeat(6000)), [431]],
    ],
    content: [
      ['more than anybody takes', post('Content-Length: 2000000\r\nConnection: close\r\n', ''), [413]],
      ['an expectation', `POST / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`, [405]],
      ['an expectation nobody knows', get('Expect: a-miracle\r\n') + EVIL, [417]],
      ['an expectation in HTTP/1.0', `GET / HTTP/1.0\r\n${HOST}Expect: a-miracle\r\n\r\n`, [200]],
    ],
    ranges: [
      [
        'a bomb',
        get(`Range: bytes=${Array.from({ length: 1300 }, (_, i) => `${i}-`).join(',')}\r\nConnection: close\r\n`),
        [200],
      ],
      ['huge numbers', get(`Range: bytes=${'9'.repeat(3000)}-\r\nConnection: close\r\n`), [416]],
    ],
  }

async function start(t: Test, fast: boolean) {
  const blobs = new MemoryBlobs()
  const table = buildTable(buildSite(buildManifest(blobs, { 'index.html': 'home', 'evil.txt': 'EVIL' })))
  const server = await startHttpServer({
    table: () => table,
    blobs,
    node: 'n',
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    runtime: systemRuntime,
    fast,
  })
  t.teardown(() => server.close())
  return { port: server.address.port, server }
}

for (const fast of [true, false])
  for (const [group, rows] of Object.entries(ROWS))
    t.test(`${group}, ${fast ? 'the fast path' : 'node:http'}`, async (t) => {
      const { port, server } = await start(t, fast)
      for (const [name, bytes, expected] of rows) {
        const raw = await sendRaw({ port }, bytes)
        const answers = parseAnswers(raw, bytes.startsWith('HEAD') ? ['HEAD'] : [])
        const statuses = answers.map(({ status }) => status)
        if (expected === NOT_OK)
          t.ok(statuses.length === 1 && [400, 501].includes(statuses[0] as number), `${name}: ${statuses}`)
        else t.strictSame(statuses, expected, name)
        t.notOk(raw.includes('EVIL'), `${name}: nothing is smuggled`)
        t.notMatch(raw, /set-cookie|X-Secret|x: y/i, `${name}: nothing comes back`)
      }
      t.equal(server.counters.active, 0)
      t.strictSame(
        parseAnswers(await sendRaw({ port }, LAST)).map(({ body }) => body),
        ['home'],
        'others are served on',
      )
    })
