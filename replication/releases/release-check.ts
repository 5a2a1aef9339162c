import {
  type BlobHash,
  hashBlob,
  MakiError,
  Manifest,
  type ManifestFile,
  namedBlobs,
  type Release,
} from '../../core/index.ts'
import type { WantedBlob } from '../transfer/index.ts'

/** What a check needs of the blob store. */
export interface ReleaseBlobs {
  /** Size of each blob that is durable here, undefined for the others. */
  sizes(hashes: readonly BlobHash[]): Promise<readonly (number | undefined)[]>
  /** All bytes of a small blob. Throws MAKI_BLOB_MISSING. */
  read(hash: BlobHash): Promise<Uint8Array>
  /** Reads a blob that is here again: true when its bytes are right. What is damaged is set aside, and so is not here. */
  examine(hash: BlobHash): Promise<boolean>
}

export type ReleaseCheck =
  /** Manifest, components and all files are durable here. */
  | { readonly kind: 'whole' }
  | { readonly kind: 'missing'; readonly blobs: readonly WantedBlob[] }
  /** No fetching will ever complete it: the publisher's mistake, or malice. */
  | { readonly kind: 'invalid'; readonly reason: string }

interface DecodedManifest {
  readonly hash: BlobHash
  readonly manifest: Manifest
}

/**
 * Says what of a release is here. Remembers the last release that was whole: of one that differs from it in some files
 * only those are looked up, and when it is asked for again nothing is. So `forget` has to be called when a blob is removed.
 */
export class ReleaseChecker {
  readonly #store: ReleaseBlobs
  #decoded: DecodedManifest | undefined
  #whole: DecodedManifest | undefined
  #removals = 0

  constructor(store: ReleaseBlobs) {
    this.#store = store
  }

  /** Blobs went: what was whole may not be. */
  forget(): void {
    this.#removals++
    this.#whole = undefined
  }

  async check(release: Release): Promise<ReleaseCheck> {
    const named = namedBlobs(release)
    const sizes = await this.#store.sizes(named)
    const missing = named.filter((_, i) => sizes[i] === undefined).map((hash) => ({ hash }))
    if (sizes[0] === undefined) return { kind: 'missing', blobs: missing }
    const files = await this.#checkManifest(release.manifest)
    switch (files.kind) {
      case 'whole':
        return missing.length === 0 ? files : { kind: 'missing', blobs: missing }
      case 'missing':
        return { kind: 'missing', blobs: [...missing, ...files.blobs] }
      case 'invalid':
        return files
      default:
        return files satisfies never
    }
  }

  async #checkManifest(hash: BlobHash): Promise<ReleaseCheck> {
    const base = this.#whole
    const removals = this.#removals
    if (base?.hash === hash) return { kind: 'whole' }
    let manifest: Manifest
    try {
      manifest = await this.#read(hash)
    } catch (error) {
      if (!(error instanceof MakiError) || error.code !== 'MAKI_INVALID') throw error
      if (!(await this.#store.examine(hash))) return { kind: 'missing', blobs: [{ hash }] }
      return { kind: 'invalid', reason: error.message }
    }
    const check = await this.#checkFiles(base === undefined ? manifest.files() : manifest.changedFrom(base.manifest))
    if (check.kind === 'whole' && this.#removals === removals) this.#whole = { hash, manifest }
    return check
  }

  async #read(hash: BlobHash): Promise<Manifest> {
    if (this.#decoded?.hash === hash) return this.#decoded.manifest
    const bytes = await this.#store.read(hash)
    // A bit that the disk flipped may leave a manifest that unpacks, and asks for files that nobody ever had.
    if (hashBlob(bytes) !== hash) throw new MakiError('MAKI_INVALID', `the manifest ${hash} has other bytes here`)
    const manifest = Manifest.decode(bytes)
    this.#decoded = { hash, manifest }
    return manifest
  }

  async #checkFiles(files: Iterable<ManifestFile>): Promise<ReleaseCheck> {
    const expected = new Map<BlobHash, number>()
    for (const { hash, sizeBytes, path } of files) {
      if ((expected.get(hash) ?? sizeBytes) !== sizeBytes)
        return { kind: 'invalid', reason: `the manifest gives two sizes for the bytes of ${JSON.stringify(path)}` }
      expected.set(hash, sizeBytes)
    }
    const sizes = await this.#store.sizes([...expected.keys()])
    const blobs: WantedBlob[] = []
    for (const [i, [hash, sizeBytes]] of [...expected].entries()) {
      if (sizes[i] === sizeBytes) continue
      // One of the two is wrong. A reader takes a file's length from one and its bytes from the other.
      if (sizes[i] === undefined || !(await this.#store.examine(hash))) blobs.push({ hash, sizeBytes })
      else return { kind: 'invalid', reason: `blob ${hash} has ${sizes[i]} bytes, the manifest says ${sizeBytes}` }
    }
    return blobs.length === 0 ? { kind: 'whole' } : { kind: 'missing', blobs }
  }
}

/** What of a release is here, without knowing anything of another. Costs one look-up a file. */
export function checkRelease(release: Release, store: ReleaseBlobs): Promise<ReleaseCheck> {
  return new ReleaseChecker(store).check(release)
}
