import t, { type Test } from 'tap'
import { SchemaAnnouncement } from '../../../cli/node/announce-schema.ts'
import { type Change, createSigner, Emitter, findNode, type NodeName, SCHEMA, silentLog } from '../../../core/index.ts'
import { createMemoryStore, type GossipEvents, type GossipService, Replica } from '../../../replication/index.ts'
import { cluster } from '../../replication/chain.ts'
import { FakeRuntime } from '../../replication/fake-runtime.ts'

const signers = [1, 2].map((number) => createSigner(new Uint8Array(32).fill(50 + number)))
const [self, other] = signers as [(typeof signers)[0], (typeof signers)[0]]

const join = (key: (typeof self)['key'], name: string, schema?: number): Change => ({
  kind: 'node.join',
  key,
  name: name as NodeName,
  addresses: { ipv4: null, ipv6: null },
  place: null,
  nameserver: false,
  drained: false,
  ...(schema === undefined ? {} : { schema }),
})

async function open(t: Test, joins: readonly Change[]) {
  const runtime = new FakeRuntime(1)
  const store = createMemoryStore(runtime)
  const replica = await Replica.open({ store, cluster: cluster.id, runtime, log: silentLog })
  t.teardown(() => replica[Symbol.asyncDispose]())
  await replica.submit([cluster.creation.bytes])
  if (joins.length > 0) await replica.commit(cluster.operator, joins)
  const events = new Emitter<GossipEvents>()
  const gossip = { events } as unknown as GossipService
  const begin = () => new SchemaAnnouncement({ replica, gossip, signer: self, runtime, log: silentLog })
  const agree = () => events.emit('agreed', { key: other.key })
  const announced = () => findNode(replica.state, self.key)?.schema
  /** Lets commits finish. */
  const settle = async () => {
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  }
  return { replica, runtime, begin, agree, announced, settle }
}

t.test('a node alone says it at once, and once', async (t) => {
  const { replica, begin, announced, settle } = await open(t, [join(self.key, 'one')])
  using _ = begin()
  await settle()
  t.equal(announced(), SCHEMA)
  const count = replica.count
  await replica.commit(cluster.operator, [{ kind: 'node.update', key: self.key, set: { schema: 1 } }])
  await settle()
  t.equal(replica.count, count + 1, 'it does not argue')
})

t.test('among others it is said after the states were compared, or nobody came', async (t) => {
  const joins = [join(self.key, 'one'), join(other.key, 'two')]
  const compared = await open(t, joins)
  using _ = compared.begin()
  await compared.settle()
  t.equal(compared.announced(), 1)
  compared.agree()
  await compared.settle()
  t.equal(compared.announced(), SCHEMA)

  const alone = await open(t, joins)
  using __ = alone.begin()
  alone.runtime.advance(30_000)
  await alone.settle()
  t.equal(alone.announced(), SCHEMA)
})

t.test('what is said already, and what is no member, says nothing', async (t) => {
  const said = await open(t, [join(self.key, 'one', SCHEMA), join(other.key, 'two')])
  using _ = said.begin()
  said.agree()
  await said.settle()
  t.equal(said.replica.count, 2)

  const stranger = await open(t, [join(other.key, 'two')])
  using __ = stranger.begin()
  stranger.agree()
  await stranger.settle()
  t.equal(stranger.replica.count, 2)
  await stranger.replica.commit(cluster.operator, [join(self.key, 'one')])
  await stranger.settle()
  t.equal(stranger.announced(), SCHEMA, 'it speaks once it belongs')
})
