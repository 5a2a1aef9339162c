import {
  ANY,
  AXFR,
  EXPLICIT_TYPES,
  type ExplicitType,
  formatType,
  IXFR,
  META_TYPES,
  NXNAME,
  OPT,
  TYPE_CODES,
} from './codes.ts'

const OTHER_CODES = {
  MD: 3,
  MF: 4,
  SOA: TYPE_CODES.SOA,
  MB: 7,
  MG: 8,
  MR: 9,
  NULL: 10,
  WKS: 11,
  HINFO: 13,
  MINFO: 14,
  RP: 17,
  AFSDB: 18,
  SIG: 24,
  KEY: 25,
  LOC: 29,
  NXT: 30,
  NAPTR: 35,
  KX: 36,
  CERT: 37,
  DNAME: 39,
  OPT,
  APL: 42,
  IPSECKEY: 45,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  DHCID: 49,
  NSEC3: 50,
  NSEC3PARAM: 51,
  SMIMEA: 53,
  HIP: 55,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  CSYNC: 62,
  ZONEMD: 63,
  DSYNC: 66,
  SPF: 99,
  NID: 104,
  L32: 105,
  L64: 106,
  LP: 107,
  EUI48: 108,
  EUI64: 109,
  NXNAME,
  TKEY: 249,
  TSIG: 250,
  IXFR,
  AXFR,
  MAILB: 253,
  MAILA: 254,
  ANY,
  URI: 256,
  AVC: 258,
  RESINFO: 261,
  WALLET: 262,
  TA: 32768,
  DLV: 32769,
} as const

/**
 * Types that are registered with IANA and that an owner cannot write by name: those are written as RFC 3597 says, or
 * not at all. So that a mistake is told from a type that exists.
 */
export const OTHER_TYPES: ReadonlyMap<string, number> = new Map(Object.entries(OTHER_CODES))

/** What signing a zone makes (RFC 4034, 5155, 7344 and 8976), and what it made before (RFC 2535). */
const SIGNING: ReadonlySet<number> = new Set([
  OTHER_CODES.SIG,
  OTHER_CODES.KEY,
  OTHER_CODES.NXT,
  OTHER_CODES.RRSIG,
  OTHER_CODES.NSEC,
  OTHER_CODES.DNSKEY,
  OTHER_CODES.NSEC3,
  OTHER_CODES.NSEC3PARAM,
  OTHER_CODES.CDS,
  OTHER_CODES.CDNSKEY,
  OTHER_CODES.ZONEMD,
])

/** Why no owner can write records of a type; undefined where one can. */
export function findTypeFault(code: number): 'reserved' | 'meta' | 'ours' | 'signing' | 'synthesis' | undefined {
  if (code === 0 || code === OTHER_CODES.NULL || code >= 0xffff) return 'reserved'
  if (code === OPT || (code >= META_TYPES.first && code <= META_TYPES.last)) return 'meta'
  if (code === OTHER_CODES.SOA) return 'ours'
  if (SIGNING.has(code)) return 'signing'
  return code === OTHER_CODES.DNAME ? 'synthesis' : undefined
}

const named: ReadonlySet<string> = new Set(EXPLICIT_TYPES)

/** True for a type that an owner can write, in its canonical spelling: `AAAA` but not `TYPE28`, `TYPE99` but not `TYPE099`. */
export function isExplicitType(type: string): type is ExplicitType {
  if (named.has(type)) return true
  if (!/^TYPE[0-9]{1,5}$/.test(type)) return false
  const code = Number(type.slice('TYPE'.length))
  return formatType(code) === type && findTypeFault(code) === undefined
}
