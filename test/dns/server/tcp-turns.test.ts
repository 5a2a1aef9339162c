import t from 'tap'
import type { Asker } from '../../../dns/message/index.ts'
import { serviceOf } from '../answering.ts'
import { frame, TcpClient } from '../dns-client.ts'
import { rawQuery } from '../wire-message.ts'
import { ManualTimers, serve, servedTable } from './served-zone.ts'

const COUNT = 3000
/** What one connection may have answered before the event loop turns; two turns may touch. */
const MOST_PER_TURN = 2 * 64

const table = servedTable()
const pipeline = Buffer.concat(Array.from({ length: COUNT }, (_, id) => frame(rawQuery({ id, name: 'example.net' }))))

t.test('who asks thousands of questions at once is answered a few at a time, and all of them', async (t) => {
  const service = serviceOf(() => table)
  let inTurn = 0
  let most = 0
  const counting = {
    reply(message: Uint8Array, asker: Asker) {
      if (inTurn === 0) {
        setImmediate(() => {
          inTurn = 0
        })
      }
      inTurn += 1
      most = Math.max(most, inTurn)
      return service.reply(message, asker)
    },
  }
  await using server = await serve({ service: counting })
  const tcp = await TcpClient.open(server.address.port)
  t.teardown(() => tcp.close())
  tcp.socket.end(pipeline)
  for (let id = 0; id < COUNT; id++) {
    const got = await tcp.next()
    if (got?.id !== id) t.equal(got?.id, id)
  }
  t.equal(await tcp.next(), undefined, 'then the connection ends, as the client wished')
  t.ok(most <= MOST_PER_TURN, `${most} in one turn`)
  t.equal(server.counters.queries.tcp, COUNT)
})

t.test('who leaves in the middle of them leaves nothing behind', async (t) => {
  const runtime = new ManualTimers()
  const server = await serve({ runtime })
  for (let i = 0; i < 20; i++) {
    const tcp = await TcpClient.open(server.address.port)
    await tcp.write(pipeline)
    await tcp.next()
    tcp.socket.resetAndDestroy()
    await tcp.closed
  }
  const last = await TcpClient.open(server.address.port)
  await last.write(frame(rawQuery({ id: 5 })))
  t.match(await last.next(), { id: 5 })
  last.close()
  await server.close()
  t.equal(runtime.pending, 0, 'no timer')
  t.equal(server.counters.failed, 0)
})

t.test('a length that promises much and brings little costs little, and ends with its time', async (t) => {
  const runtime = new ManualTimers()
  await using server = await serve({ runtime, limits: { idleMs: 10, maxConnectionsPerClient: 1000 } })
  const before = process.memoryUsage()
  const liars = await Promise.all(Array.from({ length: 200 }, () => TcpClient.open(server.address.port)))
  await Promise.all(liars.map((liar) => liar.write(Buffer.from([0xff, 0xff, 1]))))
  const honest = await TcpClient.open(server.address.port)
  t.teardown(() => honest.close())
  await honest.write(frame(rawQuery({ id: 1 })))
  t.match(await honest.next(), { id: 1 })
  const { arrayBuffers } = process.memoryUsage()
  // Were a whole message set aside for each, it would be 13 MB.
  t.ok(arrayBuffers - before.arrayBuffers < 200 * 20_000, `${arrayBuffers - before.arrayBuffers} bytes for 200 of them`)
  runtime.fire(10)
  for (const liar of liars) if ((await liar.next()) !== undefined) t.fail('an answer to a piece of a query')
})
