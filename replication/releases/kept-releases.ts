import { type Hostname, keys, type OperationId, type Release, type ReleaseValue } from '../../core/index.ts'
import { findPublished, isPurged, listPurges, type ReleaseHistory } from './release-history.ts'

/** A release, and when it was replaced. */
export interface DatedRelease {
  readonly release: Release
  /**
   * The stamp of the first operation that follows it and touches its domain's release, milliseconds since the epoch by its
   * author's clock. Undefined for what stands: the winner, and what was published beside it.
   */
  readonly endedMs: number | undefined
}

/** A rollback reaches so many releases back. */
export const KEPT_FILES_OF = 10
/** How long a page that was open when its release was replaced may ask for the rest of it. */
export const OPEN_PAGE_MS = 7 * 24 * 60 * 60 * 1000
/** Of releases that stay for open pages alone: 70 a day. Who publishes more has their pages open for less. */
export const MOST_KEPT = 500

/** True for a release that a page may be open of. */
export const mayBeOpen = ({ endedMs }: Pick<DatedRelease, 'endedMs'>, nowMs: number): boolean =>
  endedMs === undefined || nowMs - endedMs < OPEN_PAGE_MS

/** Every publication of a domain that counts, newest first, purged ones too. */
export async function* datedReleases(history: ReleaseHistory, domain: Hostname): AsyncGenerator<DatedRelease> {
  /** Newest first, so the next one is the last. */
  const later: { readonly id: OperationId; readonly wallMs: number }[] = []
  for await (const operation of history.history(keys.release(domain))) {
    const release = findPublished(operation, domain)
    const { id, stamp } = operation
    if (release !== undefined) {
      const next = later.findLast((one) => history.isAncestor(id, one.id))
      yield { release: { ...release, publishedMs: stamp.wallMs }, endedMs: next?.wallMs }
    }
    later.push({ id, wallMs: stamp.wallMs })
  }
}

/**
 * The releases of a domain whose files stay on every node, newest first: the last ten, those that a page may be open of,
 * and what stands beside the winner. None of a domain that was removed, and none that was purged.
 */
export async function listKeptReleases(
  history: ReleaseHistory,
  domain: Hostname,
  nowMs: number,
): Promise<readonly DatedRelease[]> {
  if (history.state.get(keys.domain(domain)) === undefined) return []
  const standing = history.frontier(keys.release(domain))
  const purges = await listPurges(history, domain)
  const kept: DatedRelease[] = []
  for await (const dated of datedReleases(history, domain)) {
    if (isPurged(history, dated.release.id, purges)) continue
    if (kept.length >= KEPT_FILES_OF && (kept.length >= MOST_KEPT || !mayBeOpen(dated, nowMs))) break
    kept.push(dated)
  }
  const ids = new Set(kept.map(({ release }) => release.id))
  const older = standing.filter(({ operation }) => !ids.has(operation) && !isPurged(history, operation, purges))
  const beside = older.flatMap(({ operation, value }): DatedRelease[] =>
    value === undefined ? [] : [{ release: { ...(value as ReleaseValue), id: operation, domain }, endedMs: undefined }],
  )
  return [...kept, ...beside]
}
