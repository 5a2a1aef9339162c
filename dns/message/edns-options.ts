import type { ClientSubnet } from './asker.ts'

/** Codes of the options that we understand, as registered with IANA. */
export const EDNS_OPTIONS = { NSID: 3, CLIENT_SUBNET: 8, COOKIE: 10 } as const

/** The COOKIE option of a query (RFC 7873 section 4): 8 octets, and 8 to 32 that a server gave before. */
export interface Cookie {
  readonly client: Uint8Array
  readonly server: Uint8Array | undefined
}

/** What the options of a query say; those that we do not know are ignored (RFC 6891 section 6.1.2). */
export interface EdnsOptions {
  readonly clientSubnet: ClientSubnet | undefined
  readonly cookie: Cookie | undefined
  /** Asks which server answers (RFC 5001). */
  readonly nsid: boolean
}

/** Octets of code and length, before the data of an option. */
export const OPTION_HEADER_OCTETS = 4
export const CLIENT_COOKIE_OCTETS = 8
const MIN_SERVER_COOKIE_OCTETS = 8
const MAX_SERVER_COOKIE_OCTETS = 32
/** FAMILY, SOURCE PREFIX-LENGTH and SCOPE PREFIX-LENGTH. */
export const SUBNET_FIXED_OCTETS = 4
/** Numbers of address families (RFC 7871 section 6); no family at all goes with no address. */
export const FAMILY_CODES = { ipv4: 1, ipv6: 2 } as const
const ADDRESS_OCTETS = { ipv4: 4, ipv6: 16 } as const

export const NO_OPTIONS: EdnsOptions = { clientSubnet: undefined, cookie: undefined, nsid: false }

/**
 * Reads the options of an OPT record, in any order, from `start` to exactly `end`. Undefined is FORMERR: lengths that do
 * not end there, a client subnet that breaks RFC 7871 section 6 or comes twice, a cookie of a length that none has. Of
 * several cookies the first counts (RFC 7873 section 5.2).
 */
export function readEdnsOptions(bytes: Uint8Array, start: number, end: number): EdnsOptions | undefined {
  if (start === end) return NO_OPTIONS
  let clientSubnet: ClientSubnet | undefined
  let cookie: Cookie | undefined
  let nsid = false
  let offset = start
  while (offset + OPTION_HEADER_OCTETS <= end) {
    const code = read16(bytes, offset)
    const data = offset + OPTION_HEADER_OCTETS
    offset = data + read16(bytes, offset + 2)
    if (offset > end) return undefined
    if (code === EDNS_OPTIONS.COOKIE) {
      if (cookie !== undefined) continue
      cookie = readCookie(bytes.subarray(data, offset))
      if (cookie === undefined) return undefined
    } else if (code === EDNS_OPTIONS.CLIENT_SUBNET) {
      if (clientSubnet !== undefined) return undefined
      clientSubnet = readClientSubnet(bytes.subarray(data, offset))
      if (clientSubnet === undefined) return undefined
    } else if (code === EDNS_OPTIONS.NSID) nsid = true
  }
  return offset === end ? { clientSubnet, cookie, nsid } : undefined
}

function readCookie(data: Uint8Array): Cookie | undefined {
  if (data.length === CLIENT_COOKIE_OCTETS) return { client: data.slice(), server: undefined }
  const serverOctets = data.length - CLIENT_COOKIE_OCTETS
  if (serverOctets < MIN_SERVER_COOKIE_OCTETS || serverOctets > MAX_SERVER_COOKIE_OCTETS) return undefined
  return { client: data.slice(0, CLIENT_COOKIE_OCTETS), server: data.slice(CLIENT_COOKIE_OCTETS) }
}

function readClientSubnet(data: Uint8Array): ClientSubnet | undefined {
  const [, , sourcePrefix, scopePrefix] = data
  if (sourcePrefix === undefined || scopePrefix !== 0) return undefined
  const code = read16(data, 0)
  // Without a family there is nothing to say but "do not look at me", which is how dig asks with +subnet=0.
  if (code === 0) {
    if (sourcePrefix !== 0 || data.length !== SUBNET_FIXED_OCTETS) return undefined
    return { family: 'ipv4', sourcePrefix: 0, address: new Uint8Array(ADDRESS_OCTETS.ipv4), withoutFamily: true }
  }
  const family = code === FAMILY_CODES.ipv4 ? 'ipv4' : code === FAMILY_CODES.ipv6 ? 'ipv6' : undefined
  if (family === undefined || sourcePrefix > ADDRESS_OCTETS[family] * 8) return undefined
  const octets = prefixOctets(sourcePrefix)
  if (data.length !== SUBNET_FIXED_OCTETS + octets) return undefined
  const address = new Uint8Array(ADDRESS_OCTETS[family])
  address.set(data.subarray(SUBNET_FIXED_OCTETS))
  const beyond = octets * 8 - sourcePrefix
  if (octets > 0 && ((address[octets - 1] as number) & ((1 << beyond) - 1)) !== 0) return undefined
  return { family, sourcePrefix, address }
}

/** Octets that hold so many bits. */
export const prefixOctets = (bits: number): number => (bits + 7) >> 3

const read16 = (bytes: Uint8Array, at: number): number => ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
