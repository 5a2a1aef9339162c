import { isIPv4, isIPv6 } from 'node:net'
import { type Codec, encodePacketData } from './codec.ts'
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
  encode: ({ address }) => encodePacketData({ name: '.', type: 'A', data: address }),
  decode: (octets) => ({ type: 'A', address: octets.take(4).join('.') }),
}

/** RFC 3596. */
export const AAAA: Codec<AddressData> = {
  hint: 'Write an IPv6 address like 2001:db8::1.',
  parse(fields) {
    const [address = ''] = fields.readWords('address')
    if (isIPv4(address)) throw fields.refuse('that is an IPv4 address', 'Use the type A for it.')
    if (!isIPv6(address) || address.includes('%')) throw fields.refuse('it is no IPv6 address')
    return { type: 'AAAA', address: canonicalIpv6(address) }
  },
  format: ({ address }) => address,
  encode: ({ address }) => encodePacketData({ name: '.', type: 'AAAA', data: address }),
  decode: (octets) => ({ type: 'AAAA', address: formatIpv6(octets.take(16)) }),
}

/** One spelling for each address. */
export const canonicalIpv6 = (address: string): string => new URL(`http://[${address}]`).hostname.slice(1, -1)

/** 16 octets as such text. */
export function formatIpv6(octets: Uint8Array): string {
  const view = new DataView(octets.buffer, octets.byteOffset, 16)
  return canonicalIpv6(Array.from({ length: 8 }, (_, i) => view.getUint16(2 * i).toString(16)).join(':'))
}
