import {
  type Change,
  type Conflict,
  compareOperations,
  encodeCanonical,
  type FoldView,
  findWriterWithout,
  type Key,
  listUndoKeys,
  type Operation,
  type OperationId,
} from '../../core/index.ts'
import type { Replica } from '../../replication/index.ts'
import { type ReplaySource, replayWithout } from './replay.ts'
import { readWritten } from './written.ts'

/** What handing over operations does to the state of those who do not have them yet. */
export interface PushPlan {
  /** Values by key, before and after; undefined is absent. */
  readonly changed: readonly { readonly key: Key; readonly before: unknown; readonly after: unknown }[]
  /** Conflicts that one of the operations is a side of. */
  readonly conflicts: readonly Conflict[]
  /** Operations that are there and turn void, with the reason: somebody is removed. */
  readonly becomeVoid: readonly { readonly operation: OperationId; readonly reason: string }[]
  /** Operations that are there and void, and count then. */
  readonly becomeCounted: readonly OperationId[]
}

export type PushSource = ReplaySource & Pick<Replica, 'fold' | 'conflicts' | 'voids'>

/**
 * Compares the set of operations here with the same set without those that wait. Everything else that is here came from a
 * node, so this is exactly what the nodes' state becomes. Reads only what touches the same keys, unless membership changes,
 * on which every operation may depend: then all is folded again without them.
 */
export async function planPush(replica: PushSource, waiting: readonly Operation[]): Promise<PushPlan> {
  const ids = new Set(waiting.map(({ id }) => id))
  const involved = (conflict: Conflict): boolean =>
    [conflict.winner, ...conflict.losers].some(({ operation }) => ids.has(operation))
  const base = { conflicts: replica.conflicts().filter(involved) }
  const folded = waiting.filter(({ id }) => replica.fold.has(id))
  if (!folded.some(({ changes }) => changes.some(changesMembers))) {
    const changed = await compareKeys(replica, folded, ids)
    return { ...base, changed, becomeVoid: [], becomeCounted: [] }
  }
  const before = await replayWithout(replica, new Set(folded.map(({ id }) => id)))
  const keys = new Set<Key>()
  for (const state of [before.state, replica.fold.state]) for (const [key] of state.snapshot().entries) keys.add(key)
  const changed = [...keys]
    .sort()
    .map((key) => ({ key, before: before.state.get(key)?.value, after: replica.fold.state.get(key)?.value }))
    .filter((row) => !isSame(row.before, row.after))
  const wasVoid = new Set(before.voids().map(({ operation }) => operation))
  const voids = replica.voids().filter(({ operation }) => !ids.has(operation))
  const isVoid = new Set(voids.map(({ operation }) => operation))
  return {
    ...base,
    changed,
    becomeVoid: voids.filter(({ operation }) => !wasVoid.has(operation)),
    becomeCounted: [...wasVoid].filter((id) => !isVoid.has(id) && !ids.has(id)),
  }
}

/**
 * Of the operations that wait here, those that no node has: what another operation follows that came from a node is there,
 * whatever this computer remembers of having handed over.
 */
export function listUnheard(
  fold: Pick<FoldView, 'newestFirst' | 'isAncestor' | 'has'>,
  waiting: readonly Operation[],
): readonly Operation[] {
  const ids = new Set(waiting.map(({ id }) => id))
  let open = [...waiting].sort((a, b) => compareOperations(b, a))
  const heard = new Set<OperationId>()
  for (const folded of fold.newestFirst()) {
    const oldest = open.at(-1)
    // What descends from an operation is greater than it.
    if (oldest === undefined || compareOperations(folded, oldest) < 0) break
    if (ids.has(folded.id)) continue
    for (const { id } of open) if (fold.has(id) && fold.isAncestor(id, folded.id)) heard.add(id)
    if (heard.size > 0) open = open.filter(({ id }) => !heard.has(id))
  }
  return waiting.filter(({ id }) => !heard.has(id))
}

async function compareKeys(
  replica: PushSource,
  waiting: readonly Operation[],
  ids: ReadonlySet<OperationId>,
): Promise<PushPlan['changed']> {
  const { fold } = replica
  const touched = new Set(waiting.flatMap((operation) => listUndoKeys(operation, fold)))
  const pairs = [...touched].flatMap((key) => {
    const id = findWriterWithout(fold, key, (other) => ids.has(other))
    return id === undefined ? [] : [[key, id] as const]
  })
  const before = await readWritten(replica, pairs)
  return [...touched]
    .sort()
    .map((key) => ({ key, before: before.get(key)?.value, after: fold.state.get(key)?.value }))
    .filter((row) => !isSame(row.before, row.after))
}

const changesMembers = ({ kind }: Change): boolean =>
  kind.startsWith('operator.') || kind === 'node.join' || kind === 'node.remove' || kind === 'cluster.create'

function isSame(a: unknown, b: unknown): boolean {
  if (a === undefined || b === undefined) return a === b
  return Buffer.compare(encodeCanonical(a), encodeCanonical(b)) === 0
}
