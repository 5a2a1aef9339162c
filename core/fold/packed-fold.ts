import type { MembershipOperation } from '../membership/index.ts'
import type { StateDelta } from '../state/index.ts'
import type { HistoriesHead } from './histories.ts'
import type { OperationTableHead } from './operation-table.ts'

/** A fold as it can be written down: `head` is plain enough for MessagePack, the lists are views of what never changes. */
export interface PackedFold {
  readonly head: PackedFoldHead
  readonly lists: readonly Uint8Array[]
}

/** The small part of a packed fold. */
export interface PackedFoldHead {
  readonly operations: OperationTableHead
  readonly histories: HistoriesHead
  /** How many of the lists belong to `operations`. */
  readonly operationLists: number
  readonly membership: readonly MembershipOperation[]
  readonly touches: StateDelta['touches']
  /** Digest of the state. */
  readonly state: string
}
