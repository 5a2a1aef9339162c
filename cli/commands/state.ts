import { Flags } from '@oclif/core'
import {
  type Entry,
  type FoldView,
  findMember,
  type Key,
  type MemberKey,
  type OperationId,
  scopeOf,
  shortId,
} from '../../core/index.ts'
import { findKeys } from '../operations/find-keys.ts'
import { parseMoment, replay } from '../operations/replay.ts'
import { canonicalValue } from '../output/canonical-value.ts'
import type { Style } from '../output/style.ts'
import { plainLine } from '../output/text.ts'
import { formatValue } from '../output/value-words.ts'
import { MakiCommand } from '../program/base.ts'

/** A key of the state as it is printed. */
interface StateRow {
  readonly key: Key
  readonly value: unknown
  readonly operation: OperationId
  /** The name as of that state; null for a member that was removed before. */
  readonly author: { readonly key: MemberKey; readonly name: string | null }
  readonly at: string
  /** The project whose sync wrote it. */
  readonly via: string | null
}

export default class State extends MakiCommand<readonly StateRow[]> {
  static override summary = 'Show the state of the cluster, now or as it was.'
  static override description =
    'With --at an operation it is the state of that operation and all that it follows; with a time, of all operations whose authors’ clocks said no more than that. Who belongs is judged as of then.'
  static override examples = [
    'maki state --key example.com',
    'maki state --at 2d',
    'maki state --at 2026-11-22T10:00:00Z --json',
    'maki state --at k3v7q2mdda --key domain/example.com/rrset',
  ]
  static override flags = {
    at: Flags.string({ summary: 'An operation, or a time: 30m, 12h, 7d ago, a date or a time.', helpValue: 'OP|TIME' }),
    key: Flags.string({
      summary:
        'Only this key of the state and what lies below it, or a domain or host name. (An identity comes from MAKIATTO_KEY here.)',
      helpValue: 'KEY',
    }),
  }

  override async run(): Promise<readonly StateRow[]> {
    const { flags } = await this.parse(State)
    // Here --key is a key of the state; an identity comes from MAKIATTO_KEY.
    await using client = await this.openClient({ ...flags, key: undefined })
    await this.refresh(client)
    const { replica } = client.local
    const fold =
      flags.at === undefined
        ? replica.fold
        : await replay(replica, parseMoment(flags.at, replica.ids(), this.host.runtime.now()))
    return listRows(fold, flags.key, flags.at !== undefined)
  }

  protected format(rows: readonly StateRow[], style: Style): string {
    if (rows.length === 0) return 'There is nothing.'
    const lines: string[] = []
    let scope = ''
    for (const { key, value, operation, author, via } of rows) {
      if (scopeOf(key) !== scope) {
        scope = scopeOf(key)
        if (key !== scope) lines.push(style.bold(plainLine(scope)))
      }
      const name = key === scope ? style.bold(plainLine(key)) : `  ${plainLine(key.slice(scope.length + 1))}`
      const who = plainLine(via === null ? (author.name ?? shortId(author.key)) : `sync of ${via}`)
      lines.push(`${name}  ${formatValue(key, value)}  ${style.dim(`${shortId(operation)} ${who}`)}`)
    }
    return lines.join('\n')
  }
}

/** By key; a pure function of the fold. */
function listRows(fold: FoldView, typed: string | undefined, isPast: boolean): readonly StateRow[] {
  const { state } = fold
  const entries =
    typed === undefined
      ? state.snapshot().entries.flatMap(([, entry]) => entry ?? [])
      : findKeys(fold, typed, undefined, isPast).flatMap((key) => state.get(key) ?? [])
  return entries
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ key, value, operation, author, stamp, via }: Entry) => ({
      key,
      value: canonicalValue(value),
      operation,
      author: { key: author, name: findMember(state, author)?.name ?? null },
      at: new Date(stamp.wallMs).toISOString(),
      via: via ?? null,
    }))
}
