import { promisify } from 'node:util'
import { constants, zstdCompressSync, zstdDecompress, zstdDecompressSync } from 'node:zlib'
import { encodeCanonical } from '../encoding/index.ts'
import { MakiError } from '../errors.ts'
import { type BlobHash, hashBlob, ID_BYTES } from '../ids.ts'
import { type FolderListing, isFolder, listFolder } from './folder-listing.ts'
import { MANIFEST_FORMAT, MAX_FILES, type ManifestContent, malformed, readManifestContent } from './manifest-content.ts'
import { checkPath } from './site-path.ts'
import { frameRaw } from './zstd-frame.ts'

export interface ManifestFile {
  /** Relative to the site's root, `/` between segments, no empty, `.` or `..` segment; any other character may occur. */
  readonly path: string
  readonly hash: BlobHash
  readonly sizeBytes: number
}

/** As a blob: `bytes` are stored under `hash`; `tree` is the hash of the content before compression. */
export interface EncodedManifest {
  readonly bytes: Uint8Array
  readonly hash: BlobHash
  readonly tree: BlobHash
}

/** What a decompression bomb is stopped at: a million files of the longest usual names. */
const MAX_DECODED_BYTES = 256 * 1024 * 1024
const UNPACKING = { maxOutputLength: MAX_DECODED_BYTES }
const unpack = promisify(zstdDecompress)

/**
 * What a site consists of. Content: the MessagePack array `[1, paths, sizes, hashes]`, paths sorted by code unit,
 * hashes 32 bytes each in one binary; compressed with zstd. Equal files give equal bytes.
 */
export class Manifest {
  readonly #index: ReadonlyMap<string, number>
  readonly #paths: readonly string[]
  readonly #sizes: readonly number[]
  readonly #hashes: Buffer
  readonly totalBytes: number

  private constructor({ paths, index, sizes, hashes }: ManifestContent) {
    this.#paths = paths
    this.#index = index
    this.#sizes = sizes
    this.#hashes = Buffer.from(hashes.buffer, hashes.byteOffset, hashes.byteLength)
    this.totalBytes = sizes.reduce((sum, size) => sum + size, 0)
  }

  /** Throws MAKI_INVALID for a path that no site has, or one that stands twice, MAKI_TOO_LARGE above MAX_FILES. */
  static of(files: Iterable<ManifestFile>): Manifest {
    const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
    if (sorted.length > MAX_FILES)
      throw new MakiError('MAKI_TOO_LARGE', `the site has ${sorted.length} files, ${MAX_FILES} can be published`)
    const hashes = Buffer.alloc(sorted.length * ID_BYTES)
    for (const [i, file] of sorted.entries()) {
      checkPath(file.path)
      if (i > 0 && sorted[i - 1]?.path === file.path)
        throw new MakiError('MAKI_INVALID', `${JSON.stringify(file.path)} stands twice in the manifest`)
      hashes.write(file.hash, i * ID_BYTES, 'hex')
    }
    const paths = sorted.map((file) => file.path)
    const index = new Map(paths.map((path, i) => [path, i]))
    return new Manifest({ paths, index, sizes: sorted.map((file) => file.sizeBytes), hashes })
  }

  /** Throws MAKI_INVALID for anything but the bytes that `encode` makes (compression level aside). */
  static decode(bytes: Uint8Array): Manifest {
    let content: Uint8Array
    try {
      content = zstdDecompressSync(bytes, UNPACKING)
    } catch (cause) {
      throw malformed('it does not unpack', cause)
    }
    const steps = readManifestContent(content)
    let step = steps.next()
    while (step.done !== true) step = steps.next()
    return new Manifest(step.value)
  }

