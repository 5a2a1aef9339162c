import { connect, type Socket } from 'node:net'
import type { Signer } from '../../core/index.ts'
import { FrameDecoder } from '../../replication/gossip/frame-decoder.ts'
import { Session, type SessionConfig } from '../../replication/gossip/session.ts'
import { encodeFrame, type Frame, MAX_FRAME_BYTES } from '../../replication/gossip/wire.ts'
import { testClusterId } from './gossip-cluster.ts'

/** A peer without manners: speaks bytes of its own, and the handshake when asked to. */
export class RawPeer implements Disposable {
  readonly socket: Socket
  readonly frames: Frame[] = []
  closed = false
  readonly #decoder = new FrameDecoder()

  constructor(address: string) {
    this.socket = connect(Number(address.split(':')[1]), '127.0.0.1')
    this.#decoder.limitBytes = MAX_FRAME_BYTES
    this.socket.on('error', () => {})
    this.socket.on('close', () => {
      this.closed = true
    })
    this.socket.on('data', (chunk: Uint8Array) => {
      for (const frame of this.#decoder.decode(chunk)) {
        this.frames.push(frame)
        this.onFrame(frame)
      }
    })
  }

  onFrame: (frame: Frame) => void = () => {}

  send(...frames: Frame[]): void {
    for (const frame of frames) this.socket.write(encodeFrame(frame))
  }

  /** Why the other side said that it closes. */
  get bye(): string | undefined {
    const frame = this.frames.find((one) => one.type === 'bye')
    return frame?.type === 'bye' ? frame.reason : undefined
  }

  /** Says hello and proves itself as `signer`; `more` bends the rules. */
  greet(signer: Signer, more: Partial<SessionConfig> = {}): void {
    const session = new Session({
      role: 'initiator',
      cluster: testClusterId,
      signer,
      nonce: new Uint8Array(32).fill(1),
      incarnation: 1,
      version: 'raw',
      blobsPort: 0,
      admission: [],
      isMember: () => true,
      admits: () => true,
      ...more,
    })
    let done = false
    this.onFrame = (frame) => {
      if (done) return
      const step = session.handle(frame)
      if (step.kind === 'continue') this.send(...step.send)
      else done = true
    }
    this.send(session.start())
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}
