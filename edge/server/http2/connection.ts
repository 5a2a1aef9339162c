import { broken, hasLength, needs, paddingOf } from './faults.ts'
import { FieldList, MAX_ANSWERED_BYTES } from './field-list.ts'
import { CODE, ConnectionFault, FLAG, FRAME, FRAME_HEAD_BYTES, MAX_FRAME_BYTES, MAX_WINDOW, PREFACE } from './frames.ts'
import { HpackDecoder } from './hpack-decode.ts'
import { readPriority, readReset, readWindow } from './read-control.ts'
import { ReceiveWindows } from './receive-windows.ts'
import { parseSettings, putSettings } from './settings.ts'
import type { Stream } from './stream.ts'
import { contentOf } from './stream-content.ts'
import { Streams, type StreamsPorts } from './streams.ts'

export interface ConnectionPorts extends StreamsPorts {
  /** A request came. It may be answered at once. */
  readonly request: (stream: Stream, head: FieldList) => void
  /** There is something to write, though nothing came. */
  readonly flush: () => void
}

/** A block of fields that goes on in CONTINUATION. */
interface OpenBlock {
  readonly stream: number
  readonly endsStream: boolean
  readonly dependsOnItself: boolean
  readonly parts: Buffer[]
  bytes: number
}

/** Of one block; a browser's takes one or two. */
const MAX_PARTS = 16
/** From the payload of a frame. */
const FLAGS_BACK = 5

/**
 * The server's end of an HTTP/2 connection (RFC 9113), without socket, clock or log: bytes go in, frames to write come out
 * in `sender.output`, and requests are told, with their content to be read.
 */
export class Connection {
  readonly streams: Streams
  readonly windows: ReceiveWindows
  requests = 0
  /** Takes no further request. */
  isClosing = false
  /** Nothing that comes is read any more. */
  isOver = false
  readonly #ports: ConnectionPorts
  readonly #decoder = new HpackDecoder()
  #prefaceBytes = 0
  #hasSettings = false
  #block: OpenBlock | undefined

  constructor(ports: ConnectionPorts) {
    this.#ports = ports
    this.streams = new Streams(ports)
    this.windows = new ReceiveWindows(() => this.streams.sender.output)
    putSettings(this.streams.sender.output)
  }

  /**
   * Reads frames, and gives how many bytes it has done with: the rest is to be given again, with what follows it. Stops where
   * answers have no room. Throws a ConnectionFault for what a connection does not survive.
   */
  receive(bytes: Buffer): number {
    let at = this.#readPreface(bytes)
    while (bytes.length - at >= FRAME_HEAD_BYTES && !this.isOver && this.#ports.hasRoom()) {
      const length = bytes.readUIntBE(at, 3)
      const type = bytes[at + 3] as number
      const stream = bytes.readUInt32BE(at + 5) & MAX_WINDOW
      if (length > MAX_FRAME_BYTES) throw new ConnectionFault(CODE.frameSize, 'a frame too long')
      if (this.#block !== undefined && (type !== FRAME.continuation || stream !== this.#block.stream))
        throw broken('another frame within a block of fields')
      if (!this.#hasSettings && type !== FRAME.settings) throw broken('no settings')
      const start = at + FRAME_HEAD_BYTES
      if (start + length > bytes.length) break
      at = start + length
      this.#read(type, bytes[start - FLAGS_BACK] as number, stream, bytes, start, at)
    }
    return at
  }

  /** Says goodbye with a code, and takes no further request; streams that are open are answered. */
  close(code: number): void {
    this.isClosing = true
    const { output } = this.streams.sender
    output.frameHead(8, FRAME.goaway, 0, 0)
    output.uint32(this.streams.last)
    output.uint32(code)
  }

  /** The connection is gone, and all of its streams with it. */
  abandon(): void {
    this.isOver = true
    this.streams.abandon()
  }

  #readPreface(bytes: Buffer): number {
    if (this.#prefaceBytes === PREFACE.length) return 0
    const length = Math.min(bytes.length, PREFACE.length - this.#prefaceBytes)
    const from = this.#prefaceBytes
    if (bytes.compare(PREFACE, from, from + length, 0, length) !== 0) throw broken('another preface')
    this.#prefaceBytes += length
    return length
  }

  #read(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case FRAME.data:
        this.#readData(flags, id, bytes, start, end)
        return
      case FRAME.headers:
        this.#readHeaders(flags, id, bytes, start, end)
        return
      case FRAME.priority:
        readPriority(this.streams, id, bytes, start, end)
        return
      case FRAME.reset:
        readReset(this.streams, id, end - start)
        return
      case FRAME.settings:
        this.#readSettings(flags, id, bytes.subarray(start, end))
        return
      case FRAME.push:
        throw broken('a push of a client')
      case FRAME.ping:
        this.#readPing(flags, id, bytes, start, end)
        return
      case FRAME.goaway:
        needs(id === 0, 'GOAWAY of a stream')
        hasLength(end - start >= 8)
        return
      case FRAME.window:
        hasLength(end - start === 4)
        readWindow(this.streams, id, bytes.readUInt32BE(start) & MAX_WINDOW)
        return
      case FRAME.continuation:
        this.#readContinuation(flags, bytes, start, end)
        return
      default:
        // Unknown ones mean nothing (RFC 9113 section 5.5).
        return
    }
  }

  #readData(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    needs(id !== 0, 'DATA of the connection')
    const padding = paddingOf(flags, bytes, start, end)
    const from = start + ((flags & FLAG.padded) !== 0 ? 1 : 0)
    const piece = bytes.subarray(from, from + end - start - padding)
    this.windows.take(end - start)
    this.#readContent(id, piece, end - start, (flags & FLAG.endStream) !== 0)
    this.windows.giveBack()
  }

