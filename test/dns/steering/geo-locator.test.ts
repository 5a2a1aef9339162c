import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { NodeName } from '../../../core/index.ts'
import {
  type ClientSubnet,
  countryCenters,
  findNetwork,
  GeoDatabase,
  GeoLocator,
  type Located,
  type Network,
  type PlaceRule,
} from '../../../dns/index.ts'
import { type MmdbOptions, type MmdbValue, writeMmdb } from '../../support/mmdb.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'

const folder = t.testdir()
let files = 0

async function open(entries: Record<string, MmdbValue>, options?: MmdbOptions): Promise<GeoDatabase> {
  const file = join(folder, `${++files}.mmdb`)
  writeFileSync(file, writeMmdb(entries, options))
  return await GeoDatabase.open(file)
}

const city = (latitude: number, longitude: number): MmdbValue => ({ location: { latitude, longitude } })
const network = (cidr: string): Network => findNetwork(cidr) as Network

const subnetOf = (cidr: string): ClientSubnet => {
  const [address = '', bits] = cidr.split('/')
  const mapped = address.startsWith('::ffff:')
  const octets = mapped
    ? Uint8Array.from([...new Array<number>(10).fill(0), 255, 255, ...network(address.slice(7)).octets])
    : network(address).octets
  return { family: octets.length === 4 ? 'ipv4' : 'ipv6', sourcePrefix: Number(bits), address: octets }
}

const asker = (address: string) => ({ address, transport: 'udp' }) as const
const rule = (cidr: string, target: PlaceRule['target']): PlaceRule => ({ network: network(cidr), target })
const nobody = {
  database: undefined,
  rules: [],
  nodePlaces: new Map<NodeName, { latitude: number; longitude: number }>(),
}

t.test('the subnet, else the resolver; a subnet of length 0 is not looked at', async (t) => {
  const database = await open({ '5.0.0.0/8': city(10, 20), '6.1.0.0/16': city(30, 40), '2a00::/16': city(50, 60) })
  const locator = new GeoLocator({ ...nobody, database })
  const locate = (address: string, subnet?: string) =>
    locator.locate(asker(address), subnet === undefined ? undefined : subnetOf(subnet))
  t.match(locate('5.1.1.1'), {
    place: { latitude: 10, longitude: 20 },
    by: 'resolver',
    source: 'database',
    scopePrefix: 0,
  })
  t.match(locate('5.1.1.1', '6.1.2.0/24'), { place: { latitude: 30 }, by: 'subnet', scopePrefix: 16 })
  t.match(locate('5.1.1.1', '2a00:1::/48'), { place: { latitude: 50 }, by: 'subnet', scopePrefix: 32 })
  t.match(locate('5.1.1.1', '6.1.2.0/0'), { place: { latitude: 10 }, by: 'resolver', scopePrefix: 0 })
  t.match(
    locate('5.1.1.1', '10.1.2.0/24'),
    { place: { latitude: 10 }, by: 'resolver' },
    'a private subnet says nothing',
  )
  t.match(locate('127.0.0.1', '10.1.2.0/24'), { place: undefined, by: 'subnet', source: 'unknown', scopePrefix: 24 })
  t.match(
    locate('127.0.0.1', '::ffff:6.1.2.0/120'),
    { place: { latitude: 30 }, scopePrefix: 112 },
    'told in its own family',
  )
  t.match(locate('::ffff:6.1.2.3'), { place: { latitude: 30 } })
  t.match(locate('what is this'), { place: undefined })
})

t.test('rules of the owner come first, the most specific of them', async (t) => {
  const database = await open({ '5.0.0.0/8': city(10, 20) })
  const rules = [
    rule('5.5.0.0/16', { kind: 'place', place: { latitude: 1, longitude: 2 } }),
    rule('5.5.5.0/24', { kind: 'country', country: 'DE' }),
    rule('5.6.0.0/16', { kind: 'node', node: 'ams' as NodeName }),
    rule('5.7.0.0/16', { kind: 'node', node: 'gone' as NodeName }),
    rule('192.168.0.0/16', { kind: 'place', place: { latitude: 3, longitude: 4 } }),
    rule('5.8.8.8/32', { kind: 'place', place: { latitude: 5, longitude: 6 } }),
  ]
  const nodePlaces = new Map([['ams' as NodeName, { latitude: 52, longitude: 5 }]])
  const locator = new GeoLocator({ database, rules, nodePlaces })
  const locate = (subnet: string) => locator.locate(asker('127.0.0.1'), subnetOf(subnet))
  t.match(locate('5.5.1.0/24'), { place: { latitude: 1, longitude: 2 }, source: 'override', scopePrefix: 22 })
  t.match(locate('5.5.5.0/24'), { place: countryCenters.get('DE'), country: 'DE', source: 'override', scopePrefix: 24 })
  t.match(locate('5.6.7.0/24'), { place: { latitude: 52 }, source: 'override', scopePrefix: 16 })
  t.match(locate('5.7.7.0/24'), { place: { latitude: 10 }, source: 'database' }, 'a node that is not there')
  t.match(locate('192.168.7.0/24'), { place: { latitude: 3 }, source: 'override' })
  t.match(
    locate('5.8.8.0/24'),
    { place: { latitude: 10 }, scopePrefix: 25 },
    'a rule for one address is not for its neighbours',
  )
  t.match(locate('5.8.8.8/32'), { place: { latitude: 5 }, scopePrefix: 32 })
})

