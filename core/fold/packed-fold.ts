import type { MembershipOperation } from '../membership/index.ts'
import type { StateDelta } from '../state/index.ts'
import type { HistoriesHead } from './histories.ts'
import type { OperationTableHead } from './operation-table.ts'

/**
 * Raised when the head or the lists are laid out in another way, so that no program takes over what another one packed
 * differently. What a list holds follows from the operations and the rules of the fold; when these change,
 * `FOLD_VERSION` is raised.
 */
export const PACKED_FOLD_LAYOUT = 1

/**
 * A fold as it can be written down. The head is small and plain enough for MessagePack; the lists are views of what
 * never changes, numbers in the byte order of the machine (u32, or f64):
 *
 *     operations   ids (32 bytes each), wall ms (f64), counter, author*, demands*, heads one after another,
 *                  end of each operation's heads
 *     histories    operation of each touch, its line*, offset of its value, length of its value (0: it removes),
 *                  project* and one (0: none), end of each operation's touches; then the pieces of the values
 *
 * Operations and touches are numbered as they were added. What is starred is the number of a text in the head; a line
 * is twice the number of a key, or twice that of a scope and one. All else is worked out again from these.
 */
export interface PackedFold {
  readonly head: PackedFoldHead
  readonly lists: readonly Uint8Array[]
}

/** The small part of a packed fold: the texts that its lists number, and what cannot be worked out from them. */
export interface PackedFoldHead {
  readonly operations: OperationTableHead
  readonly histories: HistoriesHead
  /** How many of the lists belong to `operations`; the others belong to `histories`. */
  readonly operationLists: number
  /** Every operation that adds or removes members, in the order in which they were added. */
  readonly membership: readonly MembershipOperation[]
  readonly touches: StateDelta['touches']
  /** Digest of the state, 64 hexadecimal digits: what is worked out again is not hashed again. */
  readonly state: string
}