  /** `sizeBytes`: with padding. */
  #readContent(id: number, piece: Buffer, sizeBytes: number, ends: boolean): void {
    const { streams } = this
    const stream = streams.find(id)
    if (stream === undefined) {
      streams.readClosed(id)
      return
    }
    if (!stream.isRemoteOpen) {
      streams.reset(stream, CODE.streamClosed)
      return
    }
    stream.receiveWindow -= sizeBytes
    if (stream.receiveWindow < 0) {
      streams.reset(stream, CODE.flowControl)
      return
    }
    if (stream.leftBytes !== undefined) stream.leftBytes -= piece.length
    if (stream.leftBytes !== undefined && stream.leftBytes < 0) {
      streams.reset(stream, CODE.protocol)
      return
    }
    stream.content?.push(piece, sizeBytes)
    if (ends) streams.endRemote(stream)
  }

  #readHeaders(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    needs(id !== 0, 'HEADERS of the connection')
    const padding = paddingOf(flags, bytes, start, end)
    let from = start + ((flags & FLAG.padded) !== 0 ? 1 : 0)
    const to = (flags & FLAG.padded) !== 0 ? end - padding + 1 : end
    let dependsOnItself = false
    if ((flags & FLAG.priority) !== 0) {
      hasLength(to - from >= 5)
      dependsOnItself = (bytes.readUInt32BE(from) & MAX_WINDOW) === id
      from += 5
    }
    const endsStream = (flags & FLAG.endStream) !== 0
    if ((flags & FLAG.endHeaders) !== 0) {
      this.#readBlock(id, endsStream, dependsOnItself, bytes, from, to)
      return
    }
    this.#block = {
      stream: id,
      endsStream,
      dependsOnItself,
      parts: [Buffer.from(bytes.subarray(from, to))],
      bytes: to - from,
    }
  }

  #readContinuation(flags: number, bytes: Buffer, start: number, end: number): void {
    const block = this.#block
    if (block === undefined) throw broken('CONTINUATION of nothing')
    block.parts.push(Buffer.from(bytes.subarray(start, end)))
    block.bytes += end - start
    if (block.parts.length > MAX_PARTS || block.bytes > MAX_ANSWERED_BYTES)
      throw new ConnectionFault(CODE.calm, 'a block without end')
    if ((flags & FLAG.endHeaders) === 0) return
    this.#block = undefined
    const { stream, endsStream, dependsOnItself } = block
    this.#readBlock(stream, endsStream, dependsOnItself, Buffer.concat(block.parts), 0, block.bytes)
  }

  #readBlock(
    id: number,
    endsStream: boolean,
    dependsOnItself: boolean,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    const { streams } = this
    const list = new FieldList()
    // Always, whatever becomes of it: later blocks refer to this one.
    this.#decoder.decode(bytes, start, end, list)
    const known = streams.find(id)
    if (known !== undefined) {
      this.#readTrailers(known, endsStream, list)
      return
    }
    needs(id % 2 === 1, 'a stream of a client has an odd number')
    if (id <= streams.last) {
      streams.readClosed(id)
      return
    }
    streams.last = id
    if (this.isClosing) {
      streams.ignore(id)
      return
    }
    if (streams.isFull) {
      streams.refuse(id, CODE.refusedStream)
      return
    }
    if (list.isExcessive) {
      streams.refuse(id, CODE.calm)
      return
    }
    const { length } = list
    if (dependsOnItself || !list.isRequest || (endsStream && length !== undefined && length > 0)) {
      streams.refuse(id, CODE.protocol)
      return
    }
    this.requests++
    const { windows } = this
    streams.open(id, endsStream, length, (stream) => {
      if (!endsStream) stream.content = contentOf(stream, list, { streams, windows, flush: this.#ports.flush })
      this.#ports.request(stream, list)
    })
  }

  #readTrailers(stream: Stream, endsStream: boolean, list: FieldList): void {
    if (!stream.isRemoteOpen) this.streams.reset(stream, CODE.streamClosed)
    else if (!endsStream || !list.isTrailers) this.streams.reset(stream, CODE.protocol)
    else this.streams.endRemote(stream)
  }

  #readSettings(flags: number, id: number, payload: Buffer): void {
    needs(id === 0, 'SETTINGS of a stream')
    if ((flags & FLAG.ack) !== 0) {
      hasLength(payload.length === 0)
      needs(this.#hasSettings, 'no settings')
      this.streams.acknowledge()
      return
    }
    const { tableBytes, windowBytes } = parseSettings(payload)
    this.#hasSettings = true
    const { sender } = this.streams
    sender.output.frameHead(0, FRAME.settings, FLAG.ack, 0)
    if (tableBytes !== undefined) sender.limitTable(tableBytes)
    if (windowBytes !== undefined) this.streams.setSendWindow(windowBytes)
  }

  #readPing(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    needs(id === 0, 'PING of a stream')
    hasLength(end - start === 8)
    if ((flags & FLAG.ack) !== 0) return
    const { output } = this.streams.sender
    output.frameHead(8, FRAME.ping, FLAG.ack, 0)
    output.bytes(bytes, start, end)
  }
}
