import { isIPv4, isIPv6 } from 'node:net'

/** Whoever holds one address has its neighbours too: so much of an address is one client. */
const IPV4_OCTETS = 3
const IPV6_GROUPS = 3
const GROUPS = 8

/**
 * The network that a client counts as: `192.0.2.0/24`, `2001:db8:1::/48`; an IPv4 address that came over an IPv6 socket
 * (RFC 4291 section 2.5.5.2) is IPv4, a zone is left out. `unknown` for what is no address.
 */
export function clientPrefix(address: string): string {
  const plain = plainAddress(address)
  if (isIPv4(plain)) return `${plain.split('.').slice(0, IPV4_OCTETS).join('.')}.0/24`
  if (!isIPv6(plain)) return 'unknown'
  const groups = firstGroups(plain, IPV6_GROUPS)
  while (groups.length > 0 && groups.at(-1) === '0') groups.pop()
  return `${groups.join(':')}::/48`
}

/** `::ffff:192.0.2.7` is `192.0.2.7`; `fe80::1%eth0` is `fe80::1`. */
export function plainAddress(address: string): string {
  if (!address.includes(':')) return address
  if (address.startsWith('::ffff:') && address.includes('.')) return address.slice('::ffff:'.length)
  const zone = address.indexOf('%')
  return zone === -1 ? address : address.slice(0, zone)
}

/** Without leading zeros, in lower case, as RFC 5952 has them. `address` is a valid IPv6 address. */
function firstGroups(address: string, count: number): string[] {
  const [head = '', tail] = address.split('::')
  const before = split(head)
  if (tail !== undefined) {
    const after = split(tail)
    // An IPv4 address at the end (RFC 4291 section 2.2) stands for two groups.
    const length = before.length + after.length + (tail.includes('.') ? 1 : 0)
    before.push(...Array.from({ length: GROUPS - length }, () => '0'), ...after)
  }
  return before.slice(0, count).map((group) => Number.parseInt(group, 16).toString(16))
}

const split = (groups: string): string[] => (groups === '' ? [] : groups.split(':'))
