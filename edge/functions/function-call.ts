import type { Hostname, Manifest, OperationId } from '../../core/index.ts'
import type { SiteFunction } from './site-functions.ts'

/** A function of a site, about to be called. */
export interface FunctionCall {
  readonly domain: Hostname
  readonly release: OperationId
  /** What the function sees as its files. */
  readonly manifest: Manifest
  readonly called: SiteFunction
  /** As the client sent it, with leading slash, not decoded. */
  readonly path: string
  /** Without the question mark; undefined where there is none. */
  readonly query: string | undefined
  /** The host that was asked for. */
  readonly host: string
  /** A password was asked for and given: the field that carried it is not for the function. */
  readonly isProtected: boolean
}

/** What came of a call. A trace id finds its lines in the log. */
export type FunctionOutcome =
  | {
      readonly kind: 'answered'
      readonly status: number
      /** Valid, in lower case, without those that are ours to say (Connection, Content-Length, Transfer-Encoding …). */
      readonly headers: readonly (readonly [name: string, value: string])[]
      readonly body: Uint8Array
    }
  | {
      readonly kind: 'failed'
      readonly status: 413 | 500 | 503 | 504
      readonly trace: string
      readonly retryAfterS?: number
    }
  /** The client left before it had sent all. */
  | { readonly kind: 'gone' }
