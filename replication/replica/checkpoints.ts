import { asMakiError, type ClusterId, Fold, type Log, type OperationId } from '../../core/index.ts'
import type { OperationStore } from '../ports.ts'
import { readCheckpoint, writeCheckpoint } from './checkpoint-file.ts'

export interface CheckpointOptions {
  /** Can be lost at any time. */
  readonly file: string
  /** A checkpoint is written when so many operations were folded since the last. Default 1000. */
  readonly minOperations?: number
}

const MIN_OPERATIONS = 1000
/** And not before so large a part of all: a checkpoint holds all of them. */
const PART = 0.05

/**
 * The fold on disk, so that a start needs to read and fold only what came since. A cache: what is damaged, or of another
 * version, cluster or store, is told and built again from the store.
 */
export class Checkpoints {
  readonly #options: CheckpointOptions
  readonly #ports: { readonly store: OperationStore; readonly cluster: ClusterId; readonly log: Log }
  #writtenSize = 0
  #writing: Promise<void> | undefined

  constructor(options: CheckpointOptions, ports: { store: OperationStore; cluster: ClusterId; log: Log }) {
    this.#options = options
    this.#ports = ports
  }

  /**
   * The fold of the checkpoint, all of whose operations are in the store, and what these are by number of arrival; undefined when
   * there is none to be used.
   */
  async load(): Promise<{ fold: Fold; arrivals: ReadonlyMap<number, OperationId> } | undefined> {
    const { store, cluster, log } = this.#ports
    try {
      const packed = await readCheckpoint(this.#options.file, cluster, store.id)
      if (packed === undefined) return undefined
      const fold = new Fold(packed)
      const arrivals = new Map<number, OperationId>()
      for (const id of fold.ids()) {
        const sequence = store.sequence(id)
        if (sequence === undefined) throw new Error(`the store lacks ${id}`)
        arrivals.set(sequence, id)
      }
      this.#writtenSize = fold.size
      return { fold, arrivals }
    } catch (error) {
      log.warn('checkpoint.rebuilt', { error: asMakiError(error) })
      return undefined
    }
  }

  /** Begins to write the fold down when enough has come since the last time; while that lasts, it may grow. */
  consider(fold: Fold): void {
    const { minOperations = MIN_OPERATIONS } = this.#options
    if (fold.size - this.#writtenSize < Math.max(minOperations, fold.size * PART)) return
    this.#writing ??= this.#write(fold).finally(() => {
      this.#writing = undefined
    })
  }

  /** Resolves when nothing is being written; never rejects. */
  async idle(): Promise<void> {
    await this.#writing
  }

  async #write(fold: Fold): Promise<void> {
    const { store, cluster, log } = this.#ports
    this.#writtenSize = fold.size
    try {
      await writeCheckpoint(this.#options.file, fold, cluster, store.id)
      log.debug('checkpoint.written', { operations: this.#writtenSize })
    } catch (error) {
      // The next one is tried when as much has come again.
      log.warn('checkpoint.failed', { error: asMakiError(error) })
    }
  }
}
