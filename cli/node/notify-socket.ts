import { execFile } from 'node:child_process'

/** Says something to the service manager; never throws, and false where it could not. */
export type Notify = (message: string) => boolean

/** Linux: include/linux/socket.h. */
const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
/** sun_path of unix(7). */
const PATH_BYTES = 108

/**
 * Opens the way to a service manager's socket (sd_notify(3)): a path, or an abstract name behind `@`. Undefined where the
 * name is none that can be used. Datagrams of this very process through `node:ffi`; where there is none, through the
 * program `systemd-notify`, whom the manager believes with `NotifyAccess=all` alone.
 */
export async function openNotifySocket(name: string): Promise<Notify | undefined> {
  const address = encodeAddress(name)
  if (address === undefined) return undefined
  return (await openDatagrams(address)) ?? notifyByProgram(name)
}

/** `struct sockaddr_un`: the family in the byte order of the machine, then the path, or a zero byte and the abstract name. */
export function encodeAddress(name: string): Buffer | undefined {
  const path = Buffer.from(name)
  if (!/^[/@]./.test(name) || path.length >= PATH_BYTES || path.includes(0)) return undefined
  if (path[0] === 0x40) path[0] = 0
  const isPath = path[0] !== 0
  const address = Buffer.alloc(2 + path.length + (isPath ? 1 : 0))
  address.writeUInt16LE(AF_UNIX, 0)
  path.copy(address, 2)
  return address
}

async function openDatagrams(address: Buffer): Promise<Notify | undefined> {
  try {
    const { dlopen } = await import('node:ffi')
    const { functions } = dlopen('libc.so.6', {
      socket: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
      sendto: { arguments: ['int32', 'buffer', 'u64', 'int32', 'buffer', 'uint32'], return: 'i64' },
    })
    const fd = functions.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)
    if (fd < 0) return undefined
    return (message) => {
      const bytes = Buffer.from(message)
      try {
        const flags = MSG_DONTWAIT | MSG_NOSIGNAL
        return (
          functions.sendto(fd, bytes, BigInt(bytes.length), flags, address, address.length) === BigInt(bytes.length)
        )
      } catch {
        return false
      }
    }
  } catch {
    return undefined
  }
}

function notifyByProgram(name: string): Notify {
  return (message) => {
    const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', NOTIFY_SOCKET: name }
    const child = execFile('systemd-notify', message.split('\n'), { env, timeout: 5_000 }, () => {})
    child.unref()
    return true
  }
}
