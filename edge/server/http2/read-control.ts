import { hasLength, needs } from './faults.ts'
import { CODE, ConnectionFault, MAX_WINDOW } from './frames.ts'
import type { Streams } from './streams.ts'

/** They are passed over (RFC 9113 section 5.3.2), as far as they can be understood. */
export function readPriority(streams: Streams, id: number, bytes: Buffer, start: number, end: number): void {
  needs(id !== 0, 'PRIORITY of the connection')
  const stream = streams.find(id)
  if (end - start !== 5) {
    if (stream === undefined) throw new ConnectionFault(CODE.frameSize, 'PRIORITY')
    streams.reset(stream, CODE.frameSize)
  } else if (stream !== undefined && (bytes.readUInt32BE(start) & MAX_WINDOW) === id)
    streams.reset(stream, CODE.protocol)
}

/** Throws a ConnectionFault for a stream that never was. */
export function readReset(streams: Streams, id: number, length: number): void {
  hasLength(length === 4)
  needs(streams.wasOpened(id), 'RST_STREAM of what never was')
  const stream = streams.find(id)
  if (stream !== undefined) streams.cancel(stream)
}

/** The client takes more, of a stream or of all (RFC 9113 section 6.9). Throws a ConnectionFault for a stream that never was. */
export function readWindow(streams: Streams, id: number, more: number): void {
  if (id === 0) {
    needs(more > 0, 'a window opened by nothing')
    streams.sender.open(more)
    return
  }
  needs(streams.wasOpened(id), 'a window of what never was')
  const stream = streams.find(id)
  if (stream === undefined) return
  if (more === 0) {
    streams.reset(stream, CODE.protocol)
    return
  }
  stream.sendWindow += more
  if (stream.sendWindow > MAX_WINDOW) streams.reset(stream, CODE.flowControl)
  else streams.sender.pump()
}
