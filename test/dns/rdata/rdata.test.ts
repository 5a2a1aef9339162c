import { isIPv6 } from 'node:net'
import { decode, encode } from 'dns-packet'
import t from 'tap'
import { MakiError } from '../../../core/index.ts'
import { formatStrings, parseStrings, splitText } from '../../../dns/rdata/character-string.ts'
import { decodeRdata, encodeRdata, formatRdata, parseRdata } from '../../../dns/rdata/rdata.ts'
import { type RecordType, typeCode } from '../../../dns/wire/codes.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { host } from '../cluster-state.ts'
import { RANDOM_TYPES, randomRdata } from './random-rdata.ts'

const apex = host('example.com')

for (const seed of seeds(20)) {
  t.test(`what is formatted parses to the same, and goes over the wire and back (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    for (let i = 0; i < 200; i++) {
      const rdata = randomRdata(random)
      const { type } = rdata
      const text = formatRdata(rdata)
      if (!/^[ -~]+$/.test(text)) t.fail(`${text} is not printable ASCII`)
      const again = parseRdata(type, text, apex)
      if (formatRdata(again) !== text) t.equal(formatRdata(again), text)
      const wire = Buffer.from(encodeRdata(rdata))
      if (!wire.equals(encodeRdata(again))) t.fail(`${text} encodes to other bytes after a round trip`)
      if (formatRdata(decodeRdata(type, wire)) !== text) t.equal(formatRdata(decodeRdata(type, wire)), text)
      const generic = `\\# ${wire.length} ${wire.toString('hex')}`
      const read = formatRdata(parseRdata(type, generic, apex))
      if (read !== text) t.equal(read, text, `RFC 3597 form of ${type}`)
      const peer = throughPeer(type, wire)
      if (peer !== undefined && !text.includes('\\') && peer !== text) t.equal(peer, text, type)
    }
    t.pass('200 records')
  })
}

/** Our octets as dns-packet reads them, in presentation format; undefined for types that it does not know. */
function throughPeer(type: RecordType, wire: Uint8Array): string | undefined {
  const head = encode({ answers: [{ type: 'NULL', name: '.', data: Buffer.from(wire) }] })
  head.writeUInt16BE(typeCode(type), 13)
  const [record] = type.startsWith('TYPE') || type === 'SSHFP' ? [] : (decode(head).answers ?? [])
  if (record === undefined) return undefined
  const data: unknown = 'data' in record ? record.data : undefined
  const fields = data as Record<string, string | number>
  const dot = (name: unknown) => (name === '.' ? '.' : `${String(name)}.`)
  const hex = (octets: unknown) => (octets as Buffer).toString('hex').toUpperCase()
  switch (type) {
    case 'A':
      return String(data)
    case 'AAAA':
      return new URL(`http://[${String(data)}]`).hostname.slice(1, -1)
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return dot(data)
    case 'MX':
      return `${fields.preference} ${dot(fields.exchange)}`
    case 'SRV':
      return `${fields.priority} ${fields.weight} ${fields.port} ${dot(fields.target)}`
    case 'TXT':
      return formatStrings(data as Buffer[])
    case 'CAA':
      return `${fields.flags} ${fields.tag} "${fields.value}"`
    case 'DS':
      return `${fields.keyTag} ${fields.algorithm} ${fields.digestType} ${hex(fields.digest)}`
    case 'TLSA':
      return `${fields.usage} ${fields.selector} ${fields.matchingType} ${hex(fields.certificate)}`
    case 'SOA': {
      const { mname, rname, serial, refresh, retry, expire, minimum } = fields
      return `${dot(mname)} ${dot(rname)} ${serial} ${refresh} ${retry} ${expire} ${minimum}`
    }
    default:
      return undefined
  }
}

