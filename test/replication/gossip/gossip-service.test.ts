import { createServer } from 'node:net'
import t from 'tap'
import type { MemberKey } from '../../../core/index.ts'
import { HANDSHAKE_TIMEOUT_MS } from '../../../replication/gossip/session.ts'
import { encodeSyncMessage } from '../../../replication/gossip/sync-message.ts'
import type { Frame } from '../../../replication/gossip/wire.ts'
import { fakeOperation } from '../../sim/fake-replica.ts'
import { startTestNode, type TestNode, testClusterId } from '../../sim/gossip-cluster.ts'
import { ManualRuntime, until } from '../../sim/manual-runtime.ts'
import { RawPeer } from '../../sim/raw-peer.ts'
import { testSigner } from '../../support/histories.ts'
import { seeds } from '../../support/seeds.ts'

const membersOf = (...numbers: number[]) => new Set<MemberKey>(numbers.map((number) => testSigner(number).key))
const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
const reasons = (node: TestNode) => node.drops.map(({ reason }) => reason)

t.test('three nodes over TCP: what one commits all have, also through a third', async (t) => {
  const runtime = new ManualRuntime(1)
  const members = membersOf(1, 2, 3)
  await using a = await startTestNode(1, runtime, members)
  const early = a.replica.commit('before anybody came')
  await using b = await startTestNode(2, runtime, members, { bootstrap: [a.address] })
  await using c = await startTestNode(3, runtime, members, { bootstrap: [a.address] })
  await until(runtime, () => b.has(early) && c.has(early))
  const later = b.replica.commit('at b', [early])
  const last = c.replica.commit('at c', [early])
  await until(runtime, () => [a, b, c].every((node) => node.has(later) && node.has(last)))
  t.same(
    a.service
      .peers()
      .map(({ key, host, blobsPort }) => [key, host, blobsPort])
      .sort(),
    [
      [b.signer.key, '127.0.0.1', 8002],
      [c.signer.key, '127.0.0.1', 8003],
    ].sort(),
  )

  const agreed = new Set<string>()
  b.service.events.on('agreed', ({ key }) => agreed.add(key))
  await until(runtime, () => agreed.has(a.signer.key), 50)
  t.pass('peers find out that they hold the same')
})

t.test('awareness travels over a third, and a node that stops takes its leave', async (t) => {
  const runtime = new ManualRuntime(2)
  const members = membersOf(1, 2, 3)
  await using a = await startTestNode(1, runtime, members)
  await using b = await startTestNode(2, runtime, members, { bootstrap: [a.address] })
  const c = await startTestNode(3, runtime, members, { bootstrap: [a.address] })
  c.service.awareness.set({ version: '9', active: {} })
  const seen = () => b.service.awareness.entries().find(({ key }) => key === c.signer.key)
  await until(runtime, () => seen() !== undefined)
  t.match(seen(), { up: true, data: { version: '9' } })
  const down: string[] = []
  a.service.events.on('peer-down', ({ key }) => down.push(key))
  await c[Symbol.asyncDispose]()
  await until(runtime, () => seen() === undefined && down.length > 0)
  t.same(down, [c.signer.key])
  t.same(
    a.service.peers().map(({ key }) => key),
    [b.signer.key],
  )
})

for (const seed of seeds(8)) {
  t.test(`when both dial at once exactly one link stays (SEED=${seed})`, async (t) => {
    const runtime = new ManualRuntime(seed)
    const members = membersOf(seed, seed + 50)
    await until(runtime, () => sockets() === 0)
    await using a = await startTestNode(seed, runtime, members)
    await using b = await startTestNode(seed + 50, runtime, members)
    const ups: string[] = []
    const downs: string[] = []
    for (const { service } of [a, b]) {
      service.events.on('peer-up', ({ key }) => ups.push(key))
      service.events.on('peer-down', ({ key }) => downs.push(key))
    }
    a.service.setAddresses([b.address])
    b.service.setAddresses([a.address])
    await until(runtime, () => a.drops.length + b.drops.length >= 2)
    await until(runtime, () => sockets() === 2)
    for (let i = 0; i < 200; i++) await until(runtime, () => true, 10)
    runtime.advance(5000)
    const id = a.replica.commit('over the one link')
    await until(runtime, () => b.has(id))
    t.equal(sockets(), 2, 'one socket on each side')
    t.same(ups.sort(), [a.signer.key, b.signer.key].sort(), 'each saw the other come once')
    t.same(downs, [])
  })
}

