import { encodeOperationBatch } from '../../edge/control/index.ts'
import type { LocalReplica } from './local-replica.ts'

/** Operations read at a time. */
const PAGE = 1000
/** As much as is read at once without harm: some ten times what a large cluster has. */
export const SEED_LIMITS = { operations: 1_000_000, bytes: 256 * 1024 * 1024 } as const

/**
 * The cluster's operations, so that a new node knows whom to trust, and the keys and places of those that it is to meet. Every
 * operation stands after those that it follows, so the first of them are a whole; what is beyond `SEED_LIMITS` it hears from
 * the others. A MessagePack array, as nodes read it.
 */
export async function packSeed(local: LocalReplica): Promise<Uint8Array> {
  const operations: Uint8Array[] = []
  let sizeBytes = 0
  for (let after: string | undefined; ; ) {
    const page = await local.replica.page(after, PAGE)
    for (const bytes of page.operations) {
      sizeBytes += bytes.length
      if (operations.length >= SEED_LIMITS.operations || sizeBytes > SEED_LIMITS.bytes) {
        return encodeOperationBatch(operations)
      }
      operations.push(bytes)
    }
    after = page.cursor
    if (!page.more) return encodeOperationBatch(operations)
  }
}
