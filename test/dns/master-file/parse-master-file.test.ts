import t from 'tap'
import type { Hostname } from '../../../core/index.ts'
import { parseMasterFile } from '../../../dns/index.ts'
import { host } from '../cluster-state.ts'

const apex = host('example.com')

const parse = (text: string, moveTo?: Hostname) =>
  parseMasterFile(Buffer.from(text, 'utf8'), { origin: apex, ...(moveTo === undefined ? {} : { moveTo }) })

/** `www.example.com 300 A 192.0.2.1` each, in the order of the file; throws where a line has a fault. */
function records(text: string, moveTo?: Hostname): string[] {
  const { records, faults } = parse(text, moveTo)
  if (faults.length > 0) throw new Error(JSON.stringify(faults))
  return records.map(({ name, ttl, type, value }) => `${name} ${ttl} ${type} ${value ?? 'geo'}`)
}

t.test('owners, TTLs and classes, written or left out, in any order', async (t) => {
  const cases: [title: string, file: string, expected: string[]][] = [
    [
      'relative, absolute, apex',
      'www 60 IN A 192.0.2.1\nwww.example.com. 60 A 192.0.2.2\n@ 60 A 192.0.2.3',
      ['www.example.com 60 A 192.0.2.1', 'www.example.com 60 A 192.0.2.2', 'example.com 60 A 192.0.2.3'],
    ],
    [
      'without the final dot a name is relative',
      'www.example.com 60 A 192.0.2.1',
      ['www.example.com.example.com 60 A 192.0.2.1'],
    ],
    [
      'the owner before',
      'WWW 60 A 192.0.2.1\n 60 A 192.0.2.2\n\t60 TXT "a"',
      ['www.example.com 60 A 192.0.2.1', 'www.example.com 60 A 192.0.2.2', 'www.example.com 60 TXT "a"'],
    ],
    [
      'class first',
      'a IN 60 A 192.0.2.1\nb in A 192.0.2.1',
      ['a.example.com 60 A 192.0.2.1', 'b.example.com 60 A 192.0.2.1'],
    ],
    [
      'owners that look like something else',
      'in 60 IN A 192.0.2.1\n300 60 A 192.0.2.1\nmx 60 MX 1 mx\n',
      ['in.example.com 60 A 192.0.2.1', '300.example.com 60 A 192.0.2.1', 'mx.example.com 60 MX 1 mx.example.com.'],
    ],
    [
      'units',
      'a 1h30m A 192.0.2.1\nb 2W A 192.0.2.1\nc 1d1s A 192.0.2.1',
      ['a.example.com 5400 A 192.0.2.1', 'b.example.com 1209600 A 192.0.2.1', 'c.example.com 86401 A 192.0.2.1'],
    ],
    [
      '$TTL before the TTL of another record',
      '$TTL 1h\na A 192.0.2.1\nb 60 A 192.0.2.1\nc A 192.0.2.1\n$TTL 2h\nd A 192.0.2.1',
      [
        'a.example.com 3600 A 192.0.2.1',
        'b.example.com 60 A 192.0.2.1',
        'c.example.com 3600 A 192.0.2.1',
        'd.example.com 7200 A 192.0.2.1',
      ],
    ],
    [
      'the TTL before (RFC 1035)',
      'a 60 A 192.0.2.1\nb A 192.0.2.1',
      ['a.example.com 60 A 192.0.2.1', 'b.example.com 60 A 192.0.2.1'],
    ],
    ['the minimum of the SOA', '@ SOA ns a 1 2 3 4 5m\nb A 192.0.2.1', ['b.example.com 300 A 192.0.2.1']],
    ['no TTL anywhere', 'b A 192.0.2.1', ['b.example.com 300 A 192.0.2.1']],
    [
      '$ORIGIN',
      '$ORIGIN sub\na 60 A 192.0.2.1\n$ORIGIN example.com.\nb 60 A 192.0.2.1\n$origin com.\nexample 60 A 192.0.2.1\n$ORIGIN .\nexample.com 60 A 192.0.2.2',
      [
        'a.sub.example.com 60 A 192.0.2.1',
        'b.example.com 60 A 192.0.2.1',
        'example.com 60 A 192.0.2.1',
        'example.com 60 A 192.0.2.2',
      ],
    ],
    [
      'parentheses, comments, line ends',
      'a 60 (IN ; one (\r\n  A\r\n 192.0.2.1) ; two\r\n;\r\n\r\n; "three\r\nb 60 A 192.0.2.1',
      ['a.example.com 60 A 192.0.2.1', 'b.example.com 60 A 192.0.2.1'],
    ],
    ['a byte order mark', '\ufeffa 60 A 192.0.2.1', ['a.example.com 60 A 192.0.2.1']],
    [
      'wildcards and underscores',
      '* 60 A 192.0.2.1\n*.a 60 A 192.0.2.1\n_dmarc 60 TXT x',
      ['*.example.com 60 A 192.0.2.1', '*.a.example.com 60 A 192.0.2.1', '_dmarc.example.com 60 TXT "x"'],
    ],
    [
      'escaped owners',
      'a\\.b 60 A 192.0.2.1\n\\065\\@ 60 A 192.0.2.1',
      ['a\\046b.example.com 60 A 192.0.2.1', 'a\\064.example.com 60 A 192.0.2.1'],
    ],
  ]
  for (const [title, file, expected] of cases) t.strictSame(records(file), expected, title)
})