for (const seed of seeds(20)) {
  t.test(`any text becomes strings and comes back (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    for (let i = 0; i < 50; i++) {
      const text = Array.from({ length: random.integer(900) }, () =>
        random.pick(['a', ' ', '"', '\\', '\n', '\0', 'é', '✓', '😀', '\x7f']),
      ).join('')
      const strings = splitText(text)
      t.ok(strings.every((string) => string.length <= 255) && strings.length >= 1, `${text.length} characters`)
      t.equal(Buffer.concat(strings).toString('utf8'), text)
      const formatted = formatStrings(strings)
      t.match(formatted, /^[ -~]*$/, 'printable ASCII only')
      t.strictSame(parseStrings(formatted).map(Buffer.from), strings.map(Buffer.from))
    }
  })
  t.test(`garbage is refused with a MakiError or parses to something that comes back (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const pieces = [
      '"',
      '\\',
      '0',
      '10',
      '1.2.3.4',
      '::',
      '.',
      '@',
      ' ',
      '\t',
      'a',
      'example.com',
      '256',
      '-',
      '%',
      'é',
      '\\9',
      ':',
      '\\#',
      '00',
      '=',
      'alpn',
      'mandatory',
      'key7',
      ',',
      'issue',
      ';',
    ]
    for (let i = 0; i < 300; i++) {
      const text = Array.from({ length: random.integer(10) }, () => random.pick(pieces)).join('')
      for (const type of RANDOM_TYPES) {
        try {
          const canonical = formatRdata(parseRdata(type, text, apex))
          if (formatRdata(parseRdata(type, canonical, apex)) !== canonical) t.fail(`${type} ${text}`)
        } catch (error) {
          if (!(error instanceof MakiError) || error.hint === undefined) t.fail(`${type} ${text}`, { error })
        }
      }
    }
    t.pass('no other error')
  })
}

t.test('addresses have one spelling', async (t) => {
  for (const text of ['2001:DB8:0:0:0:0:0:1', '2001:db8::0:1', '2001:0db8::1']) {
    t.equal(formatRdata(parseRdata('AAAA', text)), '2001:db8::1')
  }
  t.ok(isIPv6(formatRdata(parseRdata('AAAA', '::ffff:192.0.2.1'))))
})

t.test('names are full names', async (t) => {
  for (const text of ['Mail.Example.COM', 'mail.example.com.']) {
    t.equal(formatRdata(parseRdata('CNAME', text, apex)), 'mail.example.com.')
  }
  t.equal(formatRdata(parseRdata('CNAME', '@', apex)), 'example.com.')
  t.equal(formatRdata(parseRdata('CNAME', 'localhost.', apex)), 'localhost.')
  t.equal(formatRdata(parseRdata('MX', '0 .', apex)), '0 .', 'the null MX of RFC 7505')
  t.throws(() => parseRdata('CNAME', 'mail', apex), { code: 'MAKI_INVALID', hint: /mail\.example\.com/ })
})

t.test('one spelling for equal data', async (t) => {
  const cases: [type: RecordType, texts: string[], canonical: string][] = [
    ['DS', ['12345 ECDSAP256SHA256 1 4a1b 4A1B4a1b4a1b4a1b4a1b4a1b4a1b4a1b4a1b'], `12345 13 1 ${'4A1B'.repeat(10)}`],
    [
      'SRV',
      ['010 5\t5060 SIP.example.com', '\\# 23 000A000513C4 03736970076578616D706C6503636F6D00'],
      '10 5 5060 sip.example.com.',
    ],
    ['CAA', ['0 ISSUE letsencrypt.org', '0 issue "letsencrypt\\.org"'], '0 issue "letsencrypt.org"'],
    ['CNAME', ['a\\.b.example.com', 'a\\046b.EXAMPLE.com.'], 'a\\046b.example.com.'],
    ['CNAME', ['\\087ww.example.com', 'www.example.com'], 'www.example.com.'],
    ['PTR', ['1.0/25.2.0.192.in-addr.arpa', '1.0\\04725.2.0.192.in-addr.arpa.'], '1.0\\04725.2.0.192.in-addr.arpa.'],
    ['A', ['\\# 4 C0000201', '\\#  4\tc0 00 02 01', ' 192.0.2.1 '], '192.0.2.1'],
    ['TYPE65280', ['\\# 0', '\\# 00'], '\\# 0'],
    [
      'HTTPS',
      ['1 . port=8443 alpn=h2,h3', '1 . alpn="h2,h3" port="8443"', '1 . key3="\\032\\251" ALPN=h2,h3'],
      '1 . alpn="h2,h3" port=8443',
    ],
    [
      'SVCB',
      ['16 foo.example.org. alpn="f\\\\\\\\oo\\\\,bar,h2"', '16 foo.example.org. alpn=f\\\\\\092oo\\092,bar,h2'],
      '16 foo.example.org. alpn="f\\\\\\\\oo\\\\,bar,h2"',
    ],
    [
      'SVCB',
      ['1 foo mandatory=ipv4hint,alpn alpn=h2 ipv4hint=192.0.2.1'.replace('foo', 'foo.example.')],
      '1 foo.example. mandatory=alpn,ipv4hint alpn="h2" ipv4hint=192.0.2.1',
    ],
  ]
  for (const [type, texts, canonical] of cases)
    for (const text of texts) t.equal(formatRdata(parseRdata(type, text)), canonical, text)
})

