import t from 'tap'
import { type Change, listWanted } from '../../../core/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { DAY, heldFor, host, NOW, TestState, threeNodes, type ViewOptions, viewOf } from './fixture.ts'

/** `name: names` of each certificate, and `name code` of what is left out. */
function listed(state: TestState, options: ViewOptions = {}): { wanted: string[]; uncovered: string[] } {
  const { wanted, uncovered } = listWanted(viewOf(state, options))
  return {
    wanted: wanted.map(({ name, names, ways }) => `${name}: ${names.join(' ')} [${[...new Set(ways.values())]}]`),
    uncovered: uncovered.map(({ name, code }) => `${name} ${code}`),
  }
}

t.test('a zone that is delegated to us: apex, wildcard, name servers and deeper aliases, by DNS-01', async (t) => {
  const state = threeNodes().domain('shop.com', 'www.shop.com', 'a.b.shop.com')
  t.same(listed(state, { facts: { 'shop.com': 'delegated' } }), {
    wanted: ['shop.com: *.ns.shop.com *.shop.com a.b.shop.com shop.com [dns-01]'],
    uncovered: [],
  })
  const none = new TestState().node(1, { nameserver: false }).domain('shop.com')
  t.same(listed(none, { facts: { 'shop.com': 'delegated' } }).wanted, ['shop.com: *.shop.com shop.com [dns-01]'])
})

t.test('a domain that redirects has one like any other', async (t) => {
  const state = threeNodes().say([
    {
      kind: 'domain.set',
      domain: host('old.com'),
      spa: false,
      onConcurrent: 'latest',
      previews: false,
      redirect: 'https://new.com',
    },
  ])
  t.same(listed(state, { facts: { 'old.com': 'ours' } }).wanted, ['old.com: old.com [http-01]'])
})

t.test('somebody else answers for the zone: what leads to us, by HTTP-01', async (t) => {
  const state = threeNodes().domain('blog.org', 'www.blog.org', 'far.blog.org', 'alone.net')
  const facts = {
    'blog.org': 'ours',
    'www.blog.org': 'ours',
    'far.blog.org': 'elsewhere',
    'alone.net': 'ours',
  } as const
  t.same(listed(state, { facts }), {
    wanted: ['alone.net: alone.net [http-01]', 'blog.org: blog.org www.blog.org [http-01]'],
    uncovered: ['far.blog.org elsewhere'],
  })
  t.same(
    listed(state, { facts: { ...facts, 'blog.org': 'elsewhere' } }).wanted,
    ['alone.net: alone.net [http-01]', 'www.blog.org: www.blog.org [http-01]'],
    'an apex that leads elsewhere keeps its aliases from nothing',
  )
})

t.test('an alias in another zone of ours is covered there', async (t) => {
  const state = threeNodes().domain('shop.com', 'x.blog.org', 'a.x.blog.org').domain('blog.org')
  const facts = { 'shop.com': 'delegated', 'blog.org': 'delegated' } as const
  t.same(listed(state, { facts }).wanted, [
    'blog.org: *.blog.org *.ns.blog.org a.x.blog.org blog.org [dns-01]',
    'shop.com: *.ns.shop.com *.shop.com shop.com [dns-01]',
  ])
  t.same(
    listed(state, { facts: { ...facts, 'blog.org': 'elsewhere', 'x.blog.org': 'ours' } }),
    {
      wanted: ['shop.com: *.ns.shop.com *.shop.com shop.com [dns-01]', 'x.blog.org: x.blog.org [http-01]'],
      uncovered: ['a.x.blog.org not-looked', 'blog.org elsewhere'],
    },
    'not where that zone is none of ours any more',
  )
  const nested = threeNodes().domain('shop.com').domain('eu.shop.com', 'a.b.eu.shop.com')
  t.same(
    listed(nested, { facts: { 'shop.com': 'delegated', 'eu.shop.com': 'delegated' } }).wanted,
    [
      'eu.shop.com: *.eu.shop.com *.ns.eu.shop.com a.b.eu.shop.com eu.shop.com [dns-01]',
      'shop.com: *.ns.shop.com *.shop.com shop.com [dns-01]',
    ],
    'the deepest zone has it',
  )
})