const key = ({ place, spread, scopePrefix }: Located) => JSON.stringify([place, spread, scopePrefix])

/** Any address that shares the first `bits` bits. */
function neighbour(random: Random, octets: Uint8Array, bits: number): Uint8Array {
  return octets.map((octet, i) => {
    const kept = Math.min(8, Math.max(0, bits - i * 8))
    const mask = (0xff << (8 - kept)) & 0xff
    return (octet & mask) | (random.integer(256) & ~mask & 0xff)
  })
}

function randomCidr(random: Random, ipv4: boolean, most: number): string {
  const bits = 1 + random.integer(most)
  const octets = neighbour(random, new Uint8Array(ipv4 ? 4 : 16), 0)
  const cut = octets.map((octet, i) => octet & (0xff << (8 - Math.min(8, Math.max(0, bits - i * 8)))))
  if (ipv4) return `${cut.join('.')}/${bits}`
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((cut[i * 2] as number) << 8) | (cut[i * 2 + 1] as number)).toString(16),
  )
  return `${groups.join(':')}/${bits}`
}

const bitsOf = (cidr: string) => Number(cidr.split('/')[1])

for (const seed of seeds(30)) {
  t.test(`what holds for an address holds for all of its scope, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    // Wider networks first: those inside them come after.
    const cidrs = (count: number) =>
      [
        ...Array.from({ length: count }, () => randomCidr(random, true, 32)),
        ...Array.from({ length: count }, () => `2${randomCidr(random, false, 60).slice(1)}`),
      ]
        .filter((cidr) => findNetwork(cidr) !== undefined)
        .sort((a, b) => bitsOf(a) - bitsOf(b))
    const entries = Object.fromEntries(
      cidrs(60).map((cidr, i) => [cidr, random.chance(0.2) ? { other: i } : city(i % 90, i)]),
    )
    const database = await open({ '9.9.9.9/32': city(1, 1), ...entries }, { recordSize: random.pick([24, 28, 32]) })
    const rules = cidrs(20).map((cidr, i) => rule(cidr, { kind: 'place', place: { latitude: -i, longitude: i } }))
    const locator = new GeoLocator({ ...nobody, database, rules })
    const wrong: unknown[] = []
    for (let i = 0; i < 300; i++) {
      const ipv4 = random.chance(0.5)
      const inside = random.chance(0.7)
        ? random.pick([...Object.keys(entries), ...rules.map(() => '1.0.0.0/8')])
        : '0.0.0.0/0'
      const base = network(inside)
      const isFamily = (base.octets.length === 4) === ipv4
      const octets = isFamily ? neighbour(random, base.octets, base.bits) : random.bytes(ipv4 ? 4 : 16)
      const family = ipv4 ? 'ipv4' : 'ipv6'
      const full = octets.length * 8
      const resolver = asker(random.pick(['127.0.0.1', '5.5.5.5']))
      const located = locator.locate(resolver, { family, sourcePrefix: full, address: octets })
      const other = neighbour(random, octets, located.scopePrefix)
      // However much of it a resolver tells, as long as it tells what the scope says.
      const sourcePrefix = located.scopePrefix + random.integer(full - located.scopePrefix + 1)
      const address = other.map((octet, at) => octet & (0xff << (8 - Math.min(8, Math.max(0, sourcePrefix - at * 8)))))
      const again = locator.locate(resolver, { family, sourcePrefix, address })
      if (key(again) !== key(located)) wrong.push({ octets, address, sourcePrefix, located, again })
    }
    t.strictSame(wrong, [])
  })
}
