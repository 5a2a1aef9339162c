import t from 'tap'
import { MAX_NODES, planNodes } from '../../../cli/dev/layout.ts'
import { buildNodeConfig } from '../../../cli/dev/node-config.ts'
import type { ClusterId } from '../../../core/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const USAGE = { code: 'MAKI_USAGE' }

t.test('node i serves on port + i - 1; gossip and blobs keep their distance', async (t) => {
  const nodes = planNodes({ nodes: 3, httpPort: 8080, dnsPort: 5300 }, '/data')
  t.strictSame(
    nodes.map(({ name, httpPort, dnsPort, gossipPort, blobsPort }) => [name, httpPort, dnsPort, gossipPort, blobsPort]),
    [
      ['node1', 8080, 5300, 8280, 8380],
      ['node2', 8081, 5301, 8281, 8381],
      ['node3', 8082, 5302, 8282, 8382],
    ],
  )
})

t.test('numbers that leave no room are refused with what to type', async (t) => {
  for (const nodes of [0, -1, 1.5, MAX_NODES + 1, Number.NaN]) {
    t.throws(() => planNodes({ nodes, httpPort: 8080, dnsPort: 5300 }, '/data'), USAGE, `${nodes} nodes`)
  }
  for (const port of [0, -1, 65_536, 80.5, 65_300]) {
    t.throws(() => planNodes({ nodes: 3, httpPort: port, dnsPort: 5300 }, '/data'), USAGE, `HTTP on ${port}`)
  }
  t.throws(() => planNodes({ nodes: 3, httpPort: 8080, dnsPort: 65_534 }, '/data'), USAGE)
  for (const dnsPort of [8080, 8082, 8078, 8280, 8382]) {
    t.throws(() => planNodes({ nodes: 3, httpPort: 8080, dnsPort }, '/data'), USAGE, `DNS on ${dnsPort} overlaps`)
  }
})

for (const seed of seeds(200)) {
  t.test(`whatever is accepted has no TCP port twice and none out of range, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const near = (port: number) => port + random.integer(800) - 400
    const httpPort = near(random.pick([1, 8080, 65_200]))
    const shape = { nodes: 1 + random.integer(MAX_NODES), httpPort, dnsPort: near(httpPort) }
    try {
      const ports = planNodes(shape, '/data').flatMap((n) => [n.httpPort, n.dnsPort, n.gossipPort, n.blobsPort])
      t.equal(new Set(ports).size, ports.length, JSON.stringify(shape))
      t.ok(ports.every((port) => port >= 1 && port <= 65_535))
    } catch (error) {
      t.match(error, USAGE)
    }
  })
}

t.test('a node knows all others, and only them', async (t) => {
  const [first, ...peers] = planNodes({ nodes: 3, httpPort: 8080, dnsPort: 5300 }, '/da"ta')
  if (first === undefined) throw new Error('there is no node')
  const text = buildNodeConfig({ node: first, cluster: 'c'.repeat(52) as ClusterId, control: '/s', peers })
  t.match(text, 'bootstrap = ["127.0.0.1:8281", "127.0.0.1:8282"]')
  t.match(text, String.raw`data_dir = "/da\"ta/node1/data"`)
})