t.test('what was written into the zone is not overrun', async (t) => {
  const state = () => threeNodes().domain('shop.com', 'a.b.shop.com', 'www.shop.com')
  const facts = { 'shop.com': 'delegated' } as const
  t.same(
    listed(state().record('shop.com', 'b', 'NS', 'ns1.else.net.'), { facts }),
    { wanted: ['shop.com: *.ns.shop.com *.shop.com shop.com [dns-01]'], uncovered: ['a.b.shop.com not-looked'] },
    'below a cut others answer',
  )
  t.same(
    listed(state().record('shop.com', 'b', 'NS', 'ns1.else.net.'), { facts: { ...facts, 'a.b.shop.com': 'ours' } })
      .wanted,
    ['a.b.shop.com: a.b.shop.com [http-01]', 'shop.com: *.ns.shop.com *.shop.com shop.com [dns-01]'],
    'unless they say that it is here',
  )
  t.same(
    listed(state().record('shop.com', '_acme-challenge.a.b', 'CNAME', 'x.else.net.'), { facts }).wanted,
    ['a.b.shop.com: a.b.shop.com [http-01]', 'shop.com: *.ns.shop.com *.shop.com shop.com [dns-01]'],
    'a CNAME elsewhere: over HTTP',
  )
  t.same(listed(state().record('shop.com', '_acme-challenge', 'CNAME', 'x.else.net.'), { facts }), {
    wanted: ['shop.com: *.ns.shop.com a.b.shop.com shop.com www.shop.com [dns-01,http-01]'],
    uncovered: ['*.shop.com elsewhere'],
  })
  t.same(
    listed(state().record('shop.com', '_acme-challenge.b', 'NS', 'ns1.else.net.'), { facts }).wanted,
    ['shop.com: *.ns.shop.com *.shop.com a.b.shop.com shop.com [dns-01]'],
    'a cut that is none of its names',
  )
  t.same(
    listed(state().record('shop.com', '_acme-challenge', 'TXT', '"mine"'), { facts }).wanted,
    ['shop.com: *.ns.shop.com *.shop.com a.b.shop.com shop.com [dns-01]'],
    'TXT records stand beside ours',
  )
  t.same(
    listed(state().record('shop.com', 'b', 'DNAME', 'else.net.'), { facts }).wanted.at(-1),
    'shop.com: *.ns.shop.com *.shop.com shop.com [dns-01]',
    'a DNAME leads away',
  )
})

t.test('names that mean something else everywhere', async (t) => {
  const state = threeNodes()
    .domain('dev.localhost')
    .domain('a.test')
    .domain('x.internal', 'y.local')
    .domain('2.0.192.in-addr.arpa')
  t.same(listed(state), {
    wanted: [],
    uncovered: ['2.0.192.in-addr.arpa', 'a.test', 'dev.localhost', 'x.internal', 'y.local'].map(
      (name) => `${name} not-public`,
    ),
  })
})

t.test('a look-up that failed takes nothing away that a certificate has', async (t) => {
  const state = threeNodes().domain('shop.com', 'a.b.shop.com', 'c.d.shop.com').domain('blog.org', 'www.blog.org')
  const held = [heldFor(['shop.com', '*.shop.com', 'a.b.shop.com']), heldFor(['blog.org', 'www.blog.org'])]
  for (const facts of [{}, { 'shop.com': 'unknown', 'blog.org': 'unknown', 'www.blog.org': 'unknown' }] as const)
    t.same(listed(state, { held, facts }), {
      wanted: ['blog.org: blog.org www.blog.org [http-01]', 'shop.com: *.shop.com a.b.shop.com shop.com [dns-01]'],
      uncovered: ['*.ns.shop.com unknown', 'c.d.shop.com unknown'],
    })
  const old = { pointing: 'elsewhere', foundMs: NOW - 2 * DAY } as const
  t.same(
    listed(state, { held, facts: { 'blog.org': 'ours', 'www.blog.org': old } }).wanted[0],
    'blog.org: blog.org www.blog.org [http-01]',
  )
  t.same(
    listed(state, { held, facts: { 'blog.org': 'ours', 'www.blog.org': 'elsewhere' } }).wanted[0],
    'blog.org: blog.org [http-01]',
    'what was seen just now does',
  )
  const unseen = { pointing: 'ours', caa: undefined } as const
  t.same(
    listed(state, { held, facts: { 'blog.org': unseen, 'www.blog.org': 'ours' } }).wanted[0],
    'blog.org: blog.org www.blog.org [http-01]',
  )
  t.same(
    listed(state, { facts: { 'blog.org': unseen, 'www.blog.org': 'ours' } }).uncovered.includes('blog.org unknown'),
    true,
    'an authority would refuse',
  )
})

