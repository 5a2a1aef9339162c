import { join, resolve } from 'node:path'
import { Flags } from '@oclif/core'
import type { OperationId } from '../../core/index.ts'
import { ClusterSyncTarget } from '../client/cluster-sync-target.ts'
import { formatWarnings, loadProject } from '../config/index.ts'
import type { Style } from '../output/style.ts'
import { SyncProgress } from '../output/sync-progress.ts'
import { count, formatBytes } from '../output/text.ts'
import { messageFlag } from '../program/arguments.ts'
import { countWaiting, describeInterrupted, MakiCommand } from '../program/base.ts'
import { type DomainPlan, runSync } from '../project/index.ts'

interface SyncedDomain {
  readonly domain: string
  /** The operation that was made for it; null when nothing was to be changed, and with --dry-run. */
  readonly operation: OperationId | null
  readonly changes: DomainPlan['changes']
  readonly lines: DomainPlan['lines']
  /** Who holds its releases, since when and why; null where nobody does. */
  readonly held: string | null
}

interface SyncReport {
  readonly project: string
  readonly dryRun: boolean
  /** Where it is durable; null while it waits on this computer. */
  readonly node: string | null
  readonly domains: readonly SyncedDomain[]
  readonly uploaded: { readonly blobs: number; readonly bytes: number }
  /** Own operations that wait on this computer for the next exchange. */
  readonly waiting: number
}

export default class Sync extends MakiCommand<SyncReport> {
  static override summary = 'Bring the cluster to what makiatto.toml and its files say.'
  static override description =
    'Missing files first, then one operation a domain; what was not changed writes nothing. It removes only what this project wrote itself.'
  static override examples = [
    'maki sync',
    'maki sync --dry-run',
    'maki sync --config site/makiatto.toml --wait all -m "new menu"',
  ]
  static override flags = {
    message: messageFlag,
    'dry-run': Flags.boolean({ summary: 'Only show what would be changed.' }),
    wait: Flags.option({ options: ['none', 'one', 'up', 'all'] as const })({
      default: 'up',
      summary: 'Wait until so many nodes serve it: up is all that are up.',
    }),
    prune: Flags.boolean({ summary: 'Remove domains of this project that are gone from the file.' }),
    'take-over': Flags.boolean({ summary: 'Replace values that others wrote by those of the file.' }),
    'allow-empty': Flags.boolean({ summary: 'Publish a site without files.' }),
    force: Flags.boolean({ summary: 'Publish a git commit that comes before the one that is served.' }),
    strict: Flags.boolean({ summary: 'Unknown keys in makiatto.toml are errors.' }),
  }

  override async run(): Promise<SyncReport> {
    const { flags } = await this.parse(Sync)
    const project = await loadProject(resolve(this.host.cwd, flags.config), {
      strict: flags.strict,
      shownAs: flags.config,
    })
    for (const warning of formatWarnings(project)) this.caution(warning)
    await using client = await this.openClient(flags)
    const target = await ClusterSyncTarget.open(client)
    using progress = new SyncProgress(this.host, {
      quiet: this.isJson,
      dryRun: flags['dry-run'],
      isStored: target.machine === undefined,
    })
    const { plan, published, uploaded } = await runSync({
      project,
      target,
      runtime: this.host.runtime,
      signal: this.host.signal,
      report: (event) => progress.report(event),
      ...(client.local.folder === undefined ? {} : { cacheFile: join(client.local.folder.path, 'hashes.cache') }),
      options: {
        dryRun: flags['dry-run'],
        waitFor: target.machine === undefined ? 'none' : flags.wait,
        prune: flags.prune,
        takeOver: flags['take-over'],
        allowEmpty: flags['allow-empty'],
        force: flags.force,
        message: flags.message,
      },
    }).catch(async (error: unknown) => {
      const made = this.host.signal.aborted ? (await client.listWaiting()).at(-1) : undefined
      if (made !== undefined) this.caution(describeInterrupted(made.id))
      throw error
    })
    if (target.machine === undefined && !client.isOffline) this.note(client.unreachableError().message)
    const isStuck = target.machine !== undefined && target.waiting > 0
    if (isStuck || plan.domains.some(({ held }) => held !== undefined)) this.exitCode = 4
    const operations = new Map(published.map(({ domain, operation }) => [domain, operation]))
    return {
      project: project.project,
      dryRun: flags['dry-run'],
      node: target.waiting === 0 ? (target.machine ?? null) : null,
      domains: plan.domains.map(({ domain, changes, lines, held }) => ({
        domain,
        operation: operations.get(domain) ?? null,
        changes,
        lines,
        held: held ?? null,
      })),
      uploaded: { blobs: uploaded.blobs, bytes: uploaded.bytes },
      waiting: target.waiting,
    }
  }

  protected format({ dryRun, domains, uploaded, node, waiting }: SyncReport, style: Style): string {
    const changed = domains.filter(({ changes }) => changes.length > 0)
    if (changed.length === 0) {
      if (uploaded.blobs > 0 && waiting === 0)
        return `Nothing new to publish; sent ${count(uploaded.blobs, 'file')} (${formatBytes(uploaded.bytes)}) that ${node ?? 'the machine'} lacked.`
      if (waiting > 0) return `Nothing new to publish; ${countWaiting(waiting)} here for a node: maki push`
      const held = domains.filter((domain) => domain.held !== null)
      if (held.length > 0) return `Nothing was published: ${held.map(({ domain }) => domain).join(', ')} is held.`
      const isKept = domains.some(({ lines }) => lines.some(({ kind }) => kind === 'keep'))
      return isKept
        ? 'Nothing to do; what others wrote stays as it is.'
        : 'Nothing to do: the cluster is as the project says.'
    }
    if (dryRun) return `Would change ${count(changed.length, 'domain')}; nothing was written.`
    const sent = uploaded.blobs === 0 ? '' : `, ${count(uploaded.blobs, 'new blob')} (${formatBytes(uploaded.bytes)})`
    const what = `${changed.map(({ domain }) => domain).join(', ')}${sent}`
    if (waiting > 0)
      return `${style.warn('Made')} ${what}; ${count(waiting, 'operation')} ${waiting === 1 ? 'waits' : 'wait'} here for a node: maki push`
    return `${style.good('Synced')} ${what}${node === null ? '' : ` at ${node}`}.`
  }
}
