import t from 'tap'
import { TrustedProxies } from '../../../edge/server/trusted-proxies.ts'
import { siteRequest } from '../fixtures.ts'

const FIELDS = {
  'x-forwarded-for': '203.0.113.9, 192.0.2.1',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'seen.com',
  forwarded: 'for=198.51.100.7;proto=http;host=other.com',
}

t.test('only proxies that are named are believed', async (t) => {
  const proxies = new TrustedProxies({ networks: ['10.0.0.0/8', 'fd00::1'], fields: 'x-forwarded' })
  for (const address of ['10.1.2.3', '::ffff:10.1.2.3', 'fd00::1']) {
    const seen = proxies.unwrap(siteRequest({ address, fields: FIELDS, target: '/x' }))
    t.match(seen, { method: 'GET', target: '/x', host: 'seen.com', secure: true }, address)
    t.strictSame(seen.client(), { address: '192.0.2.1', country: undefined })
    t.equal(seen.field('forwarded'), FIELDS.forwarded)
  }
  for (const address of ['11.1.2.3', 'fd00::2', '', 'not an address']) {
    const request = siteRequest({ address, fields: FIELDS })
    t.equal(proxies.unwrap(request), request, `not ${address}`)
  }
})

t.test('and only the fields that they set', async (t) => {
  const proxies = new TrustedProxies({ networks: ['10.0.0.1'], fields: 'forwarded' })
  const seen = proxies.unwrap(siteRequest({ address: '10.0.0.1', fields: FIELDS, secure: true }))
  t.match(seen, { host: 'other.com', secure: false })
  t.equal(seen.client().address, '198.51.100.7')
  const silent = proxies.unwrap(siteRequest({ address: '10.0.0.1', fields: {}, secure: true }))
  t.match(silent, { host: 'example.com', secure: true })
  t.equal(silent.client().address, '10.0.0.1')
})
