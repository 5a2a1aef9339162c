import { Duplex } from 'node:stream'
import type { Channel } from 'ssh2'

/**
 * A channel of an SSH connection as a stream like others: destroyed with an error when the connection is lost, where ssh2
 * would show an ordinary end; and with the methods of a socket that HTTP calls.
 */
export class ChannelStream extends Duplex {
  readonly #channel: Channel
  #isClosed = false
  #hasCarried = false

  /** With `findFault` the stream ends when the channel is closed, and with that error where there is one. */
  constructor(channel: Channel, findFault?: () => Error | undefined) {
    super({ highWaterMark: 256 * 1024 })
    this.#channel = channel
    channel.on('data', (chunk: Buffer) => {
      this.#hasCarried = true
      if (!this.push(chunk)) channel.pause()
    })
    channel.on('end', () => {
      if (findFault === undefined) this.push(null)
    })
    channel.on('error', (error: Error) => this.destroy(error))
    channel.on('close', () => {
      this.#isClosed = true
      if (findFault !== undefined && !this.destroyed) {
        const fault = findFault()
        if (fault === undefined) this.push(null)
        else this.destroy(fault)
      }
      if (this.readableEnded) this.destroy()
    })
    // What is still to be read is read first, though nobody takes any more from us.
    this.on('end', () => {
      if (this.#isClosed) this.destroy()
    })
  }

  /** Something came. */
  get hasCarried(): boolean {
    return this.#hasCarried
  }

  override _read(): void {
    this.#channel.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    // Where the other side has closed, nothing calls back: the end of reading ends this, too.
    if (!this.#isClosed) this.#channel.write(chunk, () => done())
  }

  override _final(done: (error?: Error | null) => void): void {
    if (!this.#isClosed) this.#channel.end()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#isClosed) {
      this.#channel.resume()
      this.#channel.destroy()
    }
    done(error)
  }

  setKeepAlive(): this {
    return this
  }

  setNoDelay(): this {
    return this
  }

  setTimeout(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  destroySoon(): void {
    this.destroy()
  }
}
