import * as Y from 'yjs'
import type { Signer } from '../../../core/index.ts'
import { parseAwarenessEntry } from '../../../replication/gossip/awareness-entry.ts'
import { FrameDecoder } from '../../../replication/gossip/frame-decoder.ts'
import type { Connection } from '../../../replication/gossip/network.ts'
import { Session } from '../../../replication/gossip/session.ts'
import { encodeSyncMessage, parseSyncMessage, type SyncMessage } from '../../../replication/gossip/sync-message.ts'
import { encodeFrame, type Frame, MAX_FRAME_BYTES, NONCE_BYTES } from '../../../replication/gossip/wire.ts'
import type { Cluster, Member } from '../world/cluster.ts'
import { GOSSIP_PORT, type Machine } from '../world/machine.ts'
import type { ProcessLife } from '../world/process-life.ts'

/** Entries and frames that are remembered, to be sent again. */
const MEMORY = 200

/** A member without manners: holds a right key, speaks the handshake, then whatever it likes. */
export class HostilePeer {
  readonly target: Member
  /** The shared document, as this peer was told of it. */
  readonly document = new Y.Doc()
  readonly awareness: Uint8Array[] = []
  readonly heard: Frame[] = []
  readonly #connection: Connection
  readonly #decoder = new FrameDecoder()
  #isIn = false
  #isOpen = true

  constructor(cluster: Cluster, machine: Machine, life: ProcessLife, signer: Signer, target: Member) {
    this.target = target
    this.document.clientID = Math.floor(life.runtime.random() * 2 ** 32)
    this.#decoder.limitBytes = MAX_FRAME_BYTES
    const session = new Session({
      role: 'initiator',
      cluster: cluster.id,
      signer,
      nonce: life.runtime.randomBytes(NONCE_BYTES),
      incarnation: life.runtime.now(),
      version: 'hostile',
      blobsPort: 0,
      admission: [],
      isMember: () => true,
      admits: () => true,
    })
    this.#connection = cluster.network
      .portFor(machine.host, life)
      .connect({ host: target.machine.host, port: GOSSIP_PORT })
    this.#connection.attach({
      opened: () => this.send(session.start()),
      received: (chunk) => {
        try {
          for (const frame of this.#decoder.decode(chunk)) this.#take(frame, session)
        } catch {
          this.close()
        }
      },
      ended: () => this.close(),
      failed: () => this.close(),
      closed: () => this.close(),
    })
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** True when the other side takes it for a member. */
  get isIn(): boolean {
    return this.#isIn && this.#isOpen
  }

  send(frame: Frame): void {
    this.sendBytes(encodeFrame(frame))
  }

  sendBytes(bytes: Uint8Array): void {
    if (this.#isOpen) this.#connection.write(bytes)
  }

  sync(message: SyncMessage): void {
    this.send({ type: 'sync', message: encodeSyncMessage(message) })
  }

  close(): void {
    this.#isOpen = false
    this.#connection.destroy()
  }

  #take(frame: Frame, session: Session): void {
    if (this.#isIn) {
      this.#hear(frame)
      return
    }
    const step = session.handle(frame)
    if (step.kind === 'continue') for (const one of step.send) this.send(one)
    if (step.kind === 'refused') this.close()
    if (step.kind !== 'authenticated') return
    this.#isIn = true
    this.sync({ kind: 'step1', vector: Y.encodeStateVector(new Y.Doc()) })
  }

  #hear(frame: Frame): void {
    if (this.heard.length < MEMORY) this.heard.push(frame)
    if (frame.type === 'awareness')
      for (const entry of frame.entries) {
        parseAwarenessEntry(entry)
        if (this.awareness.length < MEMORY) this.awareness.push(new Uint8Array(entry))
      }
    if (frame.type !== 'sync') return
    const message = parseSyncMessage(frame.message)
    if (message.kind !== 'step1') Y.applyUpdate(this.document, message.update)
  }
}
