import type { BlobHash, Hostname, OperationId } from '../../core/index.ts'
import type { Variant } from './variants.ts'

/** Names in lower case; several values are several lines. */
export type HeaderFields = Readonly<Record<string, string | string[]>>

/** An answer, decided; nothing was read yet. */
export interface Plan {
  readonly status: number
  /** Equal for GET and HEAD. */
  readonly headers: HeaderFields
  readonly body: PlanBody
  /** Whose answer it is, for metrics and the access log; undefined where no site was found. */
  readonly of?: PlanOrigin
}

/** The domain that a request reached, and the release that it serves here. */
export interface PlanOrigin {
  readonly domain: Hostname
  readonly release: OperationId | undefined
}

export type PlanBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'text'; readonly text: string }
  /** What was made here and lies in memory. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | BlobBody

/** Bytes [start, end) of a blob, or of an encoding of it; `whole` when these are all. */
export interface BlobBody {
  readonly kind: 'blob'
  readonly hash: BlobHash
  /** What transforms made, and no blob of a release. One that is gone by now is forgotten and the request decided again. */
  readonly isResult?: true
  readonly start: number
  readonly end: number
  readonly whole: boolean
  /** Undefined: the blob itself. One that is gone by now is forgotten and the request decided again. */
  readonly variant?: Variant | undefined
}
