import type { MemberKey, OperationId } from '../ids.ts'
import type { Change } from '../operation/index.ts'
import { compareOperations, type Stamp } from '../stamp.ts'
import {
  changedStandings,
  compileDemands,
  type Demands,
  foldMembership,
  judge,
  type Members,
  type MembershipOperation,
  readMembership,
} from './membership.ts'

/** An operation that nobody has signed. */
export interface PreviewDraft {
  readonly author: MemberKey
  readonly stamp: Stamp
  /** Added operations that it would follow. */
  readonly heads: readonly OperationId[]
  readonly changes: readonly Change[]
}

/** What an operation would change about who belongs, and about which operations count. */
export interface Preview {
  /** Why it would not count itself; undefined when it would. */
  readonly reason: string | undefined
  /** Operations that count and would not any more, in total order. */
  readonly voids: readonly OperationId[]
  /** Operations that do not count and would then, in total order: what voids them would be void itself. */
  readonly counted: readonly OperationId[]
  readonly members: Members
}

/** What a preview needs of a fold. */
interface PreviewSource {
  readonly fold: { readonly members: Members; isAncestor(a: OperationId, b: OperationId): boolean }
  /** Every added operation that adds or removes members. */
  readonly membership: readonly MembershipOperation[]
  /** Added operations, at least all by the given authors. */
  by(authors: ReadonlySet<MemberKey>): Iterable<PreviewOperation>
}

/** An added operation as a preview judges it. */
export interface PreviewOperation {
  readonly id: OperationId
  readonly author: MemberKey
  readonly stamp: Stamp
  readonly demands: Demands
  /** Why its changes cannot be read at all. */
  readonly fault: string | undefined
  readonly counts: boolean
}

/** Stands for the draft; no operation has it, and nothing follows it. */
const DRAFT = '' as OperationId

/**
 * Folds membership as if the draft were added, and judges again the operations of everybody whose standing it changes;
 * the fold itself is left as it is. Costs what those people wrote, not what there is.
 */
export function previewDraft(draft: PreviewDraft, { fold, membership, by }: PreviewSource): Preview {
  const isAncestor = (a: OperationId, b: OperationId): boolean => {
    if (a === DRAFT) return false
    if (b !== DRAFT) return fold.isAncestor(a, b)
    return draft.heads.some((head) => head === a || fold.isAncestor(a, head))
  }
  const demands = compileDemands(draft.changes)
  const added = readMembership({ ...draft, id: DRAFT }, demands)
  const members = added === undefined ? fold.members : foldMembership([...membership, added], isAncestor)
  const turned = added === undefined ? new Set<MemberKey>() : changedStandings(fold.members, members)
  const voids: PreviewOperation[] = []
  const counted: PreviewOperation[] = []
  if (turned.size > 0) {
    for (const operation of by(turned)) {
      if (!turned.has(operation.author) || operation.fault !== undefined) continue
      const counts = judge(operation, operation.demands, members.get(operation.author), isAncestor) === undefined
      if (counts !== operation.counts) (counts ? counted : voids).push(operation)
    }
  }
  const idsOf = (list: PreviewOperation[]) => list.sort(compareOperations).map(({ id }) => id)
  return {
    reason: judge({ id: DRAFT }, demands, members.get(draft.author), isAncestor),
    voids: idsOf(voids),
    counted: idsOf(counted),
    members,
  }
}
