export type { AccessLogOptions } from './access-log.ts'
export type { HttpCounters } from './counters.ts'
export { type HttpServer, type HttpServerOptions, startHttpServer } from './http-server.ts'
export { hashPassword, SALT_BYTES } from './password-hash.ts'
export {
  DURATION_BOUNDS_S,
  type Histogram,
  METHODS,
  OTHER_DOMAIN,
  PROTOCOLS,
  type Protocol,
  placeOf,
  type RequestCounts,
  SIZE_BOUNDS_BYTES,
  STATUS_CLASSES,
} from './request-metrics.ts'
