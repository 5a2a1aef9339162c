import { createHash } from 'node:crypto'
import { BlockList, isIPv6 } from 'node:net'
import t from 'tap'
import {
  type ClusterId,
  formatWireGuardKey,
  meshAddress,
  meshNetwork,
  meshPrefix,
  type WireGuardKey,
} from '../../../core/index.ts'
import { testSigner } from '../../support/histories.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'

const NETS = ['nodes', 'peers'] as const
const KEYS_PER_SEED = 100

const randomKey = (random: Random): WireGuardKey =>
  formatWireGuardKey(Uint8Array.from({ length: 32 }, () => random.integer(256)))
/** As good as an id: what counts is that two are different. */
const clusterOf = (number: number): ClusterId =>
  createHash('sha256').update(String(number)).digest('hex') as string as ClusterId
/** What the URL standard makes of an address: RFC 5952. */
const canonical = (address: string): string => new URL(`http://[${address}]/`).hostname.slice(1, -1)

/** All eight groups, four digits each. */
function expand(address: string): string {
  const [before = '', after] = address.split('::').map((part) => part.split(':').filter((group) => group !== ''))
  const left = before as readonly string[]
  const right = after ?? []
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0')
  return [...left, ...zeros, ...right].map((group) => group.padStart(4, '0')).join(':')
}

function blockOf(network: string): BlockList {
  const [address = '', length] = network.split('/')
  const block = new BlockList()
  block.addSubnet(address, Number(length), 'ipv6')
  return block
}

for (const seed of seeds(40)) {
  t.test(`addresses of random keys in a random cluster (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const cluster = clusterOf(random.integer(1_000_000))
    const prefix = meshPrefix(cluster)
    t.match(prefix, /^fd[0-9a-f]{2}:.*\/48$/, 'RFC 4193 section 3.2: locally assigned')
    const networks = NETS.map((net) => [net, meshNetwork(cluster, net)] as const)
    for (const text of [prefix, ...networks.map(([, network]) => network)]) {
      const [address = ''] = text.split('/')
      t.equal(address, canonical(address), 'RFC 5952')
      t.ok(blockOf(prefix).check(address, 'ipv6'), `${text} lies in ${prefix}`)
    }
    const blocks = new Map(networks.map(([net, network]) => [net, blockOf(network)]))
    const addresses = new Set<string>()
    for (let i = 0; i < KEYS_PER_SEED; i++) {
      const key = randomKey(random)
      for (const net of NETS) {
        const address = meshAddress(cluster, key, net)
        addresses.add(address)
        const isSound =
          isIPv6(address) &&
          address === canonical(address) &&
          address === meshAddress(cluster, key, net) &&
          NETS.every((other) => blocks.get(other)?.check(address, 'ipv6') === (other === net))
        if (!isSound) t.fail(`${key} in ${net}: ${address}`)
      }
      const [node, peer] = NETS.map((net) => expand(meshAddress(cluster, key, net)).slice(20))
      if (node !== peer) t.fail(`${key} has two interface identifiers`)
      if (meshAddress(cluster, key) !== meshAddress(cluster, key, 'nodes')) t.fail('nodes are what is meant')
    }
    t.equal(addresses.size, KEYS_PER_SEED * NETS.length, 'no two share one')
  })
}

t.test('clusters have networks of their own', async (t) => {
  const prefixes = Array.from({ length: 500 }, (_, number) => meshPrefix(clusterOf(number)))
  t.equal(new Set(prefixes).size, prefixes.length)
})

t.test('runs of zeros are written as RFC 5952 says, wherever they stand', async (t) => {
  // Found by trying: prefixes that end in a group of zero, and keys with one at each place of their identifiers.
  const clusters = [0, 131_892, 160_353].map(clusterOf)
  const keys = [33_294, 5_102, 53_434, 34_836].map((number) => {
    const bytes = Buffer.alloc(32)
    bytes.writeUInt32BE(number)
    return formatWireGuardKey(bytes)
  })
  t.equal(meshPrefix(clusters[1] as ClusterId), 'fd7b:ce40::/48')
  const written = clusters.flatMap((cluster) =>
    NETS.flatMap((net) => [
      ...keys.map((key) => meshAddress(cluster, key, net)),
      meshNetwork(cluster, net).replace(/\/64$/, ''),
    ]),
  )
  for (const address of written) t.equal(address, canonical(address))
  t.match(written, [
    'fdfc:8f92:efd1::a0e1:4c34:5e04',
    'fdfc:8f92:efd1:0:25b:0:9431:5b9e',
    'fdfc:8f92:efd1:0:62be:1707:0:b562',
    'fdfc:8f92:efd1:0:efad:cf50:d753:0',
    'fdfc:8f92:efd1::',
    'fdfc:8f92:efd1:1:0:a0e1:4c34:5e04',
  ])
  t.equal(written[10], 'fd7b:ce40::a0e1:4c34:5e04')
})

/** They are what servers call each other by: an address that changes is a node that nobody reaches. */
t.test('addresses of fixed keys are what they always were', async (t) => {
  const cluster = testSigner(1).key as string as ClusterId
  const key = formatWireGuardKey(Uint8Array.from({ length: 32 }, (_, i) => i))
  t.equal(key, 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=')
  t.equal(cluster, 'noapg35druuufxuf74k374wge4cmt7e2jqixjiw5lohbzwi7imta')
  t.equal(meshPrefix(cluster), 'fd78:3fce:cf1a::/48')
  t.equal(meshNetwork(cluster, 'nodes'), 'fd78:3fce:cf1a::/64')
  t.equal(meshNetwork(cluster, 'peers'), 'fd78:3fce:cf1a:1::/64')
  t.equal(meshAddress(cluster, key), 'fd78:3fce:cf1a:0:575d:b030:ff4a:3a59')
  t.equal(meshAddress(cluster, key, 'peers'), 'fd78:3fce:cf1a:1:575d:b030:ff4a:3a59')
})