t.test('data of every type, with relative names', async (t) => {
  const cases: [data: string, expected: string][] = [
    ['AAAA 2001:DB8::0:1', 'AAAA 2001:db8::1'],
    ['CNAME @', 'CNAME example.com.'],
    ['cname www', 'CNAME www.example.com.'],
    ['NS ns1.example.net.', 'NS ns1.example.net.'],
    ['MX 10 mail', 'MX 10 mail.example.com.'],
    ['MX 0 .', 'MX 0 .'],
    ['SRV 1 2 443 sip', 'SRV 1 2 443 sip.example.com.'],
    ['PTR a\\.b.example.net.', 'PTR a\\046b.example.net.'],
    ['TXT v=spf1 -all', 'TXT "v=spf1" "-all"'],
    ['TXT "v=spf1 -all"', 'TXT "v=spf1 -all"'],
    ['TXT "a;b(c)" d\\;e "\\"" "\\\\" \\097', 'TXT "a;b(c)" "d;e" "\\"" "\\\\" "a"'],
    ['TXT "é" \u20ac', 'TXT "\\195\\169" "\\226\\130\\172"'],
    ['TXT k="v w"', 'TXT "k=\\"v w\\""'],
    ['TXT ""', 'TXT ""'],
    ['CAA 0 issue letsencrypt.org', 'CAA 0 issue "letsencrypt.org"'],
    ['CAA 128 ISSUEWILD ";"', 'CAA 128 issuewild ";"'],
    ['HTTPS 1 . alpn="h2,h3" port=443', 'HTTPS 1 . alpn="h2,h3" port=443'],
    ['HTTPS 0 www', 'HTTPS 0 www.example.com.'],
    ['SVCB 1 svc ipv4hint=192.0.2.1', 'SVCB 1 svc.example.com. ipv4hint=192.0.2.1'],
    [
      'TLSA 3 1 1 (\n ABCD1234ABCD1234ABCD1234ABCD1234\n ABCD1234ABCD1234ABCD1234ABCD1234 )',
      `TLSA 3 1 1 ${'ABCD1234'.repeat(8)}`,
    ],
    ['A \\# 4 C0000201', 'A 192.0.2.1'],
    ['TYPE1 \\# 4 C0 00 02 01', 'A 192.0.2.1'],
    ['TYPE65280 \\# 3 abcdef', 'TYPE65280 \\# 3 ABCDEF'],
    ['ANAME target', 'ALIAS target.example.com.'],
    ['HINFO PC "Linux x"', 'TYPE13 \\# 11 025043074C696E75782078'],
    ['RP admin .', 'TYPE17 \\# 20 0561646D696E076578616D706C6503636F6D0000'],
    ['NAPTR 100 50 "s" "x" "" _x', 'TYPE35 \\# 25 0064003201730178000' + '25F78076578616D706C6503636F6D00'],
    ['URI 10 1 "ftp://a"', 'TYPE256 \\# 11 000A00016674703A2F2F61'],
    ['CERT PKIX 1 8 AQID', 'TYPE37 \\# 8 0001000108010203'],
    ['SMIMEA 3 1 1 ab cd', 'TYPE53 \\# 5 030101ABCD'],
    ['OPENPGPKEY AQ ID', 'TYPE61 \\# 3 010203'],
    ['SPF "v=spf1 -all"', 'TYPE99 \\# 12 0B763D73706631202D616C6C'],
    ['NAPTR \\# 2 0000', 'TYPE35 \\# 2 0000'],
  ]
  for (const [data, expected] of cases) t.strictSame(records(`a 60 ${data}`), [`a.example.com 60 ${expected}`], data)
})

