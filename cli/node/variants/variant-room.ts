import type { BlobHash } from '../../../core/index.ts'
import type { BlobStore } from '../../../replication/index.ts'
import type { EncodingJob, Tier } from './encoding-queue.ts'
import type { VariantStore } from './variant-store.ts'

/** What goes at once when the disk is short. */
const SHORT_STEP_BYTES = 64 * 1024 * 1024
/** How far a full budget is emptied, so that not every file has to make room for itself. */
const ROOM_SHARE = 0.05

/** Keeps the encodings within their budget, and out of the part of the disk that is left to blobs and the log. */
export class VariantRoom {
  readonly #store: VariantStore
  readonly #options: {
    readonly budgetBytes: number
    readonly blobs: Pick<BlobStore, 'isShort'>
    readonly tierOf: (hash: BlobHash) => Tier
  }
  /** Tiers for which there was none at the last look. */
  readonly #full = new Set<Tier>()
  /** Encodings that had to go, since the start. */
  evicted = 0

  constructor(
    store: VariantStore,
    options: {
      readonly budgetBytes: number
      readonly blobs: Pick<BlobStore, 'isShort'>
      readonly tierOf: (hash: BlobHash) => Tier
    },
  ) {
    this.#store = store
    this.#options = options
  }

  /** Something else is served, or something went. */
  changed(): void {
    this.#full.clear()
  }

  /** Whether so many bytes more are within the budget. */
  has(bytes: number): boolean {
    return this.#store.table.totalBytes + bytes <= this.#options.budgetBytes
  }

  /**
   * Makes room for all encodings of a file, which together are seldom larger than the file. `full`: what is there is needed
   * as much. `short`: the disk needs what is there back, and got a part of it.
   */
  async make({ sizeBytes, tier }: EncodingJob): Promise<'made' | 'full' | 'short'> {
    const { budgetBytes, blobs, tierOf } = this.#options
    const { table } = this.#store
    if (await blobs.isShort()) {
      this.evicted += this.#store.evict(Math.max(0, table.totalBytes - SHORT_STEP_BYTES), undefined, tierOf)
      return 'short'
    }
    if (this.has(sizeBytes)) return 'made'
    if (this.#full.has(tier)) return 'full'
    const most = Math.max(0, budgetBytes - Math.max(sizeBytes, budgetBytes * ROOM_SHARE))
    this.evicted += this.#store.evict(most, tier, tierOf)
    if (this.has(sizeBytes)) return 'made'
    this.#full.add(tier)
    return 'full'
  }
}