t.test('a node that comes back is dialled again, later each time it is not there', async (t) => {
  const runtime = new ManualRuntime(3)
  const members = membersOf(1, 2)
  const first = await startTestNode(1, runtime, members)
  const { port } = first.service.address
  await using b = await startTestNode(2, runtime, members, { bootstrap: [first.address] })
  await until(runtime, () => b.service.peers().length === 1)
  await first[Symbol.asyncDispose]()
  await until(runtime, () => b.drops.length >= 6)
  const refused = b.drops.filter(({ reason }) => reason === 'connection-failed').length
  t.ok(refused >= 5, `${refused} attempts failed`)
  await using again = await startTestNode(1, runtime, members, { listen: { host: '127.0.0.1', port } })
  await until(runtime, () => b.service.peers().length === 1, 50)
  const id = b.replica.commit('after all')
  await until(runtime, () => again.has(id))
})

t.test('a node that dials itself says so once and does not try again', async (t) => {
  const runtime = new ManualRuntime(4)
  await using a = await startTestNode(1, runtime, membersOf(1))
  a.service.setAddresses([a.address])
  await until(runtime, () => a.drops.length === 2)
  t.same(reasons(a).filter((reason) => reason === 'self').length >= 1, true)
  for (let i = 0; i < 50; i++) await until(runtime, () => true, 1000)
  runtime.advance(120_000)
  t.equal(a.drops.length, 2)
})

t.test('strangers and garbage are dropped and named; the others go on', async (t) => {
  const runtime = new ManualRuntime(5)
  const members = membersOf(1, 2)
  await using a = await startTestNode(1, runtime, members)
  await using b = await startTestNode(2, runtime, members, { bootstrap: [a.address] })
  await until(runtime, () => a.service.peers().length === 1)

  const attack = async (name: string, reason: string, act: (peer: RawPeer) => void) => {
    using peer = new RawPeer(a.address)
    const before = a.drops.length
    act(peer)
    await until(runtime, () => a.drops.length > before && peer.closed)
    t.equal(a.drops.at(-1)?.reason, reason, name)
    t.ok(
      a.log.some(({ level, data }) => level === 'warn' && data?.reason === reason),
      `${name}: it stands in the log`,
    )
    const id = b.replica.commit(`after ${name}`)
    await until(runtime, () => a.has(id))
  }
  const header = (length: number) => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(length)
    return bytes
  }
  await attack('HTTP', 'protocol', (peer) => peer.socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n'))
  await attack('an oversized length', 'protocol', (peer) => peer.socket.write(header(65_537)))
  await attack('an empty frame', 'protocol', (peer) => peer.socket.write(header(0)))
  await attack('a bomb of lengths', 'protocol', (peer) => {
    const bomb = Buffer.alloc(500)
    for (let at = 0; at < bomb.length; at += 5) bomb.set([0xdd, 0x01, 0xe0, 0, 0], at)
    peer.socket.write(Buffer.concat([header(500), bomb]))
  })
  await attack('half a frame', 'protocol', (peer) => peer.socket.end(Buffer.concat([header(100), Buffer.alloc(50)])))
  await attack('no hello', 'out-of-turn', (peer) => peer.send({ type: 'sync', message: new Uint8Array(1) }))
  await attack('a stranger', 'stranger', (peer) => peer.greet(testSigner(9)))
  await attack('another cluster', 'wrong-cluster', (peer) =>
    peer.greet(b.signer, { cluster: 'c'.repeat(51).concat('a') as typeof testClusterId }),
  )
  let proof: Frame | undefined
  {
    using honest = new RawPeer(a.address)
    const write = honest.send.bind(honest)
    honest.send = (...frames) => {
      proof = frames.find((frame) => frame.type === 'proof') ?? proof
      write(...frames)
    }
    honest.greet(b.signer, { incarnation: 0 })
    await until(runtime, () => honest.closed)
    t.equal(honest.bye, 'duplicate', 'an earlier incarnation of a linked peer is turned away')
  }
  await attack('a replayed proof', 'forged-proof', (peer) => {
    const { nonce, key } = { nonce: new Uint8Array(32).fill(1), key: b.signer.key }
    const hello = { type: 'hello', protocol: 1, cluster: testClusterId, key, nonce, incarnation: 0 } as const
    peer.send({ ...hello, version: 'raw', blobsPort: 0 }, proof as Frame)
  })
  t.same(
    a.service.peers().map(({ key }) => key),
    [b.signer.key],
    'the honest peer was never disturbed',
  )
  t.ok((a.service.counters.dropped.protocol ?? 0) >= 5)
})

