export type { FunctionCall, FunctionOutcome } from './function-call.ts'
export type { SiteFunction } from './site-functions.ts'