t.test('nobody has looked yet: an alias waits until it is known which certificate it goes into', async (t) => {
  const state = threeNodes().domain('blog.org', 'www.blog.org')
  t.same(listed(state, { facts: { 'www.blog.org': 'ours' } }), {
    wanted: [],
    uncovered: ['blog.org not-looked', 'www.blog.org not-looked'],
  })
  t.same(listed(state, { facts: { 'www.blog.org': 'ours', 'blog.org': 'unknown' } }).wanted, [
    'www.blog.org: www.blog.org [http-01]',
  ])
})

t.test('CAA: found, or written into our zone', async (t) => {
  const blog = threeNodes().domain('blog.org', 'www.blog.org')
  const caa = { issue: ['other.example'], issueWild: [], critical: false, at: host('blog.org') }
  const directories = ['https://acme-v02.api.letsencrypt.org/directory']
  t.same(listed(blog, { directories, facts: { 'blog.org': 'ours', 'www.blog.org': { pointing: 'ours', caa } } }), {
    wanted: ['blog.org: blog.org [http-01]'],
    uncovered: ['www.blog.org caa'],
  })
  const facts = { 'shop.com': { pointing: 'delegated', caa } } as const
  const shop = () => threeNodes().domain('shop.com', 'www.shop.com', 'a.b.shop.com')
  t.same(
    listed(shop(), { directories, facts }).wanted.length,
    1,
    'ours name our authorities, whatever a resolver remembers',
  )
  t.same(
    listed(shop().record('shop.com', '@', 'CAA', '0 issue "letsencrypt.org"', '0 issuewild ";"'), {
      directories,
      facts,
    }),
    {
      wanted: ['shop.com: a.b.shop.com shop.com www.shop.com [dns-01]'],
      uncovered: ['*.ns.shop.com caa', '*.shop.com caa'],
    },
    'no wildcards: the hosts by their names',
  )
  t.same(
    listed(shop().record('shop.com', 'a.b', 'CAA', '0 issue ";"'), { directories, facts }),
    { wanted: ['shop.com: *.ns.shop.com *.shop.com shop.com [dns-01]'], uncovered: ['a.b.shop.com caa'] },
    'at one name alone',
  )
  const [refused] = listWanted(
    viewOf(shop().record('shop.com', 'a.b', 'CAA', '0 issue ";"'), { directories, facts }),
  ).uncovered
  t.match(refused?.reason, /CAA records at a\.b\.shop\.com do not let letsencrypt\.org issue.*0 issue/)
})

t.test('an imported certificate is kept while it lasts; what it lacks stands beside it', async (t) => {
  const state = threeNodes().domain('shop.com')
  const { directory: _, ...imported } = heldFor(['shop.com', 'www.shop.com'])
  const facts = { 'shop.com': 'delegated' } as const
  t.same(listed(state, { facts, held: [imported] }).wanted, ['*.ns.shop.com: *.ns.shop.com *.shop.com [dns-01]'])
  t.same(
    listed(state, { facts, held: [imported], nowMs: NOW + 80 * DAY }).wanted,
    ['shop.com: *.ns.shop.com *.shop.com shop.com [dns-01]'],
    'taken over before it ends',
  )
})

