import type { ClusterId, OperationId, Release, RemovalReach, SealedThing } from '../../core/index.ts'
import type { Style } from '../output/style.ts'
import { count, formatBytes, plainLine } from '../output/text.ts'
import type { KeptDomain, LostNode, RebuildPlan } from './plan-rebuild.ts'

/** A release, and whether its files wait on this computer for a node: then they need not be published again. */
export interface RebuiltDomain extends Omit<KeptDomain, 'release'> {
  readonly release: Pick<Release, 'id' | 'files' | 'bytes'> | null
  readonly filesWaitHere: boolean
}

/** What `maki cluster rebuild` did, and what is left to do. */
export interface Rebuild {
  readonly cluster: ClusterId
  /** False: no node was left to be taken out, and the profile named no machine. */
  readonly changed: boolean
  readonly removed: readonly (LostNode & {
    /** Where its server was reached; null where the profile did not say. */
    readonly sshTarget: string | null
  })[]
  readonly how: RemovalReach
  readonly voids: readonly OperationId[]
  readonly operation: OperationId | null
  /** Machines that the profile named, and names no more. */
  readonly forgotten: readonly string[]
  readonly domains: readonly RebuiltDomain[]
  readonly sealed: readonly SealedThing[]
  readonly peers: readonly string[]
}

/** What the copy has and what will happen, a line each, for who is asked. Pure. */
export function describeRebuild(
  plan: RebuildPlan,
  { operations, how, forgotten }: { operations: number; how: RemovalReach; forgotten: readonly string[] },
): readonly string[] {
  const lines = [`The copy on this computer has ${count(operations, 'operation')} of ${plainLine(plan.cluster)}:`]
  for (const domain of plan.domains) lines.push(`  ${describeDomain(domain)}`)
  if (plan.domains.length === 0) lines.push('  no domain')
  const word = how === 'revoke' ? 'Revoked' : 'Retired'
  if (plan.lost.length > 0)
    lines.push(
      `${word} for ever, in one operation: ${listNames(plan.lost.map(({ name }) => name))}. A removed key never returns.`,
    )
  if (plan.voids.length > 0) lines.push(`${count(plan.voids.length, 'operation')} of them will not count any more.`)
  if (forgotten.length > 0) lines.push(`The profile forgets how to reach ${listNames(forgotten)}.`)
  if (plan.sealed.length > 0)
    lines.push('Nobody can open these any more:', ...plan.sealed.map((what) => `  ${nameSealed(what)}`))
  return lines
}

function describeDomain({ domain, aliases, records, release }: KeptDomain): string {
  const parts = [
    ...(aliases === 0 ? [] : [count(aliases, 'alias', 'aliases')]),
    ...(records === 0 ? [] : [count(records, 'RRset')]),
    release === null ? 'no release' : `a release of ${count(release.files, 'file')}, ${formatBytes(release.bytes)}`,
  ]
  return `${domain}: ${parts.join(', ')}`
}

/** What was done, and what a person does next. Pure. */
export function formatRebuild(rebuild: Rebuild, style: Style): string {
  const { changed, removed, how, domains, sealed, peers } = rebuild
  const parts: string[] = []
  if (!changed) parts.push('No node is left to be taken out, and the profile names no machine.')
  else if (removed.length === 0) parts.push(`${style.good('Done')}: the profile names no machine any more.`)
  else {
    parts.push(
      `${style.good(how === 'revoke' ? 'Revoked' : 'Retired')} ${listNames(removed.map(({ name }) => name))}. The first new machine begins with all that is here.`,
    )
    const reached = removed.filter(({ sshTarget }) => sshTarget !== null)
    if (reached.length > 0)
      parts.push(
        [
          'They were reached by:',
          ...reached.map(({ name, sshTarget }) => `  ${name}  ${plainLine(sshTarget ?? '')}`),
        ].join('\n'),
      )
  }
  const steps = ['maki machine init NAME USER@HOST      for each new server: same cluster, same keys of people']
  const glue = domains.length === 0 ? [] : ['at the registrars                     what that says of name servers']
  parts.push(['', 'Next:', ...[...steps, ...glue, ...listPublishing(domains)].map((line) => `  ${line}`)].join('\n'))
  if (sealed.length > 0)
    parts.push(
      [
        'To be given anew, since only the lost nodes could open it:',
        ...sealed.map((what) => `  ${nameSealed(what)}: ${tellRenewal(what)}`),
      ].join('\n'),
    )
  if (peers.length > 0)
    parts.push(
      `External peers know only the lost nodes: ${peers.map((name) => `maki peer wg-config ${name}`).join('; ')}`,
    )
  return parts.join('\n')
}

/** How the files of each release come back: one line for a project. */
function listPublishing(domains: readonly RebuiltDomain[]): readonly string[] {
  const lines: string[] = []
  const missing = domains.filter(({ release, filesWaitHere }) => release !== null && !filesWaitHere)
  for (const [project, group] of Map.groupBy(missing, ({ project }) => project)) {
    const names = group.map(({ domain }) => domain).join(', ')
    const what = project === null ? `the files of ${names}, which no project` : `the files of ${names}`
    const pad = project === null ? 'maki sync' : `maki sync  (in the project ${plainLine(project)})`
    lines.push(`${pad.padEnd(38)}${project === null ? `${what} wrote: from wherever they are` : what}`)
  }
  const waiting = domains.filter(({ release, filesWaitHere }) => release !== null && filesWaitHere)
  if (waiting.length > 0)
    lines.push(
      `${'maki push'.padEnd(38)}the files of ${waiting.map(({ domain }) => domain).join(', ')}, which wait here`,
    )
  return lines
}

function tellRenewal(what: SealedThing): string {
  switch (what.kind) {
    case 'certificate':
      return 'maki cert import, from where its private key is kept, or a new one'
    case 'revocation':
      return 'have it revoked where it came from'
    case 'account':
      return 'replace its key there'
    case 'env':
      return 'maki sync in its project'
    default:
      return what satisfies never
  }
}

function nameSealed(what: SealedThing): string {
  switch (what.kind) {
    case 'certificate':
      return `the private key of the certificate ${plainLine(what.name)}`
    case 'revocation':
      return `the private key of a replaced certificate of ${plainLine(what.name)}`
    case 'account':
      return `the account at ${plainLine(what.directory)}`
    case 'env':
      return `${plainLine(what.name)} of ${plainLine(what.component)} at ${what.domain}`
    default:
      return what satisfies never
  }
}

const listNames = (names: readonly string[]): string => names.map(plainLine).join(', ')
