import {
  findMember,
  MAX_STAMP_AHEAD_MS,
  type MemberKey,
  type Operation,
  type OperationId,
  type State,
  shortId,
} from '../../core/index.ts'
import type { Replica, Standing } from '../../replication/index.ts'
import { describeOperation, findVia } from './describe-change.ts'
import type { Style } from './style.ts'
import { plainLine } from './text.ts'
import { formatAgo } from './when.ts'

/** An operation as commands print it. */
export interface OperationView {
  readonly id: OperationId
  /** ISO 8601, by the author's clock. */
  readonly at: string
  readonly author: { readonly key: MemberKey; readonly name: string | null }
  /** The project whose sync wrote it. */
  readonly via: string | null
  readonly message: string
  readonly changes: Operation['changes']
  /** The changes in words. */
  readonly words: readonly string[]
  readonly standing: Standing['status']
  /** Why it does not count, or not yet. */
  readonly reason: string | null
  /** No node is known to have it yet. */
  readonly waiting: boolean
}

/** `names` knows those of removed members too; without it they have none. */
export function viewOperation(
  operation: Operation,
  replica: Pick<Replica, 'state' | 'explain' | 'has'>,
  waiting: ReadonlySet<OperationId>,
  names?: ReadonlyMap<MemberKey, string>,
): OperationView {
  const standing = replica.explain(operation.id)
  return {
    id: operation.id,
    at: new Date(operation.stamp.wallMs).toISOString(),
    author: {
      key: operation.author,
      name: findMember(replica.state, operation.author)?.name ?? names?.get(operation.author) ?? null,
    },
    via: findVia(operation) ?? null,
    message: operation.message,
    changes: operation.changes,
    words: describeOperation(operation),
    standing: standing.status,
    reason: findReason(operation, standing, replica),
    waiting: waiting.has(operation.id),
  }
}

/** Several of them; `ids` are in total order, the answer is newest first. What is not here is left out. */
export async function viewOperations(
  replica: Pick<Replica, 'read' | 'state' | 'explain' | 'has'>,
  ids: readonly OperationId[],
): Promise<readonly OperationView[]> {
  const views: OperationView[] = []
  for (const id of ids.toReversed()) {
    const operation = await replica.read(id)
    if (operation !== undefined) views.push(viewOperation(operation, replica, new Set()))
  }
  return views
}

function findReason(operation: Operation, standing: Standing, replica: Pick<Replica, 'has'>): string | null {
  switch (standing.status) {
    case 'void':
      return standing.reason
    case 'held': {
      const dueMs = operation.stamp.wallMs - MAX_STAMP_AHEAD_MS
      return `its time lies ahead of this clock; it counts from ${new Date(dueMs).toISOString()}`
    }
    case 'pending': {
      const missing = operation.heads.filter((head) => !replica.has(head)).map(shortId)
      return `it waits for operations that are not here${missing.length === 0 ? '' : `: ${missing.join(', ')}`}`
    }
    case 'newer-schema':
      return `it has schema ${operation.schema}, which this version does not understand`
    case 'counted':
    case 'absent':
      return null
    default:
      return standing satisfies never
  }
}

/** A member's name, or the beginning of its key where it has none (any more). */
export function nameMember(state: State, key: MemberKey): string {
  return plainLine(findMember(state, key)?.name ?? shortId(key))
}

export function formatOperation(view: OperationView, nowMs: number, style: Style): string {
  const author = plainLine(view.author.name ?? shortId(view.author.key))
  const via = view.via === null ? '' : `, sync of ${plainLine(view.via)}`
  const head = `${style.name(shortId(view.id))}  ${formatAgo(Date.parse(view.at), nowMs)} by ${author}${via}`
  const lines = [`${head}${formatStanding(view, style)}`]
  if (view.message !== '') for (const line of view.message.split('\n')) lines.push(`  ${style.bold(plainLine(line))}`)
  for (const words of view.words) lines.push(`  ${words}`)
  return lines.join('\n')
}

function formatStanding({ standing, reason, waiting }: OperationView, style: Style): string {
  const waits = waiting ? `  ${style.warn('waits for a node')}` : ''
  switch (standing) {
    case 'counted':
      return waits
    case 'void':
      return `${waits}  ${style.bad(`does not count: ${plainLine(reason ?? '')}`)}`
    case 'held':
      return `${waits}  ${style.warn(`held: ${reason}`)}`
    case 'pending':
      return `${waits}  ${style.warn(`pending: ${reason}`)}`
    case 'newer-schema':
      return `${waits}  ${style.warn(`unknown: ${reason}`)}`
    case 'absent':
      return waits
    default:
      return standing satisfies never
  }
}