t.test('at most a hundred names in one; one name more changes few', async (t) => {
  const names = (count: number) => Array.from({ length: count }, (_, i) => `h${i}.x.shop.com`)
  const wantedFor = (count: number) =>
    listWanted(viewOf(threeNodes().domain('shop.com', ...names(count)), { facts: { 'shop.com': 'delegated' } })).wanted
  t.equal(wantedFor(97).length, 1)
  for (const count of [98, 150, 400]) {
    const wanted = wantedFor(count)
    t.ok(wanted.length > 1 && wanted.every((one) => one.names.length <= 100), `${count} names in ${wanted.length}`)
    t.same(wanted.flatMap((one) => one.names).length, count + 3, 'each name once')
    t.same(new Set(wanted.map(({ name }) => name)).size, wanted.length, 'each by a name of its own')
    t.ok(wanted.every((one) => one.names.includes(one.name) && [...one.ways.keys()].length > 0))
    const more = wantedFor(count + 1)
    const sets = new Set(wanted.map((one) => one.names.join()))
    t.ok(more.filter((one) => !sets.has(one.names.join())).length <= 2, 'one alias more')
  }
})

for (const seed of seeds(60)) {
  t.test(`whatever is asked for and found out, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const state = threeNodes()
    const apexes = ['shop.com', 'blog.org', 'eu.shop.com', 'a.test']
    const pool = [
      'www.shop.com',
      'a.b.shop.com',
      'x.eu.shop.com',
      'www.blog.org',
      'alone.net',
      'y.local',
      'd.e.blog.org',
    ]
    for (const apex of apexes.filter(() => random.chance(0.7))) {
      state.domain(apex, ...pool.filter(() => random.chance(0.4)))
      for (const name of ['@', 'b', '_acme-challenge', '_acme-challenge.www'])
        if (random.chance(0.2))
          state.record(apex, name, random.pick(['NS', 'CNAME', 'TXT', 'DNAME', 'A']), 'x.else.net.')
    }
    const facts = Object.fromEntries(
      [...apexes, ...pool].flatMap((name) =>
        random.chance(0.8) ? [[name, random.pick(['delegated', 'ours', 'elsewhere', 'unknown'] as const)]] : [],
      ),
    )
    const held = [heldFor(['shop.com', '*.shop.com'])].filter(() => random.chance(0.5))
    const view = viewOf(state, { facts, held })
    const { wanted, uncovered } = listWanted(view)
    t.same(listWanted(view), { wanted, uncovered }, 'the same again')
    const names = wanted.flatMap((one) => one.names)
    t.same(new Set(names).size, names.length, 'no name twice')
    t.ok(wanted.every((one) => one.names.length > 0 && one.names.join() === [...one.names].sort().join()))
    for (const one of wanted)
      for (const name of one.names) {
        const way = one.ways.get(host(name.replace(/^\*\./, '')))
        t.ok(way !== undefined && (!name.startsWith('*.') || way === 'dns-01'), `${name} by ${way}`)
      }
    t.notOk(names.some((name) => /\.(test|local)$/.test(name)))
    const aliases = state
      .ids('domain')
      .flatMap((id) => [id, ...state.scope(`domain/${id}`).flatMap(({ key }) => key.split('/alias/')[1] ?? [])])
    const out = new Set<string>(uncovered.map(({ name }) => name))
    const all = new Set<string>(names)
    for (const alias of aliases)
      t.ok(
        all.has(alias) || all.has(`*${alias.slice(alias.indexOf('.'))}`) || out.has(alias),
        `${alias} is got, or it is said why not`,
      )
    t.notOk(
      names.some((name) => out.has(name)),
      'not both',
    )
  })
}

t.test('the order in which things were said makes no difference', async (t) => {
  const changes: Change[] = ['x.shop.com', 'alone.net', 'a.b.shop.com'].map((alias) => ({
    kind: 'alias.set',
    domain: host('shop.com'),
    host: host(alias),
  }))
  const facts = { 'shop.com': 'delegated', 'alone.net': 'ours' } as const
  const said = (order: readonly Change[]) => listed(threeNodes().domain('shop.com').say(order), { facts })
  t.same(said(changes), said([...changes].reverse()))
})
