import { asMakiError, type MakiError, type Operation, type OperationId } from '../../core/index.ts'
import { CONTROL_LIMITS } from '../../edge/control/index.ts'
import type { ControlClient } from './control-client.ts'

export interface DeliveryReport {
  /** Durable at the node, some perhaps from before. */
  readonly delivered: readonly OperationId[]
  /** What the node refused to take; it stays in the outbox. */
  readonly refused: readonly RefusedOperation[]
}

export interface RefusedOperation {
  readonly operation: Operation
  readonly error: MakiError
  /** The node lacks what the operation follows, and cannot take that from here: it has to hear it from other nodes first. */
  readonly isEarly: boolean
}

/** What a delivery needs besides the node. */
export interface DeliverySource {
  /** Brings what the node lacks of a release's blobs, as far as it is kept here. */
  bringBlobs(operation: Operation): Promise<void>
  /** At most `limit` of the operations that one follows, nearest first found, in total order. */
  listAncestors(operation: Operation, limit: number): Promise<readonly Operation[]>
}

/** Half of what one request may carry: room for the frame, and for a node of another version. */
const BATCH_BYTES = CONTROL_LIMITS.batchBytes / 2
const BATCH_OPERATIONS = 1_000
/** How far back the first attempt goes for a node that lags; each further one goes eight times as far. */
const FIRST_ANCESTORS = 32

/**
 * Hands operations to a node in order. One that is refused does not hold up the others; what a lagging node lacks of
 * their ancestors is handed over with them. Throws where the node cannot be reached (any more); what was handed over
 * before stays handed over.
 */
export async function deliver(
  operations: readonly Operation[],
  control: Pick<ControlClient, 'accept'>,
  source: DeliverySource,
  signal?: AbortSignal,
): Promise<DeliveryReport> {
  const delivered: OperationId[] = []
  const refused: RefusedOperation[] = []
  const accept = (batch: readonly Operation[]) =>
    control.accept(
      batch.map(({ bytes }) => bytes),
      signal,
    )
  const send = async (batch: readonly Operation[]): Promise<void> => {
    const [only] = batch
    try {
      for (const operation of batch) if (publishes(operation)) await source.bringBlobs(operation)
      await accept(batch)
    } catch (thrown) {
      const error = asMakiError(thrown)
      if (!REFUSALS.has(error.code) || only === undefined) throw thrown
      // A batch is taken whole or not at all; one by one it shows which is refused.
      if (batch.length > 1) for (const operation of batch) await send([operation])
      else if (error.code === 'MAKI_CONFLICT') await sendWithAncestors(only)
      else refused.push({ operation: only, error, isEarly: false })
      return
    }
    delivered.push(...batch.map(({ id }) => id))
  }
  const sendWithAncestors = async (operation: Operation): Promise<void> => {
    for (let limit = FIRST_ANCESTORS; ; limit *= 8) {
      const ancestors = await source.listAncestors(operation, limit)
      try {
        for (const batch of cutBatches([...ancestors, operation], () => false)) await accept(batch)
        delivered.push(operation.id)
        // One that was refused by itself may be taken with what follows it.
        const taken = new Set(ancestors.map(({ id }) => id))
        for (const one of refused.splice(0)) {
          if (taken.has(one.operation.id)) delivered.push(one.operation.id)
          else refused.push(one)
        }
        return
      } catch (thrown) {
        const error = asMakiError(thrown)
        if (!REFUSALS.has(error.code)) throw thrown
        if (error.code === 'MAKI_CONFLICT' && ancestors.length >= limit) continue
        refused.push({ operation, error, isEarly: true })
        return
      }
    }
  }
  for (const batch of cutBatches(operations, publishes)) await send(batch)
  return { delivered, refused }
}

export const publishes = (operation: Operation): boolean =>
  operation.changes.some(({ kind }) => kind === 'release.publish')

/** In order, within the limits of a request; what `isAlone` says so of gets a batch of its own. */
function* cutBatches(
  operations: readonly Operation[],
  isAlone: (operation: Operation) => boolean,
): Generator<readonly Operation[]> {
  let batch: Operation[] = []
  let sizeBytes = 0
  let closed = false
  for (const operation of operations) {
    const full = batch.length >= BATCH_OPERATIONS || sizeBytes + operation.bytes.length > BATCH_BYTES
    if (batch.length > 0 && (full || closed || isAlone(operation))) {
      yield batch
      batch = []
      sizeBytes = 0
    }
    batch.push(operation)
    sizeBytes += operation.bytes.length
    closed = isAlone(operation)
  }
  if (batch.length > 0) yield batch
}

/** What says something of the operation, not of the node or the way to it. */
const REFUSALS: ReadonlySet<string> = new Set([
  'MAKI_OPERATION_INVALID',
  'MAKI_OPERATION_REFUSED',
  'MAKI_BLOB_MISSING',
  'MAKI_CONFLICT',
  'MAKI_TOO_LARGE',
])
