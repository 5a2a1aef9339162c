import t, { type Test } from 'tap'
import { Presence } from '../../../cli/node/presence.ts'
import { Emitter, type Hostname, MAX_SAID_BYTES, type OperationId, silentLog } from '../../../core/index.ts'
import { createAwarenessEntry } from '../../../replication/gossip/awareness-entry.ts'
import { createMemoryStore, type GossipService, Replica, type Unservable } from '../../../replication/index.ts'
import { cluster, follow, recordChange } from '../../replication/chain.ts'
import { FakeRuntime } from '../../replication/fake-runtime.ts'

const active = new Map<Hostname, OperationId>()
const merged = new Map<Hostname, readonly OperationId[]>()
const unservable: Unservable[] = []

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
  const gossip = {
    events: new Emitter(),
    awareness: { set, entries: () => [], clones: () => [] },
  } as unknown as GossipService
  const options = {
    replica,
    gossip,
    active: () => active,
    merged: () => merged,
    unservable: () => unservable,
    damagedBlobs: () => 2,
    version: '1.0.0',
    self: cluster.operator.key,
    runtime,
  }
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

t.test('who speaks without end makes nobody else speak, and is told of at once', async (t) => {
  const { runtime, said, options } = await open(t)
  using presence = new Presence(options)
  let told = 0
  presence.events.on('change', () => told++)
  for (let i = 0; i < 1000; i++) options.gossip.events.emit('awareness', { key: options.self, up: true })
  runtime.advance(1000)
  t.equal(told, 1)
  for (let i = 0; i < 10; i++) {
    presence.refresh()
    runtime.advance(1000)
  }
  t.equal(told, 11)
  t.equal(said.length, 1, 'what it says is as it was')
})

t.test('once it has ended it says nothing, whoever still has news', async (t) => {
  const { runtime, said, options } = await open(t)
  let damaged = 0
  const presence = new Presence({ ...options, damagedBlobs: () => damaged })
  presence[Symbol.dispose]()
  damaged = 1
  presence.refresh()
  t.equal(runtime.timers, 0)
  runtime.advance(1000)
  t.equal(said.length, 1)
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

t.test('what goes wrong is said too, and never so much that nothing can be said', async (t) => {
  const { said, options } = await open(t)
  const id = cluster.creation.id as OperationId
  t.teardown(() => {
    for (const list of [active, merged]) list.clear()
    unservable.length = 0
  })
  merged.set('merged.example' as Hostname, [id, id])
  unservable.push({ domain: 'one.example' as Hostname, release: id, missing: 3 })
  unservable.push({ domain: 'two.example' as Hostname, release: id, missing: 0, reason: 'x'.repeat(5000) })
  new Presence(options)[Symbol.dispose]()
  t.strictSame(said[0]?.merged, { 'merged.example': [id, id] })
  t.strictSame(said[0]?.unservable, [
    { domain: 'one.example', release: id, missing: 3 },
    { domain: 'two.example', release: id, missing: 0, reason: 'x'.repeat(100) },
  ])
  t.equal(said[0]?.damagedBlobs, 2)
  for (let i = 0; i < 2000; i++) {
    const name = `${String(i).padStart(4, '0')}${`.${'b'.repeat(60)}`.repeat(4)}` as Hostname
    active.set(name, id)
    merged.set(
      name,
      Array.from({ length: 16 }, () => id),
    )
    unservable.push({ domain: name, release: id, missing: 1, reason: '\u{1f98a}'.repeat(100) })
  }
  new Presence(options)[Symbol.dispose]()
  const list = said[1]?.unservable
  t.ok(Array.isArray(list) && list.length >= 5)
})

t.test('what it sees of others is said beside all else that there may be to say', async (t) => {
  const { said, replica, options } = await open(t)
  const id = cluster.creation.id as OperationId
  t.teardown(() => {
    for (const list of [active, merged]) list.clear()
    unservable.length = 0
  })
  const forks = Array.from({ length: 100 }, (_, i) => follow([cluster.creation], [recordChange(i)], { wallMs: i }))
  await replica.submit(forks.map(({ bytes }) => bytes))
  for (let i = 0; i < 2000; i++) {
    const name = `${String(i).padStart(4, '0')}${`.${'b'.repeat(60)}`.repeat(4)}` as Hostname
    active.set(name, id)
    merged.set(name, [id])
    unservable.push({ domain: name, release: id, missing: 1, reason: '\u{1f98a}'.repeat(100) })
  }
  const observations = { [cluster.operator.key]: { w4: 'x'.repeat(MAX_SAID_BYTES - 60) } }
  const health = { observations, describe: () => ({ health: [], behind: false }) }
  const host = () => ({ memory: 0.5, disk: 0.75, load: 1.5 })
  new Presence({ ...options, health, host, serves: { dns: 53, http: 80, https: undefined } })[Symbol.dispose]()
  t.strictSame(said[0]?.observations, observations)
  t.strictSame(said[0]?.serves, { dns: 53, http: 80 }, 'what travels has no undefined values')
  t.strictSame(said[0]?.host, host())
  new Presence({ ...options, health: { ...health, observations: undefined } })[Symbol.dispose]()
  t.notOk(Object.hasOwn(said[1] ?? {}, 'observations'), 'who keeps quiet says nothing')
})
