import t from 'tap'
import type { Change, MemberKey, NodeName, OwnerName, Signer } from '../../../core/index.ts'
import { createOperation, silentLog } from '../../../core/index.ts'
import {
  createMemoryStore,
  type GossipService,
  SharedReplica,
  startGossip,
  verifyAdmission,
} from '../../../replication/index.ts'
import { ManualRuntime, until } from '../../sim/manual-runtime.ts'
import { createTestCluster, domains, testSigner } from '../../support/histories.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const cluster = createTestCluster()

const joins = new Map<MemberKey, Uint8Array>()
for (const number of [11, 12, 13, 14]) {
  const { key } = testSigner(number)
  const change: Change = {
    kind: 'node.join',
    key,
    name: `node${number}` as NodeName,
    addresses: { ipv4: null, ipv6: null },
    place: null,
    nameserver: false,
    drained: false,
  }
  const stamp = { wallMs: cluster.creation.stamp.wallMs + number, counter: 0 }
  const heads = [cluster.creation.id]
  joins.set(key, createOperation(cluster.operator, cluster.id, { stamp, heads, changes: [change] }).bytes)
}

interface RealNode extends AsyncDisposable {
  readonly signer: Signer
  readonly shared: SharedReplica
  readonly service: GossipService
  readonly address: string
  /** Writes as the operator whose operations this node takes in. */
  set(value: number): Promise<unknown>
}

async function startRealNode(
  number: number,
  runtime: ManualRuntime,
  options: { bootstrap?: string[]; empty?: boolean } = {},
): Promise<RealNode> {
  const owned = new AsyncDisposableStack()
  const signer = testSigner(number)
  const store = owned.use(createMemoryStore(runtime))
  const shared = owned.use(
    await SharedReplica.open({ store, cluster: cluster.id, runtime, log: silentLog, index: undefined }),
  )
  const { replica } = shared
  const admission = [cluster.creation.bytes, joins.get(signer.key) as Uint8Array]
  if (options.empty !== true) await replica.submit(admission)
  const service = owned.use(
    await startGossip({
      replica: shared,
      signer,
      cluster: cluster.id,
      runtime,
      log: silentLog,
      listen: { host: '127.0.0.1', port: 0 },
      bootstrap: options.bootstrap ?? [],
      incarnation: 1,
      version: 'test',
      blobsPort: 0,
      admission,
      isMember: (key) => replica.isMember(key),
      admits: (key, operations) =>
        verifyAdmission({
          cluster: cluster.id,
          key,
          operations,
          roleOf: (member) => (replica.isMember(member) && member === cluster.operator.key ? 'operator' : undefined),
          isRemoved: () => false,
        }).admitted,
    }),
  )
  const commit = (changes: Change[]) => replica.commit(cluster.operator, changes)
  return {
    signer,
    shared,
    service,
    address: `127.0.0.1:${service.address.port}`,
    set: (value) =>
      commit([
        {
          kind: 'record.set',
          domain: domains[value % 3] as (typeof domains)[number],
          name: '@' as OwnerName,
          type: 'A',
          ttl: 300,
          values: [`192.0.2.${value}`],
        },
      ]),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

const digests = (nodes: readonly RealNode[]) =>
  new Set(nodes.map(({ shared }) => JSON.stringify(shared.replica.digest())))
const linked = (nodes: readonly RealNode[], count: number) =>
  nodes.every(({ service }) => service.peers().length >= count)

for (const seed of seeds(3)) {
  t.test(`real replicas that know only themselves come to one state (SEED=${seed})`, async (t) => {
    const runtime = new ManualRuntime(seed)
    const random = createRandom(seed)
    await using a = await startRealNode(11, runtime)
    await using b = await startRealNode(12, runtime, { bootstrap: [a.address] })
    await using c = await startRealNode(13, runtime, { bootstrap: [a.address, b.address] })
    const nodes = [a, b, c]
    await until(runtime, () => linked(nodes, 2) && digests(nodes).size === 1)
    t.equal(a.shared.replica.count, 4, 'the creation and three joins')
    const writes: Promise<unknown>[] = []
    for (let i = 0; i < 60; i++) {
      writes.push(random.pick(nodes).set(i))
      if (random.chance(0.5)) await until(runtime, () => true)
    }
    await Promise.all(writes)
    await until(runtime, () => digests(nodes).size === 1 && a.shared.replica.count === 64)

    await using d = await startRealNode(14, runtime, { bootstrap: [b.address], empty: true })
    await until(runtime, () => digests([...nodes, d]).size === 1)
    t.equal(d.shared.replica.count, 65, 'an empty node was fed all, and its own join came with it')
    for (const { service } of [...nodes, d]) {
      t.equal(service.counters.refused, 0)
      t.notOk(Object.keys(service.counters.dropped).some((reason) => !['duplicate', 'closed-by-peer'].includes(reason)))
    }
  })
}

t.test('an empty node is fed a long document in parts, and nothing comes by id', async (t) => {
  const runtime = new ManualRuntime(5)
  await using a = await startRealNode(11, runtime)
  const message = 'x'.repeat(1000)
  const { replica } = a.shared
  const writes = Array.from({ length: 2000 }, (_, i) =>
    replica.commit(
      cluster.operator,
      [{ kind: 'domain.remove', domain: domains[i % 3] as (typeof domains)[number] }],
      message,
    ),
  )
  await Promise.all(writes)
  await replica.submit([joins.get(testSigner(12).key) as Uint8Array])
  const parts = await Array.fromAsync(a.shared.diff(new Uint8Array([0])))
  t.ok(parts.length >= 2, `${parts.length} parts`)
  await using b = await startRealNode(12, runtime, { bootstrap: [a.address], empty: true })
  await until(runtime, () => digests([a, b]).size === 1)
  await until(runtime, () => Buffer.compare(a.shared.stateVector(), b.shared.stateVector()) === 0)
  for (const { service } of [a, b]) t.match(service.counters, { refused: 0, repairs: 0, drops: 0 })
})

t.test('a removed node loses its links where the removal is known', async (t) => {
  const runtime = new ManualRuntime(9)
  await using a = await startRealNode(11, runtime)
  await using b = await startRealNode(12, runtime, { bootstrap: [a.address] })
  await until(runtime, () => linked([a, b], 1) && digests([a, b]).size === 1)
  const dropped: string[] = []
  a.service.events.on('dropped', ({ reason }) => dropped.push(reason))
  await a.shared.replica.commit(cluster.operator, [{ kind: 'node.remove', key: b.signer.key, how: 'retire' }])
  await until(runtime, () => dropped.includes('not-a-member'))
  t.same(a.service.peers(), [])
})
