import { createSocket, type RemoteInfo } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

/** A UDP port of 127.0.0.1 that does with each message what a test says; closed with the test. */
export async function openUdp(
  t: Test,
  answer: (message: Buffer, reply: (bytes: Uint8Array) => void) => void = () => {},
): Promise<number> {
  const socket = createSocket('udp4', (message: Buffer, { port, address }: RemoteInfo) =>
    answer(message, (bytes) => socket.send(bytes, port, address)),
  )
  t.teardown(() => socket.close())
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return socket.address().port
}

/** A TCP port of 127.0.0.1 that does with each connection what a test says; closed with the test. */
export async function openTcp(t: Test, accept: (socket: Socket) => void = () => {}): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    accept(socket)
  })
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it listens on no port')
  return address.port
}

/** A port where nothing listens: one that the system has just given and taken back. */
export async function findClosedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('it listened on no port')
  return address.port
}
