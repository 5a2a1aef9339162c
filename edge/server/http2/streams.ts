import type { BufferPool } from './buffer-pool.ts'
import { CODE, ConnectionFault, DEFAULT_WINDOW, FRAME, MAX_WINDOW } from './frames.ts'
import { Sender } from './sender.ts'
import { MAX_STREAMS, RECEIVE_WINDOW } from './settings.ts'
import { ClosedStreams, Stream } from './stream.ts'

export interface StreamsPorts {
  readonly pool: BufferPool
  readonly hasRoom: () => boolean
  /** A request ended before its answer, or was none. */
  readonly dropped: () => void
}

/** The streams of a connection: which are open, what they may send, and how those ended that are not. */
export class Streams {
  readonly sender: Sender
  /** Of which the whole answer was sent. */
  answered = 0
  /** That ended before, whoever ended them. */
  dropped = 0
  /** The highest that was opened. */
  last = 0
  readonly #ports: StreamsPorts
  readonly #open = new Map<number, Stream>()
  readonly #closed = new ClosedStreams()
  #sendInitial = DEFAULT_WINDOW
  #receiveInitial = DEFAULT_WINDOW

  constructor(ports: StreamsPorts) {
    this.#ports = ports
    this.sender = new Sender({ pool: ports.pool, hasRoom: ports.hasRoom, ended: (stream) => this.#end(stream) })
  }

  get size(): number {
    return this.#open.size
  }

  get isFull(): boolean {
    return this.#open.size >= MAX_STREAMS
  }

  find(id: number): Stream | undefined {
    return this.#open.get(id)
  }

  /** A new one; `start` may answer it at once, before anybody has to find it. */
  open(id: number, endsStream: boolean, leftBytes: number | undefined, start: (stream: Stream) => void): void {
    const stream = new Stream(id, this.#sendInitial, this.#receiveInitial)
    stream.isRemoteOpen = !endsStream
    stream.leftBytes = leftBytes
    start(stream)
    if (stream.isLocalOpen) this.#open.set(id, stream)
  }

  /** One that is not to be opened. */
  refuse(id: number, code: number): void {
    this.#closed.add(id, true)
    this.#putReset(id, code)
    this.#count()
  }

  /** One that came after goodbye: as if it had not. */
  ignore(id: number): void {
    this.#closed.add(id, true)
  }

  /** Closes a stream before its answer is over; once. */
  reset(stream: Stream, code: number): void {
    if (!stream.isLocalOpen) return
    this.#putReset(stream.id, code)
    this.#drop(stream, true)
  }

  /** The client did. */
  cancel(stream: Stream): void {
    if (stream.isLocalOpen) this.#drop(stream, false)
  }

  /** The connection is gone. */
  abandon(): void {
    for (const stream of [...this.#open.values()]) this.cancel(stream)
  }

  /** The client has sent all, which must be as much as it said (RFC 9113 section 8.1.1). */
  endRemote(stream: Stream): void {
    stream.isRemoteOpen = false
    if (stream.leftBytes !== undefined && stream.leftBytes !== 0) this.reset(stream, CODE.protocol)
    else stream.content?.end()
  }

  /**
   * HEADERS or DATA on a stream that is not open. What was on its way when we closed it is passed over (RFC 9113 section
   * 5.1); for the rest throws a ConnectionFault.
   */
  readClosed(id: number): void {
    const ended = this.#closed.find(id)
    if (ended === 'by-us') return
    if (ended === undefined) throw new ConnectionFault(CODE.protocol, 'a stream that is not open')
    throw new ConnectionFault(CODE.streamClosed, 'a stream that has ended')
  }

  /** A stream that has been opened, at some time (RFC 9113 section 5.1: idle). */
  wasOpened(id: number): boolean {
    return id % 2 === 1 && id <= this.last
  }

  /** The client wants other windows for what it gets. Throws a ConnectionFault where one becomes too large. */
  setSendWindow(bytes: number): void {
    const more = bytes - this.#sendInitial
    this.#sendInitial = bytes
    for (const stream of this.#open.values()) {
      stream.sendWindow += more
      if (stream.sendWindow > MAX_WINDOW) throw new ConnectionFault(CODE.flowControl, 'the window of a stream')
    }
    this.sender.pump()
  }

  /** The client knows our settings: before, it may have sent more. */
  acknowledge(): void {
    const more = RECEIVE_WINDOW - this.#receiveInitial
    this.#receiveInitial = RECEIVE_WINDOW
    for (const stream of this.#open.values()) stream.receiveWindow += more
  }

  #end(stream: Stream): void {
    stream.isLocalOpen = false
    stream.onCancel = undefined
    this.answered++
    // The answer is there without what the client still has to say (RFC 9113 section 8.1).
    if (stream.isRemoteOpen) this.#putReset(stream.id, CODE.none)
    this.#close(stream, stream.isRemoteOpen)
  }

  #drop(stream: Stream, byUs: boolean): void {
    stream.isLocalOpen = false
    this.#close(stream, byUs)
    stream.onCancel?.()
    stream.onCancel = undefined
    this.#count()
  }

  #close(stream: Stream, byUs: boolean): void {
    this.#open.delete(stream.id)
    this.#closed.add(stream.id, byUs)
    this.sender.forget(stream)
    stream.content?.drop()
  }

  #count(): void {
    this.dropped++
    this.#ports.dropped()
  }

  #putReset(id: number, code: number): void {
    const { output } = this.sender
    output.frameHead(4, FRAME.reset, 0, id)
    output.uint32(code)
  }
}
