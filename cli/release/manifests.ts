import { type BlobHash, MakiError, Manifest, namedBlobs, type OperationId, shortId } from '../../core/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import type { PublishedRelease } from './published.ts'

/** Bytes of blobs, from what waits on this computer or from the node that answers. */
export function blobsOf(client: ClusterClient): { read(hash: BlobHash): Promise<Uint8Array> } {
  return {
    async read(hash) {
      const waiting = await client.blobs?.find(hash)
      if (waiting !== undefined) return waiting
      const { control } = await client.requireReach()
      return control.readBlob(hash, client.signal)
    },
  }
}

/**
 * The list of a release's files. Throws MAKI_UNREACHABLE where it is not here and no node answers, and MAKI_BLOB_MISSING where
 * the node that answers does not keep it any more.
 */
export async function readManifest(client: ClusterClient, { operation, change }: PublishedRelease): Promise<Manifest> {
  try {
    return Manifest.decode(await blobsOf(client).read(change.manifest))
  } catch (error) {
    if (!(error instanceof MakiError) || error.code !== 'MAKI_NOT_FOUND') throw error
    throw gone(operation.id, 'the list of its files is')
  }
}

/** How much of a release the node that answers still has. */
export type Kept = 'whole' | 'partly' | 'gone'

/** What of a release the node that answers lacks; undefined where none answers. */
export async function findMissing(
  client: ClusterClient,
  release: PublishedRelease,
): Promise<{ readonly kept: Kept; readonly missing: number } | undefined> {
  const reached = await client.reach()
  if (reached === undefined) return undefined
  const { control } = reached
  const named = namedBlobs(release.change)
  const lacking = await control.missingBlobs(named, client.signal)
  if (lacking.includes(release.change.manifest)) return { kept: 'gone', missing: release.change.files }
  const manifest = await readManifest(client, release)
  const files = [...new Set([...manifest.files()].map(({ hash }) => hash))]
  const missing = lacking.length + (await control.missingBlobs(files, client.signal)).length
  return { kept: missing === 0 ? 'whole' : 'partly', missing }
}

/** The releases whose list of files the node that answers still has, newest first; undefined where none answers. */
export async function listKept(
  client: ClusterClient,
  releases: readonly PublishedRelease[],
): Promise<ReadonlySet<OperationId> | undefined> {
  const reached = await client.reach()
  if (reached === undefined) return undefined
  const manifests = [...new Set(releases.map(({ change }) => change.manifest))]
  const lacking = new Set(await reached.control.missingBlobs(manifests, client.signal))
  return new Set(releases.filter(({ change }) => !lacking.has(change.manifest)).map(({ operation }) => operation.id))
}

/** Said where a release cannot be had any more. */
export function gone(id: OperationId, what: string, hint = 'Another node may have it: --node NAME'): MakiError {
  return new MakiError('MAKI_BLOB_MISSING', `release ${shortId(id)} is not kept any more: ${what} gone`, { hint })
}
