import t from 'tap'
import { type InputSource, InputStream, StreamFailure } from '../../../../edge/guest-host/wasi/input-stream.ts'
import { GuestTrap, Instance, MAX_HANDLES } from '../../../../edge/guest-host/wasi/instance.ts'
import { IoError } from '../../../../edge/guest-host/wasi/io-error.ts'
import { type OutputSink, OutputStream } from '../../../../edge/guest-host/wasi/output-stream.ts'
import { READY } from '../../../../edge/guest-host/wasi/poll.ts'
import { FakeOwner } from '../../../support/fake-owner.ts'
import { createRandom, type Random, seeds } from '../../../support/seeds.ts'

const CLOSED = { tag: 'closed' }
const thrown = (act: () => unknown): unknown => {
  try {
    act()
  } catch (error) {
    return error
  }
  return 'nothing was thrown'
}

/** Gives `bytes` in pieces of its own choice, nothing now and then, and then ends or fails. */
function createSource(random: Random, bytes: Uint8Array, failure?: StreamFailure): InputSource & { isClosed: boolean } {
  let at = 0
  return {
    isClosed: false,
    read(most) {
      if (at === bytes.length) {
        if (failure !== undefined) throw failure
        return undefined
      }
      if (random.chance(0.3)) return new Uint8Array(0)
      const piece = bytes.slice(at, at + Math.min(most, 1 + random.integer(40_000)))
      at += piece.length
      return piece
    },
    look: () => (random.chance(0.5) ? READY : { kind: 'owner', waiting: { id: 1, until: 'read' } }),
    close() {
      this.isClosed = true
    },
  }
}

/** Takes what it has room for, and not always. */
function createSink(random: Random): OutputSink & { bytes: Buffer; unflushed: number } {
  let room = 0
  return {
    bytes: Buffer.alloc(0),
    unflushed: 0,
    room() {
      room = random.chance(0.3) ? 0 : random.integer(9000)
      return room
    },
    write(bytes) {
      if (bytes.length > room) throw new Error('more than there was room for')
      room -= bytes.length
      this.bytes = Buffer.concat([this.bytes, bytes])
      this.unflushed += bytes.length
    },
    flush() {
      if (random.chance(0.5)) this.unflushed = 0
      return this.unflushed === 0
    },
    look: () => ({ kind: 'owner', waiting: { id: 2, until: 'write' } }),
    close() {},
  }
}

/** Whatever is waited for can go on. */
const wakeful = () => new FakeOwner({}, (ask) => (ask.ask === 'wait' ? { ready: ask.for.map((_, i) => i) } : undefined))

