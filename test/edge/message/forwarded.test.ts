import t from 'tap'
import { type Forwarded, readForwarded, readXForwarded } from '../../../edge/message/index.ts'

const isProxy = (address: string) => address.startsWith('10.') || address === 'fd00::1'
const fieldsOf = (fields: Readonly<Record<string, string>>) => (name: string) => fields[name]

const X: readonly (readonly [fields: Readonly<Record<string, string>>, expected: Forwarded])[] = [
  [{}, {}],
  [{ 'x-forwarded-for': '192.0.2.1' }, { address: '192.0.2.1' }],
  [{ 'x-forwarded-for': '203.0.113.9, 192.0.2.1' }, { address: '192.0.2.1' }],
  [{ 'x-forwarded-for': '203.0.113.9, 192.0.2.1, 10.0.0.1' }, { address: '192.0.2.1' }],
  [{ 'x-forwarded-for': '10.0.0.2, 10.0.0.1' }, { address: '10.0.0.2' }],
  [{ 'x-forwarded-for': '10.0.0.1, made-up' }, {}],
  [{ 'x-forwarded-for': '[2001:db8::1]:443' }, { address: '2001:db8::1' }],
  [{ 'x-forwarded-for': '192.0.2.1:443' }, { address: '192.0.2.1' }],
  [{ 'x-forwarded-for': '999.0.2.1' }, {}],
  [{ 'x-forwarded-for': Array.from({ length: 40 }, () => '192.0.2.1').join() }, {}],
  [{ 'x-forwarded-proto': 'HTTPS' }, { secure: true }],
  [{ 'x-forwarded-proto': 'gopher' }, {}],
  [
    { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-proto': 'http, https' },
    { address: '192.0.2.1', secure: true },
  ],
  [
    { 'x-forwarded-for': '192.0.2.1, 10.0.0.1', 'x-forwarded-proto': 'https, http' },
    { address: '192.0.2.1', secure: true },
  ],
  [
    { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-host': 'a.com' },
    { address: '192.0.2.1', host: 'a.com' },
  ],
]

const RFC7239: readonly (readonly [field: string | undefined, expected: Forwarded])[] = [
  [undefined, {}],
  ['for=192.0.2.60;proto=http;by=203.0.113.43', { address: '192.0.2.60', secure: false }],
  ['For="[2001:db8:cafe::17]:4711"', { address: '2001:db8:cafe::17' }],
  ['for=192.0.2.43, for=198.51.100.17', { address: '198.51.100.17' }],
  ['for=192.0.2.43, for=10.1.1.1', { address: '192.0.2.43' }],
  ['for="_gazonk"', {}],
  ['for=unknown;proto=https', { secure: true }],
  ['for=192.0.2.1;host="a.com";proto=https', { address: '192.0.2.1', secure: true, host: 'a.com' }],
  ['for="192.0.2.1,for=10.0.0.1"', {}],
  ['', {}],
  [`for=${'1'.repeat(4000)}`, {}],
]

t.test('X-Forwarded', async (t) => {
  for (const [fields, expected] of X)
    t.strictSame(readXForwarded(fieldsOf(fields), isProxy), expected, JSON.stringify(fields).slice(0, 100))
})

t.test('Forwarded (RFC 7239)', async (t) => {
  for (const [forwarded, expected] of RFC7239) {
    const fields = forwarded === undefined ? {} : { forwarded }
    t.strictSame(readForwarded(fieldsOf(fields), isProxy), expected, String(forwarded).slice(0, 100))
  }
})
