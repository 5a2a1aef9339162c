import type { IdTable, Log, MakiError, OperationId } from '../../core/index.ts'
import type { OperationRecord } from '../ports.ts'
import type { IdSum } from './id-sum.ts'
import { asStoreError, refuseKnown } from './store-errors.ts'
import { encodeRecord, recordIdBytes, recordKey } from './store-record.ts'
import type { Database } from './store-salvage.ts'
import type { SealFile } from './store-seal.ts'

/** What one synced batch holds at most, so that a flood of large calls does not become one huge write. */
const MAX_BATCH_BYTES = 8 * 1024 * 1024

interface Waiting {
  readonly ids: readonly OperationId[]
  readonly values: readonly Uint8Array[]
  readonly sizeBytes: number
  readonly done: PromiseWithResolvers<void>
}

/** Group commit: calls that come while a batch is being synced share the next one. After one failure all calls fail. */
export class StoreWriter {
  readonly #database: Database
  readonly #storeId: string
  readonly #index: IdTable
  readonly #sum: IdSum
  readonly #sealFile: SealFile
  readonly #log: Log
  readonly #queue: Waiting[] = []
  readonly #underWay = new Set<OperationId>()
  #running: Promise<void> | undefined
  #failed: MakiError | undefined
  #sealFailed = false

  constructor(parts: {
    database: Database
    storeId: string
    index: IdTable
    sum: IdSum
    sealFile: SealFile
    log: Log
  }) {
    this.#database = parts.database
    this.#storeId = parts.storeId
    this.#index = parts.index
    this.#sum = parts.sum
    this.#sealFile = parts.sealFile
    this.#log = parts.log
  }

  async append(records: readonly OperationRecord[]): Promise<void> {
    if (this.#failed !== undefined) throw this.#failed
    if (records.length === 0) return
    const ids = records.map(({ id }) => id)
    refuseKnown(ids, (id) => this.#index.has(id) || this.#underWay.has(id))
    for (const id of ids) this.#underWay.add(id)
    const values = records.map(encodeRecord)
    const sizeBytes = values.reduce((sum, value) => sum + value.length, 0)
    const done = Promise.withResolvers<void>()
    this.#queue.push({ ids, values, sizeBytes, done })
    this.#running ??= this.#run()
    await done.promise
  }

  /** Resolves when no append is under way; never rejects. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const group = this.#takeGroup()
      try {
        await this.#write(group)
      } catch (cause) {
        this.#failed = asStoreError(cause, 'append')
        for (const { done } of [...group, ...this.#queue.splice(0)]) done.reject(this.#failed)
        break
      }
      for (const { done } of group) done.resolve()
    }
    this.#running = undefined
  }

  #takeGroup(): Waiting[] {
    let sizeBytes = 0
    let length = 0
    for (const waiting of this.#queue) {
      sizeBytes += waiting.sizeBytes
      if (length > 0 && sizeBytes > MAX_BATCH_BYTES) break
      length++
    }
    return this.#queue.splice(0, length)
  }

  async #write(group: readonly Waiting[]): Promise<void> {
    const first = this.#index.size
    const values = group.flatMap((waiting) => waiting.values)
    const puts = values.map((value, i) => ({ type: 'put', key: recordKey(first + i), value }) as const)
    await this.#database.batch(puts, { sync: true })
    for (const id of group.flatMap((waiting) => waiting.ids)) {
      this.#index.add(id)
      this.#underWay.delete(id)
    }
    for (const value of values) this.#sum.addBytes(recordIdBytes(value))
    this.#writeSeal()
  }

  /** The records are durable without it; a seal that stays behind only checks less on the next open. */
  #writeSeal(): void {
    try {
      this.#sealFile.write({ storeId: this.#storeId, sum: this.#sum })
      this.#sealFailed = false
    } catch (error) {
      if (!this.#sealFailed) this.#log.warn('store.seal.failed', { error })
      this.#sealFailed = true
    }
  }
}
