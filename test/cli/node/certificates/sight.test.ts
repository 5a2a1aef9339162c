import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { decode, encode } from 'dns-packet'
import t from 'tap'
import { shownByAll } from '../../../../cli/node/certificates/sight.ts'
import { systemRuntime } from '../../../../cli/system.ts'
import {
  createSigner,
  type Hostname,
  type MemberKey,
  type NodeName,
  type Runtime,
  silentLog,
} from '../../../../core/index.ts'
import { createMemoryStore, type GossipService, Replica } from '../../../../replication/index.ts'
import { cluster } from '../../../replication/chain.ts'

// The runner of all tests bounds the file's time.
t.setTimeout(0)
// Timers of a node keep no process alive.
const alive = setInterval(() => {}, 1000)
t.teardown(() => clearInterval(alive))

const HOST = 'shop.example' as Hostname
const TOKEN = 'a-token-of-the-authority'
const AUTHORIZATION = `${TOKEN}.thumbprint`
const DIGEST = 'd'.repeat(43)
/** Four times as fast as the clock on the wall; sockets are as they are. */
const runtime: Runtime = {
  ...systemRuntime,
  now: () => systemRuntime.now(),
  monotonic: () => systemRuntime.monotonic() * 4,
  random: () => systemRuntime.random(),
  randomBytes: (length) => systemRuntime.randomBytes(length),
  after: (ms, call) => systemRuntime.after(Math.ceil(ms / 4), call),
}

/** What a node answers authorities, over HTTP and DNS. */
async function serve() {
  const says = { http: undefined as string | undefined, dns: undefined as string | undefined }
  const asked: string[] = []
  const web = createServer((request, response) => {
    asked.push(`${request.headers.host}${request.url}`)
    response.writeHead(says.http === undefined ? 404 : 200).end(says.http)
  })
  web.listen(0, '127.0.0.1')
  const names = createSocket('udp4')
  names.on('message', (bytes, from) => {
    const { id = 0, questions = [] } = decode(bytes)
    const name = questions[0]?.name ?? ''
    asked.push(name)
    const answers = says.dns === undefined ? [] : [{ name, type: 'TXT' as const, ttl: 5, data: [says.dns] }]
    names.send(encode({ type: 'response', id, flags: 0x8400, questions, answers }), from.port, from.address)
  })
  names.bind(0, '127.0.0.1')
  await Promise.all([once(web, 'listening'), once(names, 'listening')])
  const ports = { http: (web.address() as AddressInfo).port, dns: names.address().port }
  const end = async () => {
    names.close()
    web.closeAllConnections()
    web.close()
  }
  return { says, asked, ports, [Symbol.asyncDispose]: end }
}

/** A cluster of this node and others that say what they have heard and where they serve. */
async function open(nodes: number) {
  const store = createMemoryStore(systemRuntime)
  const replica = await Replica.open({ store, cluster: cluster.id, runtime: systemRuntime, log: silentLog })
  await replica.submit([cluster.creation.bytes])
  const keys = Array.from({ length: nodes }, (_, i) => createSigner(new Uint8Array(32).fill(50 + i)).key)
  await replica.commit(
    cluster.operator,
    keys.map((key, i) => ({
      kind: 'node.join' as const,
      key,
      name: `n${i}` as NodeName,
      addresses: { ipv4: '127.0.0.1', ipv6: null },
      place: null,
      nameserver: true,
      drained: false,
      schema: 5,
    })),
  )
  const operation = await replica.commit(cluster.operator, [
    {
      kind: 'challenge.set',
      host: HOST,
      http: [{ token: TOKEN, authorization: AUTHORIZATION }],
      dns: [DIGEST],
      untilMs: systemRuntime.now() + 3_600_000,
    },
  ])
  const words = new Map<MemberKey, object>()
  const entries = () => [...words].map(([key, data]) => ({ key, up: true, ageMs: 0, data }))
  const gossip = { awareness: { entries } } as unknown as GossipService
  const [self = '' as MemberKey, ...others] = keys
  const look = (signal = new AbortController().signal) => {
    let isOver = false
    const over = shownByAll(operation, { replica, gossip, self, runtime, log: silentLog }, signal).finally(() => {
      isOver = true
    })
    over.catch(() => {})
    return { over, isOver: () => isOver }
  }
  return { operation, others, words, look, [Symbol.asyncDispose]: () => replica[Symbol.asyncDispose]() }
}

const aWhile = () => new Promise((resolve) => setTimeout(resolve, 500))

t.test('the authority is told when every node that is up shows it, over HTTP and DNS', async (t) => {
  await using world = await open(3)
  await using first = await serve()
  const [one, two] = world.others as [MemberKey, MemberKey]
  world.words.set(one, { heads: [], serves: first.ports })
  const { over, isOver } = world.look()
  await aWhile()
  t.notOk(isOver(), 'the first has not heard of it')
  world.words.set(one, { heads: [world.operation.id], serves: first.ports })
  await aWhile()
  t.notOk(isOver(), 'it has heard, and its workers have not')
  first.says.http = AUTHORIZATION
  await aWhile()
  t.notOk(isOver(), 'it does not answer over DNS')
  first.says.dns = DIGEST
  await over
  t.ok(first.asked.includes(`${HOST}/.well-known/acme-challenge/${TOKEN}`), 'asked as authorities ask')
  t.ok(first.asked.includes(`_acme-challenge.${HOST}`))
  t.notOk(world.words.has(two), 'one that is down is not waited for')
})

t.test('a node that cannot be asked from here counts by what it has heard', async (t) => {
  await using world = await open(2)
  const [one] = world.others as [MemberKey]
  const gone = await serve()
  await gone[Symbol.asyncDispose]()
  world.words.set(one, { heads: [world.operation.id], serves: gone.ports })
  await world.look().over
  t.pass()
})

t.test('a node that shows something else for a minute is named', async (t) => {
  await using world = await open(2)
  await using first = await serve()
  const [one] = world.others as [MemberKey]
  first.says.http = 'something else'
  first.says.dns = DIGEST
  world.words.set(one, { heads: [world.operation.id], serves: first.ports })
  await t.rejects(world.look().over, { code: 'MAKI_TIMEOUT', message: /^n1 did not show/ })
})

t.test('one that goes down meanwhile is not waited for any more; who stops does not wait', async (t) => {
  await using world = await open(3)
  const [one, two] = world.others as [MemberKey, MemberKey]
  world.words.set(one, { heads: [] })
  const { over, isOver } = world.look()
  await aWhile()
  t.notOk(isOver())
  world.words.delete(one)
  await over
  world.words.set(two, { heads: [] })
  const end = new AbortController()
  const stopped = world.look(end.signal)
  end.abort(new Error('the node stops'))
  await t.rejects(stopped.over, /the node stops/)
})
