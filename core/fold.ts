import type { MemberKey, OperationId } from './ids.ts'
import type { Operation } from './operation.ts'
import type { Stamp } from './stamp.ts'
import type { Entry, Key, State, StateDelta } from './state.ts'

/** Raised when the same operations fold to another state than before; replicas compare digests only at equal versions. */
export const FOLD_VERSION = 1

export interface Conflict {
  readonly key: Key
  /** Null where the winner is a removal. */
  readonly winner: Entry | null
  readonly winnerOperation: OperationId
  readonly losers: readonly { readonly operation: OperationId; readonly value: unknown }[]
}

export interface Digest {
  readonly version: number
  /** XOR of the ids of all operations added, 64 hexadecimal digits. */
  readonly ids: string
  /** XOR of the hashes of all entries, 64 hexadecimal digits. */
  readonly state: string
  readonly count: number
}

/** Placeholder signature of the fold; see the implementation. */
export interface FoldContract {
  readonly state: State
  /** Adds one operation whose heads were all added before (throws otherwise); adding twice is nothing. Returns what changed. */
  add(operation: Operation): StateDelta
  has(id: OperationId): boolean
  /** The operations that no other added one follows. */
  heads(): readonly { readonly id: OperationId; readonly stamp: Stamp }[]
  /** Throws MAKI_OPERATION_REFUSED, from bytes and ancestors alone, when the author was never added in the operation's past. */
  check(operation: Operation): void
  /** Why an added operation does not count; undefined when it does. */
  voidReason(id: OperationId): string | undefined
  voids(): readonly { readonly operation: OperationId; readonly reason: string }[]
  /** Added operations of a newer schema. */
  unknown(): readonly OperationId[]
  conflicts(): readonly Conflict[]
  /** Counted operations that touch the key, oldest first in total order. */
  touching(key: Key): readonly OperationId[]
  /** Active members; for handshakes and awareness. */
  isMember(key: MemberKey): boolean
  digest(): Digest
}
