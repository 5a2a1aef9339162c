import { createSocket, type RemoteInfo } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import type { Log } from '../../core/index.ts'
import { plainAddress } from './plain-address.ts'
import type { Responder } from './responder.ts'

/** Where a transport listens, and who answers what it receives. */
export interface ListenOptions {
  readonly host: string
  readonly port: number
  readonly reusePort: boolean
  readonly responder: Responder
  readonly log: Log
}

/** A bound socket: its port, which the system chose where 0 was asked for; `close` resolves when it is free again. */
export interface Listener {
  readonly port: number
  close(): Promise<void>
}

/** Bursts wait here while the process is busy; the kernel may grant less. */
const RECEIVE_BUFFER_BYTES = 1024 * 1024
/** What waits to be sent when the network does not take it; beyond that, answers are dropped as the network would. */
const MAX_SEND_QUEUE_BYTES = 4 * 1024 * 1024

/** Each reads some 32 datagrams: more than the receive buffer has, of the usual size. */
const MOST_TURNS = 1000

/** Answers datagrams. Rejects with the system's error when the address cannot be had. */
export async function listenUdp({ host, port, reusePort, responder, log }: ListenOptions): Promise<Listener> {
  const socket = createSocket({
    type: isIPv6(host) ? 'udp6' : 'udp4',
    reusePort,
    recvBufferSize: RECEIVE_BUFFER_BYTES,
    // Only addresses are ever passed to send: without this each one takes a detour through the resolver.
    lookup: (address, _options, callback) => callback(null, address, isIPv6(address) ? 6 : 4),
  })
  let received = 0
  const onMessage = (message: Buffer, from: RemoteInfo) => {
    received++
    // Nobody can receive at port 0, and sending there throws.
    if (from.port === 0 || socket.getSendQueueSize() > MAX_SEND_QUEUE_BYTES) return responder.countDropped()
    const bytes = responder.reply(message, { address: plainAddress(from.address), transport: 'udp' })
    if (bytes === undefined) return
    socket.send(bytes, from.port, from.address, (error) => {
      if (error !== null) responder.countDropped()
    })
  }
  try {
    const listening = once(socket, 'listening')
    socket.bind({ address: host, port })
    await listening
  } catch (error) {
    socket.close()
    throw error
  }
  socket.on('error', (error) => log.warn('dns.udp.error', { host, port, error }))
  socket.on('message', onMessage)
  return {
    port: socket.address().port,
    async close() {
      await untilRead(() => received)
      const closed = once(socket, 'close')
      socket.close()
      await closed
    },
  }
}

/**
 * Resolves right after the system said that nothing waits in the queue: what is still there when a socket closes is lost,
 * and what comes later reaches another process of the port. Whoever keeps the queue full is not waited for.
 */
async function untilRead(received: () => number): Promise<void> {
  for (let turn = 0; turn < MOST_TURNS; turn++) {
    const before = received()
    // The phase in front of it is the one in which sockets are read.
    await new Promise<void>((resolve) => setImmediate(resolve))
    if (turn > 0 && received() === before) return
  }
}
