export type { CallerRequest, FunctionCall, FunctionOutcome } from './function-call.ts'
export { FunctionTable } from './function-table.ts'
export type { SiteFunction } from './site-functions.ts'
