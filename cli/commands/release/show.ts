import { Args, Flags } from '@oclif/core'
import {
  type BlobHash,
  type Hostname,
  MakiError,
  type ManifestFile,
  type MemberKey,
  type OperationId,
} from '../../../core/index.ts'
import { nameMember } from '../../output/operation-view.ts'
import type { Style } from '../../output/style.ts'
import { formatTable } from '../../output/table.ts'
import { count, formatBytes, plainLine } from '../../output/text.ts'
import { formatAgo } from '../../output/when.ts'
import { domainArg } from '../../program/arguments.ts'
import { MakiCommand } from '../../program/base.ts'
import { findMissing, type Kept, readManifest } from '../../release/manifests.ts'
import { type ReleaseMarks, readMarks } from '../../release/marks.ts'
import { openDomain } from '../../release/open-domain.ts'
import { portsOf, previewUrl } from '../../release/preview-url.ts'
import { describeChoice, requireRelease } from '../../release/published.ts'

interface ShownRelease extends ReleaseMarks {
  readonly id: OperationId
  readonly domain: Hostname
  /** The winner: what the cluster serves, or is about to. */
  readonly served: boolean
  readonly at: string
  readonly author: { readonly key: MemberKey; readonly name: string }
  /** The project whose sync published it. */
  readonly project: string | null
  readonly commit: string | null
  readonly message: string
  readonly rollbackOf: OperationId | null
  readonly tree: BlobHash
  readonly manifest: BlobHash
  readonly fileCount: number
  readonly bytes: number
  readonly aliases: readonly Hostname[]
  readonly functions: readonly string[]
  readonly transforms: readonly string[]
  /** How much of it the node that answered has; null where none was asked. */
  readonly kept: Kept | null
  /** Where it can be looked at as long as it is kept; null where that is off. */
  readonly preview: string | null
  /** How many of its blobs that node lacks. */
  readonly missing: number | null
  /** With `--files`. */
  readonly files?: readonly ManifestFile[]
}

export default class ReleaseShow extends MakiCommand<ShownRelease> {
  static override summary = 'Show one published version of a site.'
  static override examples = ['maki release show example.com', 'maki release show example.com k3v7q2mdda --files']
  static override args = {
    domain: domainArg,
    release: Args.string({
      ignoreStdin: true,
      description: 'The release, or the beginning of its id; the served one when left out.',
    }),
  }
  static override flags = { files: Flags.boolean({ summary: 'List its files.' }) }

  override async run(): Promise<ShownRelease> {
    const { args, flags } = await this.parse(ReleaseShow)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const { domain, releases } = await openDomain(client, args.domain)
    const typed = args.release ?? domain.release?.id
    if (typed === undefined)
      throw new MakiError('MAKI_NOT_FOUND', `${domain.apex} serves no release`, { hint: describeChoice(releases) })
    const release = requireRelease(releases, typed)
    const { operation, change } = release
    const reached = await client.reach()
    const marks = await readMarks(client.local.replica, domain.apex, [release], reached?.status.nodes ?? [])
    const kept = await findMissing(client, release)
    const marked = marks.get(operation.id) as ReleaseMarks
    const files = flags.files ? { files: [...(await readManifest(client, release)).files()] } : {}
    return {
      id: operation.id,
      domain: domain.apex,
      served: operation.id === domain.release?.id,
      at: new Date(operation.stamp.wallMs).toISOString(),
      author: { key: operation.author, name: nameMember(client.state, operation.author) },
      project: change.via ?? null,
      commit: change.commit ?? null,
      message: operation.message,
      rollbackOf: change.rollbackOf ?? null,
      tree: change.tree,
      manifest: change.manifest,
      fileCount: change.files,
      bytes: change.bytes,
      aliases: change.aliases,
      functions: (change.functions ?? []).map(({ path }) => path),
      transforms: (change.transforms ?? []).map(({ path }) => path),
      kept: kept?.kept ?? null,
      missing: kept?.missing ?? null,
      preview: previewUrl(
        client.state,
        domain,
        operation.id,
        marked,
        this.host.runtime.now(),
        portsOf(reached?.status),
      ),
      ...marked,
      ...files,
    }
  }

  protected format(shown: ShownRelease, style: Style): string {
    const list = (values: readonly string[]): string => values.map(plainLine).join(', ')
    const rows: [string, string][] = [
      ['release', `${style.name(shown.id)}${shown.served ? ` ${style.good('served')}` : ''}`],
      [
        'published',
        `${formatAgo(Date.parse(shown.at), this.host.runtime.now())} by ${plainLine(shown.author.name)} (${shown.at})`,
      ],
      ['size', `${count(shown.fileCount, 'file')}, ${formatBytes(shown.bytes)}`],
      ['project', shown.project === null ? '' : plainLine(shown.project)],
      ['commit', shown.commit === null ? '' : plainLine(shown.commit)],
      ['message', plainLine(shown.message)],
      ['back to', shown.rollbackOf ?? ''],
      ['aliases', list(shown.aliases)],
      ['functions', list(shown.functions)],
      ['transforms', list(shown.transforms)],
      ['live on', list(shown.live)],
      ['beside', shown.side ? `another release: maki release merge ${shown.domain}` : ''],
      ['purged', shown.purged ? style.warn('yes: never served again') : ''],
      ['not whole on', style.bad(list(shown.unservable))],
      ['kept', describeKept(shown)],
      ['preview', shown.kept === 'gone' ? '' : (shown.preview ?? '')],
    ]
    const text = formatTable(
      rows.filter(([, value]) => value !== '').map(([name, value]) => [style.dim(name), value]),
      undefined,
      style.columns,
    )
    if (shown.files === undefined) return text
    const files = shown.files.map(({ path, sizeBytes }) => [plainLine(path), formatBytes(sizeBytes)])
    return `${text}\n\n${formatTable(files, undefined, style.columns)}`
  }
}

function describeKept({ kept, missing, fileCount }: ShownRelease): string {
  switch (kept) {
    case null:
      return ''
    case 'whole':
      return 'whole'
    case 'partly':
      return `without ${missing} of its files`
    case 'gone':
      return fileCount === 0 ? 'not any more' : 'not any more: neither its files nor their list'
    default:
      return kept satisfies never
  }
}
