import {
  type BlobHash,
  type Change,
  compareOperations,
  compileEffects,
  findRelease,
  type Hostname,
  type Key,
  MakiError,
  Manifest,
  type Operation,
  type OperationId,
  type Signer,
  type State,
  scopeOf,
  shortId,
} from '../../core/index.ts'
import type { NodeStatus } from '../../edge/index.ts'
import { findMergePlan } from '../../replication/local/index.ts'
import type { SecretTarget, SyncTarget } from '../project/index.ts'
import { describeHold, findHold } from '../release/hold.ts'
import type { ClusterClient } from './cluster-client.ts'
import type { Reached } from './machine-finder.ts'
import { requireSealEpoch, sealFor } from './sealing.ts'

/**
 * A sync's way into the cluster: blobs go to the machine that answers, else to the outbox; operations are made in the
 * local replica and handed over at once. What waits is delivered by a later exchange.
 */
export class ClusterSyncTarget implements SyncTarget {
  readonly #client: ClusterClient
  readonly #signer: Signer
  readonly #reached: Reached | undefined
  readonly #releases = new Map<OperationId, Pick<Operation, 'id' | 'stamp'>>()
  #waiting: readonly Pick<Operation, 'id'>[] = []
  #last: OperationId | undefined

  private constructor(
    client: ClusterClient,
    signer: Signer,
    { reached, waiting }: { reached: Reached | undefined; waiting: readonly Operation[] },
  ) {
    this.#client = client
    this.#signer = signer
    this.#reached = reached
    this.#waiting = waiting
  }

  /** Exchanges first, so that the sync is planned on the newest state. */
  static async open(client: ClusterClient): Promise<ClusterSyncTarget> {
    const { waiting } = await client.exchange()
    const signer = await client.requireSigner()
    return new ClusterSyncTarget(client, signer, { reached: await client.reach(), waiting })
  }

  /** The machine that takes the sync; undefined when it waits in the outbox. */
  get machine(): string | undefined {
    return this.#reached?.machine.name
  }

  /** Own operations that wait on this computer after what was submitted. */
  get waiting(): number {
    return this.#waiting.length
  }

  get state(): State {
    return this.#client.state
  }

  get secrets(): SecretTarget {
    const client = this.#client
    return {
      seal: async (purpose, value) => sealFor(client, await requireSealEpoch(client), purpose, value),
      same: async (items) => {
        const asker = { signer: this.#signer, cluster: client.profile.cluster }
        return this.#reached?.control.compareSealed(items, asker, client.signal)
      },
    }
  }

  async lastWritten(key: Key, project: string): Promise<unknown | undefined> {
    for await (const operation of this.#client.local.replica.history(key)) {
      const effect = compileEffects(operation).keys.get(key)
      if (effect !== undefined && effect.via === project) return effect.value
      if (effect === undefined && removesScope(operation, key, project)) return undefined
    }
    return undefined
  }

  async readServed(domain: Hostname): Promise<Manifest | undefined> {
    const release = findRelease(this.state, domain)
    if (release === undefined || this.#reached === undefined) return undefined
    const { status, control } = this.#reached
    const node = status.nodes.find(({ key }) => key === status.self)
    if (node?.active[domain] !== release.id) return undefined
    try {
      return Manifest.decode(await control.readBlob(release.manifest, this.#client.signal))
    } catch (error) {
      // It serves another by now, or what it has is broken: then it is asked for every file.
      if (error instanceof MakiError && (error.code === 'MAKI_BLOB_MISSING' || error.code === 'MAKI_INVALID'))
        return undefined
      throw error
    }
  }

  async describeHold(domain: Hostname): Promise<string | undefined> {
    const hold = await findHold(this.#client.local.replica, domain)
    return hold === undefined ? undefined : describeHold(domain, hold)
  }

  async describeMerge(domain: Hostname): Promise<string | undefined> {
    const plan = await findMergePlan(this.#client.local.replica, domain)
    return plan?.sides.map(({ id }) => shortId(id)).join(', ')
  }

  async missing(hashes: readonly BlobHash[]): Promise<readonly BlobHash[]> {
    if (this.#reached !== undefined) return this.#reached.control.missingBlobs(hashes, this.#client.signal)
    return this.#outbox().missing(hashes)
  }

  async putPack(pack: AsyncIterable<Uint8Array>): Promise<number> {
    if (this.#reached !== undefined) return this.#reached.control.putBlobPack(pack, this.#client.signal)
    return this.#outbox().putPack(pack)
  }

  async submit(changes: readonly Change[], message: string): Promise<OperationId> {
    const operation = await this.#client.commit(changes, { signer: this.#signer, message })
    this.#releases.set(operation.id, operation)
    this.#last = operation.id
    await this.retry()
    return operation.id
  }

  async retry(): Promise<OperationId | undefined> {
    this.#waiting = (await this.#client.exchange(this.#last)).waiting
    return this.#last
  }

  waits(domain: Hostname): boolean {
    const release = findRelease(this.state, domain)
    return this.#reached !== undefined && this.#waiting.some(({ id }) => id === release?.id)
  }

  lacks(domain: Hostname): boolean {
    const release = findRelease(this.state, domain)
    if (release === undefined || this.#reached === undefined) return false
    const { nodes, self } = this.#reached.status
    return nodes.find(({ key }) => key === self)?.active[domain] !== release.id
  }

  async *nodes(signal: AbortSignal): AsyncGenerator<readonly NodeStatus[]> {
    if (this.#reached === undefined) return
    const { control } = this.#reached
    // Listening begins before the look, so that nothing falls between the two.
    const events = await control.events(signal)
    const { nodes } = await control.status({ signal })
    await this.#learnReleases(nodes)
    yield nodes
    for await (const event of events) {
      if (event.event !== 'nodes') continue
      await this.#learnReleases(event.nodes)
      yield event.nodes
    }
  }

  isNewer(active: OperationId, release: OperationId): boolean {
    const [a, b] = [this.#releases.get(active), this.#releases.get(release)]
    return a !== undefined && b !== undefined && compareOperations(a, b) > 0
  }

  /** What nodes serve may be newer than all that is here: somebody else published meanwhile. */
  async #learnReleases(nodes: readonly NodeStatus[]): Promise<void> {
    const { replica } = this.#client.local
    const unknown = new Set(
      nodes.flatMap(({ active }) => Object.values(active)).filter((id) => !this.#releases.has(id)),
    )
    if ([...unknown].some((id) => !replica.has(id))) await this.#client.pull()
    for (const id of unknown) {
      const operation = await replica.read(id)
      if (operation !== undefined) this.#releases.set(id, operation)
    }
  }

  #outbox() {
    const { blobs } = this.#client
    // An identity without a replica on disk has nowhere to wait.
    if (blobs === undefined) throw this.#client.unreachableError()
    return blobs
  }
}

function removesScope(operation: Operation, key: Key, project: string): boolean {
  const scope = scopeOf(key)
  return operation.changes.some(
    (change) => change.kind === 'domain.remove' && change.via === project && scope === `domain/${change.domain}`,
  )
}
