import type { OperationId } from '../core/index.ts'
import type { Replica } from '../replication/index.ts'
import { type OperationView, viewOperation } from './output/operation-view.ts'

/** Operations as commands print them; `ids` are in total order, the answer is newest first. */
export async function viewOperations(replica: Replica, ids: readonly OperationId[]): Promise<readonly OperationView[]> {
  const views: OperationView[] = []
  for (const id of ids.toReversed()) {
    const operation = await replica.read(id)
    if (operation !== undefined) views.push(viewOperation(operation, replica, new Set()))
  }
  return views
}
