import type {
  IpAddress,
  IpAddressFamily,
  IpSocketAddress,
  Ipv4Address,
  Ipv6Address,
} from '@bytecodealliance/preview2-shim/interfaces/wasi-sockets-network'
import type { SocketEnd } from '../../guest-contract/index.ts'

const GROUPS = 8

/** As text that owners take: dotted, or eight groups of hexadecimal digits. */
export function formatAddress(address: IpAddress): string {
  return address.tag === 'ipv4' ? address.val.join('.') : address.val.map((group) => group.toString(16)).join(':')
}

/** Undefined for what is no address. A zone is none of an address. */
export function findAddress(text: string): IpAddress | undefined {
  const ipv4 = findIpv4(text)
  if (ipv4 !== undefined) return { tag: 'ipv4', val: ipv4 }
  const ipv6 = findIpv6(text)
  return ipv6 === undefined ? undefined : { tag: 'ipv6', val: ipv6 }
}

/** Undefined for an end without an address or a port. */
export function toSocketAddress({ address, port }: SocketEnd): IpSocketAddress | undefined {
  const found = findAddress(address)
  if (found === undefined || !Number.isInteger(port) || port < 0 || port > 0xffff) return undefined
  if (found.tag === 'ipv4') return { tag: 'ipv4', val: { port, address: found.val } }
  return { tag: 'ipv6', val: { port, flowInfo: 0, address: found.val, scopeId: 0 } }
}

/** An address that a connection may be asked to, by the contract of `start-connect`; which are allowed is the owner's to say. */
export function isConnectable(remote: IpSocketAddress, family: IpAddressFamily): boolean {
  if (remote.tag !== family || remote.val.port === 0) return false
  if (remote.tag === 'ipv4') {
    const [first, second, third, fourth] = remote.val.address
    const isUnspecified = (first | second | third | fourth) === 0
    const isBroadcast = (first & second & third & fourth) === 0xff
    return !isUnspecified && !isBroadcast && (first & 0xf0) !== 0xe0
  }
  const { address } = remote.val
  const isUnspecified = address.every((group) => group === 0)
  const isMapped = address.slice(0, 5).every((group) => group === 0) && address[5] === 0xffff
  return !isUnspecified && !isMapped && (address[0] & 0xff00) !== 0xff00
}

function findIpv4(text: string): Ipv4Address | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (match === null) return undefined
  const bytes = match.slice(1).map(Number)
  return bytes.every((byte) => byte <= 0xff) ? (bytes as Ipv4Address) : undefined
}

function findIpv6(text: string): Ipv6Address | undefined {
  const halves = text.split('::')
  const [head, tail] = halves.map((half, i) => findGroups(half, i === halves.length - 1))
  if (halves.length > 2 || head === undefined) return undefined
  if (halves.length === 1) return head.length === GROUPS ? (head as Ipv6Address) : undefined
  if (tail === undefined || head.length + tail.length >= GROUPS) return undefined
  const between: number[] = new Array(GROUPS - head.length - tail.length).fill(0)
  return [...head, ...between, ...tail] as Ipv6Address
}

/** Groups between colons; the last two of an address may be written as one of IPv4 (RFC 4291, section 2.2). */
function findGroups(text: string, isEnd: boolean): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  const pieces = text.split(':')
  for (const [i, piece] of pieces.entries()) {
    const ipv4 = isEnd && i === pieces.length - 1 ? findIpv4(piece) : undefined
    if (ipv4 !== undefined) groups.push(ipv4[0] * 256 + ipv4[1], ipv4[2] * 256 + ipv4[3])
    else if (/^[0-9a-f]{1,4}$/i.test(piece)) groups.push(Number.parseInt(piece, 16))
    else return undefined
  }
  return groups
}