/** Braces are written as angles, since `$` and a brace look like a template of ours. */
const generate = (line: string) => `$GENERATE ${line.replaceAll('$<', '${').replaceAll('>', '}')}`

t.test('$GENERATE', async (t) => {
  const cases: [line: string, expected: string[]][] = [
    [
      '1-3 host-$ A 192.0.2.$',
      [
        'host-1.example.com 300 A 192.0.2.1',
        'host-2.example.com 300 A 192.0.2.2',
        'host-3.example.com 300 A 192.0.2.3',
      ],
    ],
    [
      '0-4/2 $ 60 IN CNAME h$.example.net.',
      [
        '0.example.com 60 CNAME h0.example.net.',
        '2.example.com 60 CNAME h2.example.net.',
        '4.example.com 60 CNAME h4.example.net.',
      ],
    ],
    ['9-10 $<-9,3,d> TXT "$$$<0,4,x>\\$"', ['000.example.com 300 TXT "$0009$"', '001.example.com 300 TXT "$000a$"']],
    ['31-31 $<0,5,n> TXT $<0,0,X>', ['f.1.0.example.com 300 TXT "1F"']],
    ['1-1 $ MX $<9> mail', ['1.example.com 300 MX 10 mail.example.com.']],
  ]
  for (const [line, expected] of cases) t.strictSame(records(generate(line)), expected, line)
  const faulty = [
    '',
    '1-2',
    '2-1 a$ A 192.0.2.1',
    '1-2/0 a$ A 192.0.2.1',
    '1-100000 a$ A 192.0.2.1',
    'x a$ A 192.0.2.1',
    '1-2 a$<x> A 192.0.2.1',
    '1-2 a$<0,999> A 192.0.2.1',
    '250-260 a$ A 192.0.2.$',
  ]
  for (const line of faulty) t.equal(parse(generate(line)).faultCount, 1, line)
})

t.test('what other programs do not know stands in comments of ours', async (t) => {
  const file =
    ';makiatto: cdn 60 IN A geo\n;makiatto: cdn 60 AAAA geo\n;makiatto: @ 60 ALIAS target\n; makiatto: x 60 A 192.0.2.1\n'
  t.strictSame(records(file), [
    'cdn.example.com 60 A geo',
    'cdn.example.com 60 AAAA geo',
    'example.com 60 ALIAS target.example.com.',
  ])
  t.match(parse('cdn 60 A geo'), { faultCount: 1 }, 'outside such a comment it is no address')
  t.match(parse(';makiatto: nonsense'), { faultCount: 1 })
})

