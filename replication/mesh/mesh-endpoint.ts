import { BlockList, isIP } from 'node:net'
import type { NetworkAddress } from '../gossip/network.ts'

/** Where datagrams cannot sensibly go: this host, one link, many, reserved, IPv4 in IPv6 (RFC 6890, RFC 4291). */
const unusable4 = new BlockList()
const unusable6 = new BlockList()
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 3],
] as const)
  unusable4.addSubnet(net, bits, 'ipv4')
for (const [net, bits] of [
  ['::', 96],
  ['::ffff:0:0', 96],
  ['fe80::', 10],
  ['ff00::', 8],
] as const)
  unusable6.addSubnet(net, bits, 'ipv6')

/** By network: a process knows those of its cluster. */
const lists = new Map<string, BlockList>()

/** Whether a network in CIDR notation holds an address; false for what is no address. */
export function holdsAddress(network: string, address: string): boolean {
  const [net = '', bits = ''] = network.split('/')
  const family = isIP(address)
  if (family === 0 || family !== isIP(net) || address.includes('%')) return false
  const name = family === 4 ? 'ipv4' : 'ipv6'
  let list = lists.get(network)
  if (list === undefined) {
    list = new BlockList()
    list.addSubnet(net, Number(bits), name)
    lists.set(network, list)
  }
  return list.check(address, name)
}

/**
 * Whether datagrams of the mesh may be sent to an address. A node writes its own, and whoever has its key would make all others
 * send where only they can: to themselves, their link, and into the mesh itself, which would carry its own packets for ever.
 */
export function isEndpointAddress(address: string, mesh: string): boolean {
  if (address.includes('%') || holdsAddress(mesh, address)) return false
  switch (isIP(address)) {
    case 4:
      return !unusable4.check(address, 'ipv4')
    case 6:
      return !unusable6.check(address, 'ipv6')
    default:
      return false
  }
}

/** `host:port`, IPv6 in brackets, as operations carry it (`meshEndpoint`); undefined for anything else. */
export function findEndpoint(text: string): NetworkAddress | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)):([1-9][0-9]{0,4})$/.exec(text)
  const port = Number(match?.[3])
  const host = match?.[1] ?? match?.[2]
  if (host === undefined || port > 65_535 || (match?.[1] !== undefined && isIP(host) !== 6)) return undefined
  return { host: host.toLowerCase(), port }
}

/** An address in the one notation that is compared: RFC 5952; what is none stays as it is. */
export const canonicalAddress = (address: string): string =>
  isIP(address) === 6 && !address.includes('%') ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address

/** One text for each endpoint, to compare it. */
export const endpointId = ({ host, port }: NetworkAddress): string => `${canonicalAddress(host)} ${port}`
