import type { BlobHash, Hostname, OperationId, Release } from '../../core/index.ts'
import { judgeLease } from '../blobs/blob-lease.ts'
import { KEPT_FILES_OF, MOST_KEPT, mayBeOpen, OPEN_PAGE_MS } from '../releases/index.ts'

/** What a domain was, as far as it says which blobs have to stay. */
export interface DomainReleases {
  readonly domain: Hostname
  /** Newest first: the last ones that were published, those that a page may be open of, and every one that is to be purged. */
  readonly releases: readonly Release[]
  /** When each of `releases` was replaced, milliseconds since the epoch; those that stand have no entry. */
  readonly endedMs: ReadonlyMap<OperationId, number>
  /** What is served or may be at any moment: the winner, and the sides and base of what is concurrent. */
  readonly live: readonly Release[]
  /** Those of `releases` that the owner took back for good. */
  readonly purged: ReadonlySet<OperationId>
  /** The purges that took them, as far as they are still to be carried out. */
  readonly pending: readonly OperationId[]
  /** When this node saw that the domain was removed, milliseconds since the epoch; undefined for one that stands. */
  readonly removedMs: number | undefined
}

/** Which releases blobs have to stay for. Blobs that stay for none live as long as their lease. */
export interface CollectionPlan {
  /** Manifest, components and files stay. */
  readonly whole: readonly Release[]
  /** The manifest stays, so that `release list` and `diff` can tell of it. */
  readonly manifests: ReadonlySet<BlobHash>
  /** Whatever these have and nothing above needs goes, lease or not. */
  readonly purged: readonly Release[]
}

/** Which of some blobs go; the leases of `restart` count from now. */
interface SweepPlan {
  readonly drop: readonly BlobHash[]
  readonly restart: readonly BlobHash[]
}

export const KEPT_MANIFESTS_OF = 50
/**
 * How long the releases of a removed domain stay as if it stood, so that the removal can be undone: as long as an open page
 * may still ask for its assets.
 */
export const REMOVED_GRACE_MS = OPEN_PAGE_MS

/** What a collection is planned in. */
export interface CollectionCircumstances {
  readonly nowMs: number
  readonly isClockTrusted?: boolean
  readonly isDiskShort?: boolean
}

/**
 * Decides from the history of every domain, and what this node serves or is about to (`wanted`). Pure; the order of the
 * domains does not matter. Where the clock is not to be trusted (it jumped ahead), nothing runs out. Where the disk is short,
 * open pages have to do with the last releases.
 */
export function planCollection(
  domains: readonly DomainReleases[],
  wanted: readonly Release[],
  { nowMs, isClockTrusted = true, isDiskShort = false }: CollectionCircumstances,
): CollectionPlan {
  const whole = new Map(wanted.map((release) => [keyOf(release), release]))
  const manifests = new Set<BlobHash>()
  const purged: Release[] = []
  for (const { releases, endedMs, live, purged: taken, removedMs } of domains) {
    for (const release of live) whole.set(keyOf(release), release)
    purged.push(...releases.filter(({ id }) => taken.has(id)))
    const isGone = removedMs !== undefined && isClockTrusted && nowMs - removedMs >= REMOVED_GRACE_MS
    if (isGone) continue
    const kept = releases.filter(({ id }) => !taken.has(id))
    for (const [i, release] of kept.slice(0, MOST_KEPT).entries()) {
      const isOpen = !isDiskShort && mayBeOpen({ endedMs: endedMs.get(release.id) }, nowMs)
      if (i < KEPT_FILES_OF || isOpen) whole.set(keyOf(release), release)
      if (i < KEPT_MANIFESTS_OF) manifests.add(release.manifest)
    }
  }
  return { whole: [...whole.values()], manifests, purged }
}

/** The purges that a collection with this plan carries out whole: nothing that they took is served any more. Pure. */
export function listCarriedOut(domains: readonly DomainReleases[], { whole }: CollectionPlan): OperationId[] {
  const kept = new Set(whole.map(keyOf))
  return domains.flatMap(({ domain, purged, pending }) =>
    [...purged].some((id) => kept.has(keyOf({ id, domain }))) ? [] : pending,
  )
}

/** Decides about blobs that are here, given what is needed and what is purged. Pure. */
export function planSweep(
  blobs: Iterable<{ readonly hash: BlobHash; readonly leasedMs: number }>,
  { needed, purged }: { readonly needed: HashFilter; readonly purged: HashFilter },
  { nowMs, isClockTrusted = true }: { readonly nowMs: number; readonly isClockTrusted?: boolean },
): SweepPlan {
  const drop: BlobHash[] = []
  const restart: BlobHash[] = []
  for (const { hash, leasedMs } of blobs) {
    if (needed.has(hash)) continue
    if (purged.has(hash)) {
      drop.push(hash)
      continue
    }
    const lease = judgeLease(leasedMs, nowMs)
    if (lease === 'ahead') restart.push(hash)
    else if (lease === 'ended' && isClockTrusted) drop.push(hash)
  }
  return { drop, restart }
}

/** A set of hashes that may say yes for one that it was not given, never no for one that it was. */
export interface HashFilter {
  has(hash: BlobHash): boolean
}

/** One operation can publish releases of several domains. */
const keyOf = ({ id, domain }: Pick<Release, 'id' | 'domain'>): string => `${id} ${domain}`