t.test('SOA and signatures are set aside', async (t) => {
  const file =
    '@ SOA ns a (\n1 2 3 4 5 )\n@ RRSIG A 8 2 300 20300101000000 20200101000000 1 example.com. AAAA\n@ TYPE48 \\# 4 01000308\na NSEC b A'
  t.strictSame(parse(file).setAside, [
    { line: 1, name: 'example.com', type: 'SOA', why: 'soa' },
    { line: 3, name: 'example.com', type: 'RRSIG', why: 'signing' },
    { line: 4, name: 'example.com', type: 'TYPE48', why: 'signing' },
    { line: 5, name: 'a.example.com', type: 'NSEC', why: 'signing' },
  ])
})

t.test('names move to another domain, those in data too', async (t) => {
  const file = '$ORIGIN example.com.\n@ 60 MX 10 mail\nwww 60 CNAME example.com.\nx 60 CNAME myexample.com.\n'
  t.strictSame(records(file, host('new.example')), [
    'new.example 60 MX 10 mail.new.example.',
    'www.new.example 60 CNAME new.example.',
    'x.new.example 60 CNAME myexample.com.',
  ])
})

t.test('every fault is told with its line, and the others are read', async (t) => {
  const cases: [text: string, message: RegExp, hint: RegExp][] = [
    ['a 60 A 192.0.2', /192\.0\.2/, /IPv4/],
    ['a 60 A', /no data/, /./],
    ['a 60 MX mail', /priority/, /10 mail/],
    ['a 60', /no type/, /./],
    ['a 60 FOO x', /no record type "FOO"/, /MX/],
    ['a CH TXT x', /class is CH/, /./],
    ['a 60 DNAME b', /DNAME/, /CNAME/],
    ['a 99999999999 A 192.0.2.1', /no TTL/, /1h30m/],
    ['$TTL soon', /no TTL/, /1h30m/],
    ['$INCLUDE other.zone', /other files/, /named-compilezone/],
    ['$FOO', /no directive/, /\$ORIGIN/],
    ['$ORIGIN a..b', /empty label/, /./],
    ['a..b 60 A 192.0.2.1', /empty label/, /./],
    [`${'a'.repeat(64)} 60 A 192.0.2.1`, /63 octets/, /./],
    [`${'a.'.repeat(130)}b 60 A 192.0.2.1`, /255 octets/, /./],
    ['a\\300 60 A 192.0.2.1', /number of an octet/, /./],
    ['a\\1 60 A 192.0.2.1', /escape/, /./],
    ['müller 60 A 192.0.2.1', /not ASCII/, /xn--/],
    ['a 60 MX 10 größe', /not ASCII/, /xn--/],
    ['a 60 TXT "x', /quote is not closed/, /./],
    ['a 60 TXT x )', /not opened/, /./],
    ['a ( 60 ( TXT x ) )', /inside/, /./],
    ['a 60 NAPTR 1 2 "" "" ""', /parts/, /./],
    ['a 60 NAPTR 1 2 "" "" "" . x', /parts/, /./],
    ['a 60 NAPTR 1 70000 "" "" "" .', /65535/, /./],
    ['a 60 OPENPGPKEY ???', /base64/, /./],
    ['a 60 SMIMEA 1 1 1 xyz', /hexadecimal/, /./],
  ]
  for (const [text, message, hint] of cases) {
    const { faults, records } = parse(`b 60 A 192.0.2.1\n\n${text}\nc 60 A 192.0.2.2`)
    t.match(faults, [{ line: 3, message, hint, text: /./ }], text)
    t.equal(faults.length, 1, text)
    t.equal(records.length, 2, text)
  }
  const open = parse('a 60 A 192.0.2.1\nb 60 A ( 192.0.2.1\nc 60 A 192.0.2.1')
  t.match(open, { faultCount: 1, faults: [{ line: 2, message: /parenthesis of line 2 is not closed/ }] })
  t.match(parse(' 60 A 192.0.2.1').faults, [{ line: 1, message: /owner of the record before/ }])
  const many = parse('a 60 A x\n'.repeat(250))
  t.match(many, { faultCount: 250, faults: { length: 100 } })
})
