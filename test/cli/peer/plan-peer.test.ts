import t from 'tap'
import { buildPeerRows } from '../../../cli/peer/peer-rows.ts'
import { type PeerRequest, planPeer } from '../../../cli/peer/plan-peer.ts'
import {
  type Change,
  createOperation,
  Fold,
  formatWireGuardKey,
  listPeers,
  meshAddress,
  meshNetwork,
  type NodeName,
  nextStamp,
  readChange,
  type State,
} from '../../../core/index.ts'
import { createTestCluster, testSigner } from '../../support/histories.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const { id: cluster, operator, creation } = createTestCluster()
const keyOf = (number: number) => formatWireGuardKey(new Uint8Array(32).fill(number + 1))
const network = meshNetwork(cluster, 'peers')
const addressOf = (suffix: string) => network.replace(/::\/64$/, `::${suffix}`)

const join: Change = {
  kind: 'node.join',
  key: testSigner(20).key,
  name: 'berlin' as NodeName,
  addresses: { ipv4: '203.0.113.1', ipv6: null },
  place: null,
  nameserver: true,
  drained: false,
  mesh: { publicKey: keyOf(100), port: 51_880 },
}

/** The state after these changes, one operation each. */
function stateOf(...changes: readonly Change[]): State {
  const fold = new Fold()
  fold.add(creation)
  let head = creation
  for (const change of [join, ...changes]) {
    const stamp = nextStamp(head.stamp.wallMs + 1000, [head.stamp])
    head = createOperation(operator, cluster, { stamp, heads: [head.id], changes: [change] })
    fold.add(head)
  }
  return fold.state
}

const plan = (state: State, request: Partial<PeerRequest>) =>
  planPeer(
    { state, cluster, machines: ['tokyo'] },
    { name: 'office', publicKey: keyOf(1), endpoint: 'vpn.example.com', ...request },
  )

t.test('what a peer gets without being told more', async (t) => {
  const { change, cautions } = plan(stateOf(), { name: 'Office' })
  t.strictSame(change, {
    kind: 'peer.set',
    name: 'office',
    publicKey: keyOf(1),
    endpoint: 'vpn.example.com:51820',
    address: meshAddress(cluster, keyOf(1), 'peers'),
  })
  t.strictSame(cautions, [])
  t.match(plan(stateOf(), { endpoint: '10.0.0.7' }).cautions, [/10\.0\.0\.7 is not public/])
  t.equal(plan(stateOf(), { endpoint: 'none' }).change?.endpoint, null)
  t.equal(plan(stateOf(), { address: addressOf('0A:0007') }).change?.address, addressOf('a:7'))
})

t.test('what cannot be read', async (t) => {
  const state = stateOf()
  const cases: [Partial<PeerRequest>, string, RegExp][] = [
    [{ name: 'my office' }, 'MAKI_INVALID', /letters/],
    [{ name: '' }, 'MAKI_INVALID', /letters/],
    [{ publicKey: 'abc' }, 'MAKI_USAGE', /wg pubkey/],
    [{ publicKey: keyOf(1).slice(0, -1) }, 'MAKI_USAGE', /44 characters/],
    [{ publicKey: formatWireGuardKey(new Uint8Array(32)) }, 'MAKI_USAGE', /wg pubkey/],
    [{ endpoint: '::1' }, 'MAKI_USAGE', /--endpoint/],
    [{ address: 'fd00::1' }, 'MAKI_USAGE', /--wg-address fd/],
    [{ address: meshAddress(cluster, keyOf(1)) }, 'MAKI_USAGE', /--wg-address fd/],
    [{ address: addressOf('') }, 'MAKI_USAGE', /--wg-address fd/],
    [{ address: `${addressOf('7')}/128` }, 'MAKI_USAGE', /--wg-address fd/],
    [{ address: `${addressOf('7')}%eth0` }, 'MAKI_USAGE', /--wg-address fd/],
    [{ address: '10.0.0.7' }, 'MAKI_USAGE', /--wg-address fd/],
  ]
  for (const [request, code, hint] of cases)
    t.throws(() => plan(state, request), { code, hint }, JSON.stringify(request))
})

