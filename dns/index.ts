export { answer } from './answer.ts'
export { type BuiltZone, buildZone, listReplaced, type ZoneFault } from './build-zone.ts'
export {
  EXPLICIT_TYPES,
  type ExplicitType,
  formatType,
  RCODES,
  type Rcode,
  type RecordType,
  TYPE_CODES,
} from './codes.ts'
export { finishResponse, limitOf, type Transport } from './finish-response.ts'
export {
  buildResponse,
  type Edns,
  type Header,
  type Query,
  type Question,
  type ReadQuery,
  type Response,
  readQuery,
} from './message.ts'
export { DnsProjection } from './projection.ts'
export { formatRdata, parseRdata, type Rdata, type Soa } from './rdata.ts'
export { canonicalRecordValue, checkRrset, MAX_TTL, parseExplicitType } from './record-value.ts'
export { type Reply, respond } from './respond.ts'
export type { DnsCounters } from './responder.ts'
export type { Rrset } from './rrset.ts'
export { type DnsServer, type DnsServerOptions, startDnsServer } from './server.ts'
export { TCP_LIMITS, type TcpLimits } from './tcp.ts'
export { type Lookup, lookUp, type Zone, ZoneTable } from './zone-table.ts'
