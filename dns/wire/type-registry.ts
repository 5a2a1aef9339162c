import { ANY, EXPLICIT_TYPES, type ExplicitType, formatType, META_TYPES, OPT } from './codes.ts'

/**
 * Types that are registered with IANA and that an owner cannot write by name: those are written as RFC 3597 says, or
 * not at all. So that a mistake is told from a type that exists.
 */
export const OTHER_TYPES: ReadonlyMap<string, number> = new Map([
  ['MD', 3],
  ['MF', 4],
  ['SOA', 6],
  ['MB', 7],
  ['MG', 8],
  ['MR', 9],
  ['NULL', 10],
  ['WKS', 11],
  ['HINFO', 13],
  ['MINFO', 14],
  ['RP', 17],
  ['AFSDB', 18],
  ['SIG', 24],
  ['KEY', 25],
  ['LOC', 29],
  ['NXT', 30],
  ['NAPTR', 35],
  ['KX', 36],
  ['CERT', 37],
  ['DNAME', 39],
  ['OPT', OPT],
  ['APL', 42],
  ['IPSECKEY', 45],
  ['RRSIG', 46],
  ['NSEC', 47],
  ['DNSKEY', 48],
  ['DHCID', 49],
  ['NSEC3', 50],
  ['NSEC3PARAM', 51],
  ['SMIMEA', 53],
  ['HIP', 55],
  ['CDS', 59],
  ['CDNSKEY', 60],
  ['OPENPGPKEY', 61],
  ['CSYNC', 62],
  ['ZONEMD', 63],
  ['DSYNC', 66],
  ['SPF', 99],
  ['NID', 104],
  ['L32', 105],
  ['L64', 106],
  ['LP', 107],
  ['EUI48', 108],
  ['EUI64', 109],
  ['NXNAME', 128],
  ['TKEY', 249],
  ['TSIG', 250],
  ['IXFR', 251],
  ['AXFR', 252],
  ['MAILB', 253],
  ['MAILA', 254],
  ['ANY', ANY],
  ['URI', 256],
  ['AVC', 258],
  ['RESINFO', 261],
  ['WALLET', 262],
  ['TA', 32768],
  ['DLV', 32769],
])

const SIGNING: ReadonlySet<number> = new Set([24, 25, 30, 46, 47, 48, 50, 51, 59, 60, 63])

/** Why no owner can write records of a type; undefined where one can. */
export function findTypeFault(code: number): 'reserved' | 'meta' | 'ours' | 'signing' | 'synthesis' | undefined {
  if (code === 0 || code === 10 || code >= 0xffff) return 'reserved'
  if (code === OPT || (code >= META_TYPES.first && code <= META_TYPES.last)) return 'meta'
  if (code === 6) return 'ours'
  if (SIGNING.has(code)) return 'signing'
  return code === 39 ? 'synthesis' : undefined
}

const named: ReadonlySet<string> = new Set(EXPLICIT_TYPES)

/** True for a type that an owner can write, in its canonical spelling: `AAAA` but not `TYPE28`, `TYPE99` but not `TYPE099`. */
export function isExplicitType(type: string): type is ExplicitType {
  if (named.has(type)) return true
  if (!/^TYPE[0-9]{1,5}$/.test(type)) return false
  const code = Number(type.slice('TYPE'.length))
  return formatType(code) === type && findTypeFault(code) === undefined
}
