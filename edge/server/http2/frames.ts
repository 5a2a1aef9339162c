/** What opens every connection of a client (RFC 9113 section 3.4). */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/** Types of frames (RFC 9113 section 6). */
export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
} as const

/** Flags of frames; each type has some of them. */
export const FLAG = { ack: 1, endStream: 1, endHeaders: 4, padded: 8, priority: 32 } as const

/** Error codes (RFC 9113 section 7). */
export const CODE = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  calm: 11,
} as const

/** Identifiers of settings (RFC 9113 section 6.5.2, RFC 9218 section 2.1). */
export const SETTING = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  noPriorities: 9,
} as const

export const FRAME_HEAD_BYTES = 9
/** The largest payload that everybody takes: what we take, and what we send. */
export const MAX_FRAME_BYTES = 16_384
/** Of all windows of flow control. */
export const MAX_WINDOW = 2 ** 31 - 1
/** Of a connection, and of a stream where no setting says otherwise. */
export const DEFAULT_WINDOW = 65_535

/** What ends a connection (RFC 9113 section 5.4.1); `code` is one of CODE. */
export class ConnectionFault extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}
