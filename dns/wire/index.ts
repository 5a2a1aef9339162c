export {
  ANY,
  AXFR,
  CLASS_CH,
  CLASS_IN,
  EXPLICIT_TYPES,
  type ExplicitType,
  formatType,
  IXFR,
  type KnownType,
  META_TYPES,
  NXNAME,
  OPCODE_QUERY,
  OPT,
  RCODES,
  type Rcode,
  type RecordType,
  TYPE_CODES,
  typeCode,
  type UnknownType,
} from './codes.ts'
export { formatIp, ipOctets } from './ip-octets.ts'
export { SipHash } from './sip-hash.ts'
export { findTypeFault, isExplicitType, OTHER_TYPES } from './type-registry.ts'
export {
  countLabels,
  encodeWireName,
  findWireName,
  lastLabels,
  MAX_LABEL_OCTETS,
  MAX_NAME_OCTETS,
  type NameKey,
  nameOctets,
  parentName,
  skipWireName,
  spellOctet,
} from './wire-name.ts'
