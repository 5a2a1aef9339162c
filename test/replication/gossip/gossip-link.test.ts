import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import type { Runtime } from '../../../core/index.ts'
import { GossipLink } from '../../../replication/gossip/gossip-link.ts'
import type { Session, SessionPeer } from '../../../replication/gossip/session.ts'
import { TcpConnection } from '../../../replication/gossip/tcp-network.ts'
import { encodeFrame, type Frame } from '../../../replication/gossip/wire.ts'

const hello = encodeFrame({ type: 'bye', reason: 'stands for a hello' })
const request = (number: number): Frame => ({ type: 'request', ids: new Uint8Array(32).fill(number & 0xff) })

/** A session that lets anybody in after one frame: what is tried here comes behind it. */
const open = {
  start: () => ({ type: 'bye', reason: 'hello' }),
  handle: () => ({ kind: 'authenticated', peer: {} as SessionPeer, send: [] }),
} as unknown as Session

async function pair(): Promise<{ ours: Socket; theirs: Socket; close: () => void }> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection')
  const theirs = connect((server.address() as { port: number }).port, '127.0.0.1')
  const [ours] = (await accepted) as [Socket]
  return {
    ours,
    theirs,
    close: () => {
      theirs.destroy()
      ours.destroy()
      server.close()
    },
  }
}

/** Every look at the clock takes a millisecond, so that time passes with the work and not with the machine. */
function slowRuntime(): Runtime {
  let nowMs = 0
  return {
    now: () => nowMs,
    monotonic: () => nowMs++,
    random: () => 0.5,
    randomBytes: (length) => new Uint8Array(length),
    after: () => () => {},
  }
}

t.test('a chunk of many frames lets others have their turn, and loses none', async (t) => {
  const { ours, theirs, close } = await pair()
  t.teardown(close)
  const frames = 500
  const numbers: number[] = []
  let turns = 0
  let sinceTurn = 0
  let most = 0
  const all = Promise.withResolvers<void>()
  new GossipLink({
    id: 1,
    connection: new TcpConnection(ours),
    dialled: undefined,
    session: open,
    runtime: slowRuntime(),
    authenticated() {},
    received(_link, frame) {
      if (frame.type === 'request') numbers.push(frame.ids[0] as number)
      most = Math.max(most, ++sinceTurn)
      if (numbers.length === frames) all.resolve()
    },
    closed: (_link, reason, detail) => all.reject(new Error(`${reason}: ${detail}`)),
  })
  let watching = true
  const watch = (async () => {
    while (watching) {
      await nextTurn()
      sinceTurn = 0
      turns++
    }
  })()
  theirs.write(Buffer.concat([hello, ...Array.from({ length: frames }, (_, i) => encodeFrame(request(i)))]))
  await all.promise
  watching = false
  await watch
  t.same(
    numbers,
    Array.from({ length: frames }, (_, i) => i & 0xff),
  )
  t.ok(most < 20, `at most a few frames a turn, not ${most}`)
  t.ok(turns > frames / 20)
})

t.test('frames wait while too many merges do', async (t) => {
  const { ours, theirs, close } = await pair()
  t.teardown(close)
  const merges: PromiseWithResolvers<void>[] = []
  let received = 0
  const link = new GossipLink({
    id: 1,
    connection: new TcpConnection(ours),
    dialled: undefined,
    session: open,
    runtime: { ...slowRuntime(), monotonic: () => 0 },
    authenticated() {},
    received() {
      received++
      const merge = Promise.withResolvers<void>()
      merges.push(merge)
      link.track(merge.promise)
    },
    closed() {},
  })
  theirs.write(Buffer.concat([hello, ...Array.from({ length: 40 }, (_, i) => encodeFrame(request(i)))]))
  while (received < 16) await nextTurn()
  for (let i = 0; i < 50; i++) await nextTurn()
  t.equal(received, 16, 'the rest of the chunk waits too')
  for (let settled = 0; settled < 40; settled++) {
    while (merges[settled] === undefined) await nextTurn()
    merges[settled]?.resolve()
  }
  while (received < 40) await nextTurn()
  t.equal(received, 40)
})
