import type { ContentFailure } from '../../message/index.ts'
import { CollectedBytes } from '../collected-bytes.ts'
import type { FieldList } from './field-list.ts'
import type { ReceiveWindows } from './receive-windows.ts'
import type { IncomingContent, Stream } from './stream.ts'
import type { Streams } from './streams.ts'

export interface StreamContentPorts {
  readonly stream: Stream
  readonly windows: ReceiveWindows
  /** Somebody reads: the client may be waiting for leave to send. */
  readonly invite: () => void
  /** Frames wait to be written. */
  readonly flush: () => void
}

/**
 * The content of a stream. Until somebody reads, what comes is held, within the windows; then they open as it is taken. What
 * nobody wants is not kept, and makes room on the connection alone.
 */
export class StreamContent implements IncomingContent {
  readonly lengthBytes: number | undefined
  readonly #ports: StreamContentPorts
  #state: 'waits' | 'read' | 'over' = 'waits'
  #bytes = new CollectedBytes(Number.POSITIVE_INFINITY)
  /** With padding. */
  #heldBytes = 0
  #isEnded = false
  #settle: ((content: Uint8Array | ContentFailure) => void) | undefined

  constructor(ports: StreamContentPorts) {
    this.#ports = ports
    this.lengthBytes = ports.stream.leftBytes
  }

  push(piece: Uint8Array, sizeBytes: number): void {
    const { windows, stream } = this.#ports
    switch (this.#state) {
      case 'waits':
        this.#bytes.add(piece)
        this.#heldBytes += sizeBytes
        windows.hold(sizeBytes)
        return
      case 'read':
        this.#add(piece)
        if (this.#state === 'read') windows.open(stream)
        return
      default:
    }
  }

  end(): void {
    this.#isEnded = true
    if (this.#state === 'read') this.#finish(this.#bytes.bytes)
  }

  read(maxBytes: number, mayHold?: (moreBytes: number) => boolean): Promise<Uint8Array | ContentFailure> {
    if (this.#state !== 'waits') return Promise.resolve('gone')
    const { windows, stream, invite, flush } = this.#ports
    const { promise, resolve } = Promise.withResolvers<Uint8Array | ContentFailure>()
    this.#settle = resolve
    this.#state = 'read'
    const { bytes } = this.#bytes
    this.#bytes = new CollectedBytes(maxBytes, mayHold)
    this.#free()
    this.#add(bytes)
    if (this.#isEnded) this.end()
    else if (this.#isReading()) {
      invite()
      windows.open(stream)
    }
    flush()
    return promise
  }

  drop(): void {
    if (this.#state === 'over') return
    this.#finish('gone')
    this.#free()
    this.#ports.flush()
  }

  #isReading(): boolean {
    return this.#state === 'read'
  }

  #add(piece: Uint8Array): void {
    this.#ports.windows.readBytes += piece.length
    const failure = this.#bytes.add(piece)
    if (failure !== undefined) this.#finish(failure)
  }

  #free(): void {
    const bytes = this.#heldBytes
    this.#heldBytes = 0
    if (bytes > 0) this.#ports.windows.hold(-bytes)
  }

  #finish(content: Uint8Array | ContentFailure): void {
    this.#state = 'over'
    this.#bytes = NOTHING
    this.#settle?.(content)
    this.#settle = undefined
  }
}

const NOTHING = new CollectedBytes(0)

/** The head that says 100 (Continue): a literal with the name of an entry of the static table (RFC 7541 section 6.2.2). */
const CONTINUE = Buffer.from([8, 3, ...Buffer.from('100')])

/** The content of a request of which the head has come. */
export function contentOf(
  stream: Stream,
  head: FieldList,
  {
    streams,
    windows,
    flush,
  }: { readonly streams: Streams; readonly windows: ReceiveWindows; readonly flush: () => void },
): StreamContent {
  const invite = () => {
    const expects = head.find('expect')?.toLowerCase() === '100-continue'
    if (expects && stream.isLocalOpen) streams.sender.head(stream, CONTINUE, CONTINUE.length, false)
  }
  return new StreamContent({ stream, windows, invite, flush })
}
