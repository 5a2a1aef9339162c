import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import type { NetworkAsk } from '../../../edge/guest-contract/index.ts'
import { eventually } from '../../support/eventually.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { codeOf, GuestClient, loopbackPolicy, openLoopback } from './guest-client.ts'

/** A server on loopback; its sockets end with the test. */
async function listen(t: Test, serve: (socket: Socket) => void): Promise<{ port: number; server: Server }> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    serve(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  return { port: typeof address === 'object' && address !== null ? address.port : 0, server }
}

function open(t: Test, ...more: Parameters<typeof openLoopback>) {
  const outgoing = openLoopback(...more)
  t.teardown(() => outgoing[Symbol.asyncDispose]())
  const guest = new GuestClient(outgoing.session({ domain: 'a.example', name: 'api/a.wasm' }))
  return { outgoing, guest }
}

const settled = (outgoing: { readonly open: number }) =>
  eventually('nothing is under way', () => (outgoing.open === 0 ? true : undefined))

for (const seed of seeds(8)) {
  t.test(`what is written arrives, in any pieces, both ways, and half closed, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const { port } = await listen(t, (socket) => socket.pipe(socket))
    const { outgoing, guest } = open(t)
    const id = await guest.connect('127.0.0.1', port)
    const sent = Buffer.from(random.bytes(300_000 + random.integer(300_000)))
    const got: Uint8Array[] = []
    let at = 0
    for (;;) {
      if (at < sent.length && random.chance(0.6)) {
        const { header } = await guest.ask({ ask: 'tcp-write', id }, sent.subarray(at, at + 1 + random.integer(70_000)))
        if ('wrote' in header) at += header.wrote
        if (at === sent.length) await guest.ask({ ask: 'tcp-shutdown', id, how: 'send' })
      } else {
        const { header, body } = await guest.ask({ ask: 'tcp-read', id, length: 1 + random.integer(50_000) })
        got.push(body)
        if ('ended' in header && header.ended) break
        if (body.length === 0) {
          const wants = [{ id, until: 'read' as const }, ...(at < sent.length ? [{ id, until: 'write' as const }] : [])]
          await guest.ask({ ask: 'wait', for: wants, mostMs: 20_000 })
        }
      }
    }
    t.ok(Buffer.concat(got).equals(sent), `${sent.length} bytes`)
    t.equal(outgoing.counters.receivedBytes, sent.length)
    t.equal(outgoing.counters.sentBytes, sent.length)
    guest.session.close()
    await settled(outgoing)
  })
}

t.test('who floods waits for the reader', async (t) => {
  let flooded = 0
  const { port } = await listen(t, (socket) => {
    const more = (): void => {
      while (!socket.destroyed && socket.write(Buffer.alloc(65_536))) flooded += 65_536
    }
    socket.on('drain', more)
    more()
  })
  const { outgoing, guest } = open(t)
  const id = await guest.connect('127.0.0.1', port)
  t.ok(await guest.wait(id, 'read'))
  const rest = await quiet(() => flooded)
  t.ok(rest < 16 * 1024 * 1024, `${rest} bytes lie in the system, none more are taken`)
  t.ok(((await guest.read('tcp-read', id, 100)) ?? []).length === 100)
  guest.session.close()
  await settled(outgoing)
})

t.test('who takes nothing is not written to without end', async (t) => {
  const { port } = await listen(t, (socket) => socket.pause())
  const { outgoing, guest } = open(t)
  const id = await guest.connect('127.0.0.1', port)
  let written = 0
  for (;;) {
    const { header } = await guest.ask({ ask: 'tcp-write', id }, Buffer.alloc(1024 * 1024))
    if (!('wrote' in header)) throw new Error(JSON.stringify(header))
    t.ok(header.wrote <= 65_536)
    written += header.wrote
    if (header.wrote === 0 && !(await guest.wait(id, 'write', 300))) break
  }
  t.ok(written < 16 * 1024 * 1024, `${written} bytes`)
  guest.session.close()
  await settled(outgoing)
})

t.test('what was written last arrives although the run is over', async (t) => {
  const got = Promise.withResolvers<number>()
  const { port } = await listen(t, (socket) => {
    let bytes = 0
    socket.on('data', (piece: Buffer) => {
      bytes += piece.length
    })
    socket.on('end', () => got.resolve(bytes))
  })
  const { outgoing, guest } = open(t)
  const id = await guest.connect('127.0.0.1', port)
  await guest.write(id, Buffer.alloc(500_000))
  guest.session.close()
  t.equal(await got.promise, 500_000)
  await settled(outgoing)
})

t.test('resets, refusals, ends', async (t) => {
  const { port } = await listen(t, (socket) => socket.once('data', () => socket.resetAndDestroy()))
  const { outgoing, guest } = open(t)
  const id = await guest.connect('127.0.0.1', port)
  await guest.write(id, Buffer.from('x'))
  t.equal(await guest.read('tcp-read', id).catch(codeOf), 'connection-reset')
  t.equal(await guest.write(id, Buffer.from('x')).catch(codeOf), 'connection-reset')
  t.ok(await guest.wait(id, 'write'), 'who failed is ready, to say so')
  await guest.ask({ ask: 'close', id })
  t.equal(await guest.read('tcp-read', id).catch(codeOf), 'invalid-state')
  const { port: closed, server } = await listen(t, () => {})
  server.close()
  await once(server, 'close')
  t.equal(await guest.tryConnect('127.0.0.1', closed), 'connection-refused')
  t.equal(await guest.tryConnect('10.0.0.1', 80), 'access-denied')
  t.equal(await guest.tryConnect('localhost', 80), 'invalid-argument')
  t.match(outgoing.counters, { connections: 2, failed: 2, refused: { address: 1, nonsense: 1 } })
  await settled(outgoing)
})

t.test('an address that was allowed, and another that is reached', async (t) => {
  let reached = 0
  const { port } = await listen(t, (socket) => {
    reached++
    socket.on('data', () => t.fail('nothing is sent'))
  })
  let judged = 0
  const policy = { judge: () => (judged++ === 0 ? undefined : { why: 'address' as const, what: 'on second thoughts' }) }
  const { outgoing, guest } = open(t, {}, { policy })
  t.equal(await guest.tryConnect('127.0.0.1', port), 'access-denied')
  t.equal(judged, 2)
  t.equal(outgoing.counters.refused.address, 1)
  await settled(outgoing)
  t.ok(reached <= 1)
})

t.test('bounds of a run, of a domain, of all', async (t) => {
  const { port } = await listen(t, () => {})
  const { outgoing, guest } = open(t, { maxOpenOfRun: 3, maxOpen: 5, maxOpenOfAll: 7 })
  const opened = async (guest: GuestClient) => {
    for (let i = 0; ; i++) {
      const code = await guest.connect('127.0.0.1', port).catch(codeOf)
      if (typeof code === 'string') return `${i} ${code}`
    }
  }
  const session = (domain: string) => new GuestClient(outgoing.session({ domain, name: 'x' }))
  t.equal(await opened(guest), '3 new-socket-limit', 'of a run')
  t.equal(await opened(session('a.example')), '2 new-socket-limit', 'of a domain')
  t.equal(await opened(session('b.example')), '2 new-socket-limit', 'of all')
  t.equal(outgoing.open, 7)
  guest.session.close()
  await eventually('places are free again', () => (outgoing.open === 4 ? true : undefined))
  t.equal(await opened(session('b.example')), '3 new-socket-limit')
})

t.test('a run that has moved its bytes moves no more', async (t) => {
  const { port } = await listen(t, (socket) => {
    socket.resume()
    socket.write(Buffer.alloc(100_000))
  })
  const { guest, outgoing } = open(t, { maxBytes: 50_000 })
  const id = await guest.connect('127.0.0.1', port)
  let got = 0
  for (;;) {
    const piece = await guest.read('tcp-read', id).catch(codeOf)
    if (typeof piece === 'string') break
    got += piece?.length ?? 0
  }
  t.equal(got, 50_000)
  await t.rejects(guest.write(id, Buffer.alloc(60_000)), { code: 'access-denied' })
  t.equal(outgoing.counters.sentBytes, 50_000)
  t.equal(outgoing.counters.refused.bytes, 2)
})

t.test('a domain that moves too fast waits, and its end does not', async (t) => {
  const { port } = await listen(t, (socket) => socket.write(Buffer.alloc(1_000_000)))
  const { guest } = open(t, { burstBytes: 1000, bytesPerSecond: 10 })
  const id = await guest.connect('127.0.0.1', port)
  await guest.wait(id, 'read')
  const slow = guest.ask({ ask: 'tcp-read', id, length: 10_000 })
  guest.session.close()
  t.ok((await slow).body.length > 0, 'it would have waited for a quarter of an hour')
})

t.test('asks that wait end with the session; those that come after it fail', async (t) => {
  const { port } = await listen(t, () => {})
  const { guest, outgoing } = open(t)
  const id = await guest.connect('127.0.0.1', port)
  const waiting = guest.wait(id, 'read')
  guest.session.close()
  await waiting
  t.strictSame((await guest.ask({ ask: 'tcp-read', id, length: 1 })).header, { error: 'connection-aborted' })
  guest.session.close()
  await settled(outgoing)
})

t.test('nonsense is answered, and ends nothing', async (t) => {
  const { port } = await listen(t, (socket) => socket.end('x'))
  const lines: unknown[] = []
  const { guest, outgoing } = open(t, {}, { policy: loopbackPolicy(), log: { warn: (...line) => lines.push(line) } })
  const id = await guest.connect('127.0.0.1', port)
  const asks: unknown[] = [
    ...[{}, { ask: 'x' }, { ask: 'resolve' }, { ask: 'resolve', name: 7 }, { ask: 'tcp-connect' }],
    ...[
      { ask: 'tcp-connect', address: '127.0.0.1', port: '80' },
      { ask: 'tcp-connect', address: {}, port: 80 },
    ],
    ...[
      { ask: 'tcp-connect', address: '127.0.0.1', port: 0 },
      { ask: 'tcp-connect', address: '127.0.0.1', port: 1e9 },
    ],
    ...[
      { ask: 'tcp-read', id, length: -1 },
      { ask: 'tcp-read', id, length: 'x' },
      { ask: 'tcp-read', id: 'x', length: 1 },
    ],
    ...[
      { ask: 'http-read', id, length: 1 },
      { ask: 'http-head', id },
      { ask: 'tcp-write', id: 99 },
    ],
    ...[{ ask: 'tcp-shutdown', id, how: 'x' }, { ask: 'wait' }, { ask: 'wait', for: [null], mostMs: 1 }],
    ...[{ ask: 'wait', for: Array.from({ length: 2000 }, () => ({ id, until: 'read' })), mostMs: 1 }],
    ...[{ ask: 'http-send' }, { ask: 'http-send', request: null }, { ask: 'http-send', request: {} }],
    ...[{ ask: 'http-send', request: { method: 'GET', scheme: 'http', authority: 'a.b', path: '/', headers: 7 } }],
    ...[{ ask: 'http-send', request: { method: 'GET', scheme: 'http', authority: ['a.b'], path: '/', headers: [] } }],
  ]
  for (const ask of asks) {
    const { header } = await guest.ask(ask as NetworkAsk)
    t.ok('error' in header, JSON.stringify([ask, header]))
  }
  t.equal((await guest.readAll('tcp-read', id)).toString(), 'x')
  t.ok(outgoing.counters.refused.nonsense > 10)
  t.equal(lines.length, 10, 'and the log is not filled with it')
  t.match(lines[0], ['guest.refused', { domain: 'a.example', name: 'api/a.wasm', why: 'nonsense' }])
})

/** A number that has stood still for five looks. */
async function quiet(read: () => number): Promise<number> {
  let last = read()
  let same = 0
  return await eventually('it stands still', () => {
    same = read() === last ? same + 1 : 0
    last = read()
    return same >= 5 ? last : undefined
  })
}
