import {
  type BlobHash,
  type BlobReader,
  describeMerge,
  type Hostname,
  hashBlob,
  keys,
  MakiError,
  Manifest,
  type Merge,
  type MergedRelease,
  type MergePlan,
  mergeReleases,
  planMerge,
} from '../../core/index.ts'
import { findPublished, isPurged, listPurges, type ReleaseHistory } from './release-history.ts'

/** A merge that was computed, with the manifest's bytes as every node stores them. */
export interface ComputedMerge {
  readonly plan: MergePlan
  readonly merge: Merge
  readonly release: MergedRelease
  readonly bytes: Uint8Array
}

/**
 * What a domain's concurrent releases are to be merged from, whether or not its owner asked for it; undefined where there
 * is nothing to merge. A purged release is no side any more.
 */
export async function findMergePlan(history: ReleaseHistory, domain: Hostname): Promise<MergePlan | undefined> {
  const key = keys.release(domain)
  const sides = history.frontier(key)
  if (sides.length < 2) return undefined
  // Asked for in the same turn as the sides, so that both are of one state.
  const baseId = history.mergeBase(key)
  const purges = await listPurges(history, domain)
  const standing = sides.filter(({ operation }) => !isPurged(history, operation, purges))
  const operation = baseId === undefined ? undefined : await history.read(baseId)
  return planMerge(domain, standing, operation === undefined ? undefined : findPublished(operation, domain))
}

/** Blobs of the manifests that a merge is computed from. */
export function manifestsOf({ base, sides }: MergePlan): BlobHash[] {
  return [...new Set([...(base === undefined ? [] : [base]), ...sides].map(({ manifest }) => manifest))]
}

/** The files of all sides and the base together, for they are in memory together: two sides and a base of the largest site. */
const MAX_FILES_READ = 3_000_000

/**
 * Computes a merge from the manifests, which have to be at hand. Throws MAKI_BLOB_MISSING, MAKI_INVALID for a manifest that
 * is none or has other bytes here, MAKI_TOO_LARGE.
 */
export async function assembleMerge(
  plan: MergePlan,
  blobs: Pick<BlobReader, 'read'>,
  maxFilesRead = MAX_FILES_READ,
): Promise<ComputedMerge> {
  const manifests = new Map<BlobHash, Manifest>()
  let files = 0
  for (const hash of manifestsOf(plan)) {
    const bytes = await blobs.read(hash)
    // A bit that the disk flipped may leave a manifest that unpacks, and this node would merge what no other does.
    if (hashBlob(bytes) !== hash) throw new MakiError('MAKI_INVALID', `the manifest ${hash} has other bytes here`)
    const manifest = Manifest.decode(bytes)
    manifests.set(hash, manifest)
    files += manifest.fileCount
    if (files > maxFilesRead)
      throw new MakiError('MAKI_TOO_LARGE', `the releases have more than ${maxFilesRead} files together`, {
        hint: 'Publish the site again: the next release ends the merge.',
      })
  }
  const merge = mergeReleases(plan, manifests)
  return { plan, merge, ...describeMerge(plan, merge) }
}

/**
 * What the concurrent releases of a domain are together: on a node, which reads manifests from its disk, and on a laptop,
 * which asks a node for them. Undefined where there is nothing to merge. Throws as `assembleMerge` does.
 */
export async function computeMerge(
  history: ReleaseHistory,
  blobs: Pick<BlobReader, 'read'>,
  domain: Hostname,
): Promise<ComputedMerge | undefined> {
  const plan = await findMergePlan(history, domain)
  return plan === undefined ? undefined : await assembleMerge(plan, blobs)
}
