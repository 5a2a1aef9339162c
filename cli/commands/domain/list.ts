import { listDomains, type OperationId, type State, shortId } from '../../../core/index.ts'
import type { Style } from '../../output/style.ts'
import { formatTable } from '../../output/table.ts'
import { plainLine } from '../../output/text.ts'
import { MakiCommand } from '../../program/base.ts'

interface DomainRow {
  readonly name: string
  readonly aliases: readonly string[]
  /** Records that somebody wrote. */
  readonly records: number
  readonly release: OperationId | null
  readonly redirect: string | null
  readonly spa: boolean
  readonly onConcurrent: 'latest' | 'merge'
  readonly previews: boolean
  /** The project whose sync set it up. */
  readonly project: string | null
}

export default class DomainList extends MakiCommand<readonly DomainRow[]> {
  static override summary = 'List the domains that the cluster answers for.'
  static override examples = ['maki domain list', 'maki domain list --json']

  override async run(): Promise<readonly DomainRow[]> {
    const { flags } = await this.parse(DomainList)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    return listRows(client.state)
  }

  protected format(rows: readonly DomainRow[], style: Style): string {
    if (rows.length === 0) return 'There is no domain yet: maki sync adds those of a project.'
    const lines = rows.map(({ name, aliases, records, release, redirect, project }) => [
      style.name(name),
      aliases.join(', ') || '-',
      String(records),
      redirect === null ? (release === null ? 'none yet' : shortId(release)) : `redirects to ${plainLine(redirect)}`,
      project === null ? '-' : plainLine(project),
    ])
    return formatTable(lines, ['DOMAIN', 'ALIASES', 'RECORDS', 'RELEASE', 'PROJECT'].map(style.bold), style.columns)
  }
}

function listRows(state: State): DomainRow[] {
  return listDomains(state).map(({ apex, aliases, records, release, settings, entry }) => ({
    name: apex,
    aliases,
    records: records.length,
    release: release?.id ?? null,
    redirect: settings.redirect ?? null,
    spa: settings.spa,
    onConcurrent: settings.onConcurrent,
    previews: settings.previews,
    project: entry.via ?? null,
  }))
}
