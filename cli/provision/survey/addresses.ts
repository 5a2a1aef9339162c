import { BlockList, isIP } from 'node:net'
import type { Survey } from './survey.ts'

/** Addresses that visitors and the other nodes get. */
export interface NodeAddresses {
  readonly ipv4: string | null
  readonly ipv6: string | null
}

export interface AddressesWanted {
  /** Of a flag; `none`: none of that family. */
  readonly ipv4: string | undefined
  readonly ipv6: string | undefined
  /** That we connected to. */
  readonly connected: string
}

export interface ChosenAddresses extends NodeAddresses {
  readonly notes: readonly string[]
}

/**
 * Not reached from everywhere (IANA special-purpose registries): private, shared (RFC 6598), link-local, loopback, many,
 * reserved. Those for documentation are taken like any other.
 */
const special = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['224.0.0.0', 3],
] as const)
  special.addSubnet(network, bits, 'ipv4')
const global6 = new BlockList()
global6.addSubnet('2000::', 3, 'ipv6')

/** Whether an address is reached from everywhere. */
export function isGlobalAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !special.check(address, 'ipv4')
  return family === 6 && !address.includes('%') && global6.check(address, 'ipv6')
}

/**
 * Which addresses a server has for visitors: those of flags; else its own that are reached from everywhere, the one that we
 * connected to first; else, behind an address translation, that one. IPv6 only with a route to everywhere. In a private network, where
 * none is, the one that we connected to. Null where there is none.
 */
export function chooseAddresses(
  survey: Pick<Survey, 'addresses' | 'routes' | 'hasIpv6'>,
  wanted: AddressesWanted,
): ChosenAddresses {
  const { connected } = wanted
  const own = survey.addresses.filter(({ scope, isTemporary }) => scope === 'global' && !isTemporary)
  const isOwn = survey.addresses.some(({ address }) => address === connected)
  const notes: string[] = []
  const choose = (version: 4 | 6, flag: string | undefined): string | null => {
    if (flag !== undefined) return flag === 'none' ? null : flag
    if (version === 6 && !(survey.hasIpv6 && survey.routes.ipv6)) return null
    const global = own.filter(({ address }) => isIP(address) === version && isGlobalAddress(address))
    const found = global.find(({ address }) => address === connected) ?? global[0]
    if (found !== undefined) return found.address
    return isIP(connected) === version && isGlobalAddress(connected) ? connected : null
  }
  let ipv4 = choose(4, wanted.ipv4)
  let ipv6 = choose(6, wanted.ipv6)
  if (ipv4 === null && ipv6 === null && wanted.ipv4 === undefined && wanted.ipv6 === undefined && isOwn) {
    const isPrivate = isIP(connected) === 4 ? !/^(0|127|169\.254)\./.test(connected) : /^f[cd]/i.test(connected)
    if (isPrivate && isIP(connected) === 4) ipv4 = connected
    else if (isPrivate) ipv6 = connected
    if (isPrivate) notes.push(`${connected} is a private address: only its own network reaches the node there`)
  }
  const translated = [ipv4, ipv6].find((address) => address === connected && address !== null && !isOwn)
  if (translated !== undefined && wanted.ipv4 !== translated && wanted.ipv6 !== translated)
    notes.push(`${connected} is no address of the server itself: something in front of it has to pass its ports on`)
  return { ipv4, ipv6, notes }
}
