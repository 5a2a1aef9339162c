import { encodeBase32, MakiError, type OperationId, type Runtime } from '../../core/index.ts'
import type { OperationRecord, OperationStore } from '../ports.ts'
import { refuseKnown } from './store-errors.ts'

/** A store that is gone with the process: for tests, the simulator, and a key that is used without a profile. */
export function createMemoryStore(runtime: Pick<Runtime, 'randomBytes'>): OperationStore {
  return new MemoryStore(encodeBase32(runtime.randomBytes(16)))
}

class MemoryStore implements OperationStore {
  readonly id: string
  readonly #records: OperationRecord[] = []
  readonly #index = new Map<OperationId, number>()
  #closed = false

  constructor(id: string) {
    this.id = id
  }

  get count(): number {
    return this.#records.length
  }

  async append(records: readonly OperationRecord[]): Promise<void> {
    if (this.#closed) throw closed('append')
    refuseKnown(
      records.map(({ id }) => id),
      (id) => this.#index.has(id),
    )
    for (const { id, bytes } of records) {
      this.#index.set(id, this.#records.length)
      this.#records.push({ id, bytes: new Uint8Array(bytes) })
    }
  }

  async list(from: number, limit: number): Promise<readonly OperationRecord[]> {
    if (this.#closed) throw closed('list')
    return this.#records.slice(from, from + limit)
  }

  async read(id: OperationId): Promise<Uint8Array | undefined> {
    if (this.#closed) throw closed('read')
    const sequence = this.#index.get(id)
    return sequence === undefined ? undefined : this.#records[sequence]?.bytes
  }

  sequence(id: OperationId): number | undefined {
    return this.#index.get(id)
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

const closed = (act: string) => new MakiError('MAKI_STORE_FAILED', `the store is closed: cannot ${act}`)
