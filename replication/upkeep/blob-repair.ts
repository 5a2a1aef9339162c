import { readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type BlobHash, isBlobHash, type Log } from '../../core/index.ts'
import type { BlobStore } from '../blobs/blob-store.ts'
import type { FetchOptions, WantedBlob } from '../transfer/index.ts'
import type { HashFilter } from './collection-plan.ts'

export interface RepairOptions {
  readonly store: Pick<BlobStore, 'events' | 'directory' | 'maxBlobBytes'>
  readonly fetcher: { fetch(blobs: Iterable<WantedBlob>, options?: FetchOptions): Promise<void> }
  readonly log: Log
  /** Called when `open` has changed. */
  readonly changed?: () => void
}

/** For metrics; only ever grow. */
export interface RepairCounts {
  damaged: number
  mended: number
}

/** A disk that loses more than this at once is lost; its node fetches what it serves when it starts anew. */
const MAX_OPEN = 4096

/** Fetches damaged blobs again from peers, until each is here or nobody needs it any more. */
export class BlobRepair implements AsyncDisposable {
  readonly counts: RepairCounts = { damaged: 0, mended: 0 }
  readonly #options: RepairOptions
  readonly #open = new Map<BlobHash, AbortController>()
  readonly #running = new Set<Promise<void>>()
  readonly #unsubscribe: () => void
  #closed = false

  private constructor(options: RepairOptions) {
    this.#options = options
    this.#unsubscribe = options.store.events.on('damaged', ({ hash }) => {
      this.counts.damaged += 1
      options.log.error('blobs.damaged', { hash })
      this.mend(hash)
    })
  }

  /** Goes on with what was set aside and not mended before a restart. */
  static async start(options: RepairOptions): Promise<BlobRepair> {
    const repair = new BlobRepair(options)
    const aside = await readdir(join(options.store.directory, 'damaged')).catch(() => [])
    for (const name of aside) if (isBlobHash(name)) repair.mend(name)
    return repair
  }

  /** How many damaged blobs are not back yet. */
  get open(): number {
    return this.#open.size
  }

  /** Fetches a blob that is not here, or waits with it until a peer has it. */
  mend(hash: BlobHash): void {
    if (this.#closed || this.#open.has(hash) || this.#open.size >= MAX_OPEN) return
    const abort = new AbortController()
    this.#open.set(hash, abort)
    this.#options.changed?.()
    const run = this.#fetch(hash, abort.signal).finally(() => {
      this.#running.delete(run)
      this.#open.delete(hash)
      if (!this.#closed) this.#options.changed?.()
    })
    this.#running.add(run)
  }

  /** Gives up on what nobody needs. */
  abandon(needed: HashFilter): void {
    for (const [hash, abort] of this.#open) if (!needed.has(hash)) abort.abort()
  }

  async #fetch(hash: BlobHash, signal: AbortSignal): Promise<void> {
    const { store, fetcher, log } = this.#options
    try {
      // Nobody knows its size any more; the hash decides.
      await fetcher.fetch([{ hash, sizeBytes: store.maxBlobBytes }], { signal })
      this.counts.mended += 1
      log.info('blobs.mended', { hash })
    } catch (error) {
      if (this.#closed) return
      if (!signal.aborted) return log.warn('blobs.mending_failed', { hash, error })
    }
    await unlink(join(store.directory, 'damaged', hash)).catch(() => {})
  }

  /** Ends what is under way; what was set aside is gone on with after a restart. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#unsubscribe()
    for (const abort of this.#open.values()) abort.abort()
    await Promise.allSettled([...this.#running])
  }
}
