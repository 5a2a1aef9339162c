import { BlockList, isIP } from 'node:net'

/** A network that no guest may reach. `network`: `10.0.0.0/8`; `source`: who says that it is special. */
export interface RefusedNetwork {
  readonly network: string
  readonly what: string
  readonly source: string
}

const row = (network: string, what: string, source: string): RefusedNetwork => ({ network, what, source })

/**
 * IANA's IPv4 Special-Purpose Address Registry, with multicast. Blocks that it calls globally reachable are here, too
 * (AS112, AMT): they are anycast, so that whoever is near answers for them, a private network among others.
 */
export const REFUSED_IPV4: readonly RefusedNetwork[] = [
  row('0.0.0.0/8', 'this network', 'RFC 791'),
  row('10.0.0.0/8', 'private use', 'RFC 1918'),
  row('100.64.0.0/10', 'shared by carriers (CGNAT)', 'RFC 6598'),
  row('127.0.0.0/8', 'loopback', 'RFC 1122'),
  row('169.254.0.0/16', 'link-local, cloud metadata', 'RFC 3927'),
  row('172.16.0.0/12', 'private use', 'RFC 1918'),
  row('192.0.0.0/24', 'protocol assignments', 'RFC 6890'),
  row('192.0.2.0/24', 'documentation', 'RFC 5737'),
  row('192.31.196.0/24', 'AS112', 'RFC 7535'),
  row('192.52.193.0/24', 'AMT', 'RFC 7450'),
  row('192.88.99.0/24', '6to4 relays', 'RFC 7526'),
  row('192.168.0.0/16', 'private use', 'RFC 1918'),
  row('192.175.48.0/24', 'AS112', 'RFC 7534'),
  row('198.18.0.0/15', 'benchmarking', 'RFC 2544'),
  row('198.51.100.0/24', 'documentation', 'RFC 5737'),
  row('203.0.113.0/24', 'documentation', 'RFC 5737'),
  row('224.0.0.0/4', 'multicast', 'RFC 5771'),
  row('240.0.0.0/4', 'reserved, broadcast', 'RFC 1112'),
]

/**
 * IANA's IPv6 Special-Purpose Address Registry, what embeds IPv4 addresses, what was something once. The last two rows are
 * all that is not 2000::/3, the only part of IPv6 that global unicast addresses are given from (RFC 4291 section 2.4), so
 * that what is registered tomorrow is refused today. The first row that an address lies in names it.
 */
export const REFUSED_IPV6: readonly RefusedNetwork[] = [
  row('::1/128', 'loopback', 'RFC 4291'),
  row('::/128', 'unspecified', 'RFC 4291'),
  row('::ffff:0:0/96', 'IPv4-mapped', 'RFC 4291'),
  row('::/96', 'IPv4-compatible', 'RFC 4291'),
  row('64:ff9b::/96', 'NAT64', 'RFC 6052'),
  row('64:ff9b:1::/48', 'NAT64 of a network', 'RFC 8215'),
  row('100::/64', 'discard', 'RFC 6666'),
  row('100:0:0:1::/64', 'dummy prefix', 'RFC 9780'),
  row('2001::/32', 'Teredo', 'RFC 4380'),
  row('2001:2::/48', 'benchmarking', 'RFC 5180'),
  row('2001::/23', 'protocol assignments', 'RFC 2928'),
  row('2001:db8::/32', 'documentation', 'RFC 3849'),
  row('2002::/16', '6to4', 'RFC 3056'),
  row('2620:4f:8000::/48', 'AS112', 'RFC 7534'),
  row('3fff::/20', 'documentation', 'RFC 9637'),
  row('5f00::/16', 'segment routing', 'RFC 9602'),
  row('fc00::/7', 'unique local, the mesh of the nodes', 'RFC 4193'),
  row('fe80::/10', 'link-local', 'RFC 4291'),
  row('fec0::/10', 'site-local', 'RFC 3879'),
  row('ff00::/8', 'multicast', 'RFC 4291'),
  row('::/3', 'not global unicast', 'RFC 4291'),
  row('4000::/2', 'not global unicast', 'RFC 4291'),
  row('8000::/1', 'not global unicast', 'RFC 4291'),
]

/** What is no address, or one with a zone (`fe80::1%eth0`), which is of a single link. */
const NO_ADDRESS = row('', 'no address', 'RFC 4007')

const all4 = listOf('ipv4', REFUSED_IPV4)
const all6 = listOf('ipv6', REFUSED_IPV6)
const each4 = REFUSED_IPV4.map((row) => [row, listOf('ipv4', [row])] as const)
const each6 = REFUSED_IPV6.map((row) => [row, listOf('ipv6', [row])] as const)

/** Why no guest may reach an address; undefined for a public one. Whatever is no IPv4 or IPv6 address as such is refused. */
export function findRefusedNetwork(address: string): RefusedNetwork | undefined {
  switch (isIP(address)) {
    case 4:
      return all4.check(address, 'ipv4') ? each4.find(([, list]) => list.check(address, 'ipv4'))?.[0] : undefined
    case 6:
      if (address.includes('%')) return NO_ADDRESS
      return all6.check(address, 'ipv6') ? each6.find(([, list]) => list.check(address, 'ipv6'))?.[0] : undefined
    default:
      return NO_ADDRESS
  }
}

function listOf(family: 'ipv4' | 'ipv6', rows: readonly RefusedNetwork[]): BlockList {
  const list = new BlockList()
  for (const { network } of rows) {
    const [address = '', bits = ''] = network.split('/')
    list.addSubnet(address, Number(bits), family)
  }
  return list
}
