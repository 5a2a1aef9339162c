export type { HttpCounters } from './counters.ts'
export { type HttpServer, type HttpServerOptions, startHttpServer } from './http-server.ts'
