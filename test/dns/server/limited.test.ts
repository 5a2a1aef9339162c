import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import t from 'tap'
import { silentLog } from '../../../core/index.ts'
import { ServerCookies } from '../../../dns/message/index.ts'
import { RateLimit } from '../../../dns/server/rate-limit.ts'
import { Responder } from '../../../dns/server/responder.ts'
import type { Identity } from '../../../dns/service/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { serviceOf } from '../answering.ts'
import { frame, TcpClient } from '../dns-client.ts'
import { type RawQuery, rawQuery, readMessage } from '../wire-message.ts'
import { ManualTimers, serve, servedTable } from './served-zone.ts'

const table = servedTable()
const identity: Identity = {
  cookies: new ServerCookies('000102030405060708090a0b0c0d0e0f'),
  nsid: undefined,
  version: undefined,
  nowSeconds: () => 1_700_000_000,
}
const service = serviceOf(() => table, {}, identity)
const RATE = 10
const CLIENT_COOKIE = Buffer.from('0102030405060708', 'hex')
const COOKIE = 10

const withCookie = (data: Uint8Array): RawQuery => ({ edns: { options: [[COOKIE, data]] } })
const cookieOf = (reply: Buffer): Uint8Array =>
  readMessage(reply).opt?.options.find(([code]) => code === COOKIE)?.[1] ?? new Uint8Array()

t.test('over sockets: a flood is held back, who comes over TCP or with a cookie is not', async (t) => {
  const runtime = new ManualTimers()
  await using server = await serve({ service, runtime, rateLimit: RATE })
  const { port } = server.address
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const replies: Buffer[] = []
  let wake = () => {}
  socket.on('message', (reply) => {
    replies.push(reply)
    wake()
  })
  const receive = async (count: number): Promise<Buffer[]> => {
    while (replies.length < count) {
      await new Promise<void>((done) => {
        wake = done
      })
    }
    return replies.splice(0, count)
  }
  const send = (query: RawQuery) => socket.send(rawQuery(query), port, '127.0.0.1')

  for (let id = 0; id < 60; id++) send({ id })
  // Of 60, 20 are the burst, and of the rest one in two is cut.
  const flooded = (await receive(40)).map(readMessage)
  t.equal(flooded.filter(({ truncated }) => !truncated).length, 2 * RATE)
  t.equal(flooded.filter(({ truncated, answers }) => truncated && answers.length === 0).length, 20)

  send({ id: 900, name: 'mail.example.com' })
  t.match(
    readMessage((await receive(1))[0] as Buffer),
    { id: 900, truncated: false },
    'another name is another account',
  )
  for (const id of [901, 902]) send({ id, ...withCookie(CLIENT_COOKIE) })
  const [refused] = (await receive(1)) as [Buffer]
  t.match(readMessage(refused), { id: 902, rcode: 23, truncated: false }, 'who knows cookies is told to come with one')
  const cookie = cookieOf(refused)
  for (let id = 1000; id < 1050; id++) send({ id, ...withCookie(cookie) })
  t.ok((await receive(50)).map(readMessage).every(({ rcode, answers }) => rcode === 0 && answers.length === 2))

  const tcp = await TcpClient.open(port)
  t.teardown(() => tcp.close())
  for (let id = 0; id < 50; id++) {
    await tcp.write(frame(rawQuery({ id })))
    t.match(await tcp.next(), { id, answers: { length: 2 } })
  }
  runtime.nowMs += 1000
  for (let id = 0; id < RATE; id++) send({ id })
  t.ok(
    (await receive(RATE)).map(readMessage).every(({ truncated }) => !truncated),
    'a second later there is room again',
  )
  t.match(server.counters, { limited: { cut: 21, dropped: 21 }, dropped: 0, rcodes: { BADCOOKIE: 1 } })
  t.equal(server.counters.queries.udp, 40 + 1 + 1 + 50 + RATE, 'what was cut is an answer, what was dropped is none')
})

t.test('without a rate nobody is held back', async (t) => {
  const responder = new Responder(service, { log: silentLog, limit: undefined, runtime: new ManualTimers() })
  const asker = { address: '192.0.2.1', transport: 'udp' } as const
  for (let i = 0; i < 1000; i++) if (responder.reply(rawQuery(), asker) === undefined) t.fail(`answer ${i}`)
  t.match(responder.counters, { queries: { udp: 1000 }, limited: { cut: 0, dropped: 0 } })
})

for (const seed of seeds(10)) {
  t.test(
    `whatever is asked in its name, a victim gets little of each kind and a resolver all (seed ${seed})`,
    async (t) => {
      const random = createRandom(seed)
      const runtime = new ManualTimers()
      const limit = new RateLimit(RATE, random.bytes(16))
      const responder = new Responder(service, { log: silentLog, limit, runtime })
      const word = () => Buffer.from(random.bytes(6)).toString('hex')
      const seconds = 3
      /** What an attacker can vary; each row is one account. */
      const attacks: (() => RawQuery)[] = [
        () => ({ name: `${word()}.example.com` }),
        () => ({ name: `${word()}.${word()}.example.net` }),
        () => ({
          name: random.pick(['wide.example.com', 'WIDE.example.com']),
          type: 16,
          ...withCookie(random.bytes(24)),
        }),
        () => ({
          name: 'www.example.com',
          edns: { options: [[8, Uint8Array.from([0, 1, 24, 0, ...random.bytes(3)])]] },
        }),
        () => ({ name: 'mail.example.com', type: 1000 + random.integer(60_000) }),
      ]
      const received = new Map<number, number>()
      let victimOctets = 0
      for (; runtime.nowMs < seconds * 1000; runtime.nowMs += 1) {
        const row = random.integer(attacks.length)
        const query = rawQuery(attacks[row]?.() ?? {})
        const reply = responder.reply(query, { address: `192.0.2.${random.integer(256)}`, transport: 'udp' })
        if (reply !== undefined) {
          const { truncated, rcode } = readMessage(Buffer.from(reply))
          if (!truncated && rcode !== 23) received.set(row, (received.get(row) ?? 0) + 1)
          victimOctets += reply.length
        }
        if (runtime.nowMs % (1000 / RATE) !== 0) continue
        const honest = responder.reply(rawQuery({ name: 'www.example.com' }), {
          address: '198.51.100.7',
          transport: 'udp',
        })
        if (honest === undefined || readMessage(Buffer.from(honest)).truncated)
          t.fail(`the resolver at ${runtime.nowMs} ms`)
      }
      for (const [row, count] of received) t.ok(count <= RATE * (2 + seconds), `attack ${row}: ${count} whole answers`)
      t.equal(received.size, attacks.length)
      t.ok(victimOctets < 3000 * 300, `${victimOctets} octets`)
    },
  )
}
