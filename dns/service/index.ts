export type { Identity } from './identity.ts'
export { NameService, type NameServiceOptions } from './name-service.ts'
export { type Reply, type ReplyBytes, respond } from './respond.ts'
