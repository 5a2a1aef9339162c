import { shortId } from '../../../core/index.ts'
import { isPerson, listMembers, type MemberRow } from '../../member/members.ts'
import type { Style } from '../../output/style.ts'
import { formatTable } from '../../output/table.ts'
import { plainLine } from '../../output/text.ts'
import { formatAgo } from '../../output/when.ts'
import { MakiCommand } from '../../program/base.ts'

export default class OperatorList extends MakiCommand<readonly MemberRow[]> {
  static override summary = 'List the keys that may change the cluster, most senior first.'
  static override description =
    'Who ranks above somebody can remove them. The recovery key ranks above all; nodes are listed by maki cluster show.'
  static override examples = ['maki operator list', 'maki operator list --json']

  override async run(): Promise<readonly MemberRow[]> {
    const { flags } = await this.parse(OperatorList)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    return (await listMembers(client.local.replica)).filter(isPerson)
  }

  protected format(rows: readonly MemberRow[], style: Style): string {
    const now = this.host.runtime.now()
    const shared = new Set(
      rows.filter(({ name }, i) => rows.some((row, j) => j !== i && row.name === name)).map(({ name }) => name),
    )
    const lines = [...rows]
      .sort((a, b) => Number(a.removed !== null) - Number(b.removed !== null))
      .map((row) => [
        row.rank === null ? '-' : String(row.rank),
        style.name(plainLine(row.name)),
        shared.has(row.name) ? `${row.key}` : shortId(row.key),
        row.role,
        row.domains === null ? (row.role === 'recovery' ? '-' : 'all') : row.domains.join(', ') || 'none',
        row.role === 'recovery'
          ? formatAgo(Date.parse(row.added.at), now)
          : `by ${plainLine(row.added.by.name)} ${formatAgo(Date.parse(row.added.at), now)}`,
        row.removed === null
          ? ''
          : style.warn(
              `${row.removed.how}d by ${plainLine(row.removed.by.name)} ${formatAgo(Date.parse(row.removed.at), now)}`,
            ),
      ])
    if (shared.size > 0)
      this.note(`Several are called ${[...shared].map(plainLine).join(', ')}: name them by their key.`)
    return formatTable(lines, ['RANK', 'NAME', 'KEY', 'ROLE', 'DOMAINS', 'ADDED', ''].map(style.bold), style.columns)
  }
}
