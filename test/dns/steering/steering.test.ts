import t from 'tap'
import type { MemberKey, NodeName, NodeStanding, NodeView } from '../../../core/index.ts'
import { type Located, Steering } from '../../../dns/index.ts'
import { type City, cities, layouts, vincentyKm } from '../../support/cities.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const up: NodeStanding = { ipv4: 'up', ipv6: 'up', behind: false }

function node(number: number, parts: Partial<NodeView> = {}): NodeView {
  return {
    key: `node-key-${number}` as MemberKey,
    name: `n${number}` as NodeName,
    ipv4: `192.0.2.${number + 1}`,
    ipv6: `2001:db8::${(number + 1).toString(16)}`,
    place: null,
    nameserver: false,
    drained: false,
    schema: 3,
    mesh: null,
    ...parts,
  }
}

const at = (place: City | undefined, spread = 0): Located => ({
  place: place && { latitude: place.latitude, longitude: place.longitude },
  spread,
  scopePrefix: 24,
  by: 'subnet',
  source: place === undefined ? 'unknown' : 'database',
})

const namesOf = (steering: Steering, located: Located, family: 'ipv4' | 'ipv6' = 'ipv4') =>
  steering.choose(family, located).chosen.map((candidate) => candidate.node.name)

t.test('the nearest nodes, nearest first: 200 cities, 10 layouts, against a formula of its own', async (t) => {
  for (const [i, layout] of layouts.entries()) {
    const nodes = layout.map((city, number) =>
      node(number, { place: { latitude: city.latitude, longitude: city.longitude } }),
    )
    for (const answers of [1, 3]) {
      const steering = new Steering(nodes, new Map(), answers)
      const wrong = cities.filter((city) => {
        const { chosen, others } = steering.choose('ipv4', at(city))
        const expected = layout.map((place) => vincentyKm(city, place)).sort((a, b) => a - b)
        const got = [...chosen, ...others].map((candidate) => candidate.distanceKm as number)
        const isFar = got.some((km, rank) => Math.abs(km - (expected[rank] as number)) > 0.01)
        return isFar || got.length !== expected.length || chosen.length !== Math.min(answers, layout.length)
      })
      t.strictSame(wrong, [], `layout ${i}, ${answers} answers`)
    }
  }
})

t.test('the best tier that has an address is chosen from, and no other', async (t) => {
  const tiers: readonly (readonly [string, Partial<NodeView>, NodeStanding])[] = [
    ['ready', {}, up],
    ['held', {}, { ...up, ipv4: 'held' }],
    ['behind', {}, { ...up, behind: true }],
    ['drained', { drained: true }, up],
    ['down', {}, { ...up, ipv4: 'down' }],
  ]
  // The best is the farthest, so that distance alone would choose wrongly.
  const nodes = tiers.map(([, parts], i) => node(i, { ...parts, place: { latitude: 0, longitude: 100 - 20 * i } }))
  for (const [first, [name]] of tiers.entries()) {
    const some = nodes.slice(first)
    const standings = new Map(some.map((view, i) => [view.key, (tiers[first + i] as (typeof tiers)[0])[2]]))
    const choice = new Steering(some, standings, 3).choose('ipv4', at({ name: 'x', latitude: 0, longitude: 0 }))
    t.strictSame(
      choice.chosen.map(({ readiness }) => readiness),
      [name],
      `only ${name} ones`,
    )
    t.strictSame(
      choice.others.map(({ why }) => why),
      tiers.slice(first + 1).map(([why]) => why),
    )
  }
  t.strictSame(namesOf(new Steering([node(1, { drained: true })], new Map(), 1), at(undefined)), ['n1'], 'never nobody')
})

t.test('of several reasons the worst counts', async (t) => {
  const readiness = (parts: Partial<NodeView>, standing: NodeStanding) =>
    new Steering([node(0, parts)], new Map([[node(0).key, standing]]), 1).choose('ipv4', at(undefined)).chosen[0]
      ?.readiness
  t.equal(readiness({ drained: true }, { ...up, ipv4: 'down' }), 'down')
  t.equal(readiness({ drained: true }, { ...up, behind: true }), 'drained')
  t.equal(readiness({}, { ...up, ipv4: 'held', behind: true }), 'behind')
  t.equal(readiness({}, { ...up, ipv6: 'down' }), 'ready', 'each family for itself')
})

