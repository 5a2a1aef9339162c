import t from 'tap'
import { formatMasterFile, type MasterSet, parseMasterFile } from '../../../dns/index.ts'
import { host } from '../cluster-state.ts'

const apex = host('example')

const set = (name: string, type = 'A', values = ['192.0.2.1'], more: Partial<MasterSet> = {}): MasterSet => ({
  name,
  type,
  ttl: 60,
  values,
  geo: false,
  ...more,
})

t.test('the apex first, then names in canonical order; SOA and NS before other types', async (t) => {
  // The names of RFC 4034 section 6.1 that our owners can have.
  const names = [
    'example',
    'a.example',
    'yljkjljk.a.example',
    'z.a.example',
    'zabc.a.example',
    'z.example',
    '*.z.example',
  ]
  const sets = [
    ...names.toReversed().map((name) => set(name)),
    set('example', 'NS', ['a.example.']),
    set('example', 'SOA', ['x']),
  ]
  const owners = formatMasterFile(apex, sets, []).split('\n').slice(2, -1)
  t.strictSame(
    owners.map((line) =>
      line
        .split(/ +/)
        .filter((_, i) => i === 0 || i === 3)
        .join(' '),
    ),
    ['@ SOA', '@ NS', '@ A', 'a A', 'yljkjljk.a A', 'z.a A', 'zabc.a A', 'z A', '*.z A'],
  )
})

t.test('to the letter', async (t) => {
  const sets = [
    set('example', 'MX', ['10 mail.example.', '20 mail.example.'], { ttl: 3600 }),
    set('example', 'ALIAS', ['app.example.net.']),
    set('cdn.example', 'A', [], { geo: true }),
    set('ns.example', 'A', ['192.0.2.53'], { comment: 'automatic' }),
    set('a.very-long-name-of-a-host.example', 'TXT', ['"x"']),
    set('s.example', 'SVCB', ['1 . mandatory=port,dohpath port=53 dohpath="/dohpath={?dns}" key667=" dohpath=x"']),
  ]
  const text = formatMasterFile(apex, sets, ['Two', 'lines\nof head'])
  t.equal(
    text,
    `; Two
; lines?of head
$ORIGIN example.
$TTL 300
;makiatto: @                       60 IN ALIAS app.example.net.
@                       3600 IN MX 10 mail.example.
@                       3600 IN MX 20 mail.example.
;makiatto: cdn                     60 IN A geo
; automatic: ns                      60 IN A 192.0.2.53
s                       60 IN SVCB 1 . mandatory=port,key7 port=53 key7="/dohpath={?dns}" key667=" dohpath=x"
a.very-long-name-of-a-host 60 IN TXT "x"
`,
  )
  t.match(parseMasterFile(Buffer.from(text), { origin: apex }), { faultCount: 0, records: { length: 6 } })
})
