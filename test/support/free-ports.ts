import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below what Linux gives to outgoing connections (32768), so that none of them takes a port in between. */
const LOWEST = 20_000
const HIGHEST = 32_000
const TRIES = 200

/**
 * Finds a base port for which every port `base + offset` on 127.0.0.1 was free a moment ago, for TCP and UDP. Test files
 * run at the same time begin at different places.
 */
export async function findFreePorts(offsets: readonly number[]): Promise<number> {
  const span = Math.max(...offsets) + 1
  const room = HIGHEST - LOWEST - span
  // Two files that look at once get other bases: their process ids differ.
  let base = LOWEST + ((process.pid * 401) % room)
  for (let tries = 0; tries < TRIES; tries++) {
    if (await areFree(offsets.map((offset) => base + offset))) return base
    base = LOWEST + ((base - LOWEST + span) % room)
  }
  throw new Error(`no ${span} ports in a row are free after ${TRIES} tries`)
}

async function areFree(ports: readonly number[]): Promise<boolean> {
  for (const port of ports) if (!(await isFree(port))) return false
  return true
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const socket = createSocket('udp4')
  try {
    server.listen({ host: '127.0.0.1', port, exclusive: true })
    await once(server, 'listening')
    socket.bind({ address: '127.0.0.1', port, exclusive: true })
    await once(socket, 'listening')
    return true
  } catch {
    return false
  } finally {
    server.close()
    socket.close()
  }
}
