import { ipOctets } from '../wire/index.ts'
import type { Network } from './prefix-table.ts'

const IPV4_MAPPED = Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff])
const MAPPED_BITS = IPV4_MAPPED.length * 8

/** An IPv4-mapped IPv6 network (RFC 4291 section 2.5.5.2) as the IPv4 one that it stands for; others as they are. */
export function unmapNetwork(network: Network): Network {
  const { octets, bits } = network
  const isMapped = octets.length === 16 && bits >= MAPPED_BITS && IPV4_MAPPED.every((octet, i) => octets[i] === octet)
  return isMapped ? { octets: octets.slice(12), bits: bits - MAPPED_BITS } : network
}

/** `192.0.2.0/24`, `2001:db8::/32`, or an address, which is a network of one. Undefined for what is neither, or has bits set after its prefix. */
export function findNetwork(text: string): Network | undefined {
  const [, host = '', length] = /^([^/%]+)(?:\/([0-9]{1,3}))?$/.exec(text) ?? []
  const octets = ipOctets(host)
  if (octets === undefined) return undefined
  const bits = length === undefined ? octets.length * 8 : Number(length)
  if (bits > octets.length * 8) return undefined
  const network = { octets, bits }
  return truncate(network, bits).octets.every((octet, i) => octet === octets[i]) ? unmapNetwork(network) : undefined
}

/** The network of the first `bits` bits around another. */
export function truncate({ octets }: Network, bits: number): Network {
  const kept = octets.map((octet, i) => octet & (0xff << (8 - Math.min(8, Math.max(0, bits - i * 8)))))
  return { octets: kept, bits }
}
