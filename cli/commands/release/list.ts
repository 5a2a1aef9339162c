import { type BlobHash, type Hostname, type MemberKey, type OperationId, shortId } from '../../../core/index.ts'
import { nameMember } from '../../output/operation-view.ts'
import type { Style } from '../../output/style.ts'
import { formatTable } from '../../output/table.ts'
import { formatBytes, plainLine } from '../../output/text.ts'
import { formatAgo } from '../../output/when.ts'
import { domainArg } from '../../program/arguments.ts'
import { MakiCommand } from '../../program/base.ts'
import { describeHold, findHold } from '../../release/hold.ts'
import { listKept } from '../../release/manifests.ts'
import { type ReleaseMarks, readMarks } from '../../release/marks.ts'
import { openDomain } from '../../release/open-domain.ts'
import { portsOf, previewUrl } from '../../release/preview-url.ts'

interface ReleaseRow extends ReleaseMarks {
  readonly id: OperationId
  readonly domain: Hostname
  /** The one that the cluster serves, or is about to. */
  readonly served: boolean
  readonly at: string
  readonly author: { readonly key: MemberKey; readonly name: string }
  readonly files: number
  readonly bytes: number
  readonly tree: BlobHash
  readonly aliases: readonly Hostname[]
  readonly commit: string | null
  readonly rollbackOf: string | null
  readonly message: string
  /** Whether the node that answered still has the list of its files; null where none was asked. */
  readonly kept: boolean | null
  /** Where it can be looked at as long as its files are kept; null where that is off. */
  readonly preview: string | null
}

export default class ReleaseList extends MakiCommand<readonly ReleaseRow[]> {
  static override summary = 'List the published versions of a site, newest first.'
  static override examples = ['maki release list example.com']
  static override args = {
    domain: domainArg,
  }

  override async run(): Promise<readonly ReleaseRow[]> {
    const { args, flags } = await this.parse(ReleaseList)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const { state } = client
    const { domain, releases } = await openDomain(client, args.domain)
    const { apex, release } = domain
    const hold = await findHold(client.local.replica, apex)
    if (hold !== undefined) this.note(`${describeHold(apex, hold)}. To publish again: maki release resume ${apex}`)
    const reached = await client.reach()
    const marks = await readMarks(client.local.replica, apex, releases, reached?.status.nodes ?? [])
    const kept = await listKept(client, releases)
    const nowMs = this.host.runtime.now()
    const ports = portsOf(reached?.status)
    return releases.map(({ operation, change }) => ({
      id: operation.id,
      domain: apex,
      served: operation.id === release?.id,
      at: new Date(operation.stamp.wallMs).toISOString(),
      author: { key: operation.author, name: nameMember(state, operation.author) },
      files: change.files,
      bytes: change.bytes,
      tree: change.tree,
      aliases: change.aliases,
      commit: change.commit ?? null,
      rollbackOf: change.rollbackOf ?? null,
      message: operation.message,
      kept: kept?.has(operation.id) ?? null,
      preview: previewUrl(state, domain, operation.id, marks.get(operation.id) as ReleaseMarks, nowMs, ports),
      ...(marks.get(operation.id) as ReleaseMarks),
    }))
  }

  protected format(rows: readonly ReleaseRow[], style: Style): string {
    if (rows.length === 0) return 'There is no release yet: maki sync publishes one.'
    const now = this.host.runtime.now()
    const lines = rows.map((row) => [
      formatPlace(row, style),
      style.name(shortId(row.id)),
      formatAgo(Date.parse(row.at), now),
      plainLine(row.author.name),
      String(row.files),
      formatBytes(row.bytes),
      row.commit === null ? '' : plainLine(row.commit).slice(0, 10),
      listNotes(row).join(' · '),
    ])
    const table = formatTable(
      lines,
      ['', 'RELEASE', 'WHEN', 'BY', 'FILES', 'SIZE', 'COMMIT', 'NOTE'].map(style.bold),
      style.columns,
    )
    const [newest] = rows.filter(({ preview }) => preview !== null)
    return newest?.preview == null ? table : `${table}\n\nPreview of the newest: ${newest.preview}`
  }
}

function formatPlace({ served, side, purged, unservable }: ReleaseRow, style: Style): string {
  if (served && unservable.length > 0) return style.bad('unservable')
  if (served) return style.good('served')
  if (purged) return style.dim('purged')
  return side ? style.warn('beside it') : ''
}

function listNotes(row: ReleaseRow): string[] {
  const { rollbackOf, served, live, side, unservable, kept, purged, message } = row
  return [
    rollbackOf === null ? '' : `back to ${shortId(rollbackOf)}`,
    live.length > 0 && (!served || side) ? `live on ${live.map(plainLine).join(', ')}` : '',
    side && served ? 'published beside another: maki release merge' : '',
    unservable.length > 0 ? `not whole on ${unservable.map(plainLine).join(', ')}` : '',
    kept === false && !purged ? 'files no longer kept' : '',
    plainLine(message),
  ].filter((text) => text !== '')
}
