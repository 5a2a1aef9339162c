import { type Hostname, keys, MakiError, type OperationId, shortId } from '../../../core/index.ts'
import type { Style } from '../../output/style.ts'
import { count, formatBytes, plainLine } from '../../output/text.ts'
import { formatAgo } from '../../output/when.ts'
import { domainArg, messageFlag, yesFlag } from '../../program/arguments.ts'
import { MakiCommand } from '../../program/base.ts'
import { openDomain } from '../../release/open-domain.ts'
import type { PublishedRelease } from '../../release/published.ts'

interface PurgeResult {
  readonly changed: boolean
  readonly domain: Hostname
  /** The served release, which stays. */
  readonly keep: OperationId
  /** What goes, newest first. */
  readonly purged: readonly { readonly id: OperationId; readonly files: number; readonly bytes: number }[]
  readonly operation: OperationId | null
  readonly node: string | null
}

/** More are only counted. */
const MAX_SHOWN = 20

export default class ReleasePurge extends MakiCommand<PurgeResult> {
  static override summary = 'Delete every published version of a site but the served one, for ever.'
  static override description =
    'For a secret or a file that was published by mistake: publish the site without it, then purge. What only the purged releases have is deleted on every node, and pages that are open lose it too. The history still says that they were there.'
  static override examples = ['maki release purge example.com', 'maki release purge example.com --yes']
  static override args = {
    domain: domainArg,
  }
  static override flags = {
    message: messageFlag,
    yes: yesFlag,
  }

  override async run(): Promise<PurgeResult> {
    const { args, flags } = await this.parse(ReleasePurge)
    await using client = await this.openClient(flags)
    await client.exchange()
    const signer = await client.requireSigner()
    const { domain, releases, purged } = await openDomain(client, args.domain)
    const { apex, release } = domain
    if (release === undefined)
      throw new MakiError('MAKI_NOT_FOUND', `${apex} serves no release that could stay`, { hint: 'maki sync' })
    const live = new Set(client.local.replica.frontier(keys.release(apex)).map(({ operation }) => operation))
    if (live.size > 1 && domain.settings.onConcurrent === 'merge')
      throw new MakiError('MAKI_CONFLICT', `${apex} serves ${live.size} releases merged, and a purge keeps one`, {
        hint: `First make it one: maki release merge ${apex}`,
      })
    const going = releases.filter(({ operation }) => operation.id !== release.id && !purged.has(operation.id))
    const base = { domain: apex, keep: release.id, purged: going.map(viewRelease) }
    if (going.length === 0) return { ...base, changed: false, operation: null, node: null }
    this.#tell(going)
    await this.confirm(
      `Delete ${count(going.length, 'release')} of ${apex}, and keep ${shortId(release.id)}? This cannot be taken back.`,
      flags.yes,
    )
    const operation = await client.commit([{ kind: 'release.purge', domain: apex, keep: release.id }], {
      signer,
      message: flags.message,
    })
    const { machine } = await this.send(client, operation.id)
    return { ...base, changed: true, operation: operation.id, node: machine ?? null }
  }

  protected format({ changed, domain, keep, purged, node }: PurgeResult, style: Style): string {
    if (!changed) return `${domain} has no release but ${shortId(keep)}; nothing was written.`
    return `${style.good('Purged')} ${count(purged.length, 'release')} of ${domain}${node === null ? '' : ` at ${node}`}; ${shortId(keep)} stays.`
  }

  #tell(going: readonly PublishedRelease[]): void {
    const now = this.host.runtime.now()
    const style = this.noteStyle
    const lines = going.slice(0, MAX_SHOWN).map(({ operation, change }) => {
      const message = operation.message === '' ? '' : `, ${plainLine(operation.message)}`
      return `  ${style.bad('-')} ${shortId(operation.id)}  ${formatAgo(operation.stamp.wallMs, now)}: ${count(change.files, 'file')}, ${formatBytes(change.bytes)}${message}`
    })
    if (going.length > MAX_SHOWN) lines.push(`  … and ${going.length - MAX_SHOWN} older`)
    const trees = new Map(going.map(({ change }) => [change.tree, change]))
    const bytes = [...trees.values()].reduce((sum, change) => sum + change.bytes, 0)
    this.note(
      [`These go, ${formatBytes(bytes)} at most (files that the served release has too stay):`, ...lines].join('\n'),
    )
  }
}

const viewRelease = ({ operation, change }: PublishedRelease): PurgeResult['purged'][number] => ({
  id: operation.id,
  files: change.files,
  bytes: change.bytes,
})
