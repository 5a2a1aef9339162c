import type { RequestContent } from '../../message/index.ts'

/** Content as it comes, from frame to frame. */
export interface IncomingContent extends RequestContent {
  /** What came in a frame: `sizeBytes` is what it took of the windows. */
  push(piece: Uint8Array, sizeBytes: number): void
  /** All of it has come. */
  end(): void
}

/** What a connection knows of one of its streams (RFC 9113 section 5.1) while it is not closed. */
export class Stream {
  readonly id: number
  /** What may still be sent on it, and what it may still send; below zero after some changes of settings. */
  sendWindow: number
  receiveWindow: number
  /** The client may send more. */
  isRemoteOpen = true
  /** The answer is not over. */
  isLocalOpen = true
  /** Octets of content that were said to come and did not; undefined where nothing was said. */
  leftBytes: number | undefined
  /** Undefined where the request has none. */
  content: IncomingContent | undefined
  /** Called once when the stream is closed before its answer is over. */
  onCancel: (() => void) | undefined
  /** What is being sent, from where on, whether it is the last, and who waits for it. */
  pending: Buffer | undefined
  pendingAt = 0
  pendingEnds = false
  onTaken: (() => void) | undefined

  constructor(id: number, sendWindow: number, receiveWindow: number) {
    this.id = id
    this.sendWindow = sendWindow
    this.receiveWindow = receiveWindow
  }
}

const KEPT = 256

/** The last streams that were closed, and by whom. */
export class ClosedStreams {
  readonly #ids: number[] = []
  #at = 0

  /** `byUs`: by RST_STREAM of ours, which its client may not have seen when it sends more. */
  add(id: number, byUs: boolean): void {
    this.#ids[this.#at] = byUs ? -id : id
    this.#at = (this.#at + 1) % KEPT
  }

  /** Undefined for those of long ago, and those that were never opened. */
  find(id: number): 'by-us' | 'ended' | undefined {
    if (this.#ids.includes(-id)) return 'by-us'
    return this.#ids.includes(id) ? 'ended' : undefined
  }
}
