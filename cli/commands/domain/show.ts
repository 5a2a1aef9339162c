import {
  coversName,
  type DomainView,
  type Hostname,
  keys,
  type OperationId,
  type State,
  shortId,
} from '../../../core/index.ts'
import { listStandings } from '../../certificate-standing.ts'
import { listCertificates } from '../../certificates.ts'
import { listExposedPlaces } from '../../client/sealing.ts'
import { findZone } from '../../domain/plan-alias.ts'
import { nameMember } from '../../output/operation-view.ts'
import type { Style } from '../../output/style.ts'
import { formatTable } from '../../output/table.ts'
import { count, formatBytes, plainLine } from '../../output/text.ts'
import { formatAgo } from '../../output/when.ts'
import { domainArg } from '../../program/arguments.ts'
import { MakiCommand } from '../../program/base.ts'
import { formatRecords, listRecords, type RecordRow } from '../../record/list-records.ts'
import { openDomain } from '../../release/open-domain.ts'

interface ShownAlias {
  readonly host: Hostname
  /** The domain of the cluster in whose zone it lies; null where somebody else answers for its DNS. */
  readonly zone: Hostname | null
  /** The project whose sync wrote it. */
  readonly project: string | null
}

interface ShownDomain {
  readonly name: Hostname
  readonly project: string | null
  readonly redirect: string | null
  readonly spa: boolean
  readonly onConcurrent: 'latest' | 'merge'
  readonly previews: boolean
  /** `maki sync` publishes nothing until `maki release resume`. */
  readonly held: boolean
  readonly aliases: readonly ShownAlias[]
  /** As they are answered, those that we make ourselves among them. */
  readonly records: readonly RecordRow[]
  /** What is served; null before the first sync. */
  readonly release: {
    readonly id: OperationId
    readonly at: string
    readonly author: string
    readonly files: number
    readonly bytes: number
    readonly commit: string | null
    readonly message: string
  } | null
  /** Of the domain and its aliases. */
  readonly certificates: readonly {
    readonly name: string
    /** Null where there is none. */
    readonly daysLeft: number | null
    readonly isLate: boolean
    /** Why there is none, or no other. */
    readonly waiting: readonly string[]
  }[]
}

export default class DomainShow extends MakiCommand<ShownDomain> {
  static override summary = 'Show all of a domain: its site, aliases, records and certificates.'
  static override examples = ['maki domain show example.com', 'maki domain show example.com --json']
  static override args = { domain: domainArg }

  override async run(): Promise<ShownDomain> {
    const { args, flags } = await this.parse(DomainShow)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const { state } = client
    const { domain, releases } = await openDomain(client, args.domain)
    const { apex, settings, held, entry } = domain
    const served = releases.find(({ operation }) => operation.id === domain.release?.id)
    const nowMs = this.host.runtime.now()
    const status = (await client.reach())?.status
    const standings = listStandings(
      state,
      listCertificates(state, listExposedPlaces(client), nowMs),
      status?.certificates,
      nowMs,
    )
    const hosts = [apex, ...domain.aliases]
    return {
      name: apex,
      project: entry.via ?? null,
      redirect: settings.redirect ?? null,
      spa: settings.spa,
      onConcurrent: settings.onConcurrent,
      previews: settings.previews,
      held,
      aliases: listAliases(state, domain),
      records: listRecords(state, domain),
      release:
        served === undefined
          ? null
          : {
              id: served.operation.id,
              at: new Date(served.operation.stamp.wallMs).toISOString(),
              author: nameMember(state, served.operation.author),
              files: served.change.files,
              bytes: served.change.bytes,
              commit: served.change.commit ?? null,
              message: served.operation.message,
            },
      certificates: standings
        .filter(({ name, names }) => hosts.some((host) => host === name || coversName(names, host)))
        .map(({ name, daysLeft, isLate, waiting }) => ({
          name,
          daysLeft,
          isLate,
          waiting: waiting.map(({ reason }) => reason),
        })),
    }
  }

  protected format(shown: ShownDomain, style: Style): string {
    const { name, project, redirect, spa, onConcurrent, previews, held, aliases, records, certificates } = shown
    const rows: [string, string][] = [
      ['domain', style.name(name)],
      ['project', project === null ? '' : plainLine(project)],
      ['redirect', redirect === null ? '' : plainLine(redirect)],
      ['serves', redirect === null ? this.#tellRelease(shown, style) : ''],
      ['held', held ? style.warn(`maki sync publishes nothing until: maki release resume ${name}`) : ''],
      ['unknown paths', spa ? 'answer /index.html' : ''],
      ['side by side', onConcurrent === 'merge' ? 'releases are merged' : ''],
      ['previews', previews ? '' : 'off'],
      ...aliases.map((alias, i): [string, string] => [i === 0 ? 'aliases' : '', tellAlias(alias, style)]),
      ...certificates.map((one, i): [string, string] => [i === 0 ? 'certificates' : '', tellCertificate(one, style)]),
    ]
    const about = formatTable(
      rows.filter(([, value]) => value !== '').map(([what, value]) => [style.dim(what), value]),
      undefined,
      style.columns,
    )
    return `${about}\n\n${formatRecords(records, style)}`
  }

  #tellRelease({ release, name }: ShownDomain, style: Style): string {
    if (release === null) return 'nothing yet: maki sync publishes'
    const { id, at, author, files, bytes, message } = release
    const when = formatAgo(Date.parse(at), this.host.runtime.now())
    const words = message === '' ? '' : `: ${plainLine(message)}`
    return `${style.name(shortId(id))}, ${count(files, 'file')}, ${formatBytes(bytes)}, ${when} by ${plainLine(author)}${words} (maki release list ${name})`
  }
}

const listAliases = (state: State, { apex, aliases }: DomainView): readonly ShownAlias[] =>
  aliases.map((host) => ({
    host,
    zone: findZone(state, host) ?? null,
    project: state.get(keys.alias(apex, host))?.via ?? null,
  }))

const tellAlias = ({ host, zone }: ShownAlias, style: Style): string =>
  zone === null ? `${host} ${style.dim('(its DNS is elsewhere)')}` : host

function tellCertificate(
  { name, daysLeft, isLate, waiting }: ShownDomain['certificates'][number],
  style: Style,
): string {
  const days =
    daysLeft === null
      ? style.warn('none yet')
      : daysLeft < 0
        ? style.bad('expired')
        : `${isLate ? style.warn(String(daysLeft)) : daysLeft} days left`
  return [`${plainLine(name)}, ${days}`, ...waiting.map(plainLine)].join(': ')
}
