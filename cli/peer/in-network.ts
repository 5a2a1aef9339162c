import { BlockList, isIP } from 'node:net'

/** Whether a network in CIDR notation holds an address; one of IPv4 holds none of IPv6, and the other way round. */
export function isInNetwork(address: string, network: string): boolean {
  const [start = '', length] = network.split('/')
  const family = isIP(start) === 4 ? 'ipv4' : 'ipv6'
  if (isIP(address) !== isIP(start)) return false
  const block = new BlockList()
  block.addSubnet(start, Number(length), family)
  return block.check(address, family)
}
