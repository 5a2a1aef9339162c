import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'

/** Errors that can mean that this computer has no way to the address, or none to any address of its family. */
const PERHAPS_OURS: ReadonlySet<string> = new Set([
  'ENETUNREACH',
  'EHOSTUNREACH',
  'EADDRNOTAVAIL',
  'EAFNOSUPPORT',
  'ENETDOWN',
  'EPERM',
  'EACCES',
  'EINVAL',
])
/** Errors that are certainly ours: of this process, not of the network. */
const OURS: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'])

/**
 * True when an error of a socket says nothing about the address that it was for: this computer has no route there, or no
 * socket left. A router that says that it cannot reach a host (ICMP, RFC 792) gives the same numbers, and that does say
 * something: so the way is looked up again, which sends no packet.
 */
export async function isLocalFault(error: unknown, host: string): Promise<boolean> {
  const code = codeOf(error)
  if (OURS.has(code)) return true
  return PERHAPS_OURS.has(code) && !(await hasRoute(host))
}

/** `ECONNREFUSED` of an error of the system; empty where there is none. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

/** Connecting a UDP socket only looks the route up. */
function hasRoute(host: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
  let isClosed = false
  const end = (found: boolean): void => {
    if (!isClosed) socket.close()
    isClosed = true
    resolve(found)
  }
  socket.on('error', () => end(false)).once('connect', () => end(true))
  try {
    // The port is of no meaning here: nothing is sent.
    socket.connect(53, host)
  } catch {
    end(false)
  }
  return promise
}
