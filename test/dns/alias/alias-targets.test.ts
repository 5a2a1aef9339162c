import t from 'tap'
import { AliasTargets } from '../../../dns/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { ClusterState, domainSet, host, recordSet } from '../cluster-state.ts'

const alias = (domain: string, name: string, target: string) => recordSet(domain, name, 'ALIAS', [target])

t.test('targets outside our zones, each once', async (t) => {
  const cluster = new ClusterState()
  const targets = new AliasTargets()
  const refresh = (scopes: ReturnType<ClusterState['commit']>) => targets.refresh(cluster.state, scopes)
  t.ok(refresh(cluster.commit(domainSet('example.com'))), 'it may have taken targets in')
  t.ok(refresh(cluster.commit(alias('example.com', '@', 'Apps.Example.NET.'), alias('example.com', 'a', 'x.cdn.net.'))))
  t.strictSame(targets.list(), ['apps.example.net', 'x.cdn.net'])
  t.notOk(refresh(cluster.commit(recordSet('example.com', 'www', 'TXT', ['"x"']))), 'nothing for other records')
  refresh(cluster.commit(domainSet('example.org'), alias('example.org', '@', 'x.cdn.net.')))
  t.strictSame(targets.list(), ['apps.example.net', 'x.cdn.net'])
  t.ok(refresh(cluster.commit(alias('example.org', '@', 'www.example.com.'))))
  t.strictSame(targets.list(), ['apps.example.net', 'x.cdn.net'], 'what is ours is not asked of others')
  t.ok(refresh(cluster.commit({ kind: 'domain.remove', domain: host('example.com') })))
  t.strictSame(targets.list(), ['www.example.com'], 'and is, once it is not ours any more')
})

t.test('what is no name is no target', async (t) => {
  const cluster = new ClusterState()
  const targets = new AliasTargets()
  const bad = ['', '.', 'a..b.', '1.2.3.4', `${'a'.repeat(64)}.net.`, 'sp ace.net.', `${'abc.'.repeat(70)}net.`]
  const changes = bad.map((target, i) => alias('example.com', `n${i}`, target))
  targets.refresh(cluster.state, cluster.commit(domainSet('example.com'), ...changes))
  t.strictSame(targets.list(), [])
})

for (const seed of seeds(30)) {
  t.test(`refreshed by changes it is as if made at once (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const cluster = new ClusterState()
    const followed = new AliasTargets()
    const domains = ['a.com', 'b.com', 'sub.a.com']
    for (let step = 0; step < 25; step++) {
      const domain = random.pick(domains)
      const name = random.pick(['@', 'x', 'y'])
      const before = followed.list()
      const scopes = cluster.commit(
        random.pick([
          domainSet(domain),
          { kind: 'domain.remove', domain: host(domain) } as const,
          alias(domain, name, random.pick(['t1.net.', 't2.net.', 'www.a.com.', 'x.sub.a.com.', 'b.com.'])),
          recordSet(domain, name, 'A', ['192.0.2.1']),
          { kind: 'record.remove', domain: host(domain), name: name as never, type: 'ALIAS' } as const,
        ]),
      )
      const isChanged = followed.refresh(cluster.state, scopes)
      const fresh = new AliasTargets()
      fresh.refresh(cluster.state, cluster.scopes)
      t.strictSame(followed.list(), fresh.list())
      if (!isChanged) t.strictSame(followed.list(), before)
    }
  })
}
