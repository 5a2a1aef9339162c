import {
  type ChangeOf,
  encodeCanonical,
  type Hostname,
  keys,
  MakiError,
  type Operation,
  type OperationId,
  type ReleaseValue,
  shortId,
} from '../../core/index.ts'
import type { Replica } from '../../replication/index.ts'
import { resolvePrefix } from '../output/operation-view.ts'

/** A published version of a site, with the operation that published it. */
export interface PublishedRelease {
  readonly operation: Operation
  readonly change: ChangeOf<'release.publish'>
}

/** True for releases that serve the same files by the same components. */
export function isSameContent(a: ReleaseContent, b: ReleaseContent): boolean {
  const components = ({ functions = [], transforms = [] }: ReleaseContent) => encodeCanonical([functions, transforms])
  return a.tree === b.tree && Buffer.compare(components(a), components(b)) === 0
}

type ReleaseContent = Pick<ReleaseValue, 'tree' | 'functions' | 'transforms'>

/** All counted releases of a domain, newest first. */
export async function listReleases(
  replica: Pick<Replica, 'history'>,
  domain: Hostname,
): Promise<readonly PublishedRelease[]> {
  const releases: PublishedRelease[] = []
  for await (const operation of replica.history(keys.release(domain))) {
    // The last change of an operation to a key is what the key becomes.
    const change = operation.changes.findLast(
      (candidate) => candidate.kind === 'release.publish' && candidate.domain === domain,
    )
    if (change?.kind === 'release.publish') releases.push({ operation, change })
  }
  return releases
}

/**
 * The release to go back to: the one that was typed, or the one before what is served. A release that is itself a
 * rollback counts as the one that it restored, so that going back twice goes back two. None of `purged` is chosen; one
 * that is typed is refused with what is left.
 */
export function chooseRollback(
  releases: readonly PublishedRelease[],
  domain: Hostname,
  served: OperationId | undefined,
  typed?: string,
  purged: ReadonlySet<OperationId> = new Set(),
): PublishedRelease {
  if (typed !== undefined) {
    const id = resolvePrefix(
      typed,
      releases.map(({ operation }) => operation.id),
      'release',
    )
    const chosen = findOrigin(releases, id) as PublishedRelease
    // A rollback outlives the purge of what it restored.
    const standing = [chosen, requireRelease(releases, id)].find(({ operation }) => !purged.has(operation.id))
    if (standing !== undefined) return standing
    throw new MakiError('MAKI_OPERATION_REFUSED', `release ${shortId(id)} was purged: it is never served again`, {
      hint: describeChoice(releases.filter(({ operation }) => !purged.has(operation.id))),
    })
  }
  const present = served === undefined ? undefined : findOrigin(releases, served)
  if (present === undefined) {
    throw new MakiError('MAKI_NOT_FOUND', `${domain} serves no release, so there is none before it`, {
      hint: 'maki sync publishes one.',
    })
  }
  const originals = releases.filter(({ change }) => change.rollbackOf === undefined)
  const earlier = originals
    .slice(originals.indexOf(present) + 1)
    .find(({ change, operation }) => !isSameContent(change, present.change) && !purged.has(operation.id))
  if (earlier !== undefined) return earlier
  throw new MakiError('MAKI_NOT_FOUND', `${domain} has no release before ${shortId(present.operation.id)}`, {
    hint: `maki release list ${domain}`,
  })
}

/** The release that a person named, by its id or the beginning of it. */
export function resolveRelease(releases: readonly PublishedRelease[], typed: string): PublishedRelease {
  const ids = releases.map(({ operation }) => operation.id)
  return requireRelease(releases, resolvePrefix(typed, ids, 'release'))
}

/** What is left to choose from, as a hint. */
export function describeChoice(releases: readonly PublishedRelease[]): string {
  const ids = releases.slice(0, MAX_OFFERED).map(({ operation }) => shortId(operation.id))
  return ids.length === 0 ? 'There is none left: maki sync publishes one.' : `There are: ${ids.join(', ')}`
}

const MAX_OFFERED = 5

function requireRelease(releases: readonly PublishedRelease[], id: OperationId): PublishedRelease {
  return releases.find(({ operation }) => operation.id === id) as PublishedRelease
}

/** The release whose content this one has: itself, or what its chain of rollbacks leads to. */
function findOrigin(releases: readonly PublishedRelease[], id: OperationId): PublishedRelease | undefined {
  const byId = new Map<string, PublishedRelease>(releases.map((release) => [release.operation.id, release]))
  let release = byId.get(id)
  for (let steps = releases.length; release?.change.rollbackOf !== undefined && steps > 0; steps--) {
    const origin = byId.get(release.change.rollbackOf)
    if (origin === undefined) break
    release = origin
  }
  return release
}
