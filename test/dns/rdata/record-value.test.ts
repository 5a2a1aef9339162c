import t from 'tap'
import { formatStrings, splitText } from '../../../dns/rdata/character-string.ts'
import { canonicalRecordValue, checkRrset } from '../../../dns/rdata/record-value.ts'
import { host, owner } from '../cluster-state.ts'

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
  for (const type of ['SRV', 'NS', 'SOA', 'CAA', 'TYPE65280', 'x', '', 'toString']) {
    t.throws(() => canonicalRecordValue(type, 'x'), { code: 'MAKI_UNSUPPORTED', hint: /A, AAAA, CNAME, MX, TXT/ }, type)
  }
})

const record = (name: string, type: string, values: string[], ttl = 300) => ({ name: owner(name), type, ttl, values })
const at = (name: string, type: string) => ({ name: owner(name), type })

t.test('RRsets that are possible', async (t) => {
  checkRrset(apex, record('www', 'CNAME', ['www.example.net.']), [at('www', 'CNAME'), at('@', 'A'), at('mail', 'A')])
  checkRrset(apex, record('@', 'MX', ['10 mail.example.com.', '20 mail.example.com.'], 0), [at('@', 'TXT')])
  checkRrset(apex, record('www', 'TXT', ['"a"'], 0x7fff_ffff), [at('www', 'A')])
  t.pass('none is refused')
})

t.test('RRsets that are not', async (t) => {
  const refused = (title: string, set: ReturnType<typeof record>, others: ReturnType<typeof at>[], message: RegExp) =>
    t.throws(() => checkRrset(apex, set, others), { code: 'MAKI_INVALID', message, hint: /./ }, title)
  const cname = record('www', 'CNAME', ['www.example.net.'])
  refused('beside others', cname, [at('www', 'TXT')], /of type TXT at that name/)
  refused('beside a CNAME', record('www', 'A', ['192.0.2.1']), [at('www', 'CNAME')], /of type CNAME at that name/)
  refused('apex', record('@', 'CNAME', ['www.example.net.']), [], /apex/)
  refused('two targets', record('www', 'CNAME', ['a.example.net.', 'b.example.net.']), [], /2 values/)
  refused('itself', record('www', 'CNAME', ['www.example.com.']), [], /itself/)
  refused('no value', record('www', 'A', []), [], /no value/)
  refused('no address', record('www', 'A', ['x']), [], /IPv4/)
  for (const ttl of [-1, 0x8000_0000, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    refused(`TTL ${ttl}`, record('www', 'A', ['192.0.2.1'], ttl), [], /TTL/)
  }
  const long = Array.from({ length: 20 }, (_, i) => formatStrings(splitText(String(i % 10).repeat(3000 + i))))
  refused('too much', record('@', 'TXT', long), [], /60000 bytes/)
  t.throws(() => checkRrset(apex, record('*', 'A', ['192.0.2.1']), []), {
    code: 'MAKI_UNSUPPORTED',
    message: /wildcard/,
  })
  t.throws(() => checkRrset(apex, record('www', 'SRV', ['1 2 3 x.']), []), { code: 'MAKI_UNSUPPORTED' })
})
