import { type CertificateRow, listCertificates } from '../../certificates.ts'
import { listExposedPlaces } from '../../client/sealing.ts'
import type { Style } from '../../output/style.ts'
import { formatTable } from '../../output/table.ts'
import { plainLine } from '../../output/text.ts'
import { MakiCommand } from '../../program/base.ts'

/** From here on a certificate should have been renewed. */
const SOON_DAYS = 14

export default class CertList extends MakiCommand<readonly CertificateRow[]> {
  static override summary = 'List the certificates, and how long they last.'
  static override examples = ['maki cert list', 'maki cert list --json']

  override async run(): Promise<readonly CertificateRow[]> {
    const { flags } = await this.parse(CertList)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    return listCertificates(client.state, listExposedPlaces(client), this.host.runtime.now())
  }

  protected format(rows: readonly CertificateRow[], style: Style): string {
    if (rows.length === 0) return 'There is no certificate yet; maki cert import brings one.'
    const lines = rows.map((row) => [
      row.name,
      formatDays(row.daysLeft, style),
      plainLine(row.issuer ?? '-'),
      row.sealed === 'ok' ? 'ok' : style.bad('exposed'),
      row.names.join(', '),
    ])
    const notes = rows.some(({ sealed }) => sealed === 'exposed')
      ? '\n\nexposed: a machine that was removed may know the private key. Have it issued anew for a new key: maki cert import'
      : ''
    return formatTable(lines, ['NAME', 'DAYS LEFT', 'ISSUER', 'KEY', 'FOR'].map(style.bold)) + notes
  }
}

function formatDays(days: number, style: Style): string {
  if (days < 0) return style.bad('expired')
  return days < SOON_DAYS ? style.warn(String(days)) : String(days)
}