  /**
   * As `decode`, with a rest after every few milliseconds of work: a site of 100,000 files takes tenths of a second, in which
   * a server would answer nobody.
   */
  static async decodeInSteps(bytes: Uint8Array, rest: () => Promise<void>): Promise<Manifest> {
    const content = await unpack(bytes, UNPACKING).catch((cause: unknown) => {
      throw malformed('it does not unpack', cause)
    })
    const steps = readManifestContent(content)
    let step = steps.next()
    while (step.done !== true) {
      await rest()
      step = steps.next()
    }
    return new Manifest(step.value)
  }

  encode(): EncodedManifest {
    const content = this.#content()
    const bytes = new Uint8Array(zstdCompressSync(content, { params: { [constants.ZSTD_c_compressionLevel]: 6 } }))
    return { bytes, hash: hashBlob(bytes), tree: hashBlob(content) }
  }

  /**
   * As `encode`, but not compressed: what a compressor makes differs from one version to the next, and these bytes are
   * made alike by every node.
   */
  encodeStored(): EncodedManifest {
    const content = this.#content()
    const bytes = frameRaw(content)
    return { bytes, hash: hashBlob(bytes), tree: hashBlob(content) }
  }

  #content(): Uint8Array {
    return encodeCanonical([MANIFEST_FORMAT, this.#paths, this.#sizes, this.#hashes])
  }

  get fileCount(): number {
    return this.#paths.length
  }

  find(path: string): ManifestFile | undefined {
    const i = this.#index.get(path)
    return i === undefined ? undefined : this.#file(i)
  }

  /** At most `most` names in a folder (`''` is the root), after one of them (see `listFolder`). None where it is no folder. */
  list(folder: string, after: string | undefined, most: number): FolderListing {
    return listFolder(this.#paths, folder, after, most)
  }

  /** True where a file lies below the path, and for `''`. */
  hasFolder(path: string): boolean {
    return isFolder(this.#paths, path)
  }

  /** Sorted by path. */
  *files(): Generator<ManifestFile> {
    for (let i = 0; i < this.#paths.length; i++) yield this.#file(i)
  }

  /** The files that are not the same, under the same path, in `base`; sorted by path. Costs little for those that are. */
  *changedFrom(base: Manifest): Generator<ManifestFile> {
    let at = 0
    for (let i = 0; i < this.#paths.length; i++) {
      const path = this.#paths[i] as string
      while (at < base.#paths.length && (base.#paths[at] as string) < path) at++
      const same =
        base.#paths[at] === path &&
        base.#sizes[at] === this.#sizes[i] &&
        this.#hashes.compare(base.#hashes, at * ID_BYTES, (at + 1) * ID_BYTES, i * ID_BYTES, (i + 1) * ID_BYTES) === 0
      if (!same) yield this.#file(i)
    }
  }

  #file(i: number): ManifestFile {
    const hash = this.#hashes.toString('hex', i * ID_BYTES, (i + 1) * ID_BYTES) as BlobHash
    return { path: this.#paths[i] as string, hash, sizeBytes: this.#sizes[i] as number }
  }
}

/**
 * The hashes of all files, 32 bytes each, out of a manifest's content (what `zstd` unpacks): without reading a path, so
 * that a million files cost next to nothing. Undefined for what has another layout; a manifest that `Manifest.decode`
 * takes always has this one.
 */
export function findFileHashes(content: Uint8Array): Uint8Array | undefined {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength)
  // An array of four, then the format, then the array of paths: its length is the number of files (MessagePack).
  if (content.length < 3 || content[0] !== 0x94 || content[1] !== MANIFEST_FORMAT) return undefined
  const marker = content[2] as number
  const files = countElements(view, marker)
  if (files === undefined || files * ID_BYTES > content.length) return undefined
  return content.subarray(content.length - files * ID_BYTES)
}

function countElements(view: DataView, marker: number): number | undefined {
  if (marker >= 0x90 && marker <= 0x9f) return marker & 0x0f
  if (marker === 0xdc && view.byteLength >= 5) return view.getUint16(3)
  if (marker === 0xdd && view.byteLength >= 7) return view.getUint32(3)
  return undefined
}
