import type t from 'tap'
import type { Connection, Network, NetworkAddress } from '../../../replication/gossip/network.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

/** A network to be tried, and how to let its time pass. */
export interface NetworkUnderTest {
  readonly network: Network
  readonly host: string
  /** Resolves when `isTrue` holds. */
  until(isTrue: () => boolean): Promise<void>
}

/** What a connection told its listener. */
class Heard {
  readonly chunks: Uint8Array[] = []
  opened = 0
  ended = 0
  failed = 0
  closed = 0

  constructor(connection: Connection) {
    connection.attach({
      opened: () => this.opened++,
      received: (chunk) => void this.chunks.push(new Uint8Array(chunk)),
      ended: () => this.ended++,
      failed: () => this.failed++,
      closed: () => this.closed++,
    })
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }

  get length(): number {
    return this.chunks.reduce((sum, { length }) => sum + length, 0)
  }
}

/** The contract of `Network`, for every implementation of it. */
export function testNetwork(tap: typeof t, name: string, create: (seed: number) => NetworkUnderTest): void {
  tap.test(`${name}: bytes arrive in order and whole, in both directions, up to the end (seeds)`, async (t) => {
    for (const seed of seeds(5)) {
      const random = createRandom(seed)
      const { near, far, ours, theirs, until, close } = await connect(create(seed))
      const sent = { near: [] as Uint8Array[], far: [] as Uint8Array[] }
      for (let i = 0; i < 50; i++) {
        const bytes = random.bytes(1 + random.integer(3000))
        const side = random.chance(0.5) ? 'near' : 'far'
        sent[side].push(bytes)
        if (side === 'near') near.write(bytes)
        else far.write(bytes)
      }
      const wholeNear = Buffer.concat(sent.near)
      const wholeFar = Buffer.concat(sent.far)
      await until(() => ours.length >= wholeFar.length)
      near.close()
      await until(() => ours.closed > 0 && theirs.closed > 0)
      t.ok(theirs.bytes.equals(wholeNear), `what was queued before the close came too (SEED=${seed})`)
      t.ok(ours.bytes.equals(wholeFar))
      t.strictSame([ours.opened, theirs.opened, ours.closed, theirs.closed, theirs.ended], [1, 1, 1, 1, 1])
      t.equal(near.writable, false)
      await close()
    }
  })

  tap.test(`${name}: a reader that pauses stops its sender, and goes on where it was`, async (t) => {
    const { near, far, theirs, until, close } = await connect(create(1))
    far.pause()
    const block = new Uint8Array(1024 * 1024).fill(7)
    for (let i = 0; i < 20; i++) near.write(block)
    await until(() => near.queuedBytes > 0)
    let drained = false
    near.onceDrained(() => {
      drained = true
    })
    far.resume()
    await until(() => drained && theirs.length === 20 * block.length)
    t.equal(near.queuedBytes, 0)
    near.destroy()
    far.destroy()
    await close()
  })

  tap.test(`${name}: nobody there is told, then closed, once`, async (t) => {
    const { network, host, until } = create(2)
    const listener = await network.listen(
      { host, port: 0 },
      () => {},
      () => {},
    )
    await listener.close()
    const heard = new Heard(network.connect(listener.address))
    await until(() => heard.closed > 0)
    t.strictSame([heard.opened, heard.failed, heard.closed], [0, 1, 1])
  })
}

async function connect({ network, host, until }: NetworkUnderTest) {
  const accepted: { connection: Connection; heard: Heard }[] = []
  const listener = await network.listen(
    { host, port: 0 } satisfies NetworkAddress,
    (connection) => void accepted.push({ connection, heard: new Heard(connection) }),
    () => {},
  )
  const near = network.connect(listener.address)
  const ours = new Heard(near)
  await until(() => ours.opened === 1 && accepted[0]?.heard.opened === 1)
  const { connection: far, heard: theirs } = accepted[0] as (typeof accepted)[number]
  return { near, far, ours, theirs, until, close: () => listener.close() }
}
