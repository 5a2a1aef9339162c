import t from 'tap'
import type { HealthVerdict } from '../../../edge/index.ts'
import { startTestCluster } from '../support/test-cluster.ts'

const verdict = (basis: HealthVerdict['basis'], service: HealthVerdict['service'] = 'web'): HealthVerdict => ({
  family: 'ipv4',
  service,
  address: '127.0.0.1',
  standing: 'up',
  since: '2026-11-22T10:00:00Z',
  votes: basis === 'nobody' ? { up: 0, down: 0 } : { up: 1, down: 0 },
  basis,
})

t.test('what the others conclude: up is what somebody saw', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  const [one] = cluster.nodes
  const others = async (...health: HealthVerdict[]): Promise<string | undefined> => {
    one!.statusOf = (nodes) => nodes.map((node) => (node.name === 'two' ? { ...node, health } : node))
    const { stdout } = await cluster.maki('health', '--node', 'one')
    return /^two +\S+ +(?:\d+ ms|\S+) +(?:\d+ ms|\S+) +(\S+)/m.exec(stdout)?.[1]
  }
  t.equal(await others(), '-')
  t.equal(await others(verdict('majority')), 'up')
  t.equal(await others(verdict('own eyes'), verdict('nobody', 'dns')), 'up')
  t.equal(await others(verdict('nobody'), verdict('nobody', 'dns')), 'unknown')
  t.equal(await others({ ...verdict('nobody'), standing: 'down', reason: 'remembered' }), 'down')
})

t.test('a file of places that the node cannot read is a finding about that node', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  cluster.nodes[1]!.places = { type: 'City', built: '2026-11-22T10:00:00Z', faults: ['/x.mmdb cannot be used'] }
  t.notMatch(await cluster.maki('health', '--node', 'one'), { stdout: /x\.mmdb/ })
  t.match(await cluster.maki('health', '--node', 'two'), {
    code: 1,
    stdout: /wrong two: where clients are .*: \/x\.mmdb cannot be used\n {2}Correct the file/,
  })
})
