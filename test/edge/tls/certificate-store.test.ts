import type { SecureContext } from 'node:tls'
import t from 'tap'
import { type Log, silentLog } from '../../../core/index.ts'
import { CertificateStore, ContextCache, chooseCertificate, type HostCertificate } from '../../../edge/tls/index.ts'
import { CertificateMaker } from '../../support/certificate-maker.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const maker = new CertificateMaker()
t.teardown(() => maker[Symbol.dispose]())

const made = maker.make(['example.com', '*.example.com'])
const rsa = maker.make(['example.com'], 'rsa')
const other = maker.make(['other.com'])

const certificate = (part: Partial<HostCertificate> = {}): HostCertificate => ({
  name: 'example.com',
  notBeforeMs: 0,
  notAfterMs: 100,
  ...made,
  ...part,
})

function open(nowMs = 50) {
  const clock = { nowMs }
  const refused: string[] = []
  const log: Log = { ...silentLog, error: (event, data) => refused.push(`${event} ${JSON.stringify(data)}`) }
  const store = new CertificateStore({ runtime: { now: () => clock.nowMs }, log })
  return { store, clock, refused }
}

for (const seed of seeds(300)) {
  t.test(
    `seed ${seed}: what is shown is valid where one is, of the very name where one is, ECDSA where one is, and the newest`,
    async (t) => {
      const random = createRandom(seed)
      const make = () => ({
        notBeforeMs: random.integer(20),
        notAfterMs: random.integer(40),
        keyType: random.pick(['ec', 'rsa']),
      })
      const exact = Array.from({ length: random.integer(4) }, make)
      const wildcard = Array.from({ length: random.integer(4) }, make)
      const now = random.integer(40)
      const valid = (one: ReturnType<typeof make>) => one.notBeforeMs <= now && now <= one.notAfterMs
      const chosen = chooseCertificate(exact, wildcard, now)
      t.equal(chosen !== undefined, exact.length + wildcard.length > 0, 'nothing is shown only where there is nothing')
      if (chosen === undefined) return
      const pool = [exact.filter(valid), wildcard.filter(valid)].find((group) => group.length > 0)
      if (pool === undefined) {
        const group = exact.length > 0 ? exact : wildcard
        t.equal(chosen.notAfterMs, Math.max(...group.map(({ notAfterMs }) => notAfterMs)), 'the last that was valid')
        return
      }
      t.ok(pool.includes(chosen))
      t.equal(chosen.keyType, pool.some(({ keyType }) => keyType === 'ec') ? 'ec' : 'rsa')
      const rivals = pool.filter(({ keyType }) => keyType === chosen.keyType)
      t.equal(chosen.notBeforeMs, Math.max(...rivals.map(({ notBeforeMs }) => notBeforeMs)), 'the newest')
    },
  )
}

t.test('hosts are found by name and by wildcard of one label, in any case', async (t) => {
  const { store } = open()
  store.replace([certificate(), { ...certificate(), name: 'other.com', ...other }])
  for (const host of ['example.com', 'EXAMPLE.com', 'www.example.com', 'WwW.Example.COM', 'other.com'])
    t.ok(store.find(host), host)
  for (const host of [
    'a.b.example.com',
    'com',
    '',
    'example.com.',
    '.example.com.',
    'www.other.com',
    '*.com',
    'x'.repeat(9000),
  ])
    t.equal(store.find(host), undefined, host.slice(0, 20))
  t.ok(store.has('other.com'))
  t.notOk(store.has('none.com'))
  const shown = store.find('example.com')
  t.ok(shown?.covers('example.com') && shown.covers('a.example.com'))
  t.notOk(shown?.covers('other.com') || shown?.covers('a.b.example.com'))
})

t.test('a context is built once, and again only where its chain or key is another', async (t) => {
  const { store } = open()
  store.replace([certificate()])
  const first = store.find('example.com')?.context
  t.equal(store.find('www.example.com')?.context, first)
  store.replace([certificate(), { ...certificate(), name: 'other.com', ...other }])
  t.equal(store.find('example.com')?.context, first)
  store.replace([certificate(maker.make(['example.com']))])
  t.not(store.find('example.com')?.context, first)
  t.equal(store.find('other.com'), undefined, 'what is not in the last set is gone')
})

t.test('of two types of key ECDSA is shown, and covers what it is for', async (t) => {
  const { store } = open()
  store.replace([certificate(), { ...certificate(), name: 'rsa', ...rsa, notBeforeMs: 40 }])
  t.ok(store.find('example.com')?.covers('www.example.com'))
  store.replace([{ ...certificate(), name: 'rsa', ...rsa }])
  t.notOk(store.find('example.com')?.covers('www.example.com'))
})

t.test('what TLS does not take is told of without its key, and the last good one stays', async (t) => {
  const { store, refused } = open()
  store.replace([certificate()])
  const before = store.find('example.com')?.context
  for (const broken of [
    { key: other.key },
    { key: '-----BEGIN PRIVATE KEY-----\nMIGHAgEA\n-----END PRIVATE KEY-----\n' },
    { chain: 'rubbish' },
    { chain: '', key: '' },
    { chain: '' },
  ]) {
    refused.length = 0
    store.replace([certificate(broken)])
    t.equal(store.find('example.com')?.context, before)
    t.equal(refused.length, 1)
    t.match(refused[0], /^tls.certificate-refused \{"name":"example.com","fault":"\w+"\}$/)
  }
  store.replace([{ ...certificate(), name: 'never.com', names: ['never.com'], key: 'x' }])
  t.equal(store.find('never.com'), undefined)
})

t.test('who is secured follows the clock', async (t) => {
  const { store, clock } = open(5)
  store.replace([certificate({ notBeforeMs: 10, notAfterMs: 20 })])
  const seen: string[] = []
  for (let round = 0; round < 4; round++) {
    const left = store.validForMs()
    seen.push(`${clock.nowMs}: ${[...store.validNames()].sort().join(' ')}`)
    if (left === undefined) break
    clock.nowMs += left
  }
  t.strictSame(seen, ['5: ', '10: *.example.com example.com', '21: '])
  t.ok(store.find('example.com'), 'and is shown all the same')
})

t.test('a thousand certificates cost what a few hundred do', async (t) => {
  const { store } = open()
  const many = Array.from({ length: 1000 }, (_, i) => certificate({ name: `n${i}`, names: [`h${i}.com`] }))
  store.replace(many)
  for (let i = 0; i < 1000; i++) t.ok(store.find(`h${i}.com`)?.context)
  const cache = new ContextCache(2)
  const built: string[] = []
  const context = store.find('h0.com')?.context as SecureContext
  const build = (id: string) => {
    built.push(id)
    return context
  }
  for (const id of ['a', 'b', 'a', 'c', 'a', 'b']) cache.get(id, () => build(id))
  t.strictSame(built, ['a', 'b', 'c', 'b'], 'the one that was used longest ago goes')
  t.equal(cache.size, 2)
})
