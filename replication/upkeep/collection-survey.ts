import { type Hostname, keys, type OperationId, type Release, type ReleaseValue, type State } from '../../core/index.ts'
import {
  datedReleases,
  findPublished,
  isPurged,
  listPurges,
  MOST_KEPT,
  mayBeOpen,
  type Purge,
  type ReleaseHistory,
} from '../releases/index.ts'
import type { CollectionMemory } from './collection-file.ts'
import { type DomainReleases, KEPT_MANIFESTS_OF } from './collection-plan.ts'

/** What each domain was and is, as far as it says which blobs stay; one after another, so that it can be broken off. */
export async function* surveyReleases(
  replica: ReleaseHistory,
  memory: CollectionMemory,
  nowMs: number,
): AsyncGenerator<DomainReleases> {
  for (const domain of listDomainsEver(replica.state)) {
    const found = await readReleases(replica, domain, memory.purges, nowMs)
    const isRemoved = replica.state.get(keys.domain(domain)) === undefined
    // A time that lies ahead was written by a clock that was wrong, and counts from now.
    const removedMs = isRemoved ? Math.min(memory.removed.get(domain) ?? nowMs, nowMs) : undefined
    yield { ...found, removedMs }
  }
}

/** Every domain that there is, or ever was: whoever set one claimed its host name, and claims stay behind. */
function listDomainsEver(state: State): readonly Hostname[] {
  return [...new Set([...state.ids('domain'), ...state.ids('host')])] as Hostname[]
}

/**
 * The releases of a domain that say what has to stay. A purged release counts for nothing; those of a purge that is not
 * `done` yet are named, so that their blobs go.
 */
async function readReleases(
  replica: ReleaseHistory,
  domain: Hostname,
  done: ReadonlySet<OperationId>,
  nowMs: number,
): Promise<Omit<DomainReleases, 'removedMs'>> {
  const purges = await listPurges(replica, domain)
  const live = await listLive(replica, domain, purges)
  const pending = purges.filter(({ id }) => !done.has(id)).map(({ id }) => id)
  const releases: Release[] = []
  const endedMs = new Map<OperationId, number>()
  const purged = new Set<OperationId>()
  for await (const dated of datedReleases(replica, domain)) {
    const { release } = dated
    const isTaken = isPurged(replica, release.id, purges)
    if (isTaken && pending.length === 0) continue
    const isBeyond = releases.length >= MOST_KEPT || !mayBeOpen(dated, nowMs)
    if (pending.length === 0 && releases.length >= KEPT_MANIFESTS_OF && isBeyond) break
    if (isTaken) purged.add(release.id)
    if (dated.endedMs !== undefined) endedMs.set(release.id, dated.endedMs)
    releases.push(release)
  }
  return { domain, releases, endedMs, live, purged, pending }
}

/** The winner whatever it is, and what else a merge may need. */
async function listLive(replica: ReleaseHistory, domain: Hostname, purges: readonly Purge[]): Promise<Release[]> {
  const key = keys.release(domain)
  const [winner, ...others] = replica.frontier(key)
  if (winner === undefined) return []
  const baseId = others.length === 0 ? undefined : replica.mergeBase(key)
  const standing = others.filter(({ operation }) => !isPurged(replica, operation, purges))
  const live = [winner, ...standing].flatMap(({ operation, value }): Release[] =>
    value === undefined ? [] : [{ ...(value as ReleaseValue), id: operation, domain }],
  )
  const base = baseId === undefined || standing.length === 0 ? undefined : await replica.read(baseId)
  const release = base === undefined ? undefined : findPublished(base, domain)
  return release === undefined ? live : [...live, release]
}
