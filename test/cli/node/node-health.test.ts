import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import type { DownAddress } from '../../../cli/node/down-file.ts'
import { NodeHealth } from '../../../cli/node/node-health.ts'
import {
  Emitter,
  type MemberKey,
  type NodeName,
  type NodeStandings,
  type Operation,
  silentLog,
} from '../../../core/index.ts'
import { createMemoryStore, type GossipService, Replica } from '../../../replication/index.ts'
import { cluster, follow, recordChange } from '../../replication/chain.ts'
import { FakeRuntime } from '../../replication/fake-runtime.ts'
import { testSigner } from '../../support/histories.ts'

const CONFIG = {
  enabled: true,
  check_interval: 10,
  dns_timeout: 5,
  http_timeout: 5,
  failure_threshold: 3,
  success_threshold: 2,
}
const keys = [1, 2, 3].map((i) => testSigner(i).key)
const [self, one, two] = keys as [MemberKey, MemberKey, MemberKey]

type Told = ConstructorParameters<typeof NodeHealth>[0]['edge']['setStandings']

interface Entry {
  readonly key: MemberKey
  readonly up: boolean
  data: Record<string, unknown>
}

/** Node 0 of three, at addresses of which none may be asked, as far as the cluster knows. */
async function open(t: Test, port: number, remembered: readonly DownAddress[] = [], config = CONFIG) {
  const runtime = new FakeRuntime(1)
  const options = { store: createMemoryStore(runtime), cluster: cluster.id, runtime, log: silentLog }
  const replica = await Replica.open(options)
  t.teardown(() => replica[Symbol.asyncDispose]())
  const joins = keys.map((key, i) => ({
    kind: 'node.join' as const,
    key,
    name: `node${i}` as NodeName,
    addresses: { ipv4: `169.254.1.${i}`, ipv6: null },
    place: null,
    nameserver: false,
    drained: false,
  }))
  const joined = follow([cluster.creation], joins)
  await replica.submit([cluster.creation.bytes, joined.bytes])
  let entries: Entry[] = []
  let asked = 0
  const awareness = {
    entries() {
      asked++
      return entries
    },
  }
  const gossip = { events: new Emitter(), awareness } as unknown as GossipService
  const told: NodeStandings[] = []
  const edge = { setStandings: (standings: Parameters<Told>[0]) => void told.push(new Map(standings)) }
  const http = { host: '127.0.0.1', port }
  const common = { config, replica, gossip, edge, self, http, version: '1', runtime, log: silentLog }
  const kept: (readonly DownAddress[])[] = []
  const remember = (down: readonly DownAddress[]) => void kept.push(down)
  const health = new NodeHealth({ ...common, remembered, remember, changed() {} })
  t.teardown(() => health[Symbol.asyncDispose]())
  return {
    replica,
    health,
    runtime,
    joined,
    told,
    kept,
    asked: () => asked,
    /** Lets time pass, and what goes over sockets happen. */
    async pass(seconds: number): Promise<void> {
      for (let i = 0; i < seconds; i++) {
        for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
        runtime.advance(1000)
      }
    },
    hear(...next: Entry[]) {
      entries = next
      gossip.events.emit('awareness', { key: one, up: true })
    },
  }
}

async function serve(t: Test): Promise<number> {
  const server = createServer((_, response) => response.writeHead(404).end()).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

t.test('the own web server is asked where it listens, and addresses that lead nowhere are down', async (t) => {
  const { pass, told, health } = await open(t, await serve(t))
  t.equal(told[0]?.get(self)?.ipv4, 'up')
  await pass(60)
  const last = told.at(-1)
  t.equal(last?.get(self)?.ipv4, 'up')
  t.equal(last?.get(one)?.ipv4, 'down')
  t.match(health.describe(one).health, [{ standing: 'down', reason: /^no visitor can be sent/, basis: 'own eyes' }])
  t.match(health.describe(self).health, [{ standing: 'up', basis: 'own eyes', votes: { up: 1, down: 0 } }])
})

t.test('a node whose own web server is gone notices while it hears nobody', async (t) => {
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port: gone } = closed.address() as AddressInfo
  closed.close()
  await once(closed, 'close')
  const { pass, told, health, hear } = await open(t, gone)
  await pass(60)
  t.equal(told.at(-1)?.get(self)?.ipv4, 'down')
  t.match(health.describe(self).health, [{ reason: 'HTTP: nothing listens there', basis: 'own eyes' }])
  hear({ key: one, up: true, data: { observations: { [self]: { w4: true } } } })
  await pass(1)
  t.match(health.describe(self).health, [{ standing: 'up', basis: 'majority' }], 'the votes of others count more')
})

