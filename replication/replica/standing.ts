import type { OperationId } from '../../core/index.ts'
import type { Ledger } from './ledger.ts'

/** What an operation is to a replica; `absent` says that it is not here. */
export type Standing =
  | { readonly status: 'counted' | 'held' | 'pending' | 'newer-schema' | 'absent' }
  | { readonly status: 'void'; readonly reason: string }

/** The standing of an operation; costs the same however many operations there are. */
export function explainOperation({ held, pool, fold }: Ledger, id: OperationId): Standing {
  if (held.has(id)) return { status: 'held' }
  if (pool.has(id)) return { status: 'pending' }
  if (!fold.has(id)) return { status: 'absent' }
  const reason = fold.voidReason(id)
  if (reason !== undefined) return { status: 'void', reason }
  return { status: fold.isUnknown(id) ? 'newer-schema' : 'counted' }
}
