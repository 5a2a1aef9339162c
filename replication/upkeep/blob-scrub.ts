import { type BlobHash, type Cancel, isBlobHash, type Log, type Runtime } from '../../core/index.ts'
import type { BlobStore } from '../blobs/blob-store.ts'
import { findJson } from '../files/find-json.ts'
import { replaceFile } from '../files/replace-file.ts'
import type { BlobRepair } from './blob-repair.ts'

export interface ScrubOptions {
  readonly store: Pick<BlobStore, 'list' | 'examine'>
  readonly repair: Pick<BlobRepair, 'mend'>
  /** Where it is kept how far the pass has come; a path in the data folder. */
  readonly file: string
  readonly runtime: Pick<Runtime, 'after'>
  readonly log: Log
}

/** For metrics; only ever grow. */
export interface ScrubCounts {
  blobs: number
  bytes: number
  passes: number
}

/** A node that starts has more urgent things to do. */
const START_MS = 5 * 60 * 1000
/** What a slow disk does beside its work: 100 GB take seven hours. */
const BYTES_PER_S = 4 * 1024 * 1024
/** A file costs a look at the disk, however small it is. */
const LEAST_BYTES = 16 * 1024
/** Read before each pause. */
const BURST_BYTES = 512 * 1024
const BETWEEN_PASSES_MS = 24 * 60 * 60 * 1000
/** How many blobs are read twice at most after a crash. */
const SAVE_EVERY = 500
/** Blobs that somebody saw something wrong with; more than this is more than one disk's worth of trouble. */
const MAX_SUSPECTS = 1024

/**
 * Reads every blob again, slowly and for ever, since disks forget; and at once the ones that a reader found wrong. What is
 * damaged is set aside by the store, and mended. A pass goes on after a restart where it was.
 */
export class BlobScrub implements AsyncDisposable {
  readonly counts: ScrubCounts = { blobs: 0, bytes: 0, passes: 0 }
  readonly #options: ScrubOptions
  readonly #suspects = new Set<BlobHash>()
  readonly #abort = new AbortController()
  readonly #passes: Promise<void>
  #looking: Promise<void> = Promise.resolve()
  #debtBytes = 0

  constructor(options: ScrubOptions) {
    this.#options = options
    this.#passes = this.#runPasses()
  }

  /** A reader met something wrong here: other bytes than it should have, or none. It is read at once, and mended. */
  suspect(hash: BlobHash): void {
    if (this.#suspects.has(hash) || this.#suspects.size >= MAX_SUSPECTS || this.#abort.signal.aborted) return
    this.#suspects.add(hash)
    this.#looking = this.#looking.then(() => this.#look(hash)).finally(() => this.#suspects.delete(hash))
  }

  async #look(hash: BlobHash): Promise<void> {
    const { store, repair, log } = this.#options
    if (this.#abort.signal.aborted) return
    try {
      // What is damaged the store tells of; what is gone nobody does.
      if (!(await store.examine(hash))) repair.mend(hash)
    } catch (error) {
      log.warn('blobs.scrub_failed', { hash, error })
    }
  }

  async #runPasses(): Promise<void> {
    const { signal } = this.#abort
    const { log } = this.#options
    await this.#pause(START_MS)
    while (!signal.aborted) {
      try {
        await this.#pass()
      } catch (error) {
        if (!signal.aborted) log.warn('blobs.scrub_failed', { error })
      }
      await this.#pause(BETWEEN_PASSES_MS)
    }
  }

  async #pass(): Promise<void> {
    const { store, file, log } = this.#options
    const saved = (await findJson(file))?.after
    let after: string = typeof saved === 'string' && isBlobHash(saved) ? saved : ''
    let sinceSave = 0
    try {
      for await (const hash of store.list(after)) {
        await this.#spend(LEAST_BYTES)
        await store.examine(hash, (bytes) => {
          this.counts.bytes += bytes
          return this.#spend(bytes)
        })
        after = hash
        this.counts.blobs += 1
        sinceSave += 1
        if (sinceSave < SAVE_EVERY) continue
        sinceSave = 0
        await this.#save(after)
      }
      after = ''
    } finally {
      await this.#save(after)
    }
    this.counts.passes += 1
    log.info('blobs.scrubbed', { ...this.counts })
  }

  async #save(after: string): Promise<void> {
    const { file, log } = this.#options
    await replaceFile(file, `${JSON.stringify({ after })}\n`).catch((error: unknown) =>
      log.warn('blobs.scrub_save_failed', { error }),
    )
  }

  /** Throws when the scrub ends: a large blob is not read to its end then. */
  async #spend(bytes: number): Promise<void> {
    this.#abort.signal.throwIfAborted()
    this.#debtBytes += bytes
    if (this.#debtBytes < BURST_BYTES) return
    const pauseMs = (this.#debtBytes / BYTES_PER_S) * 1000
    this.#debtBytes = 0
    await this.#pause(pauseMs)
  }

  async #pause(delayMs: number): Promise<void> {
    const { signal } = this.#abort
    if (signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel: Cancel = this.#options.runtime.after(delayMs, resolve)
    const end = (): void => resolve()
    signal.addEventListener('abort', end, { once: true })
    await promise
    signal.removeEventListener('abort', end)
    cancel()
  }

  /** Waits for the read under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort()
    await this.#passes
    await this.#looking
  }
}