for (const seed of seeds(100)) {
  t.test(
    `every byte is read once and in order, whatever reads it, and then it is closed for ever (SEED=${seed})`,
    async (t) => {
      const random = createRandom(seed)
      const bytes = random.bytes(random.integer(100_000))
      const source = createSource(random, bytes)
      const instance = new Instance(wakeful().ports)
      const stream = new InputStream(instance, source)
      const read: number[] = []
      let at = 0
      for (;;) {
        const length = random.pick([0n, 1n, 7n, 5000n, 2n ** 64n - 1n])
        const how = random.integer(4)
        const outcome = ((): number | unknown => {
          try {
            if (how === 0) return stream.read(length)
            if (how === 1) return stream.blockingRead(length)
            return how === 2 ? Number(stream.skip(length)) : Number(stream.blockingSkip(length))
          } catch (error) {
            return error
          }
        })()
        if (outcome instanceof Uint8Array) {
          t.ok(BigInt(outcome.length) <= length && outcome.length <= 65_536)
          if (how === 1 && length > 0n) t.ok(outcome.length > 0, 'who blocks gets something')
          if (!Buffer.from(outcome).equals(bytes.subarray(at, at + outcome.length))) t.fail('other bytes')
          at += outcome.length
          read.push(outcome.length)
        } else if (typeof outcome === 'number') at += outcome
        else {
          t.strictSame(outcome, CLOSED)
          break
        }
      }
      t.equal(at, bytes.length)
      t.strictSame(
        thrown(() => stream.read(1n)),
        CLOSED,
      )
      t.strictSame(
        thrown(() => stream.blockingSkip(1n)),
        CLOSED,
      )
      t.ok(stream.subscribe().ready(), 'an end is ready')
      stream[Symbol.dispose]()
      t.ok(source.isClosed)
    },
  )

  t.test(`what is written arrives once and in order, by every way of writing (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const sink = createSink(random)
    const instance = new Instance(wakeful().ports)
    const stream = new OutputStream(instance, sink)
    const expected: Uint8Array[] = []
    for (let i = 0; i < 30; i++) {
      switch (random.integer(6)) {
        case 0: {
          const bytes = random.bytes(Math.min(random.integer(9000), Number(stream.checkWrite())))
          stream.write(bytes)
          expected.push(bytes)
          break
        }
        case 1: {
          const bytes = random.bytes(random.integer(4097))
          stream.blockingWriteAndFlush(bytes)
          t.equal(sink.unflushed, 0)
          expected.push(bytes)
          break
        }
        case 2: {
          const length = random.integer(4097)
          stream.blockingWriteZeroesAndFlush(BigInt(length))
          expected.push(new Uint8Array(length))
          break
        }
        case 3:
          stream.flush()
          break
        case 4: {
          const bytes = random.bytes(1 + random.integer(20_000))
          const source = new InputStream(instance, createSource(random, bytes))
          const blocking = random.chance(0.5)
          const length = BigInt(random.integer(30_000))
          const moved = Number(blocking ? stream.blockingSplice(source, length) : stream.splice(source, length))
          t.ok(moved <= bytes.length && BigInt(moved) <= length)
          expected.push(bytes.slice(0, moved))
          break
        }
        default:
          stream.blockingFlush()
          t.equal(sink.unflushed, 0)
      }
    }
    t.ok(Buffer.concat(expected).equals(sink.bytes))
  })
}

t.test('a write is held to what was granted', async (t) => {
  const instance = new Instance(new FakeOwner().ports)
  const sink: OutputSink = { room: () => 100, write() {}, flush: () => true, look: () => READY, close() {} }
  const stream = new OutputStream(instance, sink)
  t.match(
    thrown(() => stream.write(new Uint8Array(1))),
    GuestTrap,
    'nothing was granted yet',
  )
  t.equal(stream.checkWrite(), 100n)
  stream.write(new Uint8Array(60))
  t.match(
    thrown(() => stream.write(new Uint8Array(41))),
    GuestTrap,
    'a grant is used up',
  )
  stream.write(new Uint8Array(40))
  t.match(
    thrown(() => stream.writeZeroes(1n)),
    GuestTrap,
  )
  t.match(
    thrown(() => stream.writeZeroes(2n ** 64n - 1n)),
    GuestTrap,
  )
  t.match(
    thrown(() => stream.blockingWriteAndFlush(new Uint8Array(4097))),
    GuestTrap,
  )
  t.match(
    thrown(() => stream.blockingWriteZeroesAndFlush(4097n)),
    GuestTrap,
  )
  stream.checkWrite()
  stream.flush()
  t.match(
    thrown(() => stream.write(new Uint8Array(1))),
    GuestTrap,
    'a flush takes the grant back',
  )
})

t.test('a stream that failed says so once, and is closed then', async (t) => {
  const instance = new Instance(new FakeOwner().ports)
  const failure = new StreamFailure({ of: 'network', code: 'connection-reset' })
  const input = new InputStream(instance, createSource(createRandom(1), new Uint8Array(0), failure))
  const error = thrown(() => input.read(1n)) as { tag: string; val: IoError }
  t.equal(error.tag, 'last-operation-failed')
  t.ok(error.val instanceof IoError)
  t.equal(error.val.toDebugString(), 'connection-reset')
  t.strictSame(
    thrown(() => input.read(1n)),
    CLOSED,
  )
  const refuse = (): never => {
    throw failure
  }
  const output = new OutputStream(instance, {
    room: refuse,
    write: refuse,
    flush: refuse,
    look: () => READY,
    close() {},
  })
  t.match(
    thrown(() => output.checkWrite()),
    { tag: 'last-operation-failed' },
  )
  t.strictSame(
    thrown(() => output.checkWrite()),
    CLOSED,
  )
  t.strictSame(
    thrown(() => output.write(new Uint8Array(0))),
    CLOSED,
  )
  t.strictSame(
    thrown(() => output.blockingFlush()),
    CLOSED,
  )
})

t.test('handles are counted, and what is gone cannot be used', async (t) => {
  const instance = new Instance(new FakeOwner().ports)
  const source = createSource(createRandom(1), new Uint8Array(0))
  const streams = Array.from({ length: MAX_HANDLES }, () => new InputStream(instance, source))
  t.match(
    thrown(() => new InputStream(instance, source)),
    GuestTrap,
  )
  const [first] = streams
  first?.[Symbol.dispose]()
  first?.[Symbol.dispose]()
  t.equal(instance.handles, MAX_HANDLES - 1, 'dropped twice, counted once')
  t.ok(new InputStream(instance, source))
  const forged: InputStream = Object.create(InputStream.prototype)
  t.throws(() => forged.read(1n), TypeError, 'a handle that nothing is behind')
})
