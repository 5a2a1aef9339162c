import { Args } from '@oclif/core'
import { parseCertificateName, shortId } from '../../../core/index.ts'
import { type ListedCertificate, listStandings } from '../../certificate-standing.ts'
import { listCertificates, requireCertificate } from '../../certificates.ts'
import { listExposedPlaces } from '../../client/sealing.ts'
import { nameMember } from '../../output/operation-view.ts'
import type { Style } from '../../output/style.ts'
import { formatTable } from '../../output/table.ts'
import { count, plainLine } from '../../output/text.ts'
import { MakiCommand } from '../../program/base.ts'

type ShownCertificate = ListedCertificate & {
  /** Null where there is no certificate. */
  readonly authorName: string | null
}

/** Orders that are shown; `--json` has all. */
const ORDERS = 5

export default class CertShow extends MakiCommand<ShownCertificate> {
  static override summary = 'Show one certificate, and how it was ordered.'
  static override examples = ['maki cert show example.com', 'maki cert show example.com --json']
  static override args = {
    name: Args.string({ required: true, ignoreStdin: true, description: 'Its name, or a host that it is for.' }),
  }

  override async run(): Promise<ShownCertificate> {
    const { args, flags } = await this.parse(CertShow)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const nowMs = this.host.runtime.now()
    const rows = listCertificates(client.state, listExposedPlaces(client), nowMs)
    const all = listStandings(client.state, rows, (await client.reach())?.status.certificates, nowMs)
    const asked = parseCertificateName(args.name)
    const row =
      all.find(({ name, daysLeft }) => name === asked && daysLeft === null) ??
      all.find(({ name }) => name === requireCertificate(client.state, args.name).name)
    if (row === undefined) throw new Error('a certificate of the state is not listed')
    const authorName = row.author === null ? null : nameMember(client.local.replica.state, row.author)
    return { ...row, authorName }
  }

  protected format(row: ShownCertificate, style: Style): string {
    const lines: string[][] = [['name', plainLine(row.name)]]
    if (row.operation === null) lines.push(['valid', style.bad('there is none yet')])
    else {
      const key =
        row.sealed === 'ok'
          ? 'sealed; only nodes can open it'
          : `${style.bad('exposed')}: a machine that was removed may know it. Have the certificate issued for a new key, and import that`
      const days = tellDays(row, this.host.runtime.now(), style)
      lines.push(
        ['for', row.names.join(', ')],
        ['issuer', plainLine(row.issuer ?? 'cannot be read')],
        ['valid', `${row.notBefore?.slice(0, 10)} to ${row.notAfter?.slice(0, 10)} (${days})`],
        ['key', key],
        [
          'set by',
          `${plainLine(row.authorName ?? '-')} on ${row.at?.slice(0, 10)}, operation ${shortId(row.operation)}`,
        ],
      )
    }
    if (row.directory !== null) lines.push(['ordered', `from ${plainLine(row.directory)}`])
    for (const { reason, next } of row.waiting)
      lines.push(['waits', plainLine(`${reason}${next === null ? '' : ` Tried again at ${next}.`}`)])
    for (const { node, phase, at, problem, retry } of row.orders.slice(0, ORDERS)) {
      const why = problem === null ? '' : `: ${problem.detail} (${problem.type})`
      const again = retry === null ? '' : `, not again before ${retry}`
      lines.push(['order', plainLine(`${phase} at ${node}, ${at}${why}${again}`)])
    }
    if (row.orders.length > 0)
      lines.push(['week', `${count(row.week.started, 'order')} begun, ${row.week.issued} of them with a certificate`])
    if (row.revocations.due > 0)
      lines.push([
        'revokes',
        `${count(row.revocations.due, 'old certificate is', 'old certificates are')} to be revoked yet`,
      ])
    for (const detail of row.revocations.givenUp)
      lines.push(['revokes', plainLine(`the authority did not take a revocation: ${detail}`)])
    return formatTable(lines, undefined, style.columns)
  }
}

function tellDays({ daysLeft, isLate, notBefore }: ShownCertificate, nowMs: number, style: Style): string {
  if (daysLeft === null || daysLeft < 0) return style.bad('expired')
  if (notBefore !== null && Date.parse(notBefore) > nowMs) return style.bad('not valid yet')
  const days = `${count(daysLeft, 'day')} left`
  return isLate ? style.warn(days) : days
}
