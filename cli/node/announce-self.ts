import {
  asMakiError,
  type Cancel,
  type ChangeOf,
  findNode,
  type Log,
  listNodes,
  type NodeView,
  type Runtime,
  type Signer,
  type State,
} from '../../core/index.ts'
import type { GossipService, Replica } from '../../replication/index.ts'

/** A node that has met nobody for so long speaks from what it has. */
const ALONE_MS = 30_000

/** Of the log, by what was announced. */
const EVENTS = {
  schema: { done: 'node.schema-announced', failed: 'node.schema-not-announced' },
  mesh: { done: 'node.mesh-announced', failed: 'node.mesh-not-announced' },
} as const

export interface AnnouncementOptions {
  readonly replica: Replica
  readonly gossip: Pick<GossipService, 'events'>
  readonly signer: Signer
  readonly runtime: Pick<Runtime, 'after'>
  readonly log: Log
}

/** What a node has to say of itself, and the word that stands for it in the log. */
export interface Announced {
  readonly word: keyof typeof EVENTS
  /** Undefined where the state says so already, or it cannot be said yet. */
  find(node: NodeView, state: State): ChangeOf<'node.update'>['set'] | undefined
}

/**
 * Says something of this node in the cluster's state, where the state says otherwise: once for each start. Not before it was
 * compared with a neighbour's, for a state that lags may lack that this was said already; a cluster of one node has nobody to
 * wait for.
 */
export class SelfAnnouncement implements Disposable {
  readonly #options: AnnouncementOptions
  readonly #announced: Announced
  readonly #unsubscribe: (() => void)[]
  readonly #cancel: Cancel
  #isCurrent = false
  #busy = false
  #done = false

  constructor(options: AnnouncementOptions, announced: Announced) {
    this.#options = options
    this.#announced = announced
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
    if (!this.#isCurrent && listNodes(replica.state).length > 1) return
    const node = findNode(replica.state, signer.key)
    const set = node === undefined ? undefined : this.#announced.find(node, replica.state)
    if (set === undefined) return
    this.#busy = true
    void this.#announce(set)
  }

  async #announce(set: ChangeOf<'node.update'>['set']): Promise<void> {
    const { replica, signer, log } = this.#options
    const { word } = this.#announced
    try {
      await replica.commit(signer, [{ kind: 'node.update', key: signer.key, set }])
      this.#done = true
      log.info(EVENTS[word].done, { ...set })
    } catch (error) {
      // The next change of the state is another occasion.
      log.warn(EVENTS[word].failed, { error: asMakiError(error) })
    } finally {
      this.#busy = false
    }
  }
}
