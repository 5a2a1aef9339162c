import { type Log, listSafeEpochs, type Runtime } from '../../core/index.ts'
import { CertificateRing, GrantedSeals, type Replica, TICKET_KEYS_BYTES } from '../../replication/index.ts'
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

/** Certificates begin and cease to be valid without anybody saying so. */
const LOOK_AGAIN_MS = 3_600_000

/**
 * Opens the certificates of the state and hands them to the edge, at once and whenever they change, so that TLS has them
 * before it listens. Until the nodes have agreed on keys of session tickets (`TicketKeys`), the workers of this one share some of
 * their own.
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
    this.ring = new CertificateRing({
      opener: this.seals,
      runtime: options.runtime,
      log,
      frontier: replica.frontier,
      safe: () => listSafeEpochs(replica),
    })
    this.#unsubscribe = [
      replica.events.on('change', () => this.#refresh()),
      this.ring.events.on('change', () => options.edge.setCertificates(this.ring.served)),
    ]
    options.edge.setTicketKeys(options.runtime.randomBytes(TICKET_KEYS_BYTES))
    this.#lookAgain()
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

  #lookAgain(): void {
    this.#refresh()
    this.#cancel = this.#options.runtime.after(LOOK_AGAIN_MS, () => this.#lookAgain())
  }
}