t.test('the examples of RFC 9460, appendix D, on the wire', async (t) => {
  const cases: [text: string, wire: string][] = [
    ['0 foo.example.com.', '0000 03666f6f076578616d706c6503636f6d00'],
    ['1 .', '0001 00'],
    ['16 foo.example.com. port=53', '0010 03666f6f076578616d706c6503636f6d00 0003 0002 0035'],
    ['1 foo.example.com. key667=hello', '0001 03666f6f076578616d706c6503636f6d00 029b 0005 68656c6c6f'],
    [
      '1 foo.example.com. key667="hello\\210qoo"',
      '0001 03666f6f076578616d706c6503636f6d00 029b 0009 68656c6c6fd2716f6f',
    ],
    [
      '1 foo.example.com. ipv6hint="2001:db8::1,2001:db8::53:1"',
      '0001 03666f6f076578616d706c6503636f6d00 0006 0020 20010db8000000000000000000000001 20010db8000000000000000000530001',
    ],
    [
      '1 example.com. ipv6hint="2001:db8:122:344::192.0.2.33"',
      '0001 076578616d706c6503636f6d00 0006 0010 20010db8012203440000 0000c0000221',
    ],
    [
      '16 foo.example.org. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1',
      '0010 03666f6f076578616d706c65036f726700 0000 0004 0001 0004 0001 0009 026832 0568332d3139 0004 0004 c0000201',
    ],
    [
      '16 foo.example.org. alpn="f\\\\\\\\oo\\\\,bar,h2"',
      '0010 03666f6f076578616d706c65036f726700 0001 000c 08665c6f6f2c626172 026832',
    ],
  ]
  for (const [text, wire] of cases)
    t.equal(Buffer.from(encodeRdata(parseRdata('SVCB', text))).toString('hex'), wire.replaceAll(' ', ''), text)
})

