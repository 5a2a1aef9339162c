import { formatCoordinates, formatHeard } from '../../machine/format-machine.ts'
import { MachineCommand } from '../../machine/machine-command.ts'
import { buildMachineRows, type MachineRow } from '../../machine/machine-rows.ts'
import type { Style } from '../../output/style.ts'
import { formatTable } from '../../output/table.ts'
import { plainLine } from '../../output/text.ts'

export default class MachineList extends MachineCommand<readonly MachineRow[]> {
  static override summary = 'List the machines: how they are reached, whether they are up, and what runs there.'
  static override description =
    'From the profile and from the cluster, as one node sees it; without one, from the copy on this computer. A machine that only one of both knows stands there with what to type.'
  static override examples = ['maki machine list', 'maki machine list --offline', 'maki machine list --json']

  override async run(): Promise<readonly MachineRow[]> {
    const { flags } = await this.parse(MachineList)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const status = await this.statusOf(client)
    return buildMachineRows(this.machinesOf(client), status?.nodes ?? [], client.profile.cluster)
  }

  protected format(rows: readonly MachineRow[], style: Style): string {
    if (rows.length === 0) return 'There is no machine yet: maki machine init NAME USER@HOST'
    const lines = rows.map((row) => [
      style.name(plainLine(row.name)),
      plainLine(row.where ?? '-'),
      formatState(row, style),
      plainLine(row.version ?? '-'),
      row.nameserver ? 'yes' : 'no',
      row.place === null ? '-' : formatCoordinates(row.place),
      [row.ipv4, row.ipv6]
        .filter((address) => address !== null)
        .map(plainLine)
        .join(' ') || '-',
      row.lagMs === null ? '-' : formatHeard(row.lagMs),
    ])
    const header = ['MACHINE', 'WHERE', '', 'VERSION', 'NS', 'PLACE', 'ADDRESSES', 'HEARD'].map(style.bold)
    const advice = rows.flatMap((row) => (row.advice === null ? [] : [plainLine(row.advice)]))
    return [formatTable(lines, header, style.columns), ...(advice.length === 0 ? [] : [advice.join('\n')])].join('\n\n')
  }
}

function formatState({ key, up, drained }: MachineRow, style: Style): string {
  if (key === null) return style.warn('no node')
  const drain = drained ? style.warn('drained') : ''
  const state = up === null ? style.dim('not asked') : up ? style.good('up') : style.bad('down')
  return [state, drain].filter((word) => word !== '').join(', ')
}
