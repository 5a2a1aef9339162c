import { readFileSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { open, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type BlobHash, type BlobReader, isBlobHash, MakiError } from '../../core/index.ts'

/**
 * Reads blobs at `<directory>/blobs/<first two digits>/<hash>`. A file that stands there is whole and hashes to its
 * name, so no reader has to check or to wait for the writer.
 */
export class BlobFolder implements BlobReader {
  readonly directory: string
  readonly blobsDirectory: string

  constructor(directory: string) {
    this.directory = directory
    this.blobsDirectory = join(directory, 'blobs')
  }

  /** Where the blob lies or would lie. The one place where a hash becomes a path; throws MAKI_INVALID for anything else. */
  path(hash: BlobHash): string {
    if (!isBlobHash(hash))
      throw new MakiError('MAKI_INVALID', `${JSON.stringify(hash)} is not a SHA-256 in hexadecimal`)
    return `${this.blobsDirectory}/${hash.slice(0, 2)}/${hash}`
  }

  async size(hash: BlobHash): Promise<number | undefined> {
    try {
      return (await stat(this.path(hash))).size
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  async read(hash: BlobHash): Promise<Uint8Array> {
    try {
      return await readFile(this.path(hash))
    } catch (error) {
      throw isMissing(error) ? blobMissing(hash) : error
    }
  }

  /** As `read`, in three system calls: for packs of many small blobs, where the thread pool costs more than the reading. */
  readNow(hash: BlobHash): Uint8Array {
    try {
      return readFileSync(this.path(hash))
    } catch (error) {
      throw isMissing(error) ? blobMissing(hash) : error
    }
  }

  async stream(hash: BlobHash, range?: { start: number; end: number }): Promise<NodeJS.ReadableStream> {
    let handle: FileHandle
    try {
      handle = await open(this.path(hash), 'r')
    } catch (error) {
      throw isMissing(error) ? blobMissing(hash) : error
    }
    if (range === undefined) return handle.createReadStream()
    if (range.end > range.start) return handle.createReadStream({ start: range.start, end: range.end - 1 })
    await handle.close()
    return Readable.from([])
  }
}

/** Opens the blobs of a node for reading only, as an edge worker does; the folder may still be empty. */
export function openBlobReader(directory: string): BlobFolder {
  return new BlobFolder(directory)
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

function blobMissing(hash: BlobHash): MakiError {
  return new MakiError('MAKI_BLOB_MISSING', `blob ${hash} is not on this node`, {
    hint: 'It is fetched from a peer when a release needs it; maki status shows what is missing.',
  })
}
