import type { Hostname, Manifest, OperationId } from '../../core/index.ts'
import type { RequestContent } from '../message/index.ts'
import type { SiteFunction } from './site-functions.ts'

/** A function of a site, about to be called. */
export interface FunctionCall {
  readonly domain: Hostname
  readonly release: OperationId
  /** What the function sees as its files. */
  readonly manifest: Manifest
  readonly called: SiteFunction
  /** With leading slash, not decoded: as the client sent it, or where a rule of `_redirects` led it. */
  readonly path: string
  /** Without the question mark; undefined where there is none. */
  readonly query: string | undefined
  /** The host that was asked for. */
  readonly host: string
  /** A password was asked for and given: the field that carried it is not for the function. */
  readonly isProtected: boolean
}

/** What of a request a function may get to see; see `SiteRequest`. */
export interface CallerRequest {
  readonly method: string
  readonly secure: boolean
  field(name: string): string | undefined
  fields(): readonly (readonly [name: string, value: string])[]
  client(): { readonly address: string; readonly country: string | undefined }
  readonly content: RequestContent | undefined
}

/** What came of a call. A trace id finds its lines in the log. */
export type FunctionOutcome =
  | {
      readonly kind: 'answered'
      /** From 200 to 599. */
      readonly status: number
      /** Valid, in lower case, without those that are ours to say (Connection, Content-Length, Transfer-Encoding …). */
      readonly headers: readonly (readonly [name: string, value: string])[]
      /** Empty where the status has none, and of HEAD. */
      readonly body: Uint8Array
      /** What Content-Length says: of HEAD, what GET would have said. Undefined where nobody knows, or nothing is to be said. */
      readonly lengthBytes: number | undefined
      readonly trace: string
    }
  | {
      readonly kind: 'failed'
      readonly status: 408 | 413 | 500 | 503 | 504
      readonly trace: string
      readonly retryAfterS?: number
    }
  /** The client left before it had sent all. */
  | { readonly kind: 'gone' }
