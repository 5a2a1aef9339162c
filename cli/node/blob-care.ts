import type { BlobHash, Log, Runtime } from '../../core/index.ts'
import {
  type Activation,
  BlobCollector,
  type BlobFetcher,
  BlobRepair,
  BlobScrub,
  type BlobStore,
  type Replica,
} from '../../replication/index.ts'
import type { NodeFolders } from './node-folders.ts'

export interface BlobCareOptions {
  readonly blobs: BlobStore
  readonly fetcher: BlobFetcher
  readonly replica: Replica
  readonly activation: Activation
  readonly folders: Pick<NodeFolders, 'collection' | 'scrub'>
  readonly runtime: Runtime
  readonly log: Log
  /** Called when the number of damaged blobs has changed. */
  readonly changed: () => void
}

/** What keeps a node's blobs right: what nobody needs goes, what a disk has damaged comes back. */
export class BlobCare implements AsyncDisposable {
  readonly collector: BlobCollector
  readonly #repair: BlobRepair
  readonly #scrub: BlobScrub
  readonly #owned: AsyncDisposableStack

  private constructor(
    parts: { collector: BlobCollector; repair: BlobRepair; scrub: BlobScrub },
    owned: AsyncDisposableStack,
  ) {
    this.collector = parts.collector
    this.#repair = parts.repair
    this.#scrub = parts.scrub
    this.#owned = owned
  }

  static async start(options: BlobCareOptions): Promise<BlobCare> {
    const { blobs: store, fetcher, replica, activation, folders, runtime, log, changed } = options
    await using starting = new AsyncDisposableStack()
    const repair = starting.use(await BlobRepair.start({ store, fetcher, log, changed }))
    const scrub = starting.use(new BlobScrub({ store, repair, file: folders.scrub, runtime, log }))
    const collector = starting.use(
      new BlobCollector({
        store,
        replica,
        served: () => activation.active().values(),
        wanted: () => activation.wanted(),
        file: folders.collection,
        runtime,
        log,
        onSurveyed: (needed) => repair.abandon(needed),
      }),
    )
    starting.defer(activation.events.on('active', () => collector.switched()))
    starting.defer(replica.events.on('change', ({ operations }) => collector.follow(operations)))
    return new BlobCare({ collector, repair, scrub }, starting.move())
  }

  /** Damaged blobs that no peer has given back yet. */
  get damaged(): number {
    return this.#repair.open
  }

  /** A reader could not read a blob as a whole. */
  suspect(hash: BlobHash): void {
    this.#scrub.suspect(hash)
  }

  /** For metrics; only ever grow. */
  get counts(): Readonly<Record<string, number>> {
    const { runs, blobs } = this.collector.counts
    const { damaged, mended } = this.#repair.counts
    return { collections: runs, collected: blobs, examined: this.#scrub.counts.blobs, damaged, mended }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync()
  }
}
