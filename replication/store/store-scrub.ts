import { type Cancel, type ClusterId, type Log, operationIdOf, type Runtime } from '../../core/index.ts'
import type { OperationStore } from '../ports.ts'

/** Read and hashed in one go: some milliseconds. */
const STEP = 100
/** Between two steps: a hundred thousand operations take some twenty seconds, and a tenth of one core. */
const PAUSE_MS = 20

export interface ScrubOptions {
  readonly store: OperationStore
  readonly cluster: ClusterId
  readonly runtime: Pick<Runtime, 'after'>
  readonly log: Log
}

/**
 * Hashes every stored operation again, in the background and in order of arrival, and compares with the id under which it is
 * kept: what stands in a checkpoint is not decoded on start. What is wrong is logged (`store.altered`); `done` resolves with
 * how many were looked at and how many were wrong, also when the scrub was ended early.
 */
export class StoreScrub implements AsyncDisposable {
  readonly done: Promise<{ readonly looked: number; readonly wrong: number }>
  readonly #options: ScrubOptions
  #looked = 0
  #wrong = 0
  #ended = false
  #cancel: Cancel | undefined
  #wake: (() => void) | undefined

  constructor(options: ScrubOptions) {
    this.#options = options
    this.done = this.#run()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true
    this.#cancel?.()
    this.#wake?.()
    await this.done
  }

  async #run(): Promise<{ looked: number; wrong: number }> {
    const { store, log } = this.#options
    // What is stored meanwhile was just hashed.
    const { count } = store
    try {
      while (this.#looked < count && !this.#ended) {
        await this.#pause()
        if (this.#ended) break
        await this.#step(Math.min(STEP, count - this.#looked))
      }
      if (!this.#ended) log.info('store.scrubbed', { operations: this.#looked, wrong: this.#wrong })
    } catch (error) {
      log.error('store.scrub-failed', { operations: this.#looked, error })
    }
    return { looked: this.#looked, wrong: this.#wrong }
  }

  async #step(limit: number): Promise<void> {
    const { store, cluster, log } = this.#options
    const records = await store.list(this.#looked, limit)
    if (records.length === 0) throw new Error(`the store ends at ${this.#looked}`)
    for (const { id, bytes } of records) {
      this.#looked++
      if (isIntact(id, bytes, cluster)) continue
      this.#wrong++
      log.error('store.altered', { operation: id })
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
      this.#cancel = this.#options.runtime.after(PAUSE_MS, resolve)
    })
  }
}

function isIntact(id: string, bytes: Uint8Array, cluster: ClusterId): boolean {
  try {
    return operationIdOf(bytes, cluster) === id
  } catch {
    return false
  }
}
