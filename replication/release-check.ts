import { type BlobHash, MakiError, Manifest, type Release } from '../core/index.ts'
import type { WantedBlob } from './blob-wants.ts'

/** What a check needs of the blob store. */
export interface ReleaseBlobs {
  /** Size of each blob that is durable here, undefined for the others. */
  sizes(hashes: readonly BlobHash[]): Promise<readonly (number | undefined)[]>
  /** All bytes of a small blob. Throws MAKI_BLOB_MISSING. */
  read(hash: BlobHash): Promise<Uint8Array>
}

export type ReleaseCheck =
  /** Manifest and all files are durable here. */
  | { readonly kind: 'whole' }
  | { readonly kind: 'missing'; readonly blobs: readonly WantedBlob[] }
  /** No fetching will ever complete it: the publisher's mistake, or malice. */
  | { readonly kind: 'invalid'; readonly reason: string }

/** What of a release is here. Costs one look-up a file; a manifest is not kept. */
export async function checkRelease(release: Release, store: ReleaseBlobs): Promise<ReleaseCheck> {
  const [manifestBytes] = await store.sizes([release.manifest])
  if (manifestBytes === undefined) return { kind: 'missing', blobs: [{ hash: release.manifest }] }
  let manifest: Manifest
  try {
    manifest = Manifest.decode(await store.read(release.manifest))
  } catch (error) {
    if (error instanceof MakiError && error.code === 'MAKI_INVALID') return { kind: 'invalid', reason: error.message }
    throw error
  }
  const expected = new Map<BlobHash, number>()
  for (const { hash, sizeBytes, path } of manifest.files()) {
    if ((expected.get(hash) ?? sizeBytes) !== sizeBytes)
      return { kind: 'invalid', reason: `the manifest gives two sizes for the bytes of ${JSON.stringify(path)}` }
    expected.set(hash, sizeBytes)
  }
  const hashes = [...expected.keys()]
  const sizes = await store.sizes(hashes)
  const blobs: WantedBlob[] = []
  for (const [i, [hash, sizeBytes]] of [...expected].entries()) {
    if (sizes[i] === undefined) blobs.push({ hash, sizeBytes })
    // A reader takes a file's length from one and its bytes from the other.
    else if (sizes[i] !== sizeBytes)
      return { kind: 'invalid', reason: `blob ${hash} has ${sizes[i]} bytes, the manifest says ${sizeBytes}` }
  }
  return blobs.length === 0 ? { kind: 'whole' } : { kind: 'missing', blobs }
}
