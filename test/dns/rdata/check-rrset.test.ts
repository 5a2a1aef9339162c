import t from 'tap'
import type { RecordValue } from '../../../core/index.ts'
import { formatStrings, splitText } from '../../../dns/rdata/character-string.ts'
import { checkRrset } from '../../../dns/rdata/check-rrset.ts'
import { host, owner } from '../cluster-state.ts'

const apex = host('example.com')

const record = (name: string, type: string, values: string[], ttl = 300): RecordValue => ({
  name: owner(name),
  type,
  ttl,
  values,
})
const at = (name: string, type: string) => record(name, type, [])
const geo = (name: string, type: string, values: string[] = []): RecordValue => ({
  ...record(name, type, values),
  geo: true,
})

const DS = `1 13 2 ${'4A1B'.repeat(16)}`

t.test('RRsets that are possible', async (t) => {
  const possible: [set: RecordValue, others: RecordValue[]][] = [
    [record('www', 'CNAME', ['www.example.net.']), [at('www', 'CNAME'), at('@', 'A'), at('mail', 'A')]],
    [record('@', 'MX', ['10 mail.example.com.', '20 mail.example.com.'], 0), [at('@', 'TXT')]],
    [record('www', 'TXT', ['"a"'], 0x7fff_ffff), [at('www', 'A')]],
    [record('@', 'ALIAS', ['app.example.net.']), [at('@', 'MX'), at('@', 'NS'), at('www', 'A')]],
    [record('*', 'A', ['192.0.2.1']), [at('@', 'A')]],
    [record('*.dev', 'CNAME', ['www.example.com.']), []],
    [record('@', 'NS', ['ns1.example.net.']), [at('www', 'A')]],
    [record('dev', 'DS', [DS]), [record('dev', 'NS', ['ns.example.net.'])]],
    [record('dev', 'NS', ['ns.dev.example.com.']), [at('ns.dev', 'A'), at('dev', 'DS'), at('www', 'A')]],
    [record('ns.dev', 'AAAA', ['2001:db8::1']), [record('dev', 'NS', ['ns.dev.example.com.'])]],
    [record('x', 'TYPE65280', ['\\# 0']), []],
    [geo('cdn', 'A'), [at('cdn', 'AAAA'), at('cdn', 'TXT')]],
    [geo('*', 'AAAA'), []],
  ]
  for (const [set, others] of possible)
    t.strictSame(checkRrset(apex, set, others), [], `${set.name} ${set.type} ${set.values}`)
})

t.test('RRsets that are not', async (t) => {
  const refused = (title: string, set: RecordValue, others: RecordValue[], message: RegExp) =>
    t.throws(() => checkRrset(apex, set, others), { code: 'MAKI_INVALID', message, hint: /./ }, title)
  const cname = record('www', 'CNAME', ['www.example.net.'])
  refused('beside others', cname, [at('www', 'TXT')], /of type TXT at that name/)
  refused('beside a CNAME', record('www', 'A', ['192.0.2.1']), [at('www', 'CNAME')], /of type CNAME at that name/)
  refused('apex', record('@', 'CNAME', ['www.example.net.']), [], /apex/)
  refused('two targets', record('www', 'CNAME', ['a.example.net.', 'b.example.net.']), [], /2 values/)
  refused('itself', record('www', 'CNAME', ['www.example.com.']), [], /itself/)
  refused('no value', record('www', 'A', []), [], /no value/)
  refused('no address', record('www', 'A', ['x']), [], /IPv4/)
  const alias = record('@', 'ALIAS', ['app.example.net.'])
  for (const type of ['A', 'AAAA', 'CNAME']) {
    refused('ALIAS', alias, [at('@', type)], new RegExp(`of type ${type} at that name`))
    if (type !== 'CNAME') refused('beside ALIAS', geo('@', type), [at('@', 'ALIAS')], /of type ALIAS at that name/)
  }
  refused('ALIAS of itself', record('@', 'ALIAS', ['example.com.']), [], /itself/)
  refused('two ALIAS', record('@', 'ALIAS', ['a.example.net.', 'b.example.net.']), [], /2 values/)
  refused('DS at the apex', record('@', 'DS', [DS]), [at('@', 'NS')], /parent/)
  refused('DS of nothing', record('dev', 'DS', [DS]), [at('other', 'NS')], /nothing is delegated/)
  refused('NS at a wildcard', record('*', 'NS', ['ns.example.net.']), [], /wildcard/)
  refused('geo with values', geo('cdn', 'A', ['192.0.2.1']), [], /values of its own/)
  refused('geo of another type', geo('cdn', 'TXT'), [], /A and AAAA/)
  for (const ttl of [-1, 0x8000_0000, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    refused(`TTL ${ttl}`, record('www', 'A', ['192.0.2.1'], ttl), [], /TTL/)
  }
  const long = Array.from({ length: 20 }, (_, i) => formatStrings(splitText(String(i % 10).repeat(3000 + i))))
  refused('too much', record('@', 'TXT', long), [], /60000 bytes/)
  t.throws(() => checkRrset(apex, record('www', 'RRSIG', ['1']), []), { code: 'MAKI_INVALID' })
})

t.test('what a delegation hides is told on both sides', async (t) => {
  const cut = record('dev', 'NS', ['ns.dev.example.com.'])
  for (const hidden of [record('www.dev', 'A', ['192.0.2.1']), record('dev', 'TXT', ['"a"']), geo('dev', 'A')]) {
    t.match(checkRrset(apex, hidden, [cut]), [/dev\.example\.com is delegated/], `${hidden.name} ${hidden.type}`)
  }
  const hides = [at('www.dev', 'A'), at('dev', 'TXT'), at('ns.dev', 'A'), at('ns.dev', 'TXT'), at('adev', 'A')]
  const [note, ...more] = checkRrset(apex, cut, hides)
  t.match(note, /hidden are: A of www\.dev\.example\.com, TXT of dev\.example\.com, TXT of ns\.dev\.example\.com\.$/)
  t.strictSame(more, [])
})