t.test('families, addresses that two share, and nodes without a place', async (t) => {
  const here = { latitude: 50, longitude: 10 }
  const far = { latitude: -30, longitude: 150 }
  const client = at({ name: 'here', ...here })
  const nodes = [
    node(0, { place: here, ipv6: null }),
    node(1, { place: here, ipv4: '192.0.2.1' }),
    node(2, { place: null }),
    node(3, { place: far }),
    node(4, { place: here, ipv4: null, ipv6: 'fe80::1%eth0' }),
  ]
  const steering = new Steering(nodes, new Map(), 4)
  const v4 = steering.choose('ipv4', client)
  t.strictSame(new Set(v4.chosen.map(({ node: { name } }) => name)).size, 3, 'an address once')
  t.strictSame(
    v4.chosen.slice(-2).map(({ node: { name } }) => name),
    ['n3', 'n2'],
    'the unknown after the farthest',
  )
  t.strictSame(
    v4.others.map(({ why }) => why),
    ['same-address'],
  )
  t.strictSame(namesOf(steering, client, 'ipv6'), ['n1', 'n3', 'n2'])
  t.strictSame(namesOf(Steering.empty, client), [])
  const spellings = ['2001:db8:0:0::1', '2001:DB8::1'].map((ipv6, i) => node(i, { place: here, ipv6 }))
  t.equal(new Steering(spellings, new Map(), 2).choose('ipv6', client).chosen.length, 1, 'in another spelling too')
  const one = new Steering(nodes, new Map(), 1).choose('ipv6', client)
  t.strictSame(
    one.others.map(({ why }) => why),
    ['farther', 'place-unknown'],
  )
})

t.test('whose place is unknown is spread evenly, and equal networks alike', async (t) => {
  const nodes = Array.from({ length: 7 }, (_, i) =>
    node(i, i % 2 === 0 ? { place: { latitude: i, longitude: i } } : {}),
  )
  const steering = new Steering(nodes, new Map(), 1)
  const draws = 7000
  const counts = new Map<string, number>()
  for (let i = 0; i < draws; i++) {
    const [name = ''] = namesOf(steering, at(undefined, i / draws))
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  for (const { name } of nodes) {
    // Six standard deviations of a binomial with p = 1/7.
    t.ok(Math.abs((counts.get(name) ?? 0) - 1000) < 6 * Math.sqrt((draws * 6) / 49), `${name}: ${counts.get(name)}`)
  }
})

t.test('nodes at one place share what comes to it', async (t) => {
  const place = { latitude: 52.4, longitude: 4.9 }
  const steering = new Steering([node(0, { place }), node(1, { place })], new Map(), 1)
  const drawn = Array.from({ length: 1000 }, (_, i) => namesOf(steering, at(cities[i % 200], i / 1000))[0])
  const first = drawn.filter((name) => name === 'n0').length
  t.ok(first > 400 && first < 600, String(first))
})

for (const seed of seeds(20)) {
  t.test(`a node that comes takes only for itself, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const nodes = random.shuffle(Array.from({ length: 2 + random.integer(20) }, (_, i) => node(i)))
    const before = new Steering(nodes.slice(1), new Map(), 1)
    const after = new Steering(nodes, new Map(), 1)
    let moved = 0
    for (let i = 0; i < 500; i++) {
      const located = at(undefined, random.next())
      const [was] = namesOf(before, located)
      const [is] = namesOf(after, located)
      if (was === is) continue
      moved++
      if (is !== nodes[0]?.name) t.fail(`${was} became ${is}`)
    }
    t.ok(moved < (500 / nodes.length) * 2.5 + 30, `${moved} moved among ${nodes.length}`)
  })
}
