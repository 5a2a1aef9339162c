import t from 'tap'
import {
  changeFor,
  compileEffects,
  type Entry,
  Fold,
  findKeyParts,
  type Key,
  keys,
  parseKey,
  type Signer,
} from '../../../core/index.ts'
import { createTestCluster, domains, randomHistory, testSigner } from '../../support/histories.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const cluster = createTestCluster()
const stamp = cluster.creation.stamp

const met = new Set<string>()
for (const seed of seeds(60)) {
  t.test(`what a change for a key and a value writes is that value (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const fold = new Fold()
    for (const operation of randomHistory(random, cluster, { operations: 40, membership: 0.05, backdated: 0.1 }))
      fold.add(operation)
    for (const [key, entry] of fold.state.snapshot().entries) {
      const { value } = entry as Entry
      const parts = parseKey(key)
      const change = changeFor(key, value, { state: fold.state, via: 'blog' })
      if (change === undefined) {
        const role = (value as { role?: string }).role
        const isAlone = parts.kind === 'host' && fold.state.get(keys.domain(parts.host)) === undefined
        t.ok(
          ['cluster', 'node', 'node-name'].includes(parts.kind) || role === 'recovery' || role === 'node' || isAlone,
          key,
        )
        continue
      }
      met.add(parts.kind)
      const author =
        parts.kind === 'grant'
          ? parts.giver
          : parts.kind === 'announcement'
            ? parts.announcer
            : parts.kind === 'order' || parts.kind === 'challenge'
              ? parts.author
              : cluster.operator.key
      const effects = compileEffects({ author, stamp, changes: [change] })
      t.same(effects.keys.get(key)?.value, value, key)
      t.equal(effects.keys.get(key)?.via, 'via' in change ? 'blog' : undefined)
    }
    const gone: Key[] = [
      keys.record(domains[0] as (typeof domains)[number], 'www' as never, 'A'),
      keys.alias(domains[0] as (typeof domains)[number], 'www.example.com' as never),
      keys.hold(domains[0] as (typeof domains)[number]),
      keys.certificate('example.com' as never),
      keys.peer('office' as never),
    ]
    for (const key of gone) {
      const change = changeFor(key, undefined)
      const { keys: written } = compileEffects({ author: cluster.operator.key, stamp, changes: change ? [change] : [] })
      t.ok(written.has(key) && written.get(key)?.value === undefined, key)
    }
    const [domain] = domains
    const removal = changeFor(keys.domain(domain as never), undefined)
    t.same(removal, { kind: 'domain.remove', domain })
  })
}

t.test('every kind of key that can be written by hand was met', async (t) => {
  if (process.env.SEED !== undefined) return
  t.same([...met].sort(), [
    'alias',
    'announcement',
    'certificate',
    'challenge',
    'domain',
    'grant',
    'hold',
    'host',
    'member',
    'node-field',
    'order',
    'peer',
    'record',
    'release',
  ])
})

t.test('keys are read as they are spelled', async (t) => {
  const member = testSigner(3).key as Signer['key']
  const domain = domains[0] as (typeof domains)[number]
  const spelled: Record<string, Key> = {
    cluster: keys.cluster(),
    member: keys.member(member),
    node: keys.node(member),
    'node-field': keys.nodeField(member, 'drained'),
    'node-name': keys.nodeName('berlin' as never),
    domain: keys.domain(domain),
    alias: keys.alias(domain, 'www.example.com' as never),
    record: keys.record(domain, '*.dev' as never, 'TXT'),
    release: keys.release(domain),
    hold: keys.hold(domain),
    purge: keys.purge(domain),
    announcement: keys.announcement(member as never, member),
    grant: keys.grant(member as never, member, member),
    certificate: keys.certificate('*.example.com' as never),
    account: keys.account('https://ca.example/dir'),
    host: keys.host(domain),
    peer: keys.peer('office' as never),
    order: keys.order('*.example.com' as never, member),
    revocation: keys.revocation(cluster.creation.id),
    challenge: keys.challenge('www.example.com' as never, member),
  }
  for (const [kind, key] of Object.entries(spelled)) t.equal(findKeyParts(key)?.kind, kind, key)
  t.same(parseKey(spelled.record as Key), { kind: 'record', domain, name: '*.dev', type: 'TXT' })
  for (const key of [
    '',
    'cluster/x',
    'member',
    'member/',
    'node/x/y',
    'domain/x/rrset/www',
    'domain/x/y',
    'soup/x',
    'host/a/b',
    'peer/',
    'peer/a/b',
  ])
    t.equal(findKeyParts(key), undefined, key)
  t.throws(() => parseKey('soup'), { code: 'MAKI_INVALID' })
})
