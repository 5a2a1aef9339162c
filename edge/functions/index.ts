export type { CallerRequest, FunctionCall, FunctionOutcome } from './function-call.ts'
export { FUNCTION_BOUNDS_S, type FunctionCounts } from './function-metrics.ts'
export {
  type FunctionPorts,
  FunctionService,
  type FunctionServiceOptions,
  MAX_CONTENT_BYTES,
} from './function-service.ts'
export { FunctionTable } from './function-table.ts'
export type { SiteFunction } from './site-functions.ts'
