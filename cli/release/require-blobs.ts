import { type BlobHash, type Change, MakiError, Manifest, namedBlobs } from '../../core/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import { blobsOf } from './manifests.ts'

/**
 * Throws MAKI_BLOB_MISSING, before anything is signed, for a release that would come back and is not whole at the node that
 * answers: it would refuse it, and all that is made here afterwards. What waits here with its files is brought along. Does
 * nothing where no node answers.
 */
export async function requireBlobs(client: ClusterClient, changes: readonly Change[]): Promise<void> {
  const reached = await client.reach()
  if (reached === undefined) return
  const lacks = async (hashes: readonly BlobHash[]): Promise<boolean> => {
    const missing = await reached.control.missingBlobs(hashes, client.signal)
    return ((await client.blobs?.missing(missing)) ?? missing).length > 0
  }
  for (const change of changes) {
    if (change.kind !== 'release.publish') continue
    if (!(await lacks(namedBlobs(change)))) {
      const manifest = Manifest.decode(await blobsOf(client).read(change.manifest))
      if (!(await lacks([...new Set([...manifest.files()].map(({ hash }) => hash))]))) continue
    }
    throw new MakiError(
      'MAKI_BLOB_MISSING',
      `the files of the release of ${change.domain} that would come back are not at ${reached.machine.name} any more`,
      { hint: `maki release list ${change.domain} shows the others; maki sync publishes anew.` },
    )
  }
}