t.test('what is somebody’s already', async (t) => {
  const first = plan(stateOf(), {}).change as Change
  const state = stateOf(first)
  t.equal(plan(state, {}).change, undefined, 'the same once more is nothing new')
  t.equal(plan(state, { address: meshAddress(cluster, keyOf(1), 'peers') }).change, undefined)
  const cases: [Partial<PeerRequest>, RegExp][] = [
    [{ endpoint: 'none' }, /a peer office already/],
    [{ publicKey: keyOf(2) }, /a peer office already/],
    [{ address: addressOf('7') }, /a peer office already/],
    [{ name: 'berlin', publicKey: keyOf(2) }, /berlin is a machine/],
    [{ name: 'Tokyo', publicKey: keyOf(2) }, /tokyo is a machine/],
    [{ name: 'home' }, /the key of office/],
    [{ name: 'home', publicKey: keyOf(100) }, /the key of berlin/],
    [{ name: 'home', publicKey: keyOf(2), address: meshAddress(cluster, keyOf(1), 'peers') }, /the address of office/],
  ]
  for (const [request, message] of cases)
    t.throws(() => plan(state, request), { code: 'MAKI_CONFLICT', message }, JSON.stringify(request))
  const squatter = plan(stateOf(), { address: meshAddress(cluster, keyOf(3), 'peers') }).change as Change
  t.throws(() => plan(stateOf(squatter), { name: 'home', publicKey: keyOf(3) }), {
    code: 'MAKI_CONFLICT',
    hint: /--wg-address/,
  })
})

for (const seed of seeds(30)) {
  t.test(`whatever is added one after another fits together (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const changes: Change[] = []
    let refused = 0
    for (let i = 0; i < 25; i++) {
      const state = stateOf(...changes)
      const request = {
        name: random.pick(['office', 'home', 'metrics', 'berlin', 'Phone']),
        publicKey: keyOf(random.pick([1, 2, 3, 4, 100])),
        endpoint: random.pick(['none', 'vpn.example.com', '203.0.113.9:1']),
        address: random.pick([undefined, undefined, addressOf('7'), addressOf('0:7'), addressOf('8')]),
      }
      try {
        const { change } = plan(state, request)
        if (change === undefined) continue
        if ('fault' in readChange(change)) t.fail(JSON.stringify(change))
        changes.push(change)
      } catch (error) {
        refused++
        t.match(error, { code: 'MAKI_CONFLICT' })
      }
      if (random.chance(0.1)) changes.push({ kind: 'peer.remove', name: random.pick(['office', 'home'] as NodeName[]) })
    }
    const state = stateOf(...changes)
    const peers = listPeers(state)
    t.ok(refused > 0 && peers.length > 0, `${refused} refused, ${peers.length} peers`)
    for (const field of ['publicKey', 'address'] as const)
      t.equal(new Set(peers.map((peer) => peer[field])).size, peers.length, field)
    t.strictSame(
      buildPeerRows({ state, cluster, changedMs: undefined }).map(({ advice }) => advice),
      peers.map(() => null),
    )
  })
}

t.test('what two computers wrote at once, and the nodes leave out, is said', async (t) => {
  const peer = (name: string, publicKey: number, address: string): Change => {
    return { kind: 'peer.set', name: name as NodeName, publicKey: keyOf(publicKey), endpoint: null, address }
  }
  const state = stateOf(
    peer('c', 1, addressOf('7')),
    peer('a', 1, addressOf('8')),
    peer('b', 2, addressOf('0:8')),
    peer('d', 3, 'fd00::1'),
    peer('e', 100, addressOf('9')),
    peer('f', 4, addressOf('a')),
  )
  const advice = buildPeerRows({ state, cluster, changedMs: undefined }).map((row) => row.advice)
  t.match(advice, [
    null,
    /b is left out, for its address is that of a: maki peer remove b/,
    /c is left out, for its key is that of a: /,
    /d is left out, for its address is not in fd/,
    /e is left out, for its key is that of berlin: /,
    null,
  ])
})
