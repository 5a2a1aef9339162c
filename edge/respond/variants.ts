import type { BlobHash } from '../../core/index.ts'
import type { Coding } from '../message/index.ts'

/** An encoding of a blob that lies ready. It names one sequence of bytes for ever: made anew, it has another check. */
export interface Variant {
  readonly coding: Coding
  readonly sizeBytes: number
  /** `checkOf` the encoded bytes. */
  readonly check: string
}

/** Which encodings lie ready here. Answers are decided from it, so looking up costs no I/O. */
export interface Variants {
  find(hash: BlobHash, coding: Coding): Variant | undefined
  /**
   * Grows whenever something was announced or taken back: what was decided at an older one may have become untrue. It
   * moves about once a second while encodings are made, and rests else.
   */
  readonly epoch: number
}
