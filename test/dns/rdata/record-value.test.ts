import t from 'tap'
import { parseExplicitType } from '../../../dns/rdata/explicit-type.ts'
import { canonicalRecordValue } from '../../../dns/rdata/record-value.ts'
import { host } from '../cluster-state.ts'

const apex = host('example.com')

t.test('values as people write them', async (t) => {
  const cases: [type: string, text: string, priority: number | undefined, canonical: string][] = [
    ['a', '192.0.2.1', undefined, '192.0.2.1'],
    ['A', ' 192.0.2.1 ', undefined, '192.0.2.1'],
    ['AAAA', '2001:DB8::0:1', undefined, '2001:db8::1'],
    ['CNAME', 'WWW.Example.net', undefined, 'www.example.net.'],
    ['CNAME', '_acme.example.net.', undefined, '_acme.example.net.'],
    ['CNAME', '@', undefined, 'example.com.'],
    ['MX', 'mail.example.com', 10, '10 mail.example.com.'],
    ['MX', '10 mail.example.com.', undefined, '10 mail.example.com.'],
    ['MX', '010 mail.example.com', undefined, '10 mail.example.com.'],
    ['MX', '10 mail.example.com.', 10, '10 mail.example.com.'],
    ['MX', '.', 0, '0 .'],
    ['TXT', 'v=spf1 include:_spf.example.com ~all', undefined, '"v=spf1 include:_spf.example.com ~all"'],
    ['TXT', 'say "hi" \\o/', undefined, '"say \\"hi\\" \\\\o/"'],
    ['TXT', '', undefined, '""'],
    ['TXT', '  kept  ', undefined, '"  kept  "'],
    ['TXT', 'é\n', undefined, '"\\195\\169\\010"'],
    ['TXT', '"one" "two"', undefined, '"one" "two"'],
    ['TXT', '"one"\t "t\\"w\\111"  ', undefined, '"one" "t\\"wo"'],
    ['TXT', 'x'.repeat(256), undefined, `"${'x'.repeat(255)}" "x"`],
    ['TXT', '\\# 3 026869', undefined, '"hi"'],
    ['TXT', '\\#hashtag', undefined, '"\\\\#hashtag"'],
    ['SRV', '5 5060 sip.example.com', 10, '10 5 5060 sip.example.com.'],
    ['SRV', '10 5 5060 sip.example.com', undefined, '10 5 5060 sip.example.com.'],
    ['ALIAS', 'App.example.net', undefined, 'app.example.net.'],
    ['alias', ' @ ', undefined, 'example.com.'],
    ['NS', 'ns1.example.net', undefined, 'ns1.example.net.'],
    ['CAA', '0 issue "ca.example"', undefined, '0 issue "ca.example"'],
    ['TYPE28', '2001:DB8::1', undefined, '2001:db8::1'],
    ['type1', '\\# 4 C0000201', undefined, '192.0.2.1'],
    ['TYPE65280', '\\# 4 c0 00 02 01', undefined, '\\# 4 C0000201'],
  ]
  for (const [type, text, priority, canonical] of cases) {
    t.equal(canonicalRecordValue(type, text, { priority, apex }), canonical, `${type} ${text.slice(0, 30)}`)
    t.equal(canonicalRecordValue(type, canonical, { apex }), canonical, 'and the result stays as it is')
  }
})

