import type { BlobHash } from '../../core/index.ts'

/** Names in lower case; several values are several lines. */
export type HeaderFields = Readonly<Record<string, string | string[]>>

/** An answer, decided; nothing was read yet. */
export interface Plan {
  readonly status: number
  /** Equal for GET and HEAD. */
  readonly headers: HeaderFields
  readonly body: PlanBody
}

export type PlanBody = { readonly kind: 'none' } | { readonly kind: 'text'; readonly text: string } | BlobBody

/** Bytes [start, end) of a blob; `whole` when these are all. */
export interface BlobBody {
  readonly kind: 'blob'
  readonly hash: BlobHash
  readonly start: number
  readonly end: number
  readonly whole: boolean
}
