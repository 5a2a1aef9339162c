import t, { type Test } from 'tap'
import { MeshAnnouncement } from '../../../cli/node/announce-mesh.ts'
import { createSigner, Emitter, findNode, type NodeMesh, type NodeName, silentLog } from '../../../core/index.ts'
import { createMemoryStore, type GossipEvents, type GossipService, Replica } from '../../../replication/index.ts'
import { cluster } from '../../replication/chain.ts'
import { FakeRuntime } from '../../replication/fake-runtime.ts'
import { meshKey } from '../../replication/mesh/mesh-states.ts'

const self = createSigner(new Uint8Array(32).fill(51))
const other = createSigner(new Uint8Array(32).fill(52))

/** What the state says of the node after it had its say. */
async function announce(t: Test, mesh: NodeMesh | undefined, schemas: readonly number[] = [4]) {
  const runtime = new FakeRuntime(1)
  const store = createMemoryStore(runtime)
  const replica = await Replica.open({ store, cluster: cluster.id, runtime, log: silentLog })
  t.teardown(() => replica[Symbol.asyncDispose]())
  await replica.submit([cluster.creation.bytes])
  for (const [i, schema] of schemas.entries()) {
    const { key } = i === 0 ? self : other
    const place = { addresses: { ipv4: null, ipv6: null }, place: null, nameserver: false, drained: false }
    const own = i === 0 && mesh !== undefined ? { mesh } : {}
    const name = `n${i}` as NodeName
    await replica.commit(cluster.operator, [{ kind: 'node.join', key, name, ...place, schema, ...own }])
  }
  const events = new Emitter<GossipEvents>()
  const gossip = { events } as unknown as GossipService
  const own = { publicKey: meshKey(1), port: 51880 }
  const announcement = new MeshAnnouncement({ replica, gossip, signer: self, runtime, log: silentLog }, own)
  t.teardown(() => announcement[Symbol.dispose]())
  events.emit('agreed', { key: other.key })
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  return { mesh: findNode(replica.state, self.key)?.mesh, count: replica.count }
}

t.test('a node says its key and port where the cluster knows none, or others', async (t) => {
  const own = { publicKey: meshKey(1), port: 51880 }
  t.strictSame((await announce(t, undefined)).mesh, own)
  t.strictSame((await announce(t, { publicKey: meshKey(2), port: 51880 })).mesh, own)
  t.strictSame((await announce(t, { publicKey: meshKey(1), port: 9 })).mesh, own)
})

t.test('where others send to stays as it was said', async (t) => {
  for (const endpoint of [null, 'a.example:7']) {
    const { mesh } = await announce(t, { publicKey: meshKey(2), port: 1, endpoint })
    t.strictSame(mesh, { publicKey: meshKey(1), port: 51880, endpoint })
  }
})

t.test('what is said already is not said again, and nothing is said that some node could not read', async (t) => {
  t.equal((await announce(t, { publicKey: meshKey(1), port: 51880, endpoint: null })).count, 2)
  t.equal((await announce(t, undefined, [4, 3])).mesh, null)
})