t.test('what no peer would take is refused', async (t) => {
  const cases: [type: RecordType, text: string, message: RegExp][] = [
    ['SVCB', '1 foo.example.com. key123=abc key123=def', /key123 twice/],
    ['SVCB', '1 foo.example.com. mandatory', /no value/],
    ['SVCB', '1 foo.example.com. alpn', /no value/],
    ['SVCB', '1 foo.example.com. port', /no value/],
    ['SVCB', '1 foo.example.com. ipv4hint', /no value/],
    ['SVCB', '1 foo.example.com. no-default-alpn=abc alpn=h2', /has no value/],
    ['SVCB', '1 foo.example.com. no-default-alpn', /beside an alpn/],
    ['SVCB', '1 foo.example.com. mandatory=key123', /missing/],
    ['SVCB', '1 foo.example.com. mandatory=mandatory', /itself/],
    ['SVCB', '1 foo.example.com. mandatory=key123,key123 key123=abc', /twice/],
    ['HTTPS', '0 foo.example.com. port=1', /priority 0/],
    ['HTTPS', '1 . alpn=', /1 to 255/],
    ['HTTPS', '1 . port=65536', /65535/],
    ['HTTPS', '1 . ipv4hint=2001:db8::1', /no such address/],
    ['HTTPS', '1 . ech=!', /base64/],
    ['HTTPS', '1 . dohpath=/q', /variable dns/],
    ['HTTPS', '1 . key65535=a', /no parameter/],
    ['HTTPS', '1 . key3=abc', /two octets/],
    ['HTTPS', '1 . alpn="h2', /not closed/],
    ['HTTPS', '1', /no target/],
    ['HTTPS', '\\# 3 000100FF', /it says/],
    ['HTTPS', '\\# 13 000100 0003 0001 01 0001 0003 026832', /./],
    ['DS', '1 13 2 4A1B', /32/],
    ['DS', '1 13 2', /3 parts/],
    ['TLSA', '3 1 1 XY', /hexadecimal/],
    ['SSHFP', '4 99 4A1', /half/],
    ['CAA', '0 iodef "security@example.com"', /mailto/],
    ['CAA', '0 issue "let us encrypt"', /domain/],
    ['CAA', '0 issue "ca.example; x"', /name=value/],
    ['CAA', '256 issue "ca.example"', /255/],
    ['CAA', '0 iss_ue "ca.example"', /letters/],
    ['A', '\\# 4 C00002', /has 3/],
    ['A', '\\# 5 C000020101', /do not end/],
    ['A', '\\# 3 C00002', /too soon/],
    ['TXT', '\\# 0', /too soon/],
    ['TXT', '\\# 2 0541', /too soon/],
    ['MX', '\\# 4 000AC00C', /no whole name/],
    ['NS', '\\# 1 00', /root/],
    ['TYPE65280', 'abc', /does not start/],
    ['TYPE65280', '\\# x', /whole number/],
    ['CNAME', 'a\\256.example.com', /three digits/],
    ['CNAME', 'example.com\\', /escape/],
    ['CNAME', 'a/b.example.com', /no label/],
  ]
  for (const [type, text, message] of cases)
    t.throws(() => parseRdata(type, text, apex), { code: 'MAKI_INVALID', message, hint: /./ }, `${type} ${text}`)
})

t.test('200,000 characters take no time and make no long message', async (t) => {
  const parts = [
    'a',
    ' ',
    '\t',
    '"',
    '\\',
    '\\000',
    '.',
    ',',
    'a.',
    'a,',
    '0',
    '{?',
    '{?dns,',
    'dns,',
    ';',
    'x=',
    'key1 ',
    '-',
    '=',
    ' a',
  ]
  const heads = [
    '',
    '\\# ',
    '\\# 9 ',
    '1 . ',
    '1 . alpn=',
    '1 . mandatory=',
    '1 . dohpath=/',
    '1 . dohpath=/{?',
    '0 issue ',
    '0 issue "a',
    '0 iodef ',
    '1 1 1 ',
    '"',
  ]
  // One of each family.
  for (const type of ['AAAA', 'CAA', 'DS', 'HTTPS', 'SRV', 'TXT', 'TYPE35'] as const) {
    for (const head of heads) {
      for (const part of parts) {
        // A parameter of 200,000 would be refused for its length alone.
        const length = head.startsWith('1 . ') ? 60_000 : 200_000
        const text = head + part.repeat(Math.floor((length - head.length) / part.length))
        const start = process.cpuUsage()
        let fault = ''
        try {
          encodeRdata(parseRdata(type, text, apex))
        } catch (error) {
          if (!(error instanceof MakiError)) t.fail(`${type} ${head}${part}`, { error })
          else fault = `${error.message}${error.hint}`
        }
        const { user } = process.cpuUsage(start)
        if (fault.length > 2000) t.fail(`${type} ${head}${part}: a message of ${fault.length} characters`)
        // What is quadratic takes a hundred times as long.
        if (user > 300_000) t.fail(`${type} ${head}${part}: ${user / 1e6} s of processor time`)
      }
    }
  }
  t.pass('each was read or refused')
})
