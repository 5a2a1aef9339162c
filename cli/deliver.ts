import { asMakiError, type MakiError, type Operation, type OperationId } from '../core/index.ts'
import { CONTROL_LIMITS } from '../edge/index.ts'
import type { ControlClient } from './control-client.ts'

export interface DeliveryReport {
  /** Durable at the node, some perhaps from before. */
  readonly delivered: readonly OperationId[]
  /** What the node refused to take; it stays in the outbox. */
  readonly refused: readonly { readonly operation: Operation; readonly error: MakiError }[]
}

/** Half of what one request may carry: room for the frame, and for a node of another version. */
const BATCH_BYTES = CONTROL_LIMITS.batchBytes / 2
const BATCH_OPERATIONS = 1_000

/**
 * Hands operations to a node in order. One that is refused does not hold up the others. Throws where the node cannot be
 * reached (any more); what was handed over before stays handed over.
 */
export async function deliver(
  operations: readonly Operation[],
  control: Pick<ControlClient, 'accept'>,
  /** Brings the blobs of a release to the node; releases are handed over alone, after it. */
  bringBlobs: (operation: Operation) => Promise<void>,
  signal?: AbortSignal,
): Promise<DeliveryReport> {
  const delivered: OperationId[] = []
  const refused: { operation: Operation; error: MakiError }[] = []
  const send = async (batch: readonly Operation[]): Promise<void> => {
    try {
      for (const operation of batch) if (publishes(operation)) await bringBlobs(operation)
      await control.accept(
        batch.map(({ bytes }) => bytes),
        signal,
      )
      delivered.push(...batch.map(({ id }) => id))
    } catch (thrown) {
      const error = asMakiError(thrown)
      if (!isRefusal(error)) throw thrown
      const [only] = batch
      // A batch is taken whole or not at all; one by one it shows which is refused.
      if (batch.length === 1 && only !== undefined) refused.push({ operation: only, error })
      else for (const operation of batch) await send([operation])
    }
  }
  for (const batch of cutBatches(operations)) await send(batch)
  return { delivered, refused }
}

export const publishes = (operation: Operation): boolean =>
  operation.changes.some(({ kind }) => kind === 'release.publish')

function* cutBatches(operations: readonly Operation[]): Generator<readonly Operation[]> {
  let batch: Operation[] = []
  let sizeBytes = 0
  for (const operation of operations) {
    const full = batch.length >= BATCH_OPERATIONS || sizeBytes + operation.bytes.length > BATCH_BYTES
    if (batch.length > 0 && (full || publishes(operation))) {
      yield batch
      batch = []
      sizeBytes = 0
    }
    batch.push(operation)
    sizeBytes += operation.bytes.length
    if (publishes(operation)) {
      yield batch
      batch = []
      sizeBytes = 0
    }
  }
  if (batch.length > 0) yield batch
}

/** What says something of the operation, not of the node or the way to it. */
function isRefusal(error: MakiError): boolean {
  return ['MAKI_OPERATION_INVALID', 'MAKI_OPERATION_REFUSED', 'MAKI_BLOB_MISSING', 'MAKI_TOO_LARGE'].includes(
    error.code,
  )
}
