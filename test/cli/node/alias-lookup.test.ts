import t from 'tap'
import { createAliasLookup } from '../../../cli/node/alias-lookup.ts'
import { Upstream } from '../../dns/upstream.ts'

const lookupAt = ({ port }: Pick<Upstream, 'port'>) =>
  createAliasLookup([{ host: '127.0.0.1', port }], { timeoutMs: 100 })

t.test('what a real resolver says', async (t) => {
  await using upstream = await Upstream.start()
  const { lookUp } = lookupAt(upstream)
  upstream.set('both.net', { addresses: ['1.1.1.1', '1.0.0.1', '2606:4700::1111'], ttl: 77 })
  t.strictSame(await lookUp('both.net'), {
    ipv4: { kind: 'addresses', addresses: ['1.1.1.1', '1.0.0.1'], ttl: 77 },
    ipv6: { kind: 'addresses', addresses: ['2606:4700::1111'], ttl: 77 },
  })
  upstream.set('chain.net', { addresses: ['1.1.1.1'], ttl: 60, chain: ['x.cdn.net', 'y.cdn.net'] })
  t.match((await lookUp('chain.net')).ipv4, { kind: 'addresses', addresses: ['1.1.1.1'], ttl: 60 })
  t.strictSame((await lookUp('chain.net')).ipv6, { kind: 'none' }, 'a chain that leads to no address')
  upstream.set('_under_score.net', { addresses: ['1.1.1.1'] })
  t.match((await lookUp('_under_score.net')).ipv4, { kind: 'addresses' })
  t.strictSame(await lookUp('nowhere.net'), { ipv4: { kind: 'none' }, ipv6: { kind: 'none' } })
  for (const [rcode, word] of [
    ['SERVFAIL', /SERVFAIL/],
    ['REFUSED', /REFUSED/],
  ] as const) {
    upstream.set('broken.net', { rcode })
    const { ipv4, ipv6 } = await lookUp('broken.net')
    t.match([ipv4, ipv6], [{ kind: 'failed' }, { kind: 'failed' }])
    t.match(ipv4, { reason: word })
  }
})

t.test('an answer that fits into no UDP message is asked for again over TCP', async (t) => {
  await using upstream = await Upstream.start()
  const many = Array.from({ length: 2000 }, (_, i) => `1.2.${i >> 8}.${i & 255}`)
  upstream.set('huge.net', { addresses: many })
  const { ipv4 } = await lookupAt(upstream).lookUp('huge.net')
  t.equal(ipv4.kind === 'addresses' && ipv4.addresses.length, 2000)
})

t.test('silence, garbage and a closed port are failures, said in words', async (t) => {
  const upstream = await Upstream.start()
  {
    await using _ = upstream
    upstream.set('silent.net', 'silent')
    upstream.set('garbage.net', 'garbage')
    t.match((await lookupAt(upstream).lookUp('silent.net')).ipv4, { kind: 'failed', reason: /in time/ })
    t.match((await lookupAt(upstream).lookUp('garbage.net')).ipv4, { kind: 'failed' })
  }
  t.match((await lookupAt(upstream).lookUp('a.net')).ipv4, { kind: 'failed', reason: /no resolver can be reached/ })
})
