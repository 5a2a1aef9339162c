import { CODE, ConnectionFault, DEFAULT_WINDOW, FRAME } from './frames.ts'
import type { Output } from './output.ts'
import type { Stream } from './stream.ts'

/** Of a stream, and of its connection, while somebody reads: 2.5 MB a second over half the world. */
const READ_WINDOW = 256 * 1024

/**
 * What a client may send (RFC 9113 section 5.2): windows open again by what is not held any more. Those of the connection bound
 * what all its streams have sent that nobody has taken yet.
 */
export class ReceiveWindows {
  /** Octets of content that somebody read. */
  readBytes = 0
  readonly #output: () => Output
  /** Of the connection: how far it is open, how far it opens, and what is not given back because it is held. */
  #left = DEFAULT_WINDOW
  #most = DEFAULT_WINDOW
  #heldBytes = 0

  constructor(output: () => Output) {
    this.#output = output
  }

  /** So much came, padding included. Throws a ConnectionFault where it was more than it might be. */
  take(bytes: number): void {
    this.#left -= bytes
    if (this.#left < 0) throw new ConnectionFault(CODE.flowControl, 'more than the window')
  }

  /** So much of what came lies here until somebody wants it, or does so no more (a negative number). */
  hold(bytes: number): void {
    this.#heldBytes += bytes
    if (bytes < 0) this.giveBack()
  }

  /** Tells the client what it may send again, once that is worth a frame. */
  giveBack(): void {
    const bytes = this.#most - this.#left - this.#heldBytes
    if (bytes < this.#most >> 1) return
    this.#left += bytes
    this.#put(0, bytes)
  }

  /** Opens the window of a stream, which is being read, as far as what is still to come needs it. */
  open(stream: Stream): void {
    const { leftBytes, receiveWindow } = stream
    if (!stream.isRemoteOpen || (leftBytes !== undefined && leftBytes <= receiveWindow)) return
    if (this.#most < READ_WINDOW) {
      this.#most = READ_WINDOW
      this.giveBack()
    }
    if (receiveWindow > READ_WINDOW >> 1) return
    stream.receiveWindow = READ_WINDOW
    this.#put(stream.id, READ_WINDOW - receiveWindow)
  }

  #put(stream: number, bytes: number): void {
    const output = this.#output()
    output.frameHead(4, FRAME.window, 0, stream)
    output.uint32(bytes)
  }
}
