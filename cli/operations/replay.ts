import { compareOperations, Fold, MakiError, type Operation, type OperationId } from '../../core/index.ts'
import type { Replica } from '../../replication/index.ts'
import { findTime } from '../output/when.ts'
import { resolvePrefix } from './resolve-prefix.ts'

/** A point in a cluster's history. */
export type Moment =
  | { readonly kind: 'operation'; readonly id: OperationId }
  /** Milliseconds since the Unix epoch, by the clocks of the authors. */
  | { readonly kind: 'time'; readonly wallMs: number }

/** What a replay reads: every stored operation, folded here or not. */
export type ReplaySource = Pick<Replica, 'history' | 'read' | 'ids'>

/**
 * Reads an ISO 8601 date or time (UTC unless it says otherwise), with `nowMs` also how long ago (`12h`), or the id of an
 * operation, of which four letters or more are enough where no other has them. Throws MAKI_INVALID, or as
 * `resolvePrefix` does.
 */
export function parseMoment(text: string, ids: Iterable<OperationId>, nowMs?: number): Moment {
  const typed = text.trim()
  const wallMs = findTime(typed, nowMs)
  if (wallMs !== undefined) return { kind: 'time', wallMs }
  const ago = nowMs === undefined ? '' : 'how long ago (30m, 12h, 7d), '
  const hint = `Write ${ago}a date or a time (2026-11-22T10:00:00Z), or an operation as maki history shows it.`
  if (/^[a-z2-7]{4,52}$/.test(typed)) return { kind: 'operation', id: resolvePrefix(typed, ids, 'operation', hint) }
  throw new MakiError('MAKI_INVALID', `${JSON.stringify(text)} is neither a time nor an operation`, { hint })
}

/**
 * The fold as it was, made from the operations alone: of an operation with all that it follows, or of all operations whose
 * stamps are not after a time. Who belongs, and so what is void, is judged among these: a key that was revoked later
 * belongs still, and what is held here because its time has not come counts at that time. So the answer is the same on
 * every replica that has these operations, today and in ten years. What follows an operation that was lost is left out, as
 * it is everywhere.
 */
export async function replay(source: ReplaySource, moment: Moment): Promise<Fold> {
  const operations = moment.kind === 'time' ? await listUntil(source, moment.wallMs) : await listPast(source, moment.id)
  return foldAll(operations)
}

/** The fold of all that is stored but for some; as `replay`. */
export async function replayWithout(source: ReplaySource, left: ReadonlySet<OperationId>): Promise<Fold> {
  const operations: Operation[] = []
  for await (const operation of source.history()) if (!left.has(operation.id)) operations.push(operation)
  return foldAll(operations)
}

function foldAll(operations: Operation[]): Fold {
  const fold = new Fold()
  // In total order heads stand before what follows them.
  for (const operation of operations.sort(compareOperations))
    if (operation.heads.every((head) => fold.has(head))) fold.add(operation)
  return fold
}

async function listUntil(source: ReplaySource, wallMs: number): Promise<Operation[]> {
  const operations: Operation[] = []
  for await (const operation of source.history()) if (operation.stamp.wallMs <= wallMs) operations.push(operation)
  return operations
}

async function listPast(source: ReplaySource, id: OperationId): Promise<Operation[]> {
  const past = new Map<OperationId, Operation>()
  const queue = [id]
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (past.has(next)) continue
    const operation = await source.read(next)
    if (operation === undefined) continue
    past.set(next, operation)
    queue.push(...operation.heads)
  }
  return [...past.values()]
}
