import type { FunctionValue } from '../../core/index.ts'

/** A function of a release, and where it answers. */
export interface SiteFunction extends FunctionValue {
  /** The route without leading slash: `api/hello` of `api/hello.wasm`, `api` of `api/index.wasm`. */
  readonly route: string
  /** `api/[...rest].wasm` answers everything below `api/`, `api/[[...rest]].wasm` also `api` itself. */
  readonly isCatchAll: boolean
}
