export type { DnsCounters } from './responder.ts'
export { type DnsServer, startDnsServer } from './server.ts'
