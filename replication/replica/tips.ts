import {
  type Change,
  compareOperations,
  compileEffects,
  type FoldView,
  type Key,
  MAX_HEADS,
  type MemberKey,
  type Operation,
  type OperationId,
  readChange,
  type Stamp,
} from '../../core/index.ts'

/** An operation that no other known one follows, or is about to be. */
export interface Tip {
  readonly id: OperationId
  readonly stamp: Stamp
}

/** What is known of tips: the fold, and operations that are not folded yet. */
interface TipSource {
  readonly fold: FoldView
  readonly unfolded: { get(id: OperationId): Operation | undefined }
}

/**
 * What an operation of `author` with these changes follows, greatest last: all tips, or 16 of them. Those come first that
 * descend from what the operation needs in its past: each counted addition of its author, or it would lack a right that
 * it has; each side of the keys, or it would stand beside what it means to replace. The greatest tips fill up the rest.
 * Else a member that forks could keep a newer one from writing.
 */
export function chooseTips(
  tips: readonly Tip[],
  source: TipSource,
  author: MemberKey,
  changes: readonly Change[],
): readonly Tip[] {
  const sorted = tips.toSorted(compareOperations)
  if (sorted.length <= MAX_HEADS) return sorted
  const { fold } = source
  const chosen = new Set<Tip>()
  const need = (id: OperationId) => {
    if (chosen.size === MAX_HEADS || [...chosen].some((tip) => descends(source, tip.id, id))) return
    const tip = sorted.findLast((tip) => descends(source, tip.id, id))
    if (tip !== undefined) chosen.add(tip)
  }
  for (const { operation } of fold.members.get(author)?.grants ?? []) need(operation)
  for (const key of touchedKeys(fold, author, changes)) for (const { operation } of fold.frontier(key)) need(operation)
  for (const tip of sorted.toReversed()) if (chosen.size < MAX_HEADS) chosen.add(tip)
  return [...chosen].sort(compareOperations)
}

/** True when b is a, which is folded, or descends from it. */
function descends({ fold, unfolded }: TipSource, b: OperationId, a: OperationId): boolean {
  const seen = new Set<OperationId>()
  const queue = [b]
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    if (id === a || (fold.has(id) && fold.isAncestor(a, id))) return true
    if (fold.has(id) || seen.has(id)) continue
    seen.add(id)
    queue.push(...(unfolded.get(id)?.heads ?? []))
  }
  return false
}

function touchedKeys(fold: FoldView, author: MemberKey, changes: readonly Change[]): Iterable<Key> {
  // What is malformed is refused when the operation is made.
  const readable = changes.flatMap((change) => {
    const read = readChange(change)
    return 'change' in read ? [read.change] : []
  })
  const effects = compileEffects({ author, changes: readable, stamp: { wallMs: 0, counter: 0 } })
  return new Set([...effects.keys.keys(), ...[...effects.removedScopes].flatMap((scope) => [...fold.keysIn(scope)])])
}
