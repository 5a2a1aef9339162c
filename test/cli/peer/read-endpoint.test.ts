import { isIP } from 'node:net'
import t from 'tap'
import { readPeerEndpoint, splitEndpoint, WIREGUARD_PORT } from '../../../cli/peer/read-endpoint.ts'
import { type ClusterId, meshPrefix, readChange } from '../../../core/index.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { testKey } from '../support/test-cluster.ts'

const cluster = testKey(9).key as string as ClusterId
const read = (text: string) => readPeerEndpoint(text, cluster)
const inMesh = meshPrefix(cluster).replace('::/48', '::7')

t.test('what is typed, and what is kept of it', async (t) => {
  const cases: [string, string | null][] = [
    ['none', null],
    ['NONE', null],
    ['vpn.example.com', `vpn.example.com:${WIREGUARD_PORT}`],
    ['VPN.Example.com.:4500', 'vpn.example.com:4500'],
    ['203.0.113.9', `203.0.113.9:${WIREGUARD_PORT}`],
    ['203.0.113.9:65535', '203.0.113.9:65535'],
    ['2001:db8::7', `[2001:db8::7]:${WIREGUARD_PORT}`],
    ['[2001:DB8:0:0::0007]', `[2001:db8::7]:${WIREGUARD_PORT}`],
    ['[2001:db8::7]:1', '[2001:db8::7]:1'],
    ['2001:db8::7:1', `[2001:db8::7:1]:${WIREGUARD_PORT}`],
    ['10.1.2.3:51820', '10.1.2.3:51820'],
  ]
  for (const [text, endpoint] of cases) t.equal(read(text), endpoint, text)
})

t.test('what cannot be an endpoint of another machine', async (t) => {
  const bad = [
    '',
    ':51820',
    'vpn.example.com:',
    'vpn.example.com:0',
    'vpn.example.com:65536',
    'vpn.example.com:+1',
    'vpn.example.com:51820:1',
    'vpn.example.com:51820\nPostUp = x',
    'https://vpn.example.com',
    'office',
    'vpn_1.example.com',
    '1.2.3',
    '256.1.1.1',
    '0.0.0.0',
    '127.0.0.1',
    '169.254.1.1',
    '224.0.0.1',
    '255.255.255.255:51820',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    'fe80::1',
    'fe80::1%eth0',
    '[fe80::1%eth0]:51820',
    'ff02::1',
    '[203.0.113.9]:51820',
    '[vpn.example.com]',
    '[2001:db8::7]51820',
    '[2001:db8::7',
    inMesh,
    `[${inMesh}]:51880`,
  ]
  for (const text of bad)
    t.throws(() => read(text), { code: 'MAKI_USAGE', hint: /--endpoint vpn\.example\.com/ }, JSON.stringify(text))
})

for (const seed of seeds(40)) {
  t.test(`whatever is taken stands in an operation, and is read back as it is (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    let taken = 0
    for (let i = 0; i < 300; i++) {
      const text = randomText(random)
      let endpoint: string | null
      try {
        endpoint = read(text)
      } catch (error) {
        t.match(error, { code: 'MAKI_USAGE' })
        continue
      }
      if (endpoint === null) continue
      taken++
      const change = { kind: 'peer.set', name: 'x', publicKey: `${'A'.repeat(42)}8=`, endpoint, address: 'fd00::7' }
      if ('fault' in readChange(change)) t.fail(`${JSON.stringify(text)} became ${endpoint}`)
      if (read(endpoint) !== endpoint) t.fail(`${endpoint} is read as ${read(endpoint)}`)
      const { host, port } = splitEndpoint(endpoint)
      if (`${isIP(host) === 6 ? `[${host}]` : host}:${port}` !== endpoint) t.fail(`${endpoint} is split wrongly`)
    }
    t.ok(taken > 10, `${taken} were taken`)
  })
}

/** Endpoints, and such with something wrong somewhere. */
function randomText(random: Random): string {
  const group = () => random.integer(0x10000).toString(16)
  const hosts = [
    () => Array.from({ length: 4 }, () => random.integer(256)).join('.'),
    () => `[${Array.from({ length: 8 }, group).join(':')}]`,
    () => `${group()}:${group()}::${group()}`,
    () => random.pick(['vpn.example.com', 'a.b', 'xn--e1afmkfd.example', 'none']),
  ]
  const port = random.pick(['', '', `:${random.integer(70_000)}`])
  const text = random.pick(hosts)() + port
  if (random.chance(0.7)) return text
  const at = random.integer(text.length + 1)
  return (
    text.slice(0, at) +
    random.pick([':', '.', '[', ']', '%', ' ', '\n', '0', 'g', '']) +
    text.slice(at + random.integer(2))
  )
}
