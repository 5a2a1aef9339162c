import {
  type ChangeOf,
  type Hostname,
  keys,
  MakiError,
  type Operation,
  type OperationId,
  shortId,
} from '../core/index.ts'
import type { Replica } from '../replication/index.ts'
import { resolvePrefix } from './output/operation-view.ts'

/** A published version of a site, with the operation that published it. */
export interface PublishedRelease {
  readonly operation: Operation
  readonly change: ChangeOf<'release.publish'>
}

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
 * rollback counts as the one that it restored, so that going back twice goes back two.
 */
export function chooseRollback(
  releases: readonly PublishedRelease[],
  domain: Hostname,
  served: OperationId | undefined,
  typed?: string,
): PublishedRelease {
  if (typed !== undefined) {
    const id = resolvePrefix(
      typed,
      releases.map(({ operation }) => operation.id),
      'release',
    )
    return findOrigin(releases, id) as PublishedRelease
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
    .find(({ change }) => change.tree !== present.change.tree)
  if (earlier !== undefined) return earlier
  throw new MakiError('MAKI_NOT_FOUND', `${domain} has no release before ${shortId(present.operation.id)}`, {
    hint: `maki release list ${domain}`,
  })
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
