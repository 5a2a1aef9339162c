import { compareOperations, type Key, type Operation, type OperationId } from '../../core/index.ts'
import type { Ledger } from './ledger.ts'

/** Newest first in total order: every stored operation, or those counted that touch a key. As of the first step. */
export async function* readHistory(
  ledger: Ledger,
  read: (id: OperationId) => Promise<Operation | undefined>,
  key?: Key,
): AsyncGenerator<Operation, void, void> {
  const ids = key === undefined ? listStored(ledger) : [...ledger.fold.touching(key)].reverse()
  for (const id of ids) {
    const operation = await read(id)
    if (operation !== undefined) yield operation
  }
}

/** Few are not folded: those that are held, or wait for heads that were lost. */
function* listStored({ fold, inventory, held, pool }: Ledger): Generator<OperationId, void, void> {
  const waiting = [...held.ids(), ...pool.ids()].flatMap((id) => {
    const operation = held.get(id) ?? pool.get(id)
    return operation === undefined || !inventory.has(id) ? [] : [operation]
  })
  waiting.sort(compareOperations)
  for (const folded of fold.newestFirst()) {
    for (let next = waiting.at(-1); next !== undefined && compareOperations(next, folded) > 0; next = waiting.at(-1)) {
      yield next.id
      waiting.pop()
    }
    yield folded.id
  }
  for (const { id } of waiting.reverse()) yield id
}
