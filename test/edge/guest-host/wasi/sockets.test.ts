import { isIP } from 'node:net'
import type { IpSocketAddress } from '@bytecodealliance/preview2-shim/interfaces/wasi-sockets-network'
import t from 'tap'
import { GuestTrap, Instance, MAX_HANDLES } from '../../../../edge/guest-host/wasi/instance.ts'
import { findAddress, formatAddress, isConnectable } from '../../../../edge/guest-host/wasi/ip-address.ts'
import type { ResolveAddressStream } from '../../../../edge/guest-host/wasi/resolve-address-stream.ts'
import { buildSockets, Network } from '../../../../edge/guest-host/wasi/sockets.ts'
import type { TcpSocket } from '../../../../edge/guest-host/wasi/tcp-socket.ts'
import { type Answerer, type FakeAnswer, FakeOwner } from '../../../support/fake-owner.ts'
import { createRandom, seeds } from '../../../support/seeds.ts'

interface Sockets {
  'wasi:sockets/tcp-create-socket': { createTcpSocket(family: 'ipv4' | 'ipv6'): TcpSocket }
  'wasi:sockets/udp-create-socket': { createUdpSocket(family: 'ipv4' | 'ipv6'): unknown }
  'wasi:sockets/ip-name-lookup': { resolveAddresses(network: Network, name: string): ResolveAddressStream }
}

const REMOTE: IpSocketAddress = { tag: 'ipv4', val: { port: 7, address: [192, 0, 2, 9] } }
const LOCAL = { address: '203.0.113.1', port: 40000 }
const ENDS = { local: LOCAL, remote: { address: '192.0.2.9', port: 7 } }

function open(answer?: Answerer) {
  const owner = new FakeOwner({}, answer)
  const instance = new Instance(owner.ports)
  const sockets = buildSockets(instance) as object as Sockets
  const network = new Network(instance)
  const create = sockets['wasi:sockets/tcp-create-socket'].createTcpSocket
  return { owner, instance, sockets, network, create }
}

/** A connection that echoes: what was written can be read, `most` bytes at a time. */
function echo(most: number): Answerer {
  let held = Buffer.alloc(0)
  let isPending = true
  let isShut = false
  return (ask, body): FakeAnswer | undefined => {
    switch (ask.ask) {
      case 'tcp-connect':
        return { id: 3 }
      case 'tcp-ends': {
        const answer = isPending ? ({ pending: true } as const) : ENDS
        isPending = false
        return answer
      }
      case 'tcp-write': {
        const wrote = Math.min(body.length, Math.max(0, most - held.length))
        held = Buffer.concat([held, body.subarray(0, wrote)])
        return { wrote }
      }
      case 'tcp-read': {
        const bytes = held.subarray(0, ask.length)
        held = held.subarray(bytes.length)
        return { ended: isShut && held.length === 0, bytes }
      }
      case 'tcp-shutdown':
        isShut ||= ask.how !== 'receive'
        return { done: true }
      case 'wait':
        return { ready: ask.for.map((_, i) => i) }
      default:
        return undefined
    }
  }
}

const codeOf = (act: () => unknown): unknown => {
  try {
    act()
  } catch (error) {
    return error
  }
  return 'nothing was thrown'
}

t.test('a connection stands, carries bytes both ways, and is closed with its last handle', async (t) => {
  const { owner, network, create } = open(echo(1000))
  const socket = create('ipv4')
  t.equal(
    codeOf(() => socket.finishConnect()),
    'not-in-progress',
  )
  t.equal(
    codeOf(() => socket.localAddress()),
    'invalid-state',
  )
  socket.startConnect(network, REMOTE)
  t.strictSame(owner.asks.at(-1), { ask: 'tcp-connect', address: '192.0.2.9', port: 7 })
  t.equal(
    codeOf(() => socket.startConnect(network, REMOTE)),
    'invalid-state',
  )
  t.equal(
    codeOf(() => socket.finishConnect()),
    'would-block',
  )
  socket.subscribe().block()
  const [input, output] = socket.finishConnect()
  t.strictSame(socket.localAddress(), { tag: 'ipv4', val: { port: 40000, address: [203, 0, 113, 1] } })
  t.strictSame(socket.remoteAddress(), REMOTE)
  t.equal(
    codeOf(() => socket.finishConnect()),
    'not-in-progress',
  )
  t.equal(
    codeOf(() => socket.startListen()),
    'invalid-state',
  )
  output.blockingWriteAndFlush(Buffer.from('ping'))
  t.equal(Buffer.from(input.blockingRead(100n)).toString(), 'ping')
  t.equal(input.read(100n).length, 0, 'nothing yet')
  socket.shutdown('send')
  t.strictSame(
    codeOf(() => output.checkWrite()),
    { tag: 'closed' },
  )
  t.strictSame(
    codeOf(() => input.blockingRead(1n)),
    { tag: 'closed' },
  )
  socket[Symbol.dispose]()
  input[Symbol.dispose]()
  t.notOk(owner.asks.some(({ ask }) => ask === 'close'))
  output[Symbol.dispose]()
  t.strictSame(owner.asks.at(-1), { ask: 'close', id: 3 })
})

