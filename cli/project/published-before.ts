import { type BlobHash, findRelease, type Hostname } from '../../core/index.ts'
import type { SyncTarget } from './sync-target.ts'
import type { AwaitedRelease } from './wait.ts'

/** What a folder is published as. */
interface BuiltSite {
  readonly manifest: { readonly hash: BlobHash }
}

/** True where just this site is the domain's release already. */
export const isWinner = ({ state }: Pick<SyncTarget, 'state'>, domain: Hostname, { manifest }: BuiltSite): boolean =>
  findRelease(state, domain)?.manifest === manifest.hash

/**
 * Sites that were published before just so, by a sync that was cut off perhaps: that nodes serve them is waited for all the same. What no
 * node has taken yet is left out, and told of otherwise.
 */
export function listPublishedBefore(
  target: Pick<SyncTarget, 'state' | 'waits'>,
  sites: ReadonlyMap<Hostname, BuiltSite>,
): readonly AwaitedRelease[] {
  return [...sites].flatMap(([domain, site]) => {
    const release = findRelease(target.state, domain)
    if (release === undefined || !isWinner(target, domain, site) || target.waits?.(domain) === true) return []
    return { domain, operation: release.id, isOld: true }
  })
}
