import { Args } from '@oclif/core'
import { absoluteName, listDomains, parseOwnerName } from '../../../core/index.ts'
import type { Style } from '../../output/style.ts'
import { MakiCommand } from '../../program/base.ts'
import { formatRecords, listRecords, type RecordRow } from '../../record/list-records.ts'
import { requireDomain } from '../../require-domain.ts'

export default class RecordList extends MakiCommand<readonly RecordRow[]> {
  static override summary = 'List DNS records, those that we make ourselves included.'
  static override examples = ['maki record list', 'maki record list example.com', 'maki record list example.com www A']
  static override args = {
    domain: Args.string({ ignoreStdin: true, description: 'Only of this domain.' }),
    name: Args.string({ ignoreStdin: true, description: 'Only at this name.' }),
    type: Args.string({ ignoreStdin: true, description: 'Only of this type.' }),
  }

  override async run(): Promise<readonly RecordRow[]> {
    const { args, flags } = await this.parse(RecordList)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const { state } = client
    if (args.domain === undefined) return listDomains(state).flatMap((domain) => listRecords(state, domain))
    const domain = requireDomain(state, args.domain)
    const name = args.name === undefined ? undefined : absoluteName(parseOwnerName(args.name, domain.apex), domain.apex)
    const type = args.type?.toUpperCase()
    return listRecords(state, domain).filter(
      (row) => (name ?? row.name) === row.name && (type ?? row.type) === row.type,
    )
  }

  protected format(rows: readonly RecordRow[], style: Style): string {
    return rows.length === 0 ? 'There is no such record.' : formatRecords(rows, style)
  }
}
