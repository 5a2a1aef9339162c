import type { Readable } from 'node:stream'
import type { ContentFailure, RequestContent } from '../message/index.ts'
import { CollectedBytes } from './collected-bytes.ts'
import { MAX_DROPPED_BYTES } from './request-framing.ts'

export interface StreamedContentPorts {
  readonly lengthBytes: number | undefined
  /** The client waits for leave to send (RFC 9110 section 10.1.1), which is given when somebody reads. */
  readonly invite?: (() => void) | undefined
  /** All of it has come: the next request can be found behind it. */
  readonly complete?: (() => void) | undefined
  /** So much was read because somebody wants it, or did until it was too much. */
  readonly took?: ((bytes: number) => void) | undefined
  /** Called where nobody wants it, and it is more than is read and dropped. */
  readonly cut: () => void
  /** Other requests come behind it on its connection, so that what nobody wants is read all the same. */
  readonly isFollowed: boolean
}

/** Content that node reads, of HTTP/1.1 or HTTP/2. Nothing is taken from the stream before somebody reads or drops it. */
export class StreamedContent implements RequestContent {
  readonly lengthBytes: number | undefined
  readonly #stream: Readable
  readonly #ports: StreamedContentPorts
  #isTaken = false
  #isDropped = false
  #settle: ((content: Uint8Array | ContentFailure) => void) | undefined
  #droppedBytes = 0

  constructor(stream: Readable, ports: StreamedContentPorts) {
    this.#stream = stream
    this.#ports = ports
    this.lengthBytes = ports.lengthBytes
    stream.on('error', () => {})
  }

  read(maxBytes: number, mayHold?: (moreBytes: number) => boolean): Promise<Uint8Array | ContentFailure> {
    if (this.#isTaken || this.#isDropped || this.#stream.destroyed) return Promise.resolve('gone')
    this.#isTaken = true
    const collected = new CollectedBytes(maxBytes, mayHold)
    const { promise, resolve } = Promise.withResolvers<Uint8Array | ContentFailure>()
    const settle = (content: Uint8Array | ContentFailure): void => {
      this.#settle = undefined
      resolve(content)
    }
    this.#settle = settle
    const stream = this.#stream
    stream.on('data', (piece: Uint8Array) => {
      this.#ports.took?.(piece.length)
      const failure = this.#settle === undefined ? undefined : collected.add(piece)
      if (failure !== undefined) settle(failure)
      if (this.#settle === undefined) this.#pass(piece)
    })
    stream.once('end', () => {
      this.#ports.complete?.()
      this.#settle?.(collected.bytes)
    })
    stream.once('close', () => this.#settle?.('gone'))
    this.#ports.invite?.()
    return promise
  }

  drop(): void {
    if (this.#isDropped) return
    this.#isDropped = true
    if (this.#isTaken) this.#settle?.('gone')
    else if (this.#ports.isFollowed) this.#stream.on('data', (piece: Uint8Array) => this.#pass(piece))
  }

  #pass(piece: Uint8Array): void {
    this.#droppedBytes += piece.length
    if (this.#droppedBytes > MAX_DROPPED_BYTES) this.#ports.cut()
  }
}
