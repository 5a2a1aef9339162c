import type { BlobHash, ErrorShape } from '../../../core/index.ts'
import type { EncodingStep, Variant } from '../../../edge/index.ts'
import type { EncodingList } from './encoding-list.ts'

/** What the encoder is asked; one call at a time. */
export type EncoderCall =
  /** Reads the manifest at a path. */
  | { readonly type: 'list'; readonly manifest: string; readonly hash: BlobHash }
  /** Encodes the blob at a path and leaves each result, unsynced, in the folder under the name of its coding. */
  | {
      readonly type: 'encode'
      readonly blob: string
      readonly hash: BlobHash
      readonly steps: readonly EncodingStep[]
      readonly folder: string
    }

export type EncoderReply =
  | { readonly type: 'listed'; readonly list: EncodingList }
  | { readonly type: 'encoded'; readonly results: readonly Encoded[] }
  /** What lies there is not what its name says. */
  | { readonly type: 'damaged' }
  | { readonly type: 'failed'; readonly error: ErrorShape }

/** What became of one step. A result that is not worth keeping was not written. */
export type Encoded =
  | (Variant & { readonly kind: 'made' })
  | { readonly kind: 'useless'; readonly coding: Variant['coding'] }
