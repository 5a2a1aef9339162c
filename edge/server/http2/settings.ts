import { MAX_ANSWERED_BYTES } from './field-list.ts'
import { CODE, ConnectionFault, FRAME, MAX_FRAME_BYTES, MAX_WINDOW, SETTING } from './frames.ts'
import type { Output } from './output.ts'

/** As nginx and Caddy have it within a factor; what is over is refused, and may be asked again (RFC 9113 section 5.1.2). */
export const MAX_STREAMS = 128
/** Of a stream before somebody reads its content: what most forms and calls have. */
export const RECEIVE_WINDOW = 16 * 1024

const OURS: readonly (readonly [id: number, value: number])[] = [
  [SETTING.maxConcurrentStreams, MAX_STREAMS],
  [SETTING.initialWindowSize, RECEIVE_WINDOW],
  [SETTING.maxHeaderListSize, MAX_ANSWERED_BYTES],
  [SETTING.noPriorities, 1],
]
const PAIR_BYTES = 6

/** The first frame that we send. */
export function putSettings(output: Output): void {
  output.frameHead(PAIR_BYTES * OURS.length, FRAME.settings, 0, 0)
  for (const [id, value] of OURS) {
    output.uint16(id)
    output.uint32(value)
  }
}

/** What of the settings of a client matters here; the last of each counts (RFC 9113 section 6.5.3). */
export interface PeerSettings {
  readonly tableBytes: number | undefined
  readonly windowBytes: number | undefined
}

/** Throws a ConnectionFault for values that there are not (RFC 9113 section 6.5.2). */
export function parseSettings(payload: Buffer): PeerSettings {
  let tableBytes: number | undefined
  let windowBytes: number | undefined
  if (payload.length % PAIR_BYTES !== 0) throw new ConnectionFault(CODE.frameSize, 'half a setting')
  for (let at = 0; at < payload.length; at += PAIR_BYTES) {
    const value = payload.readUInt32BE(at + 2)
    switch (payload.readUInt16BE(at)) {
      case SETTING.headerTableSize:
        // The least is what the client would have to hear of.
        tableBytes = Math.min(value, tableBytes ?? value)
        break
      case SETTING.enablePush:
        if (value > 1) throw new ConnectionFault(CODE.protocol, 'SETTINGS_ENABLE_PUSH is 0 or 1')
        break
      case SETTING.initialWindowSize:
        if (value > MAX_WINDOW) throw new ConnectionFault(CODE.flowControl, 'a window too large')
        windowBytes = value
        break
      case SETTING.maxFrameSize:
        if (value < MAX_FRAME_BYTES || value >= 2 ** 24) throw new ConnectionFault(CODE.protocol, 'a frame size')
        break
      default:
    }
  }
  return { tableBytes, windowBytes }
}
