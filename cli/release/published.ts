import {
  type ChangeOf,
  encodeCanonical,
  type Hostname,
  keys,
  type Operation,
  type ReleaseValue,
  shortId,
} from '../../core/index.ts'
import { findPublication, type Replica } from '../../replication/local/index.ts'
import { resolvePrefix } from '../operations/resolve-prefix.ts'

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
    const change = findPublication(operation, domain)
    if (change !== undefined) releases.push({ operation, change })
  }
  return releases
}

/** The release that a person named, by its id or the beginning of it. Throws as `resolvePrefix` does. */
export function requireRelease(releases: readonly PublishedRelease[], typed: string): PublishedRelease {
  const ids = releases.map(({ operation }) => operation.id)
  const id = resolvePrefix(typed, ids, 'release', describeChoice(releases))
  return releases.find(({ operation }) => operation.id === id) as PublishedRelease
}

/** What is left to choose from, as a hint. */
export function describeChoice(releases: readonly PublishedRelease[]): string {
  const ids = releases.slice(0, MAX_OFFERED).map(({ operation }) => shortId(operation.id))
  return ids.length === 0 ? 'There is none left: maki sync publishes one.' : `There are: ${ids.join(', ')}`
}

const MAX_OFFERED = 5
