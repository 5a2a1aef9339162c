import { connect, type Socket } from 'node:net'
import type { Cancel } from '../../core/index.ts'
import type { Answer } from '../guest-contract/index.ts'
import { ByteReader } from './byte-reader.ts'
import { toSocketCode } from './failure-codes.ts'
import type { Grant, Held } from './grant.ts'

const CONNECT_MS = 10_000
/** For bytes that were written before the guest was done. */
const LINGER_MS = 2_000

/** A connection to an address that the policy allows, as a guest uses it. It never waits: `changed` tells when to look again. */
export class TcpConnection implements Held {
  readonly #socket: Socket
  readonly #grant: Grant
  readonly #reader: ByteReader
  #cancelTimer: Cancel
  #isOpen = false
  #isReceiving = true
  #isReleased = false
  #failure: string | undefined

  /** `closed` is called once, when nothing is left of it. */
  constructor(address: string, port: number, grant: Grant, closed: () => void) {
    this.#grant = grant
    const socket = connect({ host: address, port, allowHalfOpen: true, noDelay: true })
    this.#socket = socket
    this.#reader = new ByteReader(socket, grant.changed)
    this.#cancelTimer = grant.runtime.after(CONNECT_MS, () => this.#fail('timeout'))
    socket.on('connect', () => {
      this.#cancelTimer()
      const { remoteAddress: reached = '', remotePort = 0 } = socket
      const judgement = grant.policy.judge({ address: reached, port: remotePort, by: 'tcp' })
      if (judgement === undefined) this.#isOpen = true
      else {
        grant.refused({ ...judgement, address: reached, port: remotePort })
        this.#fail('access-denied')
      }
      grant.changed()
    })
    socket.on('drain', grant.changed)
    socket.on('error', (error) => this.#fail(toSocketCode(error)))
    socket.on('close', () => {
      this.#cancelTimer()
      this.#failure ??= 'connection-reset'
      closed()
      grant.changed()
    })
  }

  isReady(until: 'read' | 'write'): boolean {
    if (this.#failure !== undefined) return true
    if (!this.#isOpen) return false
    if (until === 'read') return !this.#isReceiving || this.#reader.isReady
    return this.#socket.writableEnded || this.#room > 0
  }

  ends(): Answer {
    if (this.#isOpen) {
      const { localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 } = this.#socket
      if (localAddress !== '' && remoteAddress !== '')
        return {
          local: { address: localAddress, port: localPort },
          remote: { address: remoteAddress, port: remotePort },
        }
    }
    return this.#failure === undefined ? { pending: true } : { error: this.#failure }
  }

  read(length: number): { header: Answer; body?: Uint8Array } {
    const body = this.#isReceiving && this.#isOpen ? this.#reader.take(length) : new Uint8Array(0)
    if (body.length > 0) return { header: { ended: false }, body }
    if (!this.#isReceiving || this.#reader.hasEnded) return { header: { ended: true } }
    if (this.#failure !== undefined) return { header: { error: this.#failure } }
    return { header: { ended: false } }
  }

  write(bytes: Uint8Array): Answer {
    if (this.#failure !== undefined) return { error: this.#failure }
    if (!this.#isOpen || this.#socket.writableEnded) return { error: 'invalid-state' }
    const taken = bytes.slice(0, this.#room)
    if (taken.length > 0) this.#socket.write(taken)
    return { wrote: taken.length }
  }

  shutdown(how: 'receive' | 'send' | 'both'): Answer {
    if (!this.#isOpen) return { error: 'invalid-state' }
    if (how !== 'send') this.#isReceiving = false
    if (how !== 'receive') this.#socket.end()
    this.#grant.changed()
    return { done: true }
  }

  release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    const socket = this.#socket
    if (!this.#isOpen || this.#failure !== undefined || socket.writableLength === 0) {
      // What was handed to the kernel is sent by it, with an end after it; only what nobody read makes it a reset.
      socket.end()
      socket.destroy()
      return
    }
    this.#cancelTimer = this.#grant.runtime.after(LINGER_MS, () => socket.destroy())
    socket.end(() => socket.destroy())
  }

  destroy(): void {
    this.#isReleased = true
    this.#socket.destroy()
  }

  get #room(): number {
    return Math.max(0, this.#socket.writableHighWaterMark - this.#socket.writableLength)
  }

  #fail(code: string): void {
    if (this.#failure === undefined && code !== 'access-denied' && !this.#isReleased) this.#grant.failed()
    this.#failure ??= code
    this.#socket.destroy()
    this.#grant.changed()
  }
}
