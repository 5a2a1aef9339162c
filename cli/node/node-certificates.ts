import type { Log, Runtime } from '../../core/index.ts'
import { CertificateRing, GrantedSeals, type Replica } from '../../replication/index.ts'
import type { Edge } from './edge-messages.ts'

export interface NodeCertificatesOptions {
  readonly replica: Replica
  readonly edge: Pick<Edge, 'setCertificates' | 'setTicketKeys'>
  /** Of this node's key, which seals are opened with. */
  readonly seed: Uint8Array
  readonly self: ConstructorParameters<typeof GrantedSeals>[0]['self']
  readonly runtime: Pick<Runtime, 'now' | 'after' | 'randomBytes'>
  readonly log: Log
}

/** Whoever steals the keys of a moment reads the sessions of these hours, not of all time (RFC 8446 appendix C.4). */
const TICKET_KEYS_MS = 12 * 3_600_000
/** What node takes: a name, a key for authentication, one for encryption. */
const TICKET_KEYS_BYTES = 48

/**
 * Opens the certificates of the state and hands them to the edge, at once and whenever they change, so that TLS has them
 * before it listens. Workers of one node share the keys of session tickets; those of other nodes have others, and a
 * client that moves there makes a whole handshake.
 */
export class NodeCertificates implements Disposable {
  readonly ring: CertificateRing
  readonly #options: NodeCertificatesOptions
  /** Opens whatever was sealed to nodes, as far as this one was given the keys. */
  readonly seals: GrantedSeals
  readonly #unsubscribe: (() => void)[]
  #cancel = (): void => {}

  constructor(options: NodeCertificatesOptions) {
    const { replica, log, seed, self } = options
    this.#options = options
    this.seals = new GrantedSeals({ cluster: replica.cluster, self, seed })
    this.ring = new CertificateRing({ opener: this.seals, runtime: options.runtime, log, frontier: replica.frontier })
    this.#unsubscribe = [
      replica.events.on('change', () => this.#refresh()),
      this.ring.events.on('change', () => options.edge.setCertificates(this.ring.all)),
    ]
    this.#refresh()
    this.#turnKeys()
  }

  [Symbol.dispose](): void {
    this.#cancel()
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
  }

  #refresh(): void {
    const { state } = this.#options.replica
    this.seals.openGrants(state)
    this.ring.refresh(state)
  }

  #turnKeys(): void {
    const { edge, runtime } = this.#options
    edge.setTicketKeys(runtime.randomBytes(TICKET_KEYS_BYTES))
    this.#cancel = runtime.after(TICKET_KEYS_MS, () => this.#turnKeys())
  }
}
