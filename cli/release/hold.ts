import { type Hostname, keys, type MemberKey, type OperationId } from '../../core/index.ts'
import type { Replica } from '../../replication/index.ts'
import { nameMember } from '../output/operation-view.ts'
import { plainLine } from '../output/text.ts'

/** Who keeps `sync` from publishing a domain. */
export interface Hold {
  readonly operation: OperationId
  readonly by: { readonly key: MemberKey; readonly name: string }
  /** ISO 8601, by the author's clock. */
  readonly at: string
  /** Why; empty where nothing was said. */
  readonly message: string
}

/** The hold of a domain; undefined where there is none. */
export async function findHold(replica: Pick<Replica, 'state' | 'read'>, domain: Hostname): Promise<Hold | undefined> {
  const entry = replica.state.get(keys.hold(domain))
  if (entry === undefined) return undefined
  const operation = await replica.read(entry.operation)
  return {
    operation: entry.operation,
    by: { key: entry.author, name: nameMember(replica.state, entry.author) },
    at: new Date(entry.stamp.wallMs).toISOString(),
    message: operation?.message ?? '',
  }
}

/** `example.com is held by ann since 2026-11-22 10:00 UTC: "the new menu was broken"`. */
export function describeHold(domain: Hostname, { by, at, message }: Hold): string {
  const why = message === '' ? '' : `: ${JSON.stringify(plainLine(message))}`
  return `${domain} is held by ${plainLine(by.name)} since ${at.slice(0, 16).replace('T', ' ')} UTC${why}`
}
