import { type ListedCertificate, listStandings } from '../../certificate-standing.ts'
import { listCertificates } from '../../certificates.ts'
import { listExposedPlaces } from '../../client/sealing.ts'
import type { Style } from '../../output/style.ts'
import { formatTable } from '../../output/table.ts'
import { count, plainLine } from '../../output/text.ts'
import { MakiCommand } from '../../program/base.ts'

export default class CertList extends MakiCommand<readonly ListedCertificate[]> {
  static override summary = 'List the certificates, how long they last, and why a name has none.'
  static override description =
    'Days are shown as few when less is left than there should be after a renewal, which depends on how long the certificate lives. Below stands what waits and why, as a node says.'
  static override examples = ['maki cert list', 'maki cert list --json']

  override async run(): Promise<readonly ListedCertificate[]> {
    const { flags } = await this.parse(CertList)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const nowMs = this.host.runtime.now()
    const rows = listCertificates(client.state, listExposedPlaces(client), nowMs)
    const status = (await client.reach())?.status
    if (rows.length === 0 && status !== undefined && status.certificates === undefined)
      this.note(
        'The node that was asked orders none ([acme] enabled = false, as maki dev has it); maki dev --tls makes its own.',
      )
    return listStandings(client.state, rows, status?.certificates, nowMs)
  }

  protected format(all: readonly ListedCertificate[], style: Style): string {
    const nowMs = this.host.runtime.now()
    const rows = all.filter(({ daysLeft }) => daysLeft !== null)
    const lines = rows.map((row) => [
      row.name,
      formatDays(row, nowMs, style),
      plainLine(row.issuer ?? '-'),
      row.sealed === 'ok' ? 'ok' : style.bad('exposed'),
      row.names.join(', '),
    ])
    const parts =
      rows.length === 0
        ? ['There is no certificate yet; the nodes get them where they may, or maki cert import brings one.']
        : [formatTable(lines, ['NAME', 'DAYS LEFT', 'ISSUER', 'KEY', 'FOR'].map(style.bold), style.columns)]
    const notes = all.flatMap((row) => tellStanding(row, style))
    if (notes.length > 0) parts.push(notes.join('\n'))
    if (rows.some(({ sealed }) => sealed === 'exposed'))
      parts.push(
        'exposed: a machine that was removed may know the private key. The nodes order another where they may; else have it issued anew for a new key: maki cert import',
      )
    return parts.join('\n\n')
  }
}

function formatDays({ daysLeft, isLate, notBefore }: ListedCertificate, nowMs: number, style: Style): string {
  if (daysLeft === null || daysLeft < 0) return style.bad('expired')
  if (notBefore !== null && Date.parse(notBefore) > nowMs) return style.bad(`from ${notBefore.slice(0, 10)}`)
  return isLate ? style.warn(String(daysLeft)) : String(daysLeft)
}

function tellStanding({ name, waiting, orders, revocations }: ListedCertificate, style: Style): readonly string[] {
  const who = plainLine(name)
  const open = orders.find(({ phase }) => phase === 'open')
  const told = waiting.map(({ code, reason, next }) => {
    const by = code === 'ordering' && open !== undefined ? ` (${plainLine(open.node)} does)` : ''
    const again = next === null ? '' : ` Tried again at ${plainLine(next)}.`
    return `${style.warn('waits')} ${who}: ${plainLine(reason)}${by}${again}`
  })
  // What the node said is not known, or says nothing: then what the state says of the last order.
  const [last] = orders
  if (told.length === 0 && last?.problem != null && (last.phase === 'failed' || last.phase === 'waiting'))
    told.push(
      `${style.warn('failed')} ${who}: ${plainLine(`${last.problem.detail} (${last.problem.type}, at ${last.node})`)}`,
    )
  if (revocations.due > 0)
    told.push(
      `${style.warn('revokes')} ${who}: ${count(revocations.due, 'old certificate is', 'old certificates are')} to be revoked yet`,
    )
  return told
}
