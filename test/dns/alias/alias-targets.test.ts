import t from 'tap'
import { AliasTargets } from '../../../dns/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { aliasSet, ClusterState, domainSet, host, recordSet } from '../cluster-state.ts'

const alias = (domain: string, name: string, target: string) => recordSet(domain, name, 'ALIAS', [target])

/** A cluster, and the targets that follow it. */
function setUp() {
  const cluster = new ClusterState()
  const targets = new AliasTargets()
  targets.refresh(cluster.state.snapshot())
  const commit = (...changes: Parameters<ClusterState['commit']>): boolean => {
    cluster.commit(...changes)
    return targets.refresh(cluster.deltas.at(-1) ?? { entries: [] })
  }
  return { cluster, commit, targets, list: () => targets.list(cluster.state) }
}

t.test('targets outside our zones, each once', async (t) => {
  const { commit, list } = setUp()
  commit(domainSet('example.com'))
  t.notOk(commit(recordSet('example.com', 'www', 'TXT', ['"x"'])), 'nothing for other records as long as there is none')
  t.ok(commit(alias('example.com', '@', 'Apps.Example.NET.'), alias('example.com', 'a', 'x.cdn.net.')))
  t.strictSame(list(), ['apps.example.net', 'x.cdn.net'])
  commit(domainSet('example.org'), alias('example.org', '@', 'x.cdn.net.'))
  t.strictSame(list(), ['apps.example.net', 'x.cdn.net'])
  t.ok(commit({ kind: 'domain.remove', domain: host('example.com') }))
  t.strictSame(list(), ['x.cdn.net'])
})

t.test('what was written under a domain that is not there waits for it', async (t) => {
  const { commit, list } = setUp()
  commit(alias('example.com', '@', 'apps.example.net.'))
  t.strictSame(list(), [])
  commit(domainSet('example.com'))
  t.strictSame(list(), ['apps.example.net'])
})

t.test('of a target in our zones, what its CNAMEs lead to outside', async (t) => {
  const { commit, list } = setUp()
  commit(domainSet('example.com'), domainSet('example.org'), aliasSet('example.com', 'www.example.com'))
  const leadsTo = (target: string) => {
    commit(alias('example.org', '@', target))
    return list().join()
  }
  t.equal(leadsTo('example.com.'), '')
  t.equal(leadsTo('www.example.com.'), '', 'an alias host')
  t.equal(leadsTo('nothing.example.com.'), '')
  commit(
    recordSet('example.com', 'fixed', 'A', ['192.0.2.1']),
    recordSet('example.com', 'far', 'CNAME', ['x.cdn.net.']),
    recordSet('example.com', 'farther', 'CNAME', ['far.example.com.']),
    recordSet('example.com', 'loop', 'CNAME', ['loop2.example.com.']),
    recordSet('example.com', 'loop2', 'CNAME', ['loop.example.com.']),
    recordSet('example.com', '*.wild', 'CNAME', ['y.cdn.net.']),
    recordSet('example.com', 'sub', 'NS', ['ns.example.net.']),
  )
  t.equal(leadsTo('fixed.example.com.'), '')
  t.equal(leadsTo('far.example.com.'), 'x.cdn.net')
  t.equal(leadsTo('farther.example.com.'), 'x.cdn.net')
  t.equal(leadsTo('loop.example.com.'), '')
  t.equal(leadsTo('any.wild.example.com.'), 'y.cdn.net')
  t.equal(leadsTo('a.b.wild.example.com.'), 'y.cdn.net')
  t.equal(leadsTo('sub.example.com.'), 'sub.example.com', 'delegated: others answer')
  t.equal(leadsTo('www.sub.example.com.'), 'www.sub.example.com')
  leadsTo('far.example.com.')
  t.ok(commit(recordSet('example.com', 'far', 'CNAME', ['z.cdn.net.'])))
  t.equal(list().join(), 'z.cdn.net')
})

t.test('what is no name is no target', async (t) => {
  const { commit, list } = setUp()
  const bad = ['', '.', 'a..b.', '1.2.3.4', `${'a'.repeat(64)}.net.`, 'sp ace.net.', `${'abc.'.repeat(70)}net.`]
  commit(domainSet('example.com'), ...bad.map((target, i) => alias('example.com', `n${i}`, target)))
  t.strictSame(list(), [])
})

for (const seed of seeds(30)) {
  t.test(`refreshed by changes it is as if made at once (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const { cluster, commit, list } = setUp()
    const domains = ['a.com', 'b.com', 'sub.a.com']
    const targets = ['t1.net.', 't2.net.', 'www.a.com.', 'x.sub.a.com.', 'b.com.', 'y.a.com.', 'x.b.com.']
    for (let step = 0; step < 30; step++) {
      const domain = random.pick(domains)
      const name = random.pick(['@', 'x', 'y', '*'])
      const before = list().join()
      const isChanged = commit(
        random.pick([
          domainSet(domain),
          { kind: 'domain.remove', domain: host(domain) } as const,
          aliasSet(domain, random.pick(['x.a.com', 'x.b.com'])),
          alias(domain, name, random.pick(targets)),
          recordSet(domain, name, 'CNAME', [random.pick(targets)]),
          recordSet(domain, name, 'A', ['192.0.2.1']),
          recordSet(domain, name, 'NS', ['ns.net.']),
          { kind: 'record.remove', domain: host(domain), name: name as never, type: 'ALIAS' } as const,
        ]),
      )
      const fresh = new AliasTargets()
      fresh.refresh(cluster.state.snapshot())
      t.strictSame(list(), fresh.list(cluster.state))
      if (!isChanged) t.equal(list().join(), before)
    }
  })
}

for (const seed of seeds(30)) {
  t.test(`each domain has its share of the first targets, whatever the others write (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const { commit, list } = setUp()
    const domains = ['a.com', 'b.com', 'c.com', 'd.com'].slice(0, 2 + random.integer(3))
    commit(...domains.map((domain) => domainSet(domain)))
    const own = domains.map((domain, i) => {
      // The first by name are of the one with the most; some are shared.
      const count = i === 0 ? 20 + random.integer(40) : random.integer(12)
      const targets = Array.from(
        { length: count },
        (_, j) => `${random.pick(['', 'z'])}${random.pick([i, 9])}-${j}.net`,
      )
      if (count > 0) commit(...targets.map((target, j) => alias(domain, `n${j}`, `${target}.`)))
      return new Set<string>(targets)
    })
    const all = list()
    t.strictSame([...all].sort(), [...new Set(own.flatMap((targets) => [...targets]))].sort())
    const bound = random.integer(all.length + 1)
    const first = new Set<string>(all.slice(0, bound))
    for (const targets of own) {
      const has = [...targets].filter((target) => first.has(target)).length
      if (has < Math.min(targets.size, Math.floor(bound / domains.length))) t.fail(`${has} of ${bound}`)
    }
  })
}
