import type { OperationStore } from '../ports.ts'

/** Stored operations in the order of arrival. */
export interface ReplicaPage {
  readonly operations: readonly Uint8Array[]
  /** `<store id>.<sequence>`; pass it back to get what came later. */
  readonly cursor: string
  readonly more: boolean
}

/** Read from the store at once. */
const STEP = 64
/** What a page holds at most, once it holds anything. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024

/** After a cursor of this store; from the start for any other. */
export async function readPage(store: OperationStore, after: string | undefined, limit: number): Promise<ReplicaPage> {
  let sequence = readCursor(store, after)
  const operations: Uint8Array[] = []
  let sizeBytes = 0
  while (operations.length < limit && sizeBytes < MAX_PAGE_BYTES) {
    const records = await store.list(sequence, Math.min(STEP, limit - operations.length))
    if (records.length === 0) break
    for (const { bytes } of records) {
      operations.push(bytes)
      sizeBytes += bytes.length
    }
    sequence += records.length
  }
  return { operations, cursor: `${store.id}.${sequence}`, more: sequence < store.count }
}

function readCursor(store: OperationStore, after: string | undefined): number {
  const [id, sequence = ''] = after?.split('.') ?? []
  if (id !== store.id || !/^[0-9]{1,15}$/.test(sequence)) return 0
  return Math.min(Number(sequence), store.count)
}
