import t from 'tap'
import type { OutgoingRequest } from '../../../edge/guest-contract/index.ts'
import { readAuthority, readHost } from '../../../edge/outgoing/host-name.ts'
import { buildRequestHead, readResponseFields } from '../../../edge/outgoing/request-head.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const REQUEST: OutgoingRequest = { method: 'GET', scheme: 'http', authority: 'a.example', path: '/', headers: [] }

function build(change: Partial<Record<keyof OutgoingRequest, unknown>>, contentBytes = 0) {
  return buildRequestHead({ ...REQUEST, ...change } as OutgoingRequest, contentBytes)
}

function fieldsOf(change: Partial<Record<keyof OutgoingRequest, unknown>>, contentBytes = 0): string[] {
  const built = build(change, contentBytes)
  if (built.kind === 'refused') return [`refused: ${built.error}`]
  return built.head.fields.flatMap((name, i, all) => (i % 2 === 0 ? [`${name}: ${all[i + 1]}`] : []))
}

t.test('hosts: addresses in their usual spelling, names of the public DNS, nothing else', async (t) => {
  for (const text of ['127.0.0.1', '::1', '::ffff:127.0.0.1', '1.2.3.4'])
    t.strictSame(readHost(text), { kind: 'address', address: text })
  for (const [text, name] of [
    ['Example.COM', 'example.com'],
    ['example.com.', 'example.com'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['_x.a-b.example', '_x.a-b.example'],
    ['127.0.0.1.nip.io', '127.0.0.1.nip.io'],
  ])
    t.strictSame(readHost(text as string), { kind: 'name', name })
  for (const text of [
    ...['2130706433', '0x7f000001', '0x7f.1', '127.1', '0177.0.0.1', '127.0.0.1.', '1.2.3.4.5', '0x', 'a.0x7f', 'a.1'],
    ...[
      'localhost',
      'a.localhost',
      'LOCALHOST.',
      'router',
      'printer.local',
      'db.internal',
      'x.onion',
      '1.in-addr.arpa',
    ],
    ...['', '.', '..', 'a..b', '-a.example', 'a-.example', 'a b.example', 'a/b.example', 'a@b.example', 'a%2e.example'],
    ...[
      'fe80::1%eth0',
      '[::1]',
      `${'a'.repeat(64)}.example`,
      `${'a.'.repeat(130)}example`,
      'a\0.example',
      'a\n.example',
    ],
    ...['①②⑦.⓪.⓪.①', '１２７.0.0.1', 'ｌｏｃａｌｈｏｓｔ', '127。0。0。1'],
  ])
    t.equal(readHost(text).kind, 'refused', JSON.stringify(text))
})

t.test('authorities', async (t) => {
  const read = (text: string) => {
    const at = readAuthority(text, 'https')
    return at && `${at.host.kind} ${at.port}`
  }
  t.equal(read('a.example'), 'name 443')
  t.equal(read('a.example:8443'), 'name 8443')
  t.equal(read('[::1]:80'), 'address 80')
  t.equal(read('1.2.3.4'), 'address 443')
  for (const text of [
    ...['', ':80', 'a.example:', 'a.example:0', 'a.example:65536', 'a.example:80a', 'u@a.example', 'u:p@a.example:80'],
    ...[
      'a.example/x',
      'a.example?',
      'a.example#',
      'a.example\\@b.example',
      'a b',
      '::1',
      '[::1',
      '[1.2.3.4]',
      '[::1%lo]',
    ],
    ...['[a.example]', 'a%20b', 'a.example\r\nX: y', 'a.example\n'],
  ])
    t.equal(read(text), undefined, JSON.stringify(text))
})

t.test('fields that go out', async (t) => {
  t.strictSame(fieldsOf({ headers: [['accept', '*/*']] }), [
    'Host: a.example',
    'accept: */*',
    'User-Agent: makiatto',
    'CDN-Loop: makiatto',
    'Connection: close',
  ])
  const headers = [
    ['Host', 'evil.example'],
    ['content-length', '5'],
    ['Transfer-Encoding', 'chunked'],
    ['Connection', 'x-mine, Keep-Alive'],
    ['X-Mine', '1'],
    ['expect', '100-continue'],
    ['TE', 'trailers'],
    ['upgrade', 'websocket'],
    ['CDN-Loop', 'other; v=1'],
    ['user-agent', 'mine'],
    ['cookie', 'a=1'],
    ['cookie', 'b=2'],
  ]
  t.strictSame(fieldsOf({ method: 'POST', scheme: 'https', authority: 'a.example:8443', headers }, 3), [
    'Host: a.example:8443',
    'user-agent: mine',
    'cookie: a=1',
    'cookie: b=2',
    'CDN-Loop: other; v=1, makiatto',
    'Content-Length: 3',
    'Connection: close',
  ])
  t.match(fieldsOf({ method: 'PROPFIND' }), ['Host: a.example', /User/, /CDN/, 'Content-Length: 0'])
  t.match(fieldsOf({ scheme: 'https', authority: 'a.example:443' }), ['Host: a.example'])
  t.match(fieldsOf({ authority: '[2a00::1]:81' }), ['Host: [2a00::1]:81'])
})

t.test('what is no request, or has been through a function', async (t) => {
  const refusals: [Partial<Record<keyof OutgoingRequest, unknown>>, string][] = [
    [{ method: 'GET / HTTP/1.1\r\n' }, 'http-request-method-invalid'],
    [{ method: '' }, 'http-request-method-invalid'],
    [{ method: 'CONNECT' }, 'http-request-method-invalid'],
    [{ method: 'TRACE' }, 'http-request-method-invalid'],
    [{ method: 7 }, 'http-request-method-invalid'],
    [{ scheme: 'file' }, 'http-request-uri-invalid'],
    [{ authority: undefined }, 'http-request-uri-invalid'],
    [{ authority: 'u@a.example' }, 'http-request-uri-invalid'],
    [{ authority: 'localhost' }, 'http-request-denied'],
    [{ authority: '2130706433:80' }, 'http-request-denied'],
    [{ path: 'x' }, 'http-request-uri-invalid'],
    [{ path: '' }, 'http-request-uri-invalid'],
    [{ path: '*' }, 'http-request-uri-invalid'],
    [{ path: '/a b' }, 'http-request-uri-invalid'],
    [{ path: '/a HTTP/1.1\r\nX: y' }, 'http-request-uri-invalid'],
    [{ path: '/\u010a' }, 'http-request-uri-invalid'],
    [{ path: '/#a' }, 'http-request-uri-invalid'],
    [{ path: `/${'a'.repeat(9000)}` }, 'http-request-uri-too-long'],
    [{ headers: [['a b', 'c']] }, 'http-request-header-size'],
    [{ headers: [['a', 'b\r\nc: d']] }, 'http-request-header-size'],
    [{ headers: [['a', 'b\u010a']] }, 'http-request-header-size'],
    [{ headers: [['a', 'b\0']] }, 'http-request-header-size'],
    [{ headers: [['a']] }, 'http-request-header-size'],
    [{ headers: 'a' }, 'http-request-header-size'],
    [{ headers: [[{ toString: () => 'a' }, 'b']] }, 'http-request-header-size'],
    [{ headers: [['a', 'b'.repeat(40_000)]] }, 'http-request-header-size'],
    [{ headers: Array.from({ length: 300 }, () => ['a', 'b']) }, 'http-request-header-size'],
    [{ headers: [['cdn-loop', 'makiatto']] }, 'loop-detected'],
    [{ headers: [['CDN-LOOP', 'x, MAKIATTO; a=b']] }, 'loop-detected'],
  ]
  for (const [change, error] of refusals) t.strictSame(fieldsOf(change), [`refused: ${error}`], JSON.stringify(change))
})

t.test('fields of responses are without those of the connection', async (t) => {
  const raw = [
    'Content-Type',
    'a',
    'Connection',
    'close, x-hop',
    'X-Hop',
    '1',
    'Transfer-Encoding',
    'chunked',
    'A',
    '\xe9',
  ]
  t.strictSame(readResponseFields(raw), [
    ['Content-Type', 'a'],
    ['A', '\xe9'],
  ])
})

for (const seed of seeds(20)) {
  t.test(`no request becomes two, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const text = (length: number) =>
      Array.from({ length }, () =>
        random.pick(['a', '/', ':', ' ', '\r', '\n', '\0', '\t', '@', '[', '%', '\u010d', '\u560a', '\xff', '.']),
      ).join('')
    for (let i = 0; i < 300; i++) {
      const built = build({
        method: random.chance(0.7) ? 'POST' : text(3),
        authority: random.chance(0.5) ? 'a.example' : `a.example${text(2)}`,
        path: `/${text(random.integer(4))}`,
        headers: Array.from({ length: random.integer(3) }, () => [random.chance(0.7) ? 'x-a' : text(2), text(3)]),
      })
      if (built.kind === 'refused') continue
      const { method, path, fields } = built.head
      const sent = [method, path, ...fields].join('|')
      t.ok(
        [...sent].every((char) => char === '\t' || (char >= ' ' && char <= '\xff')),
        JSON.stringify(sent),
      )
      t.equal(fields.filter((each) => each.toLowerCase() === 'host').length, 1)
    }
  })
}
