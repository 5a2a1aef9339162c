import { CONTROL_LIMITS, encodeOperationBatch } from '../../edge/index.ts'
import type { LocalReplica } from './local-replica.ts'

/** Operations read at a time. */
const PAGE = 1000

/**
 * The cluster's operations from its start, so that a new node knows whom to trust; the rest it hears from the others. Every
 * operation stands after those that it follows, so the first of them are a whole. A MessagePack array, as nodes read it.
 */
export async function packSeed(local: LocalReplica): Promise<Uint8Array> {
  const operations: Uint8Array[] = []
  let sizeBytes = 0
  for (let after: string | undefined; ; ) {
    const page = await local.replica.page(after, PAGE)
    for (const bytes of page.operations) {
      sizeBytes += bytes.length
      if (operations.length >= CONTROL_LIMITS.batchOperations || sizeBytes > CONTROL_LIMITS.batchBytes / 2) {
        return encodeOperationBatch(operations)
      }
      operations.push(bytes)
    }
    after = page.cursor
    if (!page.more) return encodeOperationBatch(operations)
  }
}
