import type { Server } from 'node:net'
import { MakiError } from '../../core/index.ts'
import type { NetworkAddress } from '../gossip/network.ts'

/** Linux: include/linux/socket.h, include/uapi/linux/in6.h. */
const AF_INET6 = 10
const SOCK_STREAM = 1
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26
const IPV6_FREEBIND = 78
const BACKLOG = 511
const ADDRESS_BYTES = 28

/**
 * Makes a server listen on an IPv6 address of this machine, whether or not it has it at the moment (IPV6_FREEBIND of ip(7), for
 * which nobody needs a right): a tunnel that comes late, or goes and comes again, finds it listening. Rejects with
 * MAKI_PORT_IN_USE, or MAKI_UNSUPPORTED without `node:ffi`.
 */
export async function listenAhead(server: Server, { host, port }: NetworkAddress): Promise<void> {
  const fd = await openListener(encodeSocketAddress(host, port), { host, port })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen({ fd }, resolve)
  try {
    await promise
  } finally {
    server.off('error', reject)
  }
}

/** `struct sockaddr_in6` of ipv6(7). */
export function encodeSocketAddress(host: string, port: number): Buffer {
  const address = Buffer.alloc(ADDRESS_BYTES)
  address.writeUInt16LE(AF_INET6, 0)
  address.writeUInt16BE(port, 2)
  const [head = '', tail] = host.split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)))
  const [before, after] = [groups(head), groups(tail ?? '')]
  for (const [i, group] of before.entries()) address.writeUInt16BE(group, 8 + 2 * i)
  for (const [i, group] of after.entries()) address.writeUInt16BE(group, 8 + 2 * (8 - after.length + i))
  return address
}

async function openListener(address: Buffer, { host, port }: NetworkAddress): Promise<number> {
  const { dlopen } = await import('node:ffi').catch((cause: unknown) => {
    throw new MakiError('MAKI_UNSUPPORTED', 'a listener of the mesh needs node:ffi, which this Node has not', {
      cause,
      hint: 'Start the daemon by its own command, makiatto, or set addr and blobs_addr under [replication].',
    })
  })
  const { functions } = dlopen('libc.so.6', {
    socket: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
    setsockopt: { arguments: ['int32', 'int32', 'int32', 'buffer', 'uint32'], return: 'int32' },
    bind: { arguments: ['int32', 'buffer', 'uint32'], return: 'int32' },
    listen: { arguments: ['int32', 'int32'], return: 'int32' },
    close: { arguments: ['int32'], return: 'int32' },
  })
  const fd = functions.socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
  if (fd < 0) {
    throw new MakiError('MAKI_UNSUPPORTED', 'this kernel has no IPv6, in which the addresses of the mesh are', {
      hint: 'Take ipv6.disable=1 from the command line of the kernel; public addresses may stay IPv4.',
    })
  }
  const one = Buffer.from(Int32Array.of(1).buffer)
  const options = [
    [SOL_SOCKET, SO_REUSEADDR],
    [IPPROTO_IPV6, IPV6_V6ONLY],
    [IPPROTO_IPV6, IPV6_FREEBIND],
  ] as const
  const isSet = options.every(([level, name]) => functions.setsockopt(fd, level, name, one, one.length) === 0)
  const isBound = isSet && functions.bind(fd, address, address.length) === 0
  if (isBound && functions.listen(fd, BACKLOG) === 0) return fd
  functions.close(fd)
  if (!isSet) throw new MakiError('MAKI_UNSUPPORTED', `this kernel lets nobody listen on ${host} before it has it`)
  throw new MakiError('MAKI_PORT_IN_USE', `port ${port} on ${host} is taken by another process`, {
    hint: `Find it with: ss -ltnp 'sport = :${port}'`,
  })
}
