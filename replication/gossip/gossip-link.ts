import { setImmediate as nextTurn } from 'node:timers/promises'
import { asMakiError, type Cancel, type MemberKey, type Runtime } from '../../core/index.ts'
import { FrameDecoder } from './frame-decoder.ts'
import type { Connection, NetworkAddress } from './network.ts'
import { HANDSHAKE_TIMEOUT_MS, type Session, type SessionPeer, type SessionStep } from './session.ts'
import { encodeFrame, type Frame, MAX_FRAME_BYTES } from './wire.ts'

/** What a peer may leave unread before we give it up; it syncs again when it is back. */
const MAX_QUEUE_BYTES = 32 * 1024 * 1024
/** Below this a link takes the next part of a long answer. */
const LOW_QUEUE_BYTES = 256 * 1024
/** Merges of one link that may wait for the disk; reading stops until some are done. */
const MAX_MERGES = 16
/** How long the frames of one chunk may keep everybody else waiting: a chunk holds thousands of small ones. */
const TURN_MS = 5
/** For the kernel to take the last bytes of a link that is being closed. */
const LINGER_MS = 1000

interface GossipLinkOptions {
  readonly id: number
  readonly connection: Connection
  /** The address that we dialled; undefined for a link that came in. */
  readonly dialled: string | undefined
  readonly session: Session
  readonly runtime: Runtime
  authenticated(link: GossipLink, peer: SessionPeer): void
  received(link: GossipLink, frame: Frame): void
  /** Exactly once, whatever the cause. */
  closed(link: GossipLink, reason: string, detail: string): void
}

/** One connection: handshake first, frames then. Owns it; everything it holds is bounded. */
export class GossipLink {
  readonly id: number
  readonly dialled: string | undefined
  /** Set when the handshake has succeeded. */
  peer: SessionPeer | undefined
  readonly #options: GossipLinkOptions
  readonly #decoder = new FrameDecoder()
  readonly #cancelHandshake: Cancel
  #open = true
  #merges = 0
  /** Frames of the last chunk that had no turn yet. */
  #backlog: Iterator<Frame> | undefined
  #opened = false
  #cancelLinger: Cancel = () => {}

  constructor(options: GossipLinkOptions) {
    this.id = options.id
    this.dialled = options.dialled
    this.#options = options
    const { connection, runtime } = options
    this.#cancelHandshake = runtime.after(HANDSHAKE_TIMEOUT_MS, () =>
      this.close('handshake-timeout', `the handshake took longer than ${HANDSHAKE_TIMEOUT_MS} ms`),
    )
    connection.attach({
      opened: () => this.#greet(),
      received: (chunk) => this.#read(chunk),
      ended: () => this.#end(),
      failed: (message) => this.#fail('connection-failed', message),
      closed: () => {
        this.#cancelLinger()
        this.#fail('connection-closed', 'the connection was closed')
      },
    })
  }

  /** The other side's address as the connection has it; IPv4 in its own notation. */
  get remote(): NetworkAddress {
    return this.#options.connection.remote ?? { host: this.dialled ?? 'unknown', port: 0 }
  }

  /** Who the other side claims to be; proved only when `peer` is set. */
  get claimed(): MemberKey | undefined {
    return this.#options.session.claimed
  }

  /** Queues an encoded frame; drops the link when the peer leaves too much unread. */
  send(framed: Uint8Array): void {
    const { connection } = this.#options
    if (!this.#open || !connection.writable) return
    connection.write(framed)
    if (connection.queuedBytes > MAX_QUEUE_BYTES)
      this.close('slow-reader', `${connection.queuedBytes} bytes are waiting to be read`)
  }

  /** Calls when little is waiting to be sent; never when the link closes first. */
  whenDrained(call: () => void): void {
    const { connection } = this.#options
    if (connection.queuedBytes < LOW_QUEUE_BYTES) call()
    else connection.onceDrained(() => this.#open && call())
  }

  /** Counts a merge as under way until `work` settles; too many stop the reading. */
  track(work: Promise<unknown>): void {
    this.#merges++
    const done = () => {
      if (--this.#merges === MAX_MERGES - 1) this.#takeFrames()
    }
    work.then(done, done)
  }

  /** Says why, closes, and reports it. Idempotent. */
  close(reason: string, detail: string): void {
    if (!this.#open) return
    const { connection, runtime } = this.#options
    if (this.#opened && connection.writable) connection.write(encodeFrame({ type: 'bye', reason }))
    this.#cancelLinger = runtime.after(LINGER_MS, () => connection.destroy())
    connection.close()
    this.#fail(reason, detail)
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#options.connection.destroy()
  }

  #greet(): void {
    if (!this.#open) return
    this.#opened = true
    this.send(encodeFrame(this.#options.session.start()))
  }

  #read(chunk: Uint8Array): void {
    if (!this.#open) return
    this.#backlog = this.#decoder.decode(chunk)
    this.#options.connection.pause()
    this.#takeFrames()
  }

  /** Takes what waits of the last chunk, as far as time and merges allow; reads on when nothing is left. */
  #takeFrames(): void {
    const { connection, runtime } = this.#options
    const startMs = runtime.monotonic()
    try {
      while (this.#open && this.#backlog !== undefined) {
        if (this.#merges >= MAX_MERGES) return
        if (runtime.monotonic() - startMs > TURN_MS) {
          void nextTurn().then(() => this.#takeFrames())
          return
        }
        const { value, done } = this.#backlog.next()
        if (done === true) this.#backlog = undefined
        else this.#handle(value)
      }
    } catch (thrown) {
      // Whatever a peer's bytes led to, it costs this link and never the process.
      const error = asMakiError(thrown)
      this.close(error.code === 'MAKI_PROTOCOL' ? 'protocol' : 'internal-error', error.message)
    }
    if (this.#merges < MAX_MERGES) connection.resume()
  }

  #handle(frame: Frame): void {
    if (this.peer === undefined) this.#step(this.#options.session.handle(frame))
    else if (frame.type === 'bye') this.close('closed-by-peer', frame.reason)
    else this.#options.received(this, frame)
  }

  #step(step: SessionStep): void {
    switch (step.kind) {
      case 'continue':
        for (const frame of step.send) this.send(encodeFrame(frame))
        return
      case 'refused':
        this.close(step.reason, step.detail)
        return
      case 'authenticated':
        this.#cancelHandshake()
        this.#decoder.limitBytes = MAX_FRAME_BYTES
        for (const frame of step.send) this.send(encodeFrame(frame))
        this.peer = step.peer
        this.#options.authenticated(this, step.peer)
        return
      default:
        step satisfies never
    }
  }

  #end(): void {
    try {
      this.#decoder.end()
    } catch (thrown) {
      this.close('protocol', asMakiError(thrown).message)
    }
  }

  #fail(reason: string, detail: string): void {
    if (!this.#open) return
    this.#open = false
    this.#cancelHandshake()
    this.#options.closed(this, reason, detail)
  }
}
