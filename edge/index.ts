export * from './control/index.ts'
export {
  type Client,
  type HostFallback,
  type Learnt,
  type Need,
  type Plan,
  type PlanBody,
  respond,
  type SiteRequest,
} from './respond/index.ts'
export { type HttpCounters, type HttpServer, type HttpServerOptions, startHttpServer } from './server/index.ts'
export { findLocalDomain, type Site, SiteProjection, type SiteRelease, SiteTable } from './site/index.ts'