t.test('a handshake that is fed drop by drop ends after ten seconds', async (t) => {
  const runtime = new ManualRuntime(6)
  await using a = await startTestNode(1, runtime, membersOf(1))
  using silent = new RawPeer(a.address)
  using slow = new RawPeer(a.address)
  await until(runtime, () => silent.frames.length === 1 && slow.frames.length === 1, 0)
  runtime.advance(HANDSHAKE_TIMEOUT_MS / 2)
  slow.socket.write(Buffer.from([0, 0, 0]))
  runtime.advance(HANDSHAKE_TIMEOUT_MS / 2 - 1)
  t.same(a.drops, [])
  runtime.advance(1)
  t.same(reasons(a), ['handshake-timeout', 'handshake-timeout'])
  await until(runtime, () => silent.closed && slow.closed, 0)
})

t.test('many that never finish a handshake do not keep a member out for long', async (t) => {
  const runtime = new ManualRuntime(7)
  const members = membersOf(1, 2)
  await using a = await startTestNode(1, runtime, members)
  const crowd = Array.from({ length: 80 }, () => new RawPeer(a.address))
  await until(runtime, () => (a.service.counters.dropped['too-many-handshakes'] ?? 0) >= 16, 0)
  await using b = await startTestNode(2, runtime, members, { bootstrap: [a.address] })
  await until(runtime, () => b.service.peers().length === 1, 50)
  for (const peer of crowd) peer[Symbol.dispose]()
  t.ok(a.service.peers().length === 1)
})

t.test('a member that misbehaves loses its link and no more', async (t) => {
  const runtime = new ManualRuntime(8)
  const members = membersOf(1, 2, 3)
  await using a = await startTestNode(1, runtime, members)
  await using b = await startTestNode(2, runtime, members, { bootstrap: [a.address] })
  await until(runtime, () => a.service.peers().length === 1)
  const misbehave = async (reason: string, act: (peer: RawPeer) => void) => {
    using peer = new RawPeer(a.address)
    peer.greet(testSigner(3))
    await until(runtime, () => a.service.peers().length === 2)
    const before = a.drops.length
    act(peer)
    await until(runtime, () => a.drops.length > before)
    t.match(a.drops.at(-1), { reason, key: testSigner(3).key })
    peer.socket.resume()
    const id = b.replica.commit(`after ${reason}`)
    await until(runtime, () => a.has(id) && peer.closed)
  }
  await misbehave('protocol', (peer) => peer.socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff])))
  await misbehave('protocol', (peer) => peer.send({ type: 'sync', message: new Uint8Array([9, 9]) }))
  await misbehave('protocol', (peer) => peer.send({ type: 'proof', signature: new Uint8Array(64) }))
  await misbehave('refused-operations', (peer) => {
    const operations = Array.from({ length: 20 }, (_, i) => fakeOperation(`bad ${i}`).bytes)
    peer.send({ type: 'operations', operations })
  })
  await misbehave('refused-operations', (peer) => {
    for (let i = 0; i < 20; i++)
      peer.send({ type: 'sync', message: encodeSyncMessage({ kind: 'update', update: new Uint8Array([255, i]) }) })
  })
  await misbehave('bad-awareness', (peer) =>
    peer.send({ type: 'awareness', entries: Array.from({ length: 4 }, () => new Uint8Array(200)) }),
  )
  await misbehave('slow-reader', (peer) => {
    peer.socket.pause()
    for (let i = 0; i < 60; i++) a.replica.commit(`large ${i} ${'x'.repeat(1_000_000)}`)
  })
})

