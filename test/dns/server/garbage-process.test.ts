import { fork } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { frame, TcpClient } from '../dns-client.ts'
import { rawQuery, readMessage } from '../wire-message.ts'
import { NSID } from './fuzzing.ts'
import { randomMessage } from './mutations.ts'
import { findBroken } from './reply-invariants.ts'
import type { ProcessReport } from './served-process.ts'

/** Datagrams of one round, over UDP; as many as the socket's buffer holds without loss are under way at once. */
const UDP_MESSAGES = 4000
const UDP_WINDOW = 50
const TCP_CONNECTIONS = 60
/** What a process may take more after the rounds than after the first: far less than one message kept of each. */
const MAX_GROWTH_BYTES = 40 * 2 ** 20

const child = fork(join(import.meta.dirname, 'served-process.ts'), { execArgv: ['--expose-gc'] })
t.teardown(() => child.disconnect())
const [first] = (await once(child, 'message')) as [ProcessReport]

async function askReport(): Promise<ProcessReport> {
  const answered = once(child, 'message')
  child.send('report')
  const [report] = (await answered) as [ProcessReport]
  return report
}

const numbered = (message: Buffer, id: number): Buffer => {
  const copy = Buffer.from(message)
  if (copy.length >= 2) copy.writeUInt16BE(id, 0)
  return copy
}

/**
 * Sends windows of messages with ids of their own, each closed by a probe: what was asked before the probe is answered
 * before it. Gives what is wrong with the replies.
 */
async function floodUdp(random: Random): Promise<string[]> {
  const socket = createSocket('udp4')
  const broken: string[] = []
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  try {
    for (let sent = 0; sent < UDP_MESSAGES; sent += UDP_WINDOW) {
      const messages = Array.from({ length: UDP_WINDOW }, (_, id) => numbered(randomMessage(random), id))
      const replies = new Map<number, Buffer>()
      const probed = new Promise<void>((done) => {
        const onMessage = (reply: Buffer) => {
          const id = reply.readUInt16BE(0)
          if (id === UDP_WINDOW) {
            socket.off('message', onMessage)
            done()
          } else if (replies.has(id)) broken.push(`two answers to ${messages[id]?.toString('hex')}`)
          else replies.set(id, reply)
        }
        socket.on('message', onMessage)
      })
      // Nobody can send a datagram of zero octets by accident, and it is dropped as all that has no header.
      for (const message of messages) socket.send(message, first.port, '127.0.0.1')
      socket.send(rawQuery({ id: UDP_WINDOW }), first.port, '127.0.0.1')
      await probed
      for (const [id, message] of messages.entries()) {
        const fault = findBroken({ message, reply: replies.get(id), transport: 'udp', nsid: NSID })
        if (fault !== undefined) broken.push(`${fault}: ${message.toString('hex')}`)
      }
    }
  } finally {
    socket.close()
  }
  return broken
}

/** One connection: queries in any pieces, lies about lengths, ends in the middle; its answers come in order. */
async function abuseTcp(random: Random): Promise<string | undefined> {
  const client = await TcpClient.open(first.port)
  try {
    const messages = Array.from({ length: 1 + random.integer(20) }, (_, id) => numbered(randomMessage(random), id))
    const frames = messages.map((message) => {
      const bytes = frame(message)
      if (random.chance(0.05)) bytes.writeUInt16BE(random.pick([0, 1, 11, 0xffff, (message.length + 1) & 0xffff]))
      return bytes
    })
    const all = Buffer.concat(frames)
    const stop = random.chance(0.2) ? random.integer(all.length) : all.length
    for (let start = 0; start < stop; ) {
      const end = Math.min(stop, start + 1 + random.integer(400))
      client.socket.write(all.subarray(start, end))
      start = end
    }
    if (random.chance(0.3)) {
      client.socket.resetAndDestroy()
      return undefined
    }
    client.socket.end()
    let last = -1
    for (let reply = await client.nextBytes(); reply !== undefined; reply = await client.nextBytes()) {
      const { id } = readMessage(reply)
      // With a lie about lengths anything may look like a query; without, answers are those to what was asked.
      if (frames.every((bytes, i) => bytes.readUInt16BE(0) === messages[i]?.length)) {
        if (id <= last) return `the answer to ${id} came after that to ${last}`
        last = id
        const fault = findBroken({ message: messages[id] as Buffer, reply, transport: 'tcp', nsid: NSID })
        if (fault !== undefined) return `${fault}: ${messages[id]?.toString('hex')}`
      }
    }
    return undefined
  } finally {
    client.close()
  }
}

const baseline = { bytes: 0 }

for (const [round, seed] of seeds(3).entries()) {
  t.test(`a process takes what nobody should send, and goes on (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    t.strictSame(await floodUdp(random), [])
    for (let i = 0; i < TCP_CONNECTIONS; i++) {
      const fault = await abuseTcp(random)
      if (fault !== undefined) t.fail(fault)
    }
    const tcp = await TcpClient.open(first.port)
    t.teardown(() => tcp.close())
    await tcp.write(frame(rawQuery({ id: 7 })))
    t.match(await tcp.next(), { id: 7, rcode: 'NOERROR' }, 'it still answers')
    const report = await askReport()
    t.match(report, { pid: first.pid, failed: 0 }, 'the same process, which failed on no message')
    t.ok(report.malformed > 100, `${report.malformed} malformed messages`)
    if (round === 0) baseline.bytes = report.residentBytes
    const growth = report.residentBytes - baseline.bytes
    t.ok(growth < MAX_GROWTH_BYTES, `${(growth / 2 ** 20).toFixed(1)} MiB more than after the first round`)
  })
}
