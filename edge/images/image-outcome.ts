import { checkOf } from '../message/index.ts'

/** What became of a job. */
export type ImageOutcome = ImageDone | ImageRefusal

export interface ImageDone {
  readonly kind: 'done'
  readonly bytes: Uint8Array
  /** `checkOf` the bytes. */
  readonly check: string
}

export interface ImageRefusal {
  readonly kind: 'refused'
  /**
   * 422: the file is no image that is read here, broken, or too large; 429: who asks, or the domain, asked for too many;
   * 500: the decoder ended on it, twice; 503: too much is waiting, it took too long, or the blob cannot be read.
   */
  readonly status: 422 | 429 | 500 | 503
  /** A sentence in ASCII for whoever wrote the URL; nothing of the request or of this machine is in it. */
  readonly reason: string
  readonly retryAfterS?: number
}

export function imageDone(bytes: Uint8Array): ImageDone {
  return { kind: 'done', bytes, check: checkOf(bytes) }
}

export function refuseImage(status: ImageRefusal['status'], reason: string, retryAfterS?: number): ImageRefusal {
  return { kind: 'refused', status, reason, ...(retryAfterS === undefined ? {} : { retryAfterS }) }
}
