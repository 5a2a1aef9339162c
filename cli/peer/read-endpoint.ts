import { isIP, isIPv4, isIPv6 } from 'node:net'
import { type ClusterId, MakiError, meshPrefix, parseHostname } from '../../core/index.ts'
import { canonicalIpv6 } from '../machine/read-update.ts'
import { isInNetwork } from './in-network.ts'

/** The port that WireGuard is known by (`wg` has none of its own; its documentation and most programs take this one). */
export const WIREGUARD_PORT = 51_820
/** The word for a peer without an address of its own. */
const NONE = 'none'

/**
 * Where nobody else can be: this machine, a link, a group, IPv4 inside IPv6 (RFC 6890, RFC 4291). Two lists, for one that holds
 * ::ffff:0:0/96 would hold every IPv4 address.
 */
const NOWHERE = {
  ipv4: ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'],
  ipv6: ['::/96', '::ffff:0:0/96', 'fe80::/10', 'ff00::/8'],
} as const

/**
 * Where the nodes send to reach an external peer: `host:port`, IPv6 in brackets and in the form of RFC 5952; null for `none`. Accepts
 * a host name, an IPv4 or an IPv6 address, with or without a port; IPv6 without brackets has none. Throws MAKI_USAGE for all
 * else, and for an address at which nothing can be. Pure.
 */
export function readPeerEndpoint(text: string, cluster: ClusterId, defaultPort = WIREGUARD_PORT): string | null {
  if (text.toLowerCase() === NONE) return null
  const { host, port } = splitPort(text)
  const number = port === undefined ? defaultPort : readPort(port, text)
  const name = readHost(host, text)
  if (isIP(name) !== 0) requireSomewhere(name, text, cluster)
  return `${isIPv6(name) ? `[${name}]` : name}:${number}`
}

/** The parts of `host:port` as it stands in operations. */
export function splitEndpoint(endpoint: string): { readonly host: string; readonly port: number } {
  const colon = endpoint.lastIndexOf(':')
  return { host: endpoint.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(endpoint.slice(colon + 1)) }
}

function splitPort(text: string): { readonly host: string; readonly port: string | undefined } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text)
  if (bracketed !== null) {
    const [, host = '', port] = bracketed
    if (!isIPv6(host)) throw refuse(text, 'only an IPv6 address stands in brackets')
    return { host, port }
  }
  if (isIPv6(text)) return { host: text, port: undefined }
  const colon = text.indexOf(':')
  return colon === -1 ? { host: text, port: undefined } : { host: text.slice(0, colon), port: text.slice(colon + 1) }
}

function readPort(port: string, text: string): number {
  const number = /^[1-9]\d{0,4}$/.test(port) ? Number(port) : Number.NaN
  if (number <= 65_535) return number
  throw refuse(text, `${JSON.stringify(port)} is no port`)
}

function readHost(host: string, text: string): string {
  if (host.includes('%')) throw refuse(text, 'what follows % names an interface of one machine alone')
  if (isIPv4(host)) return host
  if (isIPv6(host)) return canonicalIpv6(host)
  try {
    return parseHostname(host)
  } catch (cause) {
    throw refuse(text, 'it is neither an address nor a host name', cause)
  }
}

function requireSomewhere(address: string, text: string, cluster: ClusterId): void {
  const nowhere = NOWHERE[isIPv4(address) ? 'ipv4' : 'ipv6']
  if (nowhere.some((network) => isInNetwork(address, network)))
    throw refuse(text, 'no other machine can be reached there')
  if (isInNetwork(address, meshPrefix(cluster)))
    throw refuse(text, 'that is an address inside the mesh, and this is the way into it')
}

const refuse = (text: string, why: string, cause?: unknown): MakiError =>
  new MakiError('MAKI_USAGE', `--endpoint ${JSON.stringify(text)} cannot be used: ${why}`, {
    hint: `Like --endpoint vpn.example.com, 203.0.113.7:${WIREGUARD_PORT} or [2001:db8::7]:${WIREGUARD_PORT}; --endpoint ${NONE} for a peer that always begins itself.`,
    ...(cause === undefined ? {} : { cause }),
  })
