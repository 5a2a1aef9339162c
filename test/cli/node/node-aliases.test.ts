import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createAliasLookup } from '../../../cli/node/alias-lookup.ts'
import { NodeAliases } from '../../../cli/node/node-aliases.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { type Change, type Hostname, type OwnerName, silentLog } from '../../../core/index.ts'
import type { AliasAddresses } from '../../../dns/index.ts'
import { createMemoryStore, Replica } from '../../../replication/index.ts'
import { domainSet } from '../../dns/cluster-state.ts'
import { Upstream } from '../../dns/upstream.ts'
import { cluster, follow } from '../../replication/chain.ts'
import { eventually } from '../../support/eventually.ts'

const apex = 'example.com' as Hostname
const name = '@' as OwnerName
const alias = (target: string): Change => ({
  kind: 'record.set',
  domain: apex,
  name,
  type: 'ALIAS',
  ttl: 300,
  values: [target],
})

async function openReplica(...changes: Change[]) {
  const store = createMemoryStore(systemRuntime)
  const replica = await Replica.open({ store, cluster: cluster.id, runtime: systemRuntime, log: silentLog })
  const operations = [cluster.creation]
  for (const change of changes) operations.push(follow([operations.at(-1) ?? cluster.creation], [change]))
  await replica.submit(operations.map(({ bytes }) => bytes))
  const submit = async (change: Change) => {
    const next = follow([operations.at(-1) ?? cluster.creation], [change])
    operations.push(next)
    await replica.submit([next.bytes])
  }
  return { replica, submit, [Symbol.asyncDispose]: () => replica[Symbol.asyncDispose]() }
}

class ToldEdge {
  told: readonly AliasAddresses[] = []
  setAliases(addresses: readonly AliasAddresses[]): void {
    this.told = addresses
  }

  resolved(address: string): Promise<true> {
    return eventually(address, () => (this.told.some(({ ipv4 }) => ipv4.includes(address)) ? true : undefined))
  }
}

t.test('the state says what is resolved, also while the node runs', async (t) => {
  await using upstream = await Upstream.start()
  upstream.set('a.net', { addresses: ['1.1.1.1'] })
  upstream.set('b.net', { addresses: ['2.2.2.2', '10.0.0.7'] })
  await using world = await openReplica(domainSet(apex), alias('a.net.'))
  const edge = new ToldEdge()
  const lookup = createAliasLookup([{ host: '127.0.0.1', port: upstream.port }])
  const file = join(t.testdir({}), 'aliases.json')
  const ports = { replica: world.replica, lookup, file, runtime: systemRuntime, log: silentLog }
  await using aliases = await NodeAliases.start({ ...ports, edge })
  await edge.resolved('1.1.1.1')
  await world.submit(alias('b.net.'))
  await edge.resolved('2.2.2.2')
  t.strictSame(
    edge.told.map(({ target }) => target),
    ['b.net'],
  )
  t.match(aliases.status(), [{ target: 'b.net', ipv4: ['2.2.2.2'], failing: null, refused: ['10.0.0.7'] }])
  t.match(aliases.counts, { targets: 1, waiting: 0, failing: 0 })
})

t.test('operations that come together cost one list of targets, and the last of them counts', async (t) => {
  await using world = await openReplica(domainSet(apex), alias('a.net.'))
  const timers = new Set<() => void>()
  const after = (_ms: number, run: () => void) => {
    timers.add(run)
    return () => void timers.delete(run)
  }
  let lists = 0
  const { replica } = world
  const counted = {
    events: replica.events,
    snapshot: () => replica.snapshot(),
    get state() {
      lists += 1
      return replica.state
    },
  }
  const lookup = { lookUp: () => new Promise<never>(() => {}) }
  const file = join(t.testdir({}), 'aliases.json')
  const runtime = { ...systemRuntime, after }
  await using aliases = await NodeAliases.start({
    replica: counted,
    lookup,
    file,
    runtime,
    log: silentLog,
    edge: new ToldEdge(),
  })
  const listed = () => aliases.status().map(({ target }) => target)
  t.strictSame([lists, listed()], [1, ['a.net']])
  for (let i = 0; i < 30; i++) await world.submit(alias(`t${i}.net.`))
  t.equal(lists, 1)
  for (const run of [...timers]) run()
  t.strictSame([lists, listed()], [2, ['t29.net']])
})

t.test('a node that starts without its resolver answers what it knew', async (t) => {
  await using world = await openReplica(domainSet(apex), alias('a.net.'))
  const file = join(t.testdir({}), 'aliases.json')
  const ports = { replica: world.replica, file, runtime: systemRuntime, log: silentLog }
  const upstream = await Upstream.start()
  const lookup = createAliasLookup([{ host: '127.0.0.1', port: upstream.port }], { timeoutMs: 100 })
  {
    await using _ = upstream
    upstream.set('a.net', { addresses: ['1.1.1.1'] })
    const edge = new ToldEdge()
    await using _aliases = await NodeAliases.start({ ...ports, lookup, edge })
    await edge.resolved('1.1.1.1')
  }
  const edge = new ToldEdge()
  await using aliases = await NodeAliases.start({ ...ports, lookup, edge })
  t.match(edge.told, [{ target: 'a.net', ipv4: ['1.1.1.1'] }], 'before any lookup has ended')
  await eventually('the failure', () => aliases.status()[0]?.failing ?? undefined)
  t.match(aliases.status(), [{ ipv4: ['1.1.1.1'], since: /^20/, failing: { reason: /no resolver can be reached/ } }])
})

t.test('a file that was altered is not believed, and does not keep the node from starting', async (t) => {
  await using world = await openReplica(domainSet(apex), alias('a.net.'))
  const file = join(t.testdir({}), 'aliases.json')
  const never = { lookUp: () => new Promise<never>(() => {}) }
  const ports = { replica: world.replica, lookup: never, file, runtime: systemRuntime, log: silentLog }
  const entry = {
    target: 'a.net',
    ipv4: ['1.1.1.1'],
    ipv6: [],
    ttl: 300,
    resolvedMs: 1,
    noneSinceMs: null,
    failing: null,
    refused: [],
  }
  const start = async (text: string) => {
    writeFileSync(file, text)
    const edge = new ToldEdge()
    await using _ = await NodeAliases.start({ ...ports, edge })
    return edge.told.flatMap(({ ipv4 }) => ipv4).join()
  }
  const write = (...entries: object[]) => JSON.stringify({ version: 1, entries })
  t.equal(await start(write(entry)), '1.1.1.1')
  for (const text of [
    '',
    'null',
    '{"version":2,"entries":[]}',
    write(entry).slice(0, 60),
    write({ ...entry, ipv4: ['10.0.0.1'] }),
    write({ ...entry, ipv4: ['1.1.1.1; rm'] }),
    write({ ...entry, ipv4: Array.from({ length: 17 }, (_, i) => `1.1.1.${i}`) }),
    write({ ...entry, ttl: -1 }),
    write({ ...entry, ttl: 1e9 }),
    write({ ...entry, resolvedMs: 'now' }),
  ])
    t.equal(await start(text), '', text.slice(0, 80))
  t.equal(JSON.parse(readFileSync(file, 'utf8')).version, 1, 'it is written anew')
})