for (const seed of seeds(50)) {
  t.test(`an echo gives back every byte, however little it takes at a time (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const { network, create } = open(echo(1 + random.integer(5000)))
    const socket = create('ipv4')
    socket.startConnect(network, REMOTE)
    codeOf(() => socket.finishConnect())
    const [input, output] = socket.finishConnect()
    const sent = random.bytes(random.integer(60_000))
    const got: Uint8Array[] = []
    for (let at = 0; at < sent.length; ) {
      const room = Number(output.checkWrite())
      // In several pieces of one grant, of which some are held here.
      for (let left = Math.min(room, random.integer(20_000)); left > 0; ) {
        const piece = sent.slice(at, at + Math.min(left, 1 + random.integer(3000)))
        output.write(piece)
        at += piece.length
        left -= Math.max(1, piece.length)
      }
      got.push(input.read(BigInt(random.integer(9000))))
    }
    for (let length = -1; length !== 0; ) {
      output.flush()
      const bytes = input.read(9000n)
      length = bytes.length
      got.push(bytes)
    }
    t.ok(Buffer.concat(got).equals(sent))
  })
}

t.test('what the owner refuses is said by its code', async (t) => {
  for (const [said, code] of [
    ['access-denied', 'access-denied'],
    ['connection-refused', 'connection-refused'],
    ['a secret', 'unknown'],
  ] as const) {
    const early = open((ask) => (ask.ask === 'tcp-connect' ? { error: said } : undefined))
    const socket = early.create('ipv4')
    t.equal(
      codeOf(() => socket.startConnect(early.network, REMOTE)),
      code,
    )
    t.equal(
      codeOf(() => socket.startConnect(early.network, REMOTE)),
      'invalid-state',
      'it is spent',
    )
    const late = open((ask) =>
      ask.ask === 'tcp-connect' ? { id: 1 } : ask.ask === 'tcp-ends' ? { error: said } : undefined,
    )
    const other = late.create('ipv4')
    other.startConnect(late.network, REMOTE)
    t.equal(
      codeOf(() => other.finishConnect()),
      code,
    )
    t.match(late.owner.asks.at(-1), { ask: 'close', id: 1 })
    t.equal(
      codeOf(() => other.finishConnect()),
      'not-in-progress',
    )
    other[Symbol.dispose]()
    t.equal(late.owner.asks.filter(({ ask }) => ask === 'close').length, 1, 'closed once')
  }
  const reset = open((ask, body) => (ask.ask === 'tcp-read' ? { error: 'connection-reset' } : echo(10)(ask, body)))
  const socket = reset.create('ipv4')
  socket.startConnect(reset.network, REMOTE)
  const lying = open((ask) => (ask.ask === 'tcp-connect' ? { done: true } : undefined))
  t.throws(() => lying.create('ipv4').startConnect(lying.network, REMOTE), GuestTrap)
})

t.test('nothing listens, and nothing is sent by UDP', async (t) => {
  const { owner, sockets, network, create, instance } = open()
  const socket = create('ipv4')
  const listening: Record<string, [() => unknown, string]> = {
    bind: [() => socket.startBind(), 'access-denied'],
    'finish bind': [() => socket.finishBind(), 'not-in-progress'],
    listen: [() => socket.startListen(), 'access-denied'],
    'finish listen': [() => socket.finishListen(), 'not-in-progress'],
    accept: [() => socket.accept(), 'not-supported'],
    udp: [() => sockets['wasi:sockets/udp-create-socket'].createUdpSocket('ipv4'), 'not-supported'],
  }
  for (const [name, [act, code]] of Object.entries(listening)) t.equal(codeOf(act), code, name)
  t.equal(socket.isListening(), false)
  t.equal(owner.asks.length, 0)
  const made: TcpSocket[] = []
  t.equal(
    codeOf(() => {
      for (;;) made.push(create('ipv6'))
    }),
    'new-socket-limit',
  )
  t.equal(instance.handles, MAX_HANDLES)
  network[Symbol.dispose]()
})

t.test('addresses that nobody connects to are no arguments', async (t) => {
  const v4 = (port: number, ...address: [number, number, number, number]): IpSocketAddress => ({
    tag: 'ipv4',
    val: { port, address },
  })
  const v6 = (text: string, port = 80): IpSocketAddress => {
    const found = findAddress(text)
    if (found?.tag !== 'ipv6') throw new Error(text)
    return { tag: 'ipv6', val: { port, address: found.val, flowInfo: 0, scopeId: 0 } }
  }
  for (const [address, family] of [
    [v4(0, 192, 0, 2, 1), 'ipv4'],
    [v4(80, 0, 0, 0, 0), 'ipv4'],
    [v4(80, 255, 255, 255, 255), 'ipv4'],
    [v4(80, 224, 0, 0, 1), 'ipv4'],
    [v4(80, 192, 0, 2, 1), 'ipv6'],
    [v6('2001:db8::1'), 'ipv4'],
    [v6('::'), 'ipv6'],
    [v6('::ffff:127.0.0.1'), 'ipv6'],
    [v6('ff02::1'), 'ipv6'],
  ] as const) {
    t.equal(isConnectable(address, family), false)
    const { create, network, owner } = open()
    t.equal(
      codeOf(() => create(family).startConnect(network, address)),
      'invalid-argument',
    )
    t.equal(owner.asks.length, 0)
  }
  t.equal(isConnectable(v4(80, 127, 0, 0, 1), 'ipv4'), true, 'whether it may is the owner’s to say')
})

for (const seed of seeds(100)) {
  t.test(`addresses are read as Node reads them, and written so that it can (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    for (let i = 0; i < 50; i++) {
      const piece = () => random.pick(['', '0', '1', 'ffff', '10000', '255', '256', '127.0.0.1', 'g', ':', '::'])
      const text = Array.from({ length: 1 + random.integer(9) }, piece).join(random.pick([':', '.']))
      const found = findAddress(text)
      t.equal(found === undefined ? 0 : found.tag === 'ipv4' ? 4 : 6, isIP(text), text)
      if (found === undefined) continue
      t.strictSame(findAddress(formatAddress(found)), found)
      t.equal(isIP(formatAddress(found)), isIP(text))
    }
  })
}

