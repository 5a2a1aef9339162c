import t, { type Test } from 'tap'
import { Presence } from '../../../cli/node/presence.ts'
import { Emitter, type Hostname, type OperationId, silentLog } from '../../../core/index.ts'
import { createAwarenessEntry } from '../../../replication/gossip/awareness-entry.ts'
import { createMemoryStore, type GossipService, Replica } from '../../../replication/index.ts'
import { cluster, follow, recordChange } from '../../replication/chain.ts'
import { FakeRuntime } from '../../replication/fake-runtime.ts'

const active = new Map<Hostname, OperationId>()

async function open(t: Test) {
  const runtime = new FakeRuntime(1)
  const replica = await Replica.open({
    store: createMemoryStore(runtime),
    cluster: cluster.id,
    runtime,
    log: silentLog,
  })
  t.teardown(() => replica[Symbol.asyncDispose]())
  await replica.submit([cluster.creation.bytes])
  const said: Record<string, unknown>[] = []
  const set = (data: Record<string, unknown>) => {
    // Throws, as the real one does, for what no peer would take.
    createAwarenessEntry(cluster.operator, cluster.id, { incarnation: 1, counter: 1, wallMs: 1, data })
    said.push(data)
  }
  const gossip = { events: new Emitter(), awareness: { set, entries: () => [] } } as unknown as GossipService
  const options = { replica, gossip, active: () => active, version: '1.0.0', self: cluster.operator.key, runtime }
  return { runtime, replica, said, options }
}

t.test('however many heads there are, a node can say who it is', async (t) => {
  const { runtime, replica, said, options } = await open(t)
  using presence = new Presence(options)
  const forks = Array.from({ length: 1400 }, (_, i) => follow([cluster.creation], [recordChange(i)], { wallMs: i }))
  await replica.submit(forks.map(({ bytes }) => bytes))
  runtime.advance(1000)
  t.equal(said.length, 2)
  const heads = replica.heads().map(({ id }) => id)
  t.equal(heads.length, 1400)
  t.same(said[1]?.heads, heads.slice(-64), 'the greatest')
  t.equal(presence.nodes().length, 0)
  new Presence(options)[Symbol.dispose]()
})

t.test('of many domains, with the longest names, it says the latest switches', async (t) => {
  const { said, options } = await open(t)
  const names: string[] = []
  for (let i = 0; i < 2000; i++) {
    const name = `${String(i).padStart(4, '0')}${'a'.repeat(49)}.${`${'b'.repeat(63)}.`.repeat(3)}example`.slice(0, 253)
    names.push(name)
    active.set(name as Hostname, cluster.creation.id as OperationId)
  }
  new Presence(options)[Symbol.dispose]()
  const latest = Object.keys(said[0]?.active as object)
  t.ok(latest.length >= 150)
  t.same(latest, names.slice(-latest.length))
  active.clear()
  for (const name of ['one.example', 'two.example']) active.set(name as Hostname, cluster.creation.id as OperationId)
  new Presence(options)[Symbol.dispose]()
  t.same(Object.keys(said[1]?.active as object), ['one.example', 'two.example'])
})