t.test('what waits for the disk is bounded: reading stops, and goes on when it can', async (t) => {
  const runtime = new ManualRuntime(13)
  await using a = await startTestNode(1, runtime, membersOf(1, 3))
  const merge = a.replica.mergeOperations.bind(a.replica)
  const waiting: (() => void)[] = []
  let started = 0
  a.replica.mergeOperations = async (operations, origin) => {
    started++
    await new Promise<void>((resolve) => waiting.push(resolve))
    return merge(operations, origin)
  }
  using peer = new RawPeer(a.address)
  peer.greet(testSigner(3))
  await until(runtime, () => a.service.peers().length === 1)
  const frames = 200
  const operations = Array.from({ length: frames }, (_, i) => fakeOperation(`${i} ${'x'.repeat(100_000)}`))
  for (const { bytes } of operations) peer.send({ type: 'operations', operations: [bytes] })
  await until(runtime, () => started >= 16, 0)
  for (let i = 0; i < 200; i++) await until(runtime, () => true)
  t.equal(started, 16)
  while (started < frames || waiting.length > 0) {
    for (const release of waiting.splice(0)) release()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await until(runtime, () => operations.every(({ id }) => a.has(id)), 0)
})

t.test('who is removed loses its link; who is admitted has a minute to become a member', async (t) => {
  const runtime = new ManualRuntime(9)
  const members = membersOf(1, 2)
  const asked: [MemberKey, number][] = []
  await using a = await startTestNode(1, runtime, members, {
    admits: (key, operations) => asked.push([key, operations.length]) > 0,
  })
  await using b = await startTestNode(2, runtime, members, { bootstrap: [a.address] })
  await until(runtime, () => a.service.peers().length === 1)
  members.delete(b.signer.key)
  a.replica.commit('this one removes b')
  t.same(reasons(a), ['not-a-member'], 'at once, not at the next tick')
  members.add(b.signer.key)
  await until(runtime, () => a.service.peers().length === 1, 20)

  const admission = [fakeOperation('c joins').bytes]
  const everyone = membersOf(1, 2, 3)
  await using c = await startTestNode(3, runtime, everyone, { bootstrap: [a.address], admission })
  await until(runtime, () => a.service.peers().length === 2)
  t.same(asked, [[c.signer.key, 1]])
  await until(runtime, () => a.has(fakeOperation('c joins').id))
  members.add(c.signer.key)
  const id = c.replica.commit('from the new one')
  await until(runtime, () => b.has(id))
  runtime.advance(61_000)
  t.notMatch(reasons(a).slice(1), ['not-a-member'])

  members.delete(c.signer.key)
  await until(runtime, () => reasons(a).filter((reason) => reason === 'not-a-member').length === 2, 50)
  await until(runtime, () => a.service.peers().length === 2, 50)
  await until(runtime, () => reasons(a).filter((reason) => reason === 'not-a-member').length === 3, 200)
  t.pass('admitted again, but no member after a minute')
})

t.test('a replica that fails is said and stops no process', async (t) => {
  const runtime = new ManualRuntime(10)
  const members = membersOf(1, 2)
  await using a = await startTestNode(1, runtime, members)
  a.replica.mergeUpdate = () => Promise.reject(new Error('the disk is full'))
  await using b = await startTestNode(2, runtime, members, { bootstrap: [a.address] })
  await until(runtime, () => b.service.peers().length === 1)
  b.replica.commit('too much')
  await until(runtime, () => reasons(a).includes('replica-failed'))
  t.ok(a.log.some(({ level, event }) => level === 'error' && event === 'gossip.failed'))
})

t.test('a port that is taken is named, with the way to find out who has it', async (t) => {
  const runtime = new ManualRuntime(11)
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  t.teardown(() => other.close())
  const { port } = other.address() as { port: number }
  const taken = { listen: { host: '127.0.0.1', port } }
  await t.rejects(startTestNode(1, runtime, membersOf(1), taken), { code: 'MAKI_PORT_IN_USE', hint: /ss -ltnp/ })
  await t.rejects(startTestNode(1, runtime, membersOf(1), { bootstrap: ['nowhere'] }), { code: 'MAKI_CONFIG' })
  await t.rejects(startTestNode(1, runtime, membersOf(1), { listen: { host: '192.0.2.1', port: 0 } }), {
    code: 'MAKI_CONFIG',
  })
  t.equal(runtime.timers, 0)
})

t.test('stopping closes everything, also what is half open', async (t) => {
  const runtime = new ManualRuntime(12)
  const members = membersOf(1, 2)
  await until(runtime, () => sockets() === 0)
  const a = await startTestNode(1, runtime, members)
  const b = await startTestNode(2, runtime, members, { bootstrap: [a.address, '127.0.0.1:1'] })
  using stranger = new RawPeer(a.address)
  await until(runtime, () => a.service.peers().length === 1 && stranger.frames.length === 1)
  await Promise.all([a[Symbol.asyncDispose](), b[Symbol.asyncDispose](), a[Symbol.asyncDispose]()])
  await until(runtime, () => sockets() === 0, 0)
  await until(runtime, () => runtime.timers === 0, 0)
  t.pass('no timer is left')
  await using again = await startTestNode(3, runtime, members, {
    listen: { host: '127.0.0.1', port: a.service.address.port },
  })
  t.equal(again.service.address.port, a.service.address.port)
})

/** Lets so much time pass, with turns for the sockets in between. */
async function pass(runtime: ManualRuntime, ms: number): Promise<void> {
  const endMs = runtime.now() + ms
  await until(runtime, () => runtime.now() >= endMs, 100)
}

t.test('of two machines with one key and one neighbour: reported, though no third hears them', async (t) => {
  const runtime = new ManualRuntime(14)
  const members = membersOf(1, 2)
  await using a = await startTestNode(1, runtime, members)
  const cloned: unknown[] = []
  a.service.events.on('cloned', (event) => cloned.push(event))
  const incarnation = runtime.now()
  await using b = await startTestNode(2, runtime, members, { bootstrap: [a.address], incarnation })
  b.service.awareness.set({ n: 1 })
  await until(runtime, () => a.service.peers().length === 1)
  runtime.advance(60_000)
  await using twin = await startTestNode(2, runtime, members, { bootstrap: [a.address], incarnation: incarnation + 1 })
  twin.service.awareness.set({ n: 2 })
  await until(runtime, () => cloned.length > 0, 20)
  t.same(cloned, [{ key: b.signer.key, incarnations: [incarnation + 1, incarnation] }])
  t.match(
    a.log.filter(({ event }) => event === 'member.cloned'),
    [{ level: 'error' }],
  )
  await pass(runtime, 20_000)
  t.equal(cloned.length, 1, 'once')
  t.same(a.service.awareness.clones(), [b.signer.key])
  await b[Symbol.asyncDispose]()
  await pass(runtime, 11 * 60_000)
  t.same(a.service.awareness.clones(), [], 'one of them was ended')
})

t.test('a restart is no clone: not when it is quick, nor when the old link was never closed', async (t) => {
  const runtime = new ManualRuntime(15)
  const members = membersOf(1, 2)
  await using a = await startTestNode(1, runtime, members)
  const cloned: unknown[] = []
  a.service.events.on('cloned', (event) => cloned.push(event))
  const greet = async (peer: RawPeer, incarnation: number) => {
    peer.greet(testSigner(2), { incarnation })
    const isDone = () => peer.closed || a.service.peers()[0]?.incarnation === incarnation
    await until(runtime, isDone)
  }
  // Its machine lost its power: nothing closes the first link.
  using lost = new RawPeer(a.address)
  await greet(lost, 10)
  using later = new RawPeer(a.address)
  await greet(later, 11)
  await until(runtime, () => lost.closed)
  t.equal(lost.bye, 'duplicate')
  // What the process before had begun arrives after the first words of the next one.
  using late = new RawPeer(a.address)
  await greet(late, 10)
  t.equal(late.bye, 'duplicate')
  await pass(runtime, 10_000)
  t.same(cloned, [])
  using alive = new RawPeer(a.address)
  await greet(alive, 10)
  t.same(
    cloned,
    [{ key: testSigner(2).key, incarnations: [11, 10] }],
    'who is there all that time later is another machine',
  )
})

t.test('a member is heard only from where it is, also when that changes while it is linked', async (t) => {
  const runtime = new ManualRuntime(16)
  const members = membersOf(1, 2, 3)
  const away = new Set<MemberKey>([testSigner(3).key])
  const asked: string[] = []
  const mayBeAt = (key: MemberKey, host: string) => {
    asked.push(host)
    return !away.has(key)
  }
  await using a = await startTestNode(1, runtime, members, { mayBeAt })
  const written = a.replica.commit('of this cluster')
  await using b = await startTestNode(2, runtime, members, { bootstrap: [a.address] })
  await using thief = await startTestNode(3, runtime, members, { bootstrap: [a.address] })
  await until(runtime, () => b.has(written) && reasons(a).includes('wrong-address'))
  t.same(
    a.service.peers().map(({ key }) => key),
    [b.signer.key],
  )
  t.notOk(thief.has(written), 'who proves a stolen key from elsewhere is told nothing')
  t.same(new Set(asked), new Set(['127.0.0.1']))
  away.add(b.signer.key)
  await until(runtime, () => a.service.peers().length === 0, 50)
  t.match(a.drops.at(-1), { reason: 'wrong-address', key: b.signer.key })
})

t.test('who dials finds nobody else where it expects a member', async (t) => {
  const runtime = new ManualRuntime(17)
  const members = membersOf(1, 2)
  await using a = await startTestNode(1, runtime, members)
  const more = { bootstrap: [a.address], mayBeAt: () => false }
  await using b = await startTestNode(2, runtime, members, more)
  await until(runtime, () => reasons(b).includes('wrong-address'))
  t.same(b.service.peers(), [])
})
