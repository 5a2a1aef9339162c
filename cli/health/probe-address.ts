import { BlockList, isIP } from 'node:net'

/**
 * A node writes its own addresses, and whoever has its key makes all others connect there: to what only they can reach, such
 * as the services of their own computer or the data that a provider hands to each of its machines (169.254.169.254).
 */
const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Nothing that a visitor could be sent to (RFC 6890, RFC 4291): this host, one link, many, reserved, IPv4 in IPv6. */
/** Two lists: one alone would take each IPv4 address for its IPv6 form. */
const unusable4 = new BlockList()
const unusable6 = new BlockList()
unusable4.addSubnet('0.0.0.0', 8, 'ipv4')
unusable4.addSubnet('169.254.0.0', 16, 'ipv4')
unusable4.addSubnet('224.0.0.0', 3, 'ipv4')
unusable6.addSubnet('::', 96, 'ipv6')
unusable6.addSubnet('::ffff:0:0', 96, 'ipv6')
unusable6.addSubnet('fe80::', 10, 'ipv6')
unusable6.addSubnet('ff00::', 8, 'ipv6')

/** An address that leads to this computer itself, however it is written. */
export function isLoopback(address: string): boolean {
  const family = isIP(address)
  return family !== 0 && loopback.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

/**
 * Why nothing may be sent to an address of a node; undefined where it may. Private networks are as good as any: a cluster may
 * live in one. Loopback is for clusters of which most is there.
 */
export function refuseAddress(address: string, isLocal: boolean): string | undefined {
  if (isLoopback(address)) return isLocal ? undefined : 'a loopback address leads nobody else there'
  return isUsable(address) ? undefined : 'no visitor can be sent to such an address'
}

function isUsable(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !unusable4.check(address, 'ipv4')
    case 6:
      return !address.includes('%') && !unusable6.check(address, 'ipv6')
    default:
      return false
  }
}

/** Whether this is a cluster on one computer (`maki dev`): more than half of its addresses are loopback ones. */
export function isLocalCluster(
  nodes: readonly { readonly ipv4: string | null; readonly ipv6: string | null }[],
): boolean {
  const addresses = nodes.flatMap(({ ipv4, ipv6 }) => [ipv4 ?? [], ipv6 ?? []].flat())
  return addresses.filter(isLoopback).length * 2 > addresses.length
}
