export { anonymous, type Identity } from './identity.ts'
export { NameService, type NameServiceOptions } from './name-service.ts'
export { type Reply, type ReplyBytes, respond, type Unproven } from './respond.ts'
