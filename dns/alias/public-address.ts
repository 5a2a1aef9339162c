import { BlockList, isIP } from 'node:net'

/**
 * IPv4 networks that no visitor can be sent to (IANA IPv4 Special-Purpose Address Registry, RFC 6890): this network,
 * private, shared (RFC 6598), loopback, link-local, protocol assignments, documentation, benchmarking, 6to4 relays,
 * multicast, reserved and broadcast.
 */
const SPECIAL_IPV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
] as const

/**
 * All of IPv6 that is routed on the internet lies in 2000::/3 (RFC 4291 section 2.4): loopback, link-local, multicast,
 * unique local addresses (RFC 4193), our mesh among them, and IPv4 in IPv6 lie outside.
 */
const GLOBAL_IPV6 = '2000::/3'
/** Inside it: protocol assignments with Teredo, documentation, and 6to4, which holds an IPv4 address of any kind. */
const SPECIAL_IPV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'] as const

const special4 = blockListOf('ipv4', SPECIAL_IPV4)
const global6 = blockListOf('ipv6', [GLOBAL_IPV6])
const special6 = blockListOf('ipv6', SPECIAL_IPV6)

/** True for an address that anybody on the internet can be sent to; false for what is no address. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !special4.check(address, 'ipv4')
    case 6:
      // One with a zone (`fe80::1%eth0`) is of a single link.
      return !address.includes('%') && global6.check(address, 'ipv6') && !special6.check(address, 'ipv6')
    default:
      return false
  }
}

function blockListOf(family: 'ipv4' | 'ipv6', networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits = ''] = network.split('/')
    list.addSubnet(address, Number(bits), family)
  }
  return list
}
