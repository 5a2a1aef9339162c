import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import t from 'tap'
import { createRandom, seeds } from '../../support/seeds.ts'
import { encodeQuery } from '../dns-client.ts'
import { serve } from './served-zone.ts'

/** Fits into any receive buffer. */
const MOST = 100

for (const seed of seeds(5)) {
  t.test(`what waits when a server closes is answered, seed ${seed}`, async (t) => {
    const count = 1 + createRandom(seed).integer(MOST)
    const server = await serve()
    const socket = createSocket('udp4')
    socket.connect(server.address.port, '127.0.0.1')
    await once(socket, 'connect')
    t.teardown(() => socket.close())
    const answered = new Set<number>()
    const all = new Promise<void>((resolve) => {
      socket.on('message', (message) => {
        answered.add(message.readUInt16BE(0))
        if (answered.size === count) resolve()
      })
    })
    // The system has them all before the server has read one.
    for (let id = 0; id < count; id++) socket.send(encodeQuery('www.example.com', 'A', id))
    await server.close()
    t.equal(server.counters.queries.udp, count)
    await all
  })
}
