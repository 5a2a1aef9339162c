import { Args } from '@oclif/core'
import { shortId } from '../../../core/index.ts'
import { type CertificateRow, listCertificates, requireCertificate } from '../../certificates.ts'
import { listExposedPlaces } from '../../client/sealing.ts'
import { nameMember } from '../../output/operation-view.ts'
import type { Style } from '../../output/style.ts'
import { formatTable } from '../../output/table.ts'
import { plainLine } from '../../output/text.ts'
import { MakiCommand } from '../../program/base.ts'

interface ShownCertificate extends CertificateRow {
  readonly authorName: string
}

export default class CertShow extends MakiCommand<ShownCertificate> {
  static override summary = 'Show one certificate.'
  static override examples = ['maki cert show example.com']
  static override args = {
    name: Args.string({ required: true, ignoreStdin: true, description: 'Its name, or a host that it is for.' }),
  }

  override async run(): Promise<ShownCertificate> {
    const { args, flags } = await this.parse(CertShow)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const { name } = requireCertificate(client.state, args.name)
    const rows = listCertificates(client.state, listExposedPlaces(client), this.host.runtime.now())
    const row = rows.find((one) => one.name === name) as CertificateRow
    return { ...row, authorName: nameMember(client.local.replica.state, row.author) }
  }

  protected format(row: ShownCertificate, style: Style): string {
    const key =
      row.sealed === 'ok'
        ? 'sealed; only nodes can open it'
        : `${style.bad('exposed')}: a machine that was removed may know it. Have the certificate issued for a new key, and import that`
    return formatTable([
      ['name', row.name],
      ['for', row.names.join(', ')],
      ['issuer', plainLine(row.issuer ?? 'cannot be read')],
      ['valid', `${row.notBefore.slice(0, 10)} to ${row.notAfter.slice(0, 10)} (${row.daysLeft} days left)`],
      ['key', key],
      ['set by', `${plainLine(row.authorName)} on ${row.at.slice(0, 10)}, operation ${shortId(row.operation)}`],
    ])
  }
}
