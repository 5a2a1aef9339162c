import { isIPv4, isIPv6 } from 'node:net'
import type { AddressFamily } from '../../core/index.ts'
import { formatIp, ipOctets } from '../wire/index.ts'
import type { Codec } from './codec.ts'
import type { AddressData } from './types.ts'

/** RFC 1035 section 3.4.1. */
export const A: Codec<AddressData> = {
  hint: 'Write an IPv4 address like 192.0.2.1.',
  parse(fields) {
    const [address = ''] = fields.readWords('address')
    if (isIPv4(address)) return { type: 'A', address }
    if (isIPv6(address)) throw fields.refuse('that is an IPv6 address', 'Use the type AAAA for it.')
    throw fields.refuse('it is no IPv4 address')
  },
  format: ({ address }) => address,
  encode: encodeAddress,
  decode: (octets) => ({ type: 'A', address: formatIp(octets.take(4)) }),
}

/** RFC 3596 section 2.2. */
export const AAAA: Codec<AddressData> = {
  hint: 'Write an IPv6 address like 2001:db8::1.',
  parse(fields) {
    const [address = ''] = fields.readWords('address')
    if (isIPv4(address)) throw fields.refuse('that is an IPv4 address', 'Use the type A for it.')
    if (!isIPv6(address) || address.includes('%')) throw fields.refuse('it is no IPv6 address')
    return { type: 'AAAA', address: canonicalIpv6(address) }
  },
  format: ({ address }) => address,
  encode: encodeAddress,
  decode: (octets) => ({ type: 'AAAA', address: formatIp(octets.take(16)) }),
}

/**
 * The data of an address that somebody says a node has; undefined for what no record can hold: what is no address of the
 * family, and one with a zone (`fe80::1%eth0`), which Node counts as one.
 */
export function findAddress(text: string | null, family: AddressFamily): AddressData | undefined {
  if (text === null) return undefined
  if (family === 'ipv4') return isIPv4(text) ? { type: 'A', address: text } : undefined
  return isIPv6(text) && !text.includes('%') ? { type: 'AAAA', address: canonicalIpv6(text) } : undefined
}

/** One spelling for each address. */
const canonicalIpv6 = (address: string): string => formatIp(encodeAddress({ address }))

/** Of an address that was looked at before. */
function encodeAddress({ address }: Pick<AddressData, 'address'>): Uint8Array {
  return ipOctets(address) as Uint8Array
}
