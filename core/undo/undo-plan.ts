import type { FoldView } from '../fold/index.ts'
import type { OperationId } from '../ids.ts'
import type { Change, Operation } from '../operation/index.ts'
import { compileEffects, type Key } from '../state/index.ts'

/** What a key was, or would be: the effect of an operation on it. */
export interface Written {
  readonly operation: OperationId
  /** Undefined where that operation removed the key. */
  readonly value: unknown
  readonly via: string | undefined
}

/** What taking an operation back comes to. */
export interface UndoPlan {
  /** Ready to be signed, in this order; empty where nothing of the operation is left to take back. */
  readonly changes: readonly Change[]
  /** The keys that get another value, by key. Undefined: the key is absent. */
  readonly restored: readonly { readonly key: Key; readonly from: unknown; readonly to: unknown }[]
  /** The keys that stay as they are though the operation wrote them, by key. */
  readonly skipped: readonly SkippedKey[]
}

export interface SkippedKey {
  readonly key: Key
  readonly reason: SkipReason
  /** The operation that is in the way; undefined where none is. */
  readonly by: OperationId | undefined
}

/**
 * `rewritten`: another operation decides the key by now. `inhabited`: others wrote in the domain since, which would go with
 * it. `claimed`: another domain has the host by now. `first-release`: there is none before it to go back to. `purged`: the
 * release before it is gone for good. `fixed`: what is written there is never taken away.
 */
export type SkipReason = 'rewritten' | 'inhabited' | 'claimed' | 'first-release' | 'purged' | 'fixed'

/** What a fold has to answer. */
export type UndoFold = Pick<FoldView, 'state' | 'frontier' | 'isAncestor' | 'touching' | 'keysIn'>

/** Every key that an operation has a say in: what it writes, and all that was ever written in the scopes that it removes. */
export function listUndoKeys(operation: Operation, present: Pick<UndoFold, 'keysIn'>): readonly Key[] {
  const effects = compileEffects(operation)
  const found = new Set<Key>(effects.keys.keys())
  for (const scope of effects.removedScopes) for (const key of present.keysIn(scope)) found.add(key)
  return [...found].sort()
}

/**
 * The operation whose word would stand at a key, had the given ones never been made: the greatest of the others that count
 * and touch it, for what descends from an operation is greater than it. So what was written beside an operation, unseen by
 * it, comes forth when that is taken back.
 */
export function findWriterWithout(
  present: Pick<UndoFold, 'touching'>,
  key: Key,
  without: (id: OperationId) => boolean,
): OperationId | undefined {
  return present.touching(key).findLast((id) => !without(id))
}
