import { Args } from '@oclif/core'
import { type Hostname, MakiError, Manifest, type OperationId, shortId } from '../../../core/index.ts'
import type { Style } from '../../output/style.ts'
import { formatTable } from '../../output/table.ts'
import { count, formatBytes, plainLine } from '../../output/text.ts'
import { domainArg } from '../../program/arguments.ts'
import { MakiCommand } from '../../program/base.ts'
import { type ComponentChange, diffComponents, diffManifests, type PathChange } from '../../release/diff.ts'
import { readManifest } from '../../release/manifests.ts'
import { openDomain } from '../../release/open-domain.ts'
import { describeChoice, requireRelease } from '../../release/published.ts'

interface DiffResult {
  readonly domain: Hostname
  /** Null: nothing was published before. */
  readonly from: OperationId | null
  readonly to: OperationId
  readonly changes: readonly PathChange[]
  readonly components: readonly ComponentChange[]
}

export default class ReleaseDiff extends MakiCommand<DiffResult> {
  static override summary = 'Show which files differ between two published versions of a site.'
  static override description =
    'With one release: what it changed, from the one before it to it. Without any: of the served one.'
  static override examples = [
    'maki release diff example.com',
    'maki release diff example.com k3v7q2mdda',
    'maki release diff example.com k3v7q2mdda mm4a6qzxlo',
  ]
  static override args = {
    domain: domainArg,
    a: Args.string({ ignoreStdin: true, description: 'A release, or the beginning of its id.' }),
    b: Args.string({ ignoreStdin: true, description: 'The one to compare it with.' }),
  }

  override async run(): Promise<DiffResult> {
    const { args, flags } = await this.parse(ReleaseDiff)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const { domain, releases } = await openDomain(client, args.domain)
    const typed = args.b ?? args.a ?? domain.release?.id
    if (typed === undefined)
      throw new MakiError('MAKI_NOT_FOUND', `${domain.apex} serves no release`, { hint: describeChoice(releases) })
    const to = requireRelease(releases, typed)
    const { replica } = client.local
    // The one that it took the place of: the newest that it has seen.
    const before = releases.find(({ operation }) => replica.isAncestor(operation.id, to.operation.id))
    const from = args.b === undefined ? before : requireRelease(releases, args.a as string)
    const changes = diffManifests(
      from === undefined ? Manifest.of([]) : await readManifest(client, from),
      await readManifest(client, to),
    )
    const components = diffComponents(from?.change ?? {}, to.change)
    return { domain: domain.apex, from: from?.operation.id ?? null, to: to.operation.id, changes, components }
  }

  protected format({ from, to, changes, components }: DiffResult, style: Style): string {
    const head = `${from === null ? 'nothing' : shortId(from)} → ${shortId(to)}`
    const told = components.map(({ kind, role, path, parts }) => {
      const paint = PAINT[kind]
      const what = parts.length === 0 ? '' : `: ${parts.join(', ')}`
      return `${style[paint.style](`${paint.sign} ${role} ${plainLine(path)}`)}${what}`
    })
    const tail = told.length === 0 ? '' : `\n\n${told.join('\n')}`
    if (changes.length === 0) return `${head}: the same files.${tail}`
    const rows = changes.map(({ kind, path, wasBytes, isBytes }) => {
      const paint = PAINT[kind]
      return [style[paint.style](`${paint.sign} ${plainLine(path)}`), formatSizes(wasBytes, isBytes)]
    })
    const counts = (['added', 'changed', 'removed'] as const).map(
      (kind) => `${changes.filter((change) => change.kind === kind).length} ${kind}`,
    )
    return `${head}: ${count(changes.length, 'path')}: ${counts.join(', ')}\n\n${formatTable(rows, undefined, style.columns)}${tail}`
  }
}

const PAINT = {
  added: { sign: '+', style: 'good' },
  changed: { sign: '~', style: 'warn' },
  removed: { sign: '-', style: 'bad' },
} as const satisfies Record<PathChange['kind'], { sign: string; style: keyof Style }>

function formatSizes(was: number | null, is: number | null): string {
  if (was === null || is === null) return formatBytes((was ?? is) as number)
  return `${formatBytes(was)} → ${formatBytes(is)}`
}
