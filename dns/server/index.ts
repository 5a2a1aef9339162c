export type { AnswersMessages, DnsCounters } from './responder.ts'
export { type DnsServer, type DnsServerOptions, startDnsServer } from './server.ts'
export { TCP_LIMITS, type TcpLimits } from './tcp.ts'
