import { createReadStream } from 'node:fs'
import { asMakiError, type Log, type Runtime } from '../../../core/index.ts'
import { checkOfPieces, decodeVariantRecords, type VariantRecord } from '../../../edge/index.ts'
import { Pauses } from './pauses.ts'
import type { VariantStore } from './variant-store.ts'

export interface VariantScrubOptions {
  readonly store: Pick<VariantStore, 'table' | 'path' | 'takeBack'>
  /** Called after an encoding was taken back: it can be made again. */
  readonly tookBack: () => void
  readonly runtime: Pick<Runtime, 'after'>
  readonly log: Log
}

/** A start compares lengths alone; whoever starts has more urgent things to do than reading all of them. */
const START_MS = 60_000
/** As for blobs, beside the work of a slow disk: the usual budget takes some four minutes. */
const BYTES_PER_S = 4 * 1024 * 1024
/** A file costs a look at the disk, however small it is. */
const LEAST_BYTES = 16 * 1024
/** Read, and hashed, at once. */
const PIECE_BYTES = 256 * 1024
const BETWEEN_PASSES_MS = 24 * 60 * 60 * 1000

/**
 * Reads every encoding again, slowly and for ever, since disks forget and workers compare only small ones with their checks.
 * One that is gone, or is not what its name says, is taken back.
 */
export class VariantScrub implements AsyncDisposable {
  /** Encodings that were taken back. */
  damaged = 0
  readonly #options: VariantScrubOptions
  readonly #pauses: Pauses
  readonly #passes: Promise<void>
  #debtBytes = 0

  constructor(options: VariantScrubOptions) {
    this.#options = options
    this.#pauses = new Pauses(options.runtime)
    this.#passes = this.#run()
  }

  async #run(): Promise<void> {
    await this.#pauses.pause(START_MS)
    while (!this.#pauses.isClosed) {
      await this.#pass()
      await this.#pauses.pause(BETWEEN_PASSES_MS)
    }
  }

  async #pass(): Promise<void> {
    const { store, tookBack, log } = this.#options
    for (const record of decodeVariantRecords(store.table.snapshot())) {
      await this.#spend(LEAST_BYTES)
      if (this.#pauses.isClosed) return
      try {
        if (!(await this.#isDamaged(record)) || !store.takeBack(record)) continue
      } catch (error) {
        if (!this.#pauses.isClosed) log.warn('variants.scrub-failed', { hash: record.hash, error: asMakiError(error) })
        continue
      }
      this.damaged += 1
      log.warn('variants.damaged', { hash: record.hash, coding: record.coding })
      tookBack()
    }
  }

  /** Rejects where it cannot be known: nothing can be opened at the moment, say, or the scrub ends. */
  async #isDamaged(record: VariantRecord): Promise<boolean> {
    try {
      return (await checkOfPieces(this.#read(record))) !== record.check
    } catch (error) {
      if (['ENOENT', 'EIO'].includes(String((error as NodeJS.ErrnoException).code))) return true
      throw error
    }
  }

  async *#read(record: VariantRecord): AsyncGenerator<Uint8Array> {
    const stream = createReadStream(this.#options.store.path(record), { highWaterMark: PIECE_BYTES })
    for await (const piece of stream as AsyncIterable<Buffer>) {
      yield piece
      await this.#spend(piece.length)
      if (this.#pauses.isClosed) throw new Error('the scrub ends')
    }
  }

  async #spend(bytes: number): Promise<void> {
    this.#debtBytes += bytes
    if (this.#debtBytes < PIECE_BYTES) return
    const pauseMs = (this.#debtBytes / BYTES_PER_S) * 1000
    this.#debtBytes = 0
    await this.#pauses.pause(pauseMs)
  }

  /** Waits for the read under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#pauses.close()
    await this.#passes
  }
}
