import { createHash, hash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { type BlobHash, type EncodedManifest, MakiError } from '../../core/index.ts'
import { encodePack, type PackItem } from '../../replication/local/index.ts'
import { OPEN_FLAGS } from './hash-file.ts'
import type { SourceFile } from './scan.ts'
import type { SyncTarget } from './sync-target.ts'
import { quote } from './walk.ts'

export interface UploadProgress {
  readonly blobs: number
  readonly blobsDone: number
  readonly bytes: number
  readonly bytesDone: number
}

/** What a release needs at the other side. */
export interface UploadSite {
  readonly files: readonly SourceFile[]
  readonly manifest: EncodedManifest
}

export interface UploadOptions {
  readonly onProgress?: ((progress: UploadProgress) => void) | undefined
  /** For tests: called before a file is opened. */
  readonly beforeRead?: ((path: string) => void) | undefined
}

/** A pack that fails costs no more than this to send again. */
const MAX_PACK_BYTES = 64 * 1024 * 1024
const MAX_PACK_BLOBS = 4096
/** How many hashes one question has; 64 digits each. */
const MAX_ASKED = 8192
const CHUNK_BYTES = 1024 * 1024

/**
 * Brings the target all blobs that it lacks of the sites, manifests last. Every file is hashed again while it is
 * sent: throws MAKI_CONFLICT when one is not what it was when it was scanned.
 */
export async function uploadSites(
  sites: readonly UploadSite[],
  target: SyncTarget,
  options: UploadOptions = {},
): Promise<UploadProgress> {
  const sources = collectSources(sites)
  const hashes = [...sources.keys()]
  const missing: Source[] = []
  for (let at = 0; at < hashes.length; at += MAX_ASKED) {
    for (const each of await target.missing(hashes.slice(at, at + MAX_ASKED))) {
      const source = sources.get(each)
      if (source !== undefined) missing.push(source)
    }
  }
  const progress = { blobs: missing.length, blobsDone: 0, bytes: 0, bytesDone: 0 }
  for (const { sizeBytes } of missing) progress.bytes += sizeBytes
  options.onProgress?.({ ...progress })
  for (const pack of splitPacks(missing)) await sendPack(pack, target, progress, options)
  return progress
}

interface Source {
  readonly hash: BlobHash
  readonly sizeBytes: number
  /** A file's place, or the bytes themselves. */
  readonly from: SourceFile | Uint8Array
}

function collectSources(sites: readonly UploadSite[]): Map<BlobHash, Source> {
  const sources = new Map<BlobHash, Source>()
  for (const { files } of sites)
    for (const file of files) sources.set(file.hash, { hash: file.hash, sizeBytes: file.sizeBytes, from: file })
  for (const { manifest } of sites)
    sources.set(manifest.hash, { hash: manifest.hash, sizeBytes: manifest.bytes.length, from: manifest.bytes })
  return sources
}

function* splitPacks(sources: readonly Source[]): Generator<readonly Source[]> {
  let pack: Source[] = []
  let bytes = 0
  for (const source of sources) {
    if (pack.length > 0 && (pack.length >= MAX_PACK_BLOBS || bytes + source.sizeBytes > MAX_PACK_BYTES)) {
      yield pack
      pack = []
      bytes = 0
    }
    pack.push(source)
    bytes += source.sizeBytes
  }
  if (pack.length > 0) yield pack
}

async function sendPack(
  pack: readonly Source[],
  target: SyncTarget,
  progress: { blobs: number; blobsDone: number; bytes: number; bytesDone: number },
  options: UploadOptions,
): Promise<void> {
  // What goes wrong here breaks the request off; its error then says less than ours.
  let failure: unknown
  async function* items(): AsyncGenerator<PackItem> {
    for (const { hash: name, sizeBytes, from } of pack) {
      yield { hash: name, sizeBytes, chunks: from instanceof Uint8Array ? [from] : readChecked(from, options) }
      progress.blobsDone += 1
      progress.bytesDone += sizeBytes
    }
  }
  async function* watched(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of encodePack(items())) {
        yield chunk
        options.onProgress?.({ ...progress })
      }
    } catch (thrown) {
      failure = thrown
      throw thrown
    }
  }
  try {
    await target.putPack(watched())
  } catch (thrown) {
    throw failure ?? thrown
  }
  options.onProgress?.({ ...progress })
}

/** A file's bytes; a small one is read and checked as a whole before any of it is sent. */
async function* readChecked(file: SourceFile, options: UploadOptions): AsyncGenerator<Uint8Array> {
  options.beforeRead?.(file.path)
  if (file.sizeBytes <= CHUNK_BYTES) {
    const bytes = readSmall(file)
    if (bytes.length !== file.sizeBytes || hash('sha256', bytes, 'hex') !== file.hash) throw changed(file)
    yield bytes
    return
  }
  await using handle = await openSource(file)
  const hasher = createHash('sha256')
  let readBytes = 0
  for (;;) {
    const chunk = await readUpTo(handle, CHUNK_BYTES)
    readBytes += chunk.length
    if (chunk.length === 0 || readBytes > file.sizeBytes) break
    hasher.update(chunk)
    if (readBytes === file.sizeBytes && hasher.copy().digest('hex') !== file.hash) throw changed(file)
    yield chunk
  }
  if (readBytes !== file.sizeBytes) throw changed(file)
}

/** Synchronous: for a small file in the page cache the promises cost three times what the reading does. */
function readSmall(file: SourceFile): Uint8Array {
  let fd: number
  try {
    fd = openSync(file.source, OPEN_FLAGS)
  } catch (cause) {
    throw changed(file, cause)
  }
  try {
    // One byte more than expected, so that a file that grew is noticed.
    const bytes = new Uint8Array(file.sizeBytes + 1)
    let filled = 0
    while (filled < bytes.length) {
      const length = readSync(fd, bytes, filled, bytes.length - filled, null)
      if (length === 0) break
      filled += length
    }
    return bytes.subarray(0, filled)
  } finally {
    closeSync(fd)
  }
}

async function openSource(file: SourceFile): Promise<FileHandle> {
  try {
    return await open(file.source, OPEN_FLAGS)
  } catch (cause) {
    throw changed(file, cause)
  }
}

/** Fewer bytes than asked for only at the end of the file. */
async function readUpTo(handle: FileHandle, maxBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(maxBytes)
  let filled = 0
  while (filled < maxBytes) {
    const { bytesRead } = await handle.read(bytes, filled, maxBytes - filled, null)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return bytes.subarray(0, filled)
}

const changed = (file: SourceFile, cause?: unknown): MakiError =>
  new MakiError('MAKI_CONFLICT', `${quote(file.path)} changed while it was published`, {
    cause,
    hint: 'Wait until the build is done, then run the command again.',
  })
