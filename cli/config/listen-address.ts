import { isIP } from 'node:net'
import { MakiError } from '../../core/index.ts'

/** What a socket is bound to. */
export interface ListenAddress {
  /** An IP address without brackets. */
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
}

/** `[::]:53`, `127.0.0.1:8080`. Throws MAKI_INVALID for anything else: a name would be looked up, which a server must not need. */
export function parseListenAddress(text: string): ListenAddress {
  const { host, port } = splitHostPort(text, 0)
  if (isIP(host) === 0) throw refuse(text, 'its host is not an IP address')
  return { host, port }
}

/** `node1.example.com:8787`, `203.0.113.7:8787`, `[2001:db8::7]:8787`: whom to connect to. Throws MAKI_INVALID. */
export function parseEndpoint(text: string): ListenAddress {
  const { host, port } = splitHostPort(text, 1)
  if (isIP(host) === 0 && !/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(host))
    throw refuse(text, 'its host is neither an IP address nor a host name')
  return { host, port }
}

/** `9.9.9.9`, `[2620:fe::fe]:53`, `127.0.0.1:5353`: a DNS resolver, at port 53 unless it says otherwise. Throws MAKI_INVALID. */
export function parseResolver(text: string): ListenAddress {
  if (isIP(text) !== 0) return { host: text, port: 53 }
  const { host, port } = splitHostPort(text, 1)
  if (isIP(host) === 0) throw refuse(text, 'its host is not an IP address')
  return { host, port }
}

export const formatListenAddress = ({ host, port }: ListenAddress): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

function splitHostPort(text: string, minPort: number): ListenAddress {
  const match = /^(?:\[([^[\]]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(text)
  if (match === null) throw refuse(text, 'host:port is expected, with brackets around an IPv6 address')
  const port = Number(match[3])
  if (port < minPort || port > 65535) throw refuse(text, `its port is not from ${minPort} to 65535`)
  const host = (match[1] ?? match[2]) as string
  if (match[1] !== undefined && isIP(host) !== 6) throw refuse(text, 'what stands in brackets is not an IPv6 address')
  return { host, port }
}

const refuse = (text: string, why: string): MakiError =>
  new MakiError('MAKI_INVALID', `${JSON.stringify(text)} is not an address to use: ${why}`, {
    hint: 'Write it like "127.0.0.1:8080" or "[::]:53".',
  })
