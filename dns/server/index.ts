export { QUERY_BOUNDS_S } from './durations.ts'
export type { DnsCounters } from './responder.ts'
export { type DnsServer, startDnsServer } from './server.ts'
