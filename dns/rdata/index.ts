export { formatRdata, parseRdata, type Rdata, type Soa } from './rdata.ts'
export { canonicalRecordValue, checkRrset, MAX_TTL, parseExplicitType } from './record-value.ts'
export { buildLargestRrset, buildRrset, MAX_RRSET_OCTETS, type Rrset } from './rrset.ts'
