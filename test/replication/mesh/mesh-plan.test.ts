import t from 'tap'
import { type Change, meshAddress, meshNetwork, meshPrefix, type NodeName } from '../../../core/index.ts'
import { holdsAddress } from '../../../replication/mesh/mesh-endpoint.ts'
import { buildMeshPlan } from '../../../replication/mesh/mesh-plan.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { cluster } from '../chain.ts'
import { joinMesh, memberAt, meshKey, stateOf } from './mesh-states.ts'

const { id } = cluster
const port = 51880
const self = { key: memberAt(0), publicKey: meshKey(0), port }
const own = joinMesh(0, { publicKey: meshKey(0), port }, { ipv4: '198.51.100.1' })

const peerAt = (number: number, changes: Partial<Extract<Change, { kind: 'peer.set' }>> = {}): Change => ({
  kind: 'peer.set',
  name: `peer-${number}` as NodeName,
  publicKey: meshKey(40 + number),
  endpoint: null,
  address: meshAddress(id, meshKey(40 + number), 'peers'),
  ...changes,
})

t.test('a node is reached at its endpoint, else at its public addresses, IPv6 first', async (t) => {
  const addresses = { ipv4: '198.51.100.2', ipv6: '2001:DB8:0::2' }
  const candidates = (changes: readonly Change[]) =>
    buildMeshPlan(stateOf([own, ...changes]), self, id).peers[0]?.candidates
  const mesh = { publicKey: meshKey(1), port: 5000 }
  t.strictSame(candidates([joinMesh(1, mesh, addresses)]), [
    { host: '2001:db8::2', port: 5000 },
    { host: '198.51.100.2', port: 5000 },
  ])
  t.strictSame(candidates([joinMesh(1, { ...mesh, endpoint: 'Home.Example:7000' }, addresses)]), [
    { host: 'home.example', port: 7000 },
  ])
  t.strictSame(candidates([joinMesh(1, { ...mesh, endpoint: null }, addresses)]), [], 'it begins itself')
})

t.test('nothing is sent to this host, a link, or into the mesh itself', async (t) => {
  const bad = [
    '127.0.0.1:53',
    '[::1]:53',
    '169.254.169.254:80',
    '[fe80::1]:1',
    `[${meshAddress(id, meshKey(9))}]:51880`,
  ]
  for (const endpoint of bad) {
    const state = stateOf([own, joinMesh(1, { publicKey: meshKey(1), port, endpoint })])
    t.strictSame(buildMeshPlan(state, self, id).peers[0]?.candidates, [], endpoint)
  }
})

t.test('who says nothing is left out and named, as is what nobody can carry out', async (t) => {
  const outside = meshAddress(id, meshKey(44))
  const state = stateOf([
    own,
    joinMesh(1, undefined, { ipv4: '198.51.100.2' }),
    joinMesh(2, { publicKey: meshKey(0), port }),
    peerAt(1),
    peerAt(2, { address: outside }),
    peerAt(3, { publicKey: meshKey(41) }),
  ])
  const plan = buildMeshPlan(state, self, id)
  t.strictSame(
    plan.peers.map(({ name, kind }) => [name, kind]),
    [['peer-1', 'peer']],
  )
  t.strictSame(plan.faults.map(({ name }) => name).sort(), ['node-1', 'node-2', 'peer-2', 'peer-3'])
  t.match(plan.faults.find(({ name }) => name === 'node-2')?.fault, /key of this node/)
  t.match(plan.faults.find(({ name }) => name === 'peer-2')?.fault, /is not in fd/)
  t.match(plan.faults.find(({ name }) => name === 'peer-3')?.fault, /key of peer-1/)
})

t.test(
  'peers of the configuration are there until this node has joined, and no way back for one that was removed',
  async (t) => {
    const bootstrap = [{ publicKey: meshKey(1), endpoint: 'b.example:51880', address: meshAddress(id, meshKey(1)) }]
    const before = buildMeshPlan(stateOf([]), { ...self, bootstrap }, id)
    t.strictSame(before.peers[0]?.candidates, [{ host: 'b.example', port }])
    const joined = stateOf([own, joinMesh(1, { publicKey: meshKey(1), port }, { ipv4: '198.51.100.2' })])
    const after = buildMeshPlan(joined, { ...self, bootstrap }, id)
    t.strictSame(
      after.peers.map(({ name, candidates }) => [name, candidates[0]?.host]),
      [['node-1', '198.51.100.2']],
    )
    t.strictSame(buildMeshPlan(stateOf([own]), { ...self, bootstrap }, id).peers, [], 'nobody has its key any more')
    const wrong = { ...bootstrap[0], address: 'fd00::1' } as (typeof bootstrap)[0]
    t.match(buildMeshPlan(stateOf([]), { ...self, bootstrap: [wrong] }, id).faults[0]?.fault, /has the address fd/)
  },
)

for (const seed of seeds(150)) {
  t.test(`keys and addresses are nobody's twice, and nobody is forgotten (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const changes = Array.from({ length: 2 + random.integer(10) }, (_, i): Change => {
      const publicKey = meshKey(random.integer(8))
      if (random.chance(0.3))
        return peerAt(i, {
          publicKey,
          address: meshAddress(id, meshKey(random.integer(9)), random.pick(['peers', 'nodes'])),
        })
      return joinMesh(1 + i, random.chance(0.15) ? undefined : { publicKey, port })
    })
    const state = stateOf(random.shuffle([own, ...changes]))
    const plan = buildMeshPlan(state, self, id)
    const all = [self.publicKey, plan.address, ...plan.peers.flatMap(({ publicKey, address }) => [publicKey, address])]
    t.equal(new Set(all).size, all.length, 'each once')
    t.equal(plan.peers.length + plan.faults.length, changes.length, 'a place or a fault')
    for (const { kind, address, publicKey, member } of plan.peers) {
      t.ok(holdsAddress(kind === 'node' ? meshNetwork(id, 'nodes') : plan.peerNetwork, address))
      t.ok(holdsAddress(meshPrefix(id), address))
      if (kind === 'node') t.equal(address, meshAddress(id, publicKey))
      const rivals = changes.filter((one) => one.kind === 'node.join' && one.mesh?.publicKey === publicKey)
      if (kind === 'node') t.equal(member, rivals.map((one) => (one.kind === 'node.join' ? one.key : '')).sort()[0])
      else t.equal(rivals.length, 0, 'a node comes before an external peer')
    }
    const again = buildMeshPlan(stateOf(random.shuffle([own, ...changes])), self, id)
    t.strictSame(again, plan, 'the order does not matter')
  })
}
