import { Args } from '@oclif/core'
import { type BlobHash, type Hostname, type MemberKey, type OperationId, shortId } from '../../../core/index.ts'
import { requireDomain } from '../../domain-of.ts'
import { nameMember } from '../../output/operation-view.ts'
import { formatBytes, formatTable, plainLine, type Style } from '../../output/output.ts'
import { formatAgo } from '../../output/when.ts'
import { MakiCommand } from '../../program/base.ts'
import { listReleases } from '../../releases.ts'

interface ReleaseRow {
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
}

export default class ReleaseList extends MakiCommand<readonly ReleaseRow[]> {
  static override summary = 'List the published versions of a site, newest first.'
  static override examples = ['maki release list example.com']
  static override args = {
    domain: Args.string({ required: true, ignoreStdin: true, description: 'The domain, like example.com.' }),
  }

  override async run(): Promise<readonly ReleaseRow[]> {
    const { args, flags } = await this.parse(ReleaseList)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const { state } = client
    const { apex, release } = requireDomain(state, args.domain)
    const releases = await listReleases(client.local.replica, apex)
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
    }))
  }

  protected format(rows: readonly ReleaseRow[], style: Style): string {
    if (rows.length === 0) return 'There is no release yet: maki sync publishes one.'
    const now = this.host.runtime.now()
    const lines = rows.map((row) => [
      row.served ? style.good('served') : '',
      style.name(shortId(row.id)),
      formatAgo(Date.parse(row.at), now),
      row.author.name,
      String(row.files),
      formatBytes(row.bytes),
      row.commit === null ? '' : plainLine(row.commit).slice(0, 10),
      [row.rollbackOf === null ? '' : `back to ${shortId(row.rollbackOf)}`, plainLine(row.message)]
        .filter((text) => text !== '')
        .join(' · '),
    ])
    return formatTable(lines, ['', 'RELEASE', 'WHEN', 'BY', 'FILES', 'SIZE', 'COMMIT', 'NOTE'].map(style.bold))
  }
}
