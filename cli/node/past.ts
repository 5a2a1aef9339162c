import { Fold, isId, MakiError, type Operation, type OperationId } from '../../core/index.ts'
import type { Replica } from '../../replication/index.ts'

/**
 * The fold as it was: of an operation with all that it follows (`at` is its id, or a prefix that no other shares), or of all
 * operations up to a time (anything that Date understands). Throws MAKI_INVALID, or MAKI_NOT_FOUND.
 */
export async function foldUntil(replica: Replica, at: string): Promise<Fold> {
  const history: Operation[] = []
  for await (const operation of replica.history()) history.push(operation)
  history.reverse()
  const counts = isTime(at) ? untilTime(Date.parse(at)) : untilOperation(history, at)
  const fold = new Fold()
  // In total order heads stand before what follows them; what follows an operation that is lost waits here as it does there.
  for (const operation of history)
    if (counts(operation) && operation.heads.every((head) => fold.has(head))) fold.add(operation)
  return fold
}

const isTime = (at: string): boolean => /^\d{4}-/.test(at) && !Number.isNaN(Date.parse(at))

const untilTime =
  (wallMs: number) =>
  (operation: Operation): boolean =>
    operation.stamp.wallMs <= wallMs

function untilOperation(history: readonly Operation[], prefix: string): (operation: Operation) => boolean {
  if (!/^[a-z2-7]{4,52}$/.test(prefix)) {
    throw new MakiError('MAKI_INVALID', `${JSON.stringify(prefix)} is neither a time nor an operation`, {
      hint: 'Write a time like 2026-11-22T10:00:00Z, or an operation as maki history shows it.',
    })
  }
  const found = history.filter(({ id }) => (isId(prefix) ? id === prefix : id.startsWith(prefix)))
  const [operation, another] = found
  if (operation === undefined || another !== undefined) {
    const why = operation === undefined ? 'no operation begins' : 'more than one operation begins'
    throw new MakiError('MAKI_NOT_FOUND', `${why} with ${prefix}`, { hint: 'maki history lists operations.' })
  }
  const byId = new Map(history.map((item) => [item.id, item]))
  const past = new Set<OperationId>()
  const queue = [operation.id]
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    if (past.has(id)) continue
    past.add(id)
    queue.push(...(byId.get(id)?.heads ?? []))
  }
  return ({ id }) => past.has(id)
}
