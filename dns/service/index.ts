export { NameService, type NameServiceOptions, type PlaceFiles } from './name-service.ts'
export { type Reply, respond } from './respond.ts'
