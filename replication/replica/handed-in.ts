import { compareOperations, type Operation, type OperationId } from '../../core/index.ts'
import type { Ledger } from './ledger.ts'
import { requireDue, unknownHead } from './replica-errors.ts'
import type { Staged } from './round-queue.ts'

/**
 * Puts operations that a client made into the round, all or none; `known` were here before. Throws MAKI_CONFLICT for one
 * that follows what is not here, MAKI_OPERATION_REFUSED for a stranger's or one that is too far ahead.
 */
export function stageHandedIn(
  ledger: Ledger,
  operations: readonly Operation[],
  nowMs: number,
  stage: Staged[],
): { readonly accepted: readonly OperationId[]; readonly known: readonly OperationId[] } {
  const { fresh, known } = reserveAll(ledger, operations, nowMs)
  ledger.stageAll(fresh, stage)
  return { accepted: fresh.map(({ id }) => id), known }
}

/** Throws what `stageHandedIn` would throw now, and changes nothing. */
export function checkHandedIn(ledger: Ledger, operations: readonly Operation[], nowMs: number): void {
  for (const operation of reserveAll(ledger, operations, nowMs).fresh) ledger.release(operation)
}

/** Reserves what is not here yet, oldest first; nothing when one of them is refused. */
function reserveAll(ledger: Ledger, operations: readonly Operation[], nowMs: number) {
  const known: OperationId[] = []
  const fresh: Operation[] = []
  try {
    for (const operation of operations.toSorted(compareOperations)) {
      if (ledger.isHere(operation.id)) known.push(operation.id)
      else {
        const [missing] = ledger.missingHeads(operation)
        if (missing !== undefined) throw unknownHead(operation, missing)
        ledger.check(operation)
        requireDue(operation, nowMs)
        ledger.reserve(operation)
        fresh.push(operation)
      }
    }
  } catch (error) {
    for (const operation of fresh) ledger.release(operation)
    throw error
  }
  return { fresh, known }
}
