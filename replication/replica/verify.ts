import { setImmediate } from 'node:timers/promises'
import { asMakiError, type ClusterId, type Operation, type OperationId } from '../../core/index.ts'
import { readOperation } from './read-operation.ts'

/** An operation's bytes as they came; `claimed` is the id that they stood under, where there was one. */
export interface Arrival {
  readonly bytes: Uint8Array
  readonly claimed?: OperationId
}

export interface Verified {
  /** Not here yet, with a right signature; each once. */
  readonly operations: readonly Operation[]
  /** Here before. */
  readonly known: readonly OperationId[]
  readonly refused: readonly string[]
}

/** A signature takes some 0.1 ms to check: after so many, others have their turn. */
const STRIDE = 50

/**
 * Sorts arrivals by what their bytes alone tell. What is known is not checked again, but where an id is claimed: the
 * bytes are then passed on as they are, so they must be those that were stored (`read`), or right by themselves.
 */
export async function verifyArrivals(
  arrivals: readonly Arrival[],
  cluster: ClusterId,
  known: { has(id: OperationId): boolean; read(id: OperationId): Promise<Uint8Array | undefined> },
): Promise<Verified> {
  const operations = new Map<OperationId, Operation>()
  const here: OperationId[] = []
  const refused: string[] = []
  for (const [i, { bytes, claimed }] of arrivals.entries()) {
    if (i % STRIDE === STRIDE - 1) await setImmediate()
    try {
      if (claimed !== undefined && known.has(claimed)) {
        const stored = await known.read(claimed)
        if (stored !== undefined && Buffer.compare(stored, bytes) === 0) {
          here.push(claimed)
          continue
        }
      }
      const unchecked = readOperation(bytes, cluster, { signatureChecked: true })
      if (claimed !== undefined && unchecked.id !== claimed) {
        refused.push(`operation ${unchecked.id} stands under the id ${claimed}`)
      } else if (known.has(unchecked.id) && claimed === undefined) {
        here.push(unchecked.id)
      } else {
        // Copied: the bytes may be a small part of a large receive buffer.
        const operation = readOperation(new Uint8Array(bytes), cluster)
        if (known.has(operation.id)) here.push(operation.id)
        else operations.set(operation.id, operation)
      }
    } catch (error) {
      refused.push(asMakiError(error).message)
    }
  }
  return { operations: [...operations.values()], known: here, refused }
}