t.test('words without end are looked at a hundred times a second at most', async (t) => {
  const { pass, hear, asked } = await open(t, await serve(t))
  await pass(1)
  const before = asked()
  for (let i = 0; i < 10_000; i++) hear({ key: one, up: true, data: { observations: { [two]: { w4: `${i}` } } } })
  t.equal(asked(), before)
  await pass(1)
  // One for the words, one for the second.
  t.ok(asked() - before <= 3, `${asked() - before}`)
})

t.test('who lacks what was there ten minutes ago is behind, also when it falls silent, until it has it', async (t) => {
  const { replica, joined, pass, hear, told, health } = await open(t, await serve(t))
  const next: Operation = follow([joined], [recordChange(1)])
  await replica.submit([next.bytes])
  const says = (up: boolean, ...heads: Operation[]): Entry => ({
    key: one,
    up,
    data: { heads: heads.map(({ id }) => id) },
  })
  await pass(700)
  hear(says(true, joined))
  await pass(2)
  t.equal(health.describe(one).behind, true)
  t.equal(told.at(-1)?.get(one)?.behind, true)
  hear(says(false, next))
  await pass(2)
  t.equal(health.describe(one).behind, true, 'silent')
  hear(says(true, next))
  await pass(2)
  t.equal(health.describe(one).behind, false)
  t.equal(told.at(-1)?.get(one)?.behind, false)
})

t.test('what was down before a restart is so until something is heard or seen of it', async (t) => {
  const down = (key: MemberKey, i: number): DownAddress => ({ key, family: 'ipv4', address: `169.254.1.${i}` })
  const port = await serve(t)
  const { told, health, hear, pass, kept } = await open(t, port, [down(one, 1), down(two, 9)])
  const standings = () => [self, one, two].map((key) => told.at(-1)?.get(key)?.ipv4)
  t.same(standings(), ['up', 'down', 'up'], 'not so at another address')
  t.match(health.describe(one).health, [{ standing: 'down', basis: 'nobody', reason: /^it was down/ }])
  hear({ key: two, up: true, data: { observations: { [one]: { w4: true } } } })
  await pass(1)
  t.same(standings(), ['up', 'up', 'up'], 'word of another ends it, without a hold')
  t.same(kept.at(-1), [])
  const { told: alone, pass: passAlone, kept: keptAlone, health: lonely } = await open(t, port, [down(one, 1)])
  t.equal(alone.at(-1)?.get(one)?.ipv4, 'down')
  await passAlone(60)
  t.equal(alone.at(-1)?.get(one)?.ipv4, 'down')
  t.ok(
    alone.every((standings) => standings.get(one)?.ipv4 === 'down'),
    'at every moment',
  )
  t.match(lonely.describe(one).health, [{ basis: 'own eyes' }], 'by now it was seen')
  t.same(keptAlone.at(-1), [down(one, 1), down(two, 2)])
})

t.test('with health off it asks nobody, says nothing, and takes no word of others', async (t) => {
  let requests = 0
  const server = createServer(() => requests++).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { pass, told, kept, health, hear, runtime } = await open(t, port, [], { ...CONFIG, enabled: false })
  hear({ key: two, up: true, data: { observations: { [one]: { w4: 'gone' } }, serves: { http: 80 } } })
  await pass(60)
  t.strictSame([told, kept, health.observations], [[], [], undefined])
  t.strictSame(health.describe(one), { health: [], behind: false })
  t.equal(runtime.timers, 0)
  t.equal(requests, 0)
})
