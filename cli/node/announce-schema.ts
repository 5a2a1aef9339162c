import {
  asMakiError,
  type Cancel,
  findNode,
  type Log,
  listNodes,
  type Runtime,
  SCHEMA,
  type Signer,
} from '../../core/index.ts'
import type { GossipService, Replica } from '../../replication/index.ts'

/** A node that has met nobody for so long speaks from what it has. */
const ALONE_MS = 30_000

/**
 * Says in the cluster's state which schema this program reads, where the state says otherwise: once for each start. Not before it
 * was compared with a neighbour's, for a state that lags may lack that this was said already; a cluster of one node has nobody to
 * wait for.
 */
export class SchemaAnnouncement implements Disposable {
  readonly #options: { replica: Replica; gossip: GossipService; signer: Signer; runtime: Runtime; log: Log }
  readonly #unsubscribe: (() => void)[]
  readonly #cancel: Cancel
  #isCurrent = false
  #busy = false
  #done = false

  constructor(options: { replica: Replica; gossip: GossipService; signer: Signer; runtime: Runtime; log: Log }) {
    this.#options = options
    const { gossip, replica, runtime } = options
    const compared = () => {
      this.#isCurrent = true
      this.#consider()
    }
    this.#unsubscribe = [gossip.events.on('agreed', compared), replica.events.on('change', () => this.#consider())]
    this.#cancel = runtime.after(ALONE_MS, compared)
    this.#consider()
  }

  [Symbol.dispose](): void {
    this.#done = true
    this.#cancel()
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
  }

  #consider(): void {
    const { replica, signer } = this.#options
    if (this.#done || this.#busy || replica.damaged !== undefined || !replica.isMember(signer.key)) return
    const node = findNode(replica.state, signer.key)
    if (node === undefined || node.schema === SCHEMA) return
    if (!this.#isCurrent && listNodes(replica.state).length > 1) return
    this.#busy = true
    void this.#announce()
  }

  async #announce(): Promise<void> {
    const { replica, signer, log } = this.#options
    try {
      await replica.commit(signer, [{ kind: 'node.update', key: signer.key, set: { schema: SCHEMA } }])
      this.#done = true
      log.info('node.schema-announced', { schema: SCHEMA })
    } catch (error) {
      // The next change of the state is another occasion.
      log.warn('node.schema-not-announced', { error: asMakiError(error) })
    } finally {
      this.#busy = false
    }
  }
}
