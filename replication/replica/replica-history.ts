import { compareOperations, type Key, type Operation, type OperationId } from '../../core/index.ts'
import type { Ledger } from './ledger.ts'

/** Newest first in total order: every stored operation, or those counted that touch a key. As of the first step. */
export async function* readHistory(
  ledger: Ledger,
  read: (id: OperationId) => Promise<Operation | undefined>,
  key?: Key,
): AsyncGenerator<Operation, void, void> {
  const ids =
    key === undefined
      ? Array.from(ledger.stamps, ([id, stamp]) => ({ id, stamp }))
          .sort(compareOperations)
          .map(({ id }) => id)
      : [...ledger.fold.touching(key)]
  for (const id of ids.reverse()) {
    const operation = await read(id)
    if (operation !== undefined) yield operation
  }
}
