import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { type BlobHash, type BlobReader, hashBlob, MakiError } from '../../core/index.ts'
import type { TransformService } from './transform-service.ts'

/** Blobs and, beside them, the results of transforms: who sends an answer reads both by their hashes. */
export class TransformedBlobs implements BlobReader {
  readonly #blobs: BlobReader
  readonly #results: Pick<TransformService, 'sizeOf' | 'path' | 'lost'>
  readonly path?: (hash: BlobHash) => string

  constructor(blobs: BlobReader, results: Pick<TransformService, 'sizeOf' | 'path' | 'lost'>) {
    this.#blobs = blobs
    this.#results = results
    // Where blobs are no files, nobody may be told a path.
    if (blobs.path !== undefined)
      this.path = (hash) => (this.#has(hash) ? results.path(hash) : (blobs.path?.(hash) as string))
  }

  async size(hash: BlobHash): Promise<number | undefined> {
    return this.#results.sizeOf(hash) ?? (await this.#blobs.size(hash))
  }

  /** Those of a result are compared with their hash. */
  async read(hash: BlobHash): Promise<Uint8Array> {
    if (!this.#has(hash)) return await this.#blobs.read(hash)
    await using file = await this.#open(hash)
    const bytes = await file.readFile()
    if (hashBlob(bytes) !== hash) throw this.#lost(hash)
    return bytes
  }

  async stream(hash: BlobHash, range?: { start: number; end: number }): Promise<NodeJS.ReadableStream> {
    if (!this.#has(hash)) return await this.#blobs.stream(hash, range)
    const file = await this.#open(hash)
    if (range === undefined) return file.createReadStream()
    if (range.end > range.start) return file.createReadStream({ start: range.start, end: range.end - 1 })
    await file.close()
    return Readable.from([])
  }

  #has(hash: BlobHash): boolean {
    return this.#results.sizeOf(hash) !== undefined
  }

  async #open(hash: BlobHash): Promise<FileHandle> {
    let file: FileHandle | undefined
    try {
      file = await open(this.#results.path(hash), 'r')
      if ((await file.stat()).size === this.#results.sizeOf(hash)) return file
    } catch (cause) {
      await file?.close()
      throw this.#lost(hash, cause)
    }
    await file.close()
    throw this.#lost(hash)
  }

  #lost(hash: BlobHash, cause?: unknown): MakiError {
    this.#results.lost(hash)
    return new MakiError('MAKI_BLOB_MISSING', `the transformed file ${hash} is not on this node any more`, { cause })
  }
}