t.test('what makes no sense is refused, with the way out', async (t) => {
  const cases: [type: string, text: string, priority: number | undefined, message: RegExp, hint: RegExp][] = [
    ['A', '192.0.2', undefined, /no IPv4/, /192\.0\.2\.1/],
    ['A', '192.0.2.01', undefined, /no IPv4/, /192\.0\.2\.1/],
    ['A', '2001:db8::1', undefined, /IPv6 address/, /AAAA/],
    ['A', '', undefined, /empty/, /192/],
    ['A', '192.0.2.1 192.0.2.2', undefined, /spaces/, /192/],
    ['A', '192.0.2.1', 10, /no priority/, /MX/],
    ['AAAA', '192.0.2.1', undefined, /IPv4 address/, /type A /],
    ['AAAA', 'fe80::1%eth0', undefined, /no IPv6/, /2001/],
    ['CNAME', '192.0.2.1', undefined, /not an address/, /type A/],
    ['CNAME', '.', undefined, /root/, /full name/],
    ['CNAME', 'www', undefined, /full names/, /www\.example\.com/],
    ['CNAME', 'a..b', undefined, /empty label/, /full name/],
    ['CNAME', 'müller.example', undefined, /no label/, /xn--/],
    ['CNAME', `${'a.'.repeat(128)}example.com`, undefined, /too long/, /full name/],
    ['CNAME', `${'a'.repeat(64)}.example.com`, undefined, /no label/, /./],
    ['MX', 'mail.example.com', undefined, /no priority/, /"10 mail\.example\.com"/],
    ['MX', '10', undefined, /1 part/, /10 mail/],
    ['SRV', '10 5 5060', undefined, /3 parts/, /priority, weight, port/],
    ['SRV', '5 5060 sip.example.com', undefined, /no priority/, /"10 5 5060 sip\.example\.com"/],
    ['MX', '10 mail.example.com', 20, /another priority/, /once/],
    ['MX', '70000 mail.example.com', undefined, /65535/, /10 mail/],
    ['MX', 'mail.example.com', 1.5, /65535/, /10 mail/],
    ['MX', 'mail.example.com', -1, /65535/, /10 mail/],
    ['MX', '10 192.0.2.1', undefined, /not an address/, /A or AAAA/],
    ['TXT', '"open', undefined, /not closed/, /quotes/],
    ['TXT', '"a" b', undefined, /outside/, /quotes/],
    ['TXT', '"a""b"', undefined, /space/, /quotes/],
    ['TXT', '"\\999"', undefined, /number of a byte/, /quotes/],
    ['TXT', '"\\', undefined, /escape/, /quotes/],
    ['TXT', `"${'x'.repeat(256)}"`, undefined, /256 bytes/, /quotes/],
    ['TXT', '\ud800', undefined, /surrogate/, /quotes/],
  ]
  for (const [type, text, priority, message, hint] of cases) {
    const title = `${type} ${JSON.stringify(text).slice(0, 40)} ${priority ?? ''}`
    t.throws(() => canonicalRecordValue(type, text, { priority, apex }), { code: 'MAKI_INVALID', message, hint }, title)
  }
})

t.test('types that an owner can write, and why others are not', async (t) => {
  for (const [text, type] of [
    ['tlsa', 'TLSA'],
    ['Alias', 'ALIAS'],
    ['TYPE257', 'CAA'],
    ['type065', 'HTTPS'],
    ['TYPE35', 'TYPE35'],
    ['TYPE65534', 'TYPE65534'],
  ] as const)
    t.equal(parseExplicitType(text), type)
  const refused: [type: string, message: RegExp, hint: RegExp][] = [
    ['SOA', /which we make/, /serial/],
    ['TYPE6', /type SOA/, /serial/],
    ['RRSIG', /signing/, /DS/],
    ['type48', /type DNSKEY/, /DS/],
    ['CDS', /signing/, /DS/],
    ['DNAME', /made up/, /CNAME/],
    ['ANY', /questions/, /each type/],
    ['OPT', /questions/, /each type/],
    ['TYPE200', /questions/, /each type/],
    ['TYPE0', /reserved/, /./],
    ['TYPE65535', /reserved/, /./],
    ['NAPTR', /by that name/, /TYPE35/],
    ['SPF', /by that name/, /TXT/],
    ['TYPE65536', /no record type/, /TYPE and its number/],
    ['AAA', /no record type/, /mean (A|AAAA)\?/],
    ['CNMAE', /no record type/, /mean CNAME\?/],
    ['HTTP', /no record type/, /mean HTTPS\?/],
    ['x', /no record type/, /^These/],
    ['', /no record type/, /^These/],
    ['toString', /no record type/, /^These/],
    ['__proto__', /no record type/, /^These/],
    ['x'.repeat(200_000), /no record type/, /^These/],
  ]
  for (const [type, message, hint] of refused) {
    const expected = { code: 'MAKI_INVALID', message, hint }
    t.throws(() => canonicalRecordValue(type, 'x'), expected, type.slice(0, 40))
  }
})

t.test('a TXT of more octets than a record can hold is refused by its length, and not read to its end', async (t) => {
  const refused = { code: 'MAKI_INVALID', message: /it has more than 65535 bytes, which no record can hold/ }
  // 65,279 bytes are 256 strings, with a length octet each.
  const largest = canonicalRecordValue('TXT', 'a'.repeat(65_279))
  t.equal(canonicalRecordValue('TXT', largest), largest)
  t.throws(() => canonicalRecordValue('TXT', 'a'.repeat(65_280)), refused)
  t.throws(() => canonicalRecordValue('TXT', 'é'.repeat(33_000)), refused, 'bytes count, not characters')
  t.throws(() => canonicalRecordValue('TXT', `${largest} "" ""`), refused)
  const many = (string: string) => `${string} `.repeat(70_000)
  for (const text of [
    many('""'),
    many(`"${'a'.repeat(200)}"`),
    `"${'a'.repeat(500_000)}`,
    `"${'\\001'.repeat(100_000)}`,
  ])
    t.throws(() => canonicalRecordValue('TXT', `${text}, and what is no string`), refused)
})
