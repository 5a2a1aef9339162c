import type { Manifest, ManifestFile } from '../../../core/index.ts'
import { mayBeEncoded } from '../../../edge/index.ts'

/** One file of a list: its hash (32 bytes) and size (4, little-endian). */
export const LISTED_BYTES = 36

/** What of a release may be encoded, packed, in the order of its manifest. */
export interface EncodingList {
  /** Pages, styles and scripts: what a visitor waits for. */
  readonly first: Uint8Array
  readonly rest: Uint8Array
}

const WAITED_FOR = /\.(html?|css|m?js)$/i

/** What of a site may be encoded, each blob once. Pure. */
export function listFiles(manifest: Manifest): EncodingList {
  const seen = new Set<string>()
  const tiers: { readonly first: ManifestFile[]; readonly rest: ManifestFile[] } = { first: [], rest: [] }
  for (const file of manifest.files()) if (mayBeEncoded(file) && WAITED_FOR.test(file.path)) take(file, tiers.first)
  for (const file of manifest.files()) if (mayBeEncoded(file)) take(file, tiers.rest)
  return { first: packFiles(tiers.first), rest: packFiles(tiers.rest) }

  function take(file: ManifestFile, into: ManifestFile[]): void {
    if (seen.has(file.hash)) return
    seen.add(file.hash)
    into.push(file)
  }
}

/** Packs files as a list has them. */
export function packFiles(files: readonly Pick<ManifestFile, 'hash' | 'sizeBytes'>[]): Uint8Array {
  const bytes = Buffer.alloc(files.length * LISTED_BYTES)
  for (const [i, { hash, sizeBytes }] of files.entries()) {
    const at = i * LISTED_BYTES
    bytes.write(hash, at, 'hex')
    bytes.writeUInt32LE(sizeBytes, at + LISTED_BYTES - 4)
  }
  return new Uint8Array(bytes)
}
