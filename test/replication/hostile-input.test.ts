import { request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { ControlClient } from '../../cli/client/control-client.ts'
import {
  type Change,
  createOperation,
  decodeMessage,
  encodeCanonical,
  type Hostname,
  idBytes,
  type NodeName,
  nextStamp,
  type Operation,
  type OperationId,
  type OwnerName,
  SIGNATURE_BYTES,
  type Signer,
} from '../../core/index.ts'
import { type ControlBackend, startControlServer } from '../../edge/index.ts'
import { HANDSHAKE_TIMEOUT_MS } from '../../replication/gossip/session.ts'
import { encodeSyncMessage } from '../../replication/gossip/sync-message.ts'
import { encodeFrame, type Frame } from '../../replication/gossip/wire.ts'
import { type GossipService, openLevelStore, SharedReplica, startGossip } from '../../replication/index.ts'
import { MAX_PENDING_BYTES } from '../../replication/replica/pending-pool.ts'
import { ManualRuntime, until } from '../sim/manual-runtime.ts'
import { RawPeer } from '../sim/raw-peer.ts'
import { createTestCluster, domains, testSigner } from '../support/histories.ts'
import { recordLog } from './fake-runtime.ts'

/**
 * Every kind of bad input of the specification, where it enters: gossip over TCP, the control socket. Each is tried on
 * one running node (real store, real sockets), and afterwards: the process lives, the link was dropped and named where
 * it should be, nothing bad was stored, memory is what it was, and good operations still flow.
 */

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
/** After a collection; what is kept on purpose (operations that wait for their heads) has bounds of its own within this. */
const MEMORY_FACTOR = 2
const MEMORY_ROOM_BYTES = 64 * 1024 * 1024

const cluster = createTestCluster()
const runtime = new ManualRuntime(1)
const [target, honest, mallory, stranger] = [testSigner(51), testSigner(52), testSigner(53), testSigner(54)] as [
  Signer,
  Signer,
  Signer,
  Signer,
]
const joinChange = (signer: Signer, name: string): Change => ({
  kind: 'node.join',
  key: signer.key,
  name: name as NodeName,
  addresses: { ipv4: null, ipv6: null },
  place: null,
  nameserver: false,
  drained: false,
})
const founding = createOperation(cluster.operator, cluster.id, {
  stamp: nextStamp(0, [cluster.creation.stamp]),
  heads: [cluster.creation.id],
  changes: [joinChange(target, 'target'), joinChange(honest, 'honest'), joinChange(mallory, 'mallory')],
})

interface RealNode {
  readonly shared: SharedReplica
  readonly service: GossipService
  readonly address: string
  readonly drops: { readonly reason: string; readonly key: string | undefined }[]
  readonly log: ReturnType<typeof recordLog>
}

async function startNode(signer: Signer, bootstrap: string[]): Promise<RealNode> {
  const log = recordLog()
  const directory = t.testdirName
  const store = await openLevelStore({ directory: join(directory, signer.key), cluster: cluster.id, runtime, log })
  const shared = await SharedReplica.open({ store, cluster: cluster.id, runtime, log, index: undefined })
  const { replica } = shared
  await replica.submit([cluster.creation.bytes, founding.bytes])
  const service = await startGossip({
    replica: shared,
    signer,
    cluster: cluster.id,
    runtime,
    log,
    version: '0.0.0-test',
    listen: { host: '127.0.0.1', port: 0 },
    bootstrap,
    incarnation: 1,
    blobsPort: 0,
    admission: [],
    isMember: (key) => replica.isMember(key),
    admits: () => false,
  })
  const drops: RealNode['drops'] = []
  service.events.on('dropped', (drop) => drops.push(drop))
  t.teardown(async () => {
    await service[Symbol.asyncDispose]()
    await shared[Symbol.asyncDispose]()
    await store.close()
  })
  return { shared, service, address: `127.0.0.1:${service.address.port}`, drops, log }
}

t.testdir({})
const node = await startNode(target, [])
const friend = await startNode(honest, [node.address])
const backend = {
  status: () => Promise.reject(new Error('is not asked')),
  accept: (operations: readonly Uint8Array[]) => node.shared.replica.submit(operations),
  operations: (after: string | undefined) => node.shared.replica.page(after, 100),
} as unknown as ControlBackend
const socketPath = join(t.testdirName, 'c.sock')
const control = await startControlServer({ backend, socketPath, log: node.log, runtime })
const client = new ControlClient({ socketPath, name: 'target', runtime: { after: () => () => {} } })
t.teardown(async () => {
  client[Symbol.dispose]()
  await control.close()
})

let written = 0
/** A good operation, made at the other node, arrives. */
async function checkFlow(t: Test): Promise<void> {
  await until(runtime, () => node.service.peers().some(({ key }) => key === honest.key))
  const name = `r${written++ % 50}` as OwnerName
  const values = [`192.0.2.${written % 250}`]
  const change: Change = { kind: 'record.set', domain: domains[0] as Hostname, name, type: 'A', ttl: 300, values }
  const { id } = await friend.shared.replica.commit(cluster.operator, [change])
  await until(runtime, () => node.shared.has(id))
  t.pass('a good operation still arrives')
}

function measureMemory(): number {
  collectGarbage()
  collectGarbage()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
let memoryAtStart = 0

async function checkWell(t: Test): Promise<void> {
  await checkFlow(t)
  const memory = measureMemory()
  const limit = memoryAtStart * MEMORY_FACTOR + MEMORY_ROOM_BYTES
  t.ok(memory < limit, `memory is bounded: ${memory >> 20} of ${limit >> 20} MiB`)
}

// --- what a member with a changed program can sign ------------------------------------------------------------------

function signBytes(body: Uint8Array, signer: Signer = mallory): Uint8Array {
  const context = new TextEncoder().encode('makiatto operation 1\0')
  const signature = signer.sign(Buffer.concat([context, idBytes(cluster.id), body]))
  return new Uint8Array(Buffer.concat([signature, body]))
}
const update = (n: number): Change => ({ kind: 'node.update', key: mallory.key, set: { drained: n % 2 === 0 } })

function write(
  n: number,
  options: { signer?: Signer; heads?: readonly OperationId[]; wallMs?: number } = {},
): Operation {
  const { signer = mallory, heads = [founding.id], wallMs = runtime.now() + n } = options
  return createOperation(signer, cluster.id, { stamp: { wallMs, counter: n }, heads, changes: [update(n)] })
}
const bodyOf = (n = 1): unknown[] => decodeMessage(write(n).bytes.subarray(SIGNATURE_BYTES)) as unknown[]
const signBody = (body: unknown): Uint8Array => signBytes(encodeCanonical(body))
const unknownId = (n: number): Uint8Array => {
  const bytes = new Uint8Array(32).fill(7)
  new DataView(bytes.buffer).setUint32(0, n)
  return bytes
}

function replaceOnce(bytes: Uint8Array, from: Uint8Array | number[], to: Uint8Array | number[]): Uint8Array {
  const at = Buffer.from(bytes).indexOf(Buffer.from(from))
  if (at < 0) throw new Error('what should be replaced is not there')
  return new Uint8Array(Buffer.concat([bytes.subarray(0, at), Buffer.from(to), bytes.subarray(at + from.length)]))
}

function nested(): Uint8Array {
  const deep = new Uint8Array(200_001).fill(0x91)
  deep[200_000] = 0xc0
  return signBytes(replaceOnce(encodeCanonical(bodyOf().with(5, ['PLACE'])), encodeCanonical('PLACE'), deep))
}

/** The same change with one of its keys twice: which value counts would be the decoder's whim. */
function duplicateKey(): Uint8Array {
  const change = encodeCanonical(update(1))
  const twice = Buffer.concat([
    Buffer.from([(change[0] as number) + 1]),
    change.subarray(1),
    encodeCanonical('kind'),
    encodeCanonical('cluster.create'),
  ])
  return signBytes(replaceOnce(encodeCanonical(bodyOf()), change, twice))
}

/** Other spellings of one and the same content: each would be another id. */
function spellings(): Uint8Array[] {
  const body = encodeCanonical(bodyOf())
  const kind = encodeCanonical('node.update')
  const long = Buffer.concat([Buffer.from([0xd9, kind.length - 1]), kind.subarray(1)])
  return [
    signBytes(replaceOnce(body, [0x97, 0x01], [0x97, 0xcc, 0x01])),
    signBytes(replaceOnce(body, [0x97, 0x01], [0xdc, 0x00, 0x07, 0x01])),
    signBytes(replaceOnce(body, kind, long)),
    signBytes(new Uint8Array([...body, 0xc0])),
    signBody(bodyOf().with(4, 1.5)),
  ]
}

/** Operations that nobody may take, with the reason that the control API gives. */
const BAD_OPERATIONS: readonly [name: string, make: (n: number) => Uint8Array, code: RegExp][] = [
  ['forged', (n) => write(n).bytes.with(5, (write(n).bytes[5] as number) ^ 1), /INVALID/],
  ["a stranger's", (n) => write(n, { signer: stranger }).bytes, /REFUSED/],
  ['stamped before what it follows', (n) => write(n, { wallMs: 1000 + n }).bytes, /REFUSED|INVALID/],
  [
    'with 17 heads',
    (n) =>
      signBody(
        bodyOf(n).with(
          3,
          Array.from({ length: 17 }, (_, i) => unknownId(i)),
        ),
      ),
    /INVALID/,
  ],
  ['with a head twice', (n) => signBody(bodyOf(n).with(3, [unknownId(n), unknownId(n)])), /INVALID/],
  ['nested 200,000 levels deep', nested, /INVALID/],
  ['with a key of a map twice', duplicateKey, /INVALID/],
  ...spellings().map((bytes, i): [string, () => Uint8Array, RegExp] => [
    `in another spelling (${i})`,
    () => bytes,
    /INVALID/,
  ]),
  ['of one change that never ends', (n) => signBody(bodyOf(n).with(5, [])), /INVALID/],
]

// --- the attacks ------------------------------------------------------------------------------------------------------

/** Speaks as the member mallory; the honest link stays. */
async function asMember(act: (peer: RawPeer) => void | Promise<void>): Promise<void> {
  const isLinked = () => node.service.peers().some(({ key }) => key === mallory.key)
  {
    using peer = new RawPeer(node.address)
    peer.greet(mallory, { cluster: cluster.id, incarnation: runtime.now(), nonce: runtime.randomBytes(32) })
    await until(runtime, isLinked)
    await act(peer)
  }
  await until(runtime, () => !isLinked())
}

const sync = (bytes: Uint8Array): Frame => ({
  type: 'sync',
  message: encodeSyncMessage({ kind: 'update', update: bytes }),
})
const header = (length: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(length)
  return bytes
}

/** Attacks that end the link, with the word under which it is counted and logged. */
const GOSSIP_ATTACKS: readonly [name: string, reason: string, act: (peer: RawPeer) => void | Promise<void>][] = [
  ['a frame that is cut', 'protocol', (peer) => peer.socket.end(Buffer.concat([header(100), Buffer.alloc(50)]))],
  ['a frame above the limit', 'protocol', (peer) => peer.socket.write(header(0x7fffffff))],
  ['a change of 100 MB', 'protocol', (peer) => peer.socket.write(header(100 * 1024 * 1024))],
  [
    'an operation of 2 MB',
    'protocol',
    (peer) => peer.send({ type: 'operations', operations: [new Uint8Array(2 * 1024 * 1024)] }),
  ],
  ['garbage', 'protocol', (peer) => peer.socket.write(Buffer.concat([header(64), Buffer.alloc(64, 0xc1)]))],
  [
    'a bomb of lengths',
    'protocol',
    (peer) => {
      const bomb = Buffer.alloc(5000)
      for (let at = 0; at < bomb.length; at += 5) bomb.set([0xdd, 0x01, 0xe0, 0, 0], at)
      peer.socket.write(Buffer.concat([header(bomb.length), bomb]))
    },
  ],
  [
    'a million junk updates',
    'refused-operations',
    async (peer) => {
      const junk = Buffer.concat(Array.from({ length: 1000 }, (_, i) => encodeFrame(sync(Uint8Array.of(255, i, 7, 1)))))
      for (let i = 0; i < 1000 && !peer.closed; i++) {
        if (!peer.socket.write(junk)) await until(runtime, () => peer.closed || !peer.socket.writableNeedDrain, 0)
      }
    },
  ],
  ...BAD_OPERATIONS.map(([name, make]): [string, string, (peer: RawPeer) => void] => [
    `operations ${name}`,
    'refused-operations',
    (peer) => {
      for (let n = 0; n < 20; n++) peer.send({ type: 'operations', operations: [make(n)] })
    },
  ]),
]

t.test('good operations flow at first', async (t) => {
  await checkFlow(t)
  memoryAtStart = measureMemory()
})

for (const [name, reason, act] of GOSSIP_ATTACKS) {
  t.test(`gossip: ${name}: the link is dropped and named`, async (t) => {
    const count = node.shared.replica.count
    const drops = node.drops.length
    const mine = () => node.drops.slice(drops).find(({ key }) => key === mallory.key)
    await asMember(async (peer) => {
      await act(peer)
      await until(runtime, () => mine() !== undefined)
    })
    t.equal(mine()?.reason, reason)
    t.ok(node.service.counters.dropped[reason], 'counted')
    t.ok(
      node.log.events.some(([event, data]) => event === 'link.closed' && data.reason === reason),
      'logged',
    )
    t.equal(node.shared.replica.count, count, 'nothing of it is stored')
    await checkWell(t)
  })
}

t.test('gossip: a handshake that comes drop by drop is cut after its time', async (t) => {
  const drops = node.drops.length
  using slow = new RawPeer(node.address)
  await until(runtime, () => slow.frames.length === 1, 0)
  slow.socket.write(Buffer.from([0, 0]))
  runtime.advance(HANDSHAKE_TIMEOUT_MS)
  await until(runtime, () => node.drops.slice(drops).some(({ reason }) => reason === 'handshake-timeout'))
  await checkWell(t)
})

t.test('gossip: the same operation a thousand times is stored once', async (t) => {
  const operation = write(1, { wallMs: runtime.now() })
  await asMember(async (peer) => {
    for (let i = 0; i < 1000; i++) peer.send({ type: 'operations', operations: [operation.bytes] })
    await until(runtime, () => node.shared.has(operation.id))
    await checkFlow(t)
  })
  const ids = [...node.shared.replica.ids()].filter((id) => id === operation.id)
  t.equal(ids.length, 1)
  await checkWell(t)
})

t.test('gossip: from the future: stored, passed on and held until it is due', async (t) => {
  const aheadMs = 3_600_000
  const future = write(1, { wallMs: runtime.now() + aheadMs })
  await asMember(async (peer) => {
    peer.send({ type: 'operations', operations: [future.bytes] })
    await until(runtime, () => friend.shared.has(future.id))
  })
  t.same(node.shared.replica.held(), [future.id])
  await checkWell(t)
  t.notOk(
    node.shared.replica.heads().some(({ id }) => id === future.id),
    'it decides nothing yet',
  )
  runtime.advance(aheadMs + 1000)
  await until(runtime, () => node.shared.replica.held().length === 0)
  t.same(node.shared.replica.explain(future.id), { status: 'counted' })
  await checkWell(t)
})

t.test('gossip: heads that cannot exist, as a cycle would need, wait in bounded room', async (t) => {
  const { replica } = node.shared
  const text = 'x'.repeat(900_000)
  const most = Math.floor(MAX_PENDING_BYTES / text.length)
  const waiting = (n: number): Uint8Array =>
    signBody(
      bodyOf(n)
        .with(3, [unknownId(n)])
        .with(5, [text]),
    )
  await asMember(async (peer) => {
    for (let n = 0; n < most + 10 && !peer.closed; n++) {
      peer.send({ type: 'operations', operations: [waiting(n)] })
      await until(runtime, () => peer.closed || replica.pending().length >= Math.min(n, most - 1))
    }
  })
  t.ok(replica.pending().length >= most - 1, `${replica.pending().length} wait`)
  t.ok(replica.pending().length <= most, `${most} at most`)
  await checkWell(t)
})

t.test('control: each of them is refused with its reason', async (t) => {
  const count = node.shared.replica.count
  for (const [name, make, code] of BAD_OPERATIONS) {
    const error = (await client.accept([make(1)]).catch((thrown: unknown) => thrown)) as { code?: string }
    t.match(error.code, code, name)
  }
  t.equal(node.shared.replica.count, count)
  await checkWell(t)
})

t.test('control: from the future, and after what is not here', async (t) => {
  const outcome = (bytes: Uint8Array) => client.accept([bytes]).catch((thrown: unknown) => thrown)
  t.match(await outcome(write(1, { wallMs: runtime.now() + 3_600_000 }).bytes), { code: 'MAKI_OPERATION_REFUSED' })
  t.match(await outcome(signBody(bodyOf().with(3, [unknownId(1)]))), { code: 'MAKI_CONFLICT' })
  const known = write(2, { wallMs: runtime.now() })
  t.same((await client.accept([known.bytes])).accepted, [known.id])
  t.same((await client.accept([known.bytes])).known, [known.id], 'replayed')
  await checkWell(t)
})

t.test('control: what is no request, or too large, or never ends', async (t) => {
  const raw = (bytes: Uint8Array | string) =>
    new Promise<string>((resolve) => {
      const socket = connect(socketPath)
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk
      })
      socket.on('error', () => resolve(text))
      socket.on('close', () => resolve(text))
      socket.end(bytes)
    })
  t.match(await raw('garbage\r\n\r\n'), /^HTTP\/1\.1 400|^$/)
  t.notMatch(await raw('POST /v1/operations HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc'), /^HTTP\/1\.1 2/)
  const headers = { 'content-type': 'application/msgpack', 'content-length': 100 * 1024 * 1024 }
  let status: number | undefined
  const outgoing = request({ socketPath, method: 'POST', path: '/v1/operations', headers }, (response) => {
    status = response.statusCode
    response.resume()
    outgoing.destroy()
  })
  outgoing.on('error', () => {})
  outgoing.write(Buffer.alloc(64 * 1024))
  // The answer comes when what is still being sent had its time.
  await until(runtime, () => status !== undefined)
  t.equal(status, 413, 'a body of 100 MB is refused by its length')
  const post = (body: Buffer) => {
    const head = ['POST /v1/operations HTTP/1.1', 'host: x', 'connection: close', 'content-type: application/msgpack']
    return raw(
      Buffer.concat([Buffer.from(`${[...head, `content-length: ${body.length}`].join('\r\n')}\r\n\r\n`), body]),
    )
  }
  const bomb = Buffer.alloc(5000, 0xdd)
  const refused = await post(bomb)
  t.match(refused, /^HTTP\/1\.1 4/)
  // An array of so many empty binaries, in few bytes.
  const many = Buffer.alloc(5 + 600_000)
  many.set([0xdd, 0, 0x04, 0x93, 0xe0])
  for (let at = 5; at < many.length; at += 2) many.set([0xc4, 0], at)
  const tooMany = await post(many)
  t.match(tooMany, /^HTTP\/1\.1 413/)
  await checkWell(t)
})
