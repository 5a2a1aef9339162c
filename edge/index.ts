export { startControlServer } from './control.ts'
export * from './control-api.ts'
export type { ControlServer, ControlServerOptions } from './control-options.ts'
export {
  type ControlSeals,
  type EpochReport,
  isSignedSameRequest,
  parseSameRequest,
  SAME_LIMITS,
  type SameItem,
  type SameReport,
  type SameRequest,
  signSameRequest,
} from './control-seals.ts'
export type { HttpCounters } from './http-counters.ts'
export { type HttpServer, type HttpServerOptions, startHttpServer } from './http-server.ts'
export { findLocalDomain } from './local-host.ts'
export {
  decodeOperationsPage,
  encodeOperationBatch,
  encodeOperationsPage,
  parseOperationBatch,
} from './operation-batch.ts'
export { SiteProjection } from './projection.ts'
export { type HostFallback, type Plan, type PlanBody, respond, type SiteRequest } from './respond.ts'
export { type Site, type SiteRelease, SiteTable } from './site-table.ts'
