import { MAX_STAMP_AHEAD_MS, type OperationId } from '../../core/index.ts'
import type { Ledger } from './ledger.ts'

/** What an operation is to a replica; `absent` says that it is not here. */
export type Standing =
  | { readonly status: 'counted' | 'pending' | 'newer-schema' | 'absent' }
  /** By the clock here; milliseconds since the Unix epoch. */
  | { readonly status: 'held'; readonly dueMs: number }
  | { readonly status: 'void'; readonly reason: string }

/** The standing of an operation; costs the same however many operations there are. */
export function explainOperation({ held, pool, fold }: Ledger, id: OperationId): Standing {
  const waiting = held.get(id)
  if (waiting !== undefined) return { status: 'held', dueMs: waiting.stamp.wallMs - MAX_STAMP_AHEAD_MS }
  if (pool.has(id)) return { status: 'pending' }
  if (!fold.has(id)) return { status: 'absent' }
  const reason = fold.voidReason(id)
  if (reason !== undefined) return { status: 'void', reason }
  return { status: fold.isUnknown(id) ? 'newer-schema' : 'counted' }
}