t.test('names are resolved by the owner, once', async (t) => {
  const { owner, sockets, network } = open((ask) =>
    ask.ask === 'resolve' ? { addresses: ['192.0.2.1', 'nonsense', '2001:db8::1'] } : undefined,
  )
  const resolve = (name: string) => sockets['wasi:sockets/ip-name-lookup'].resolveAddresses(network, name)
  const stream = resolve('example.org')
  t.ok(stream.subscribe().ready())
  t.strictSame(stream.resolveNextAddress(), { tag: 'ipv4', val: [192, 0, 2, 1] })
  t.strictSame(stream.resolveNextAddress(), { tag: 'ipv6', val: [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1] })
  t.equal(stream.resolveNextAddress(), undefined)
  t.equal(stream.resolveNextAddress(), undefined)
  t.strictSame(owner.asks, [{ ask: 'resolve', name: 'example.org' }])
  t.strictSame(resolve('127.0.0.1').resolveNextAddress(), { tag: 'ipv4', val: [127, 0, 0, 1] })
  t.equal(owner.asks.length, 1, 'an address is not asked for')
  for (const name of ['', 'a b', 'a\0', 'x'.repeat(255), 'a/b', '\ud800'])
    t.equal(
      codeOf(() => resolve(name)),
      'invalid-argument',
      JSON.stringify(name),
    )
  const failing = open((ask) => (ask.ask === 'resolve' ? { error: 'name-unresolvable' } : undefined))
  const none = failing.sockets['wasi:sockets/ip-name-lookup'].resolveAddresses(failing.network, 'nowhere.example')
  t.equal(
    codeOf(() => none.resolveNextAddress()),
    'name-unresolvable',
  )
  t.equal(
    codeOf(() => none.resolveNextAddress()),
    'name-unresolvable',
  )
})

t.test('options are remembered, and nothing of them is zero', async (t) => {
  const socket = open().create('ipv6')
  t.equal(socket.addressFamily(), 'ipv6')
  socket.setKeepAliveEnabled(true)
  t.equal(socket.keepAliveEnabled(), true)
  socket.setHopLimit(7)
  socket.setKeepAliveCount(3)
  socket.setSendBufferSize(2n ** 64n - 1n)
  t.strictSame([socket.hopLimit(), socket.keepAliveCount(), socket.sendBufferSize()], [7, 3, 2n ** 64n - 1n])
  for (const act of [
    () => socket.setHopLimit(0),
    () => socket.setKeepAliveCount(0),
    () => socket.setKeepAliveIdleTime(0n),
    () => socket.setKeepAliveInterval(0n),
    () => socket.setReceiveBufferSize(0n),
    () => socket.setSendBufferSize(0n),
    () => socket.setListenBacklogSize(0n),
  ])
    t.equal(codeOf(act), 'invalid-argument')
})
