import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type BlobHash, MakiError } from '../../core/index.ts'
import { type Coding, checkOf } from '../message/index.ts'
import type { Variant, Variants } from '../respond/index.ts'
import { variantPath } from './variant-name.ts'
import { VariantTable } from './variant-table.ts'

/**
 * Reads the encodings that `find` names. One that turns out to be gone or of another length is forgotten before its reader
 * is told (MAKI_BLOB_MISSING), so whoever was told decides again and is not sent there twice.
 */
export interface VariantReader extends Variants {
  /** Where it lies. Who opens it by himself compares its length, and calls `lost` when something is wrong. */
  path(hash: BlobHash, variant: Variant): string
  /** An encoding turned out to be gone or wrong: nobody is answered with it any more. Gives the error to tell. */
  lost(hash: BlobHash, variant: Variant, cause?: unknown): MakiError
  /** All bytes; compared with the check, so for small ones. */
  read(hash: BlobHash, variant: Variant): Promise<Uint8Array>
  /** Bytes [start, end) as a stream. Rejects before the first byte; the consumer may stop early by destroying it. */
  stream(hash: BlobHash, variant: Variant, range: { start: number; end: number }): Promise<Readable>
}

/** The encodings that lie in a folder, as an edge worker reads them; `table` says which there are. */
export class VariantFolder implements VariantReader {
  readonly table: VariantTable = new VariantTable()
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  get epoch(): number {
    return this.table.epoch
  }

  find(hash: BlobHash, coding: Coding): Variant | undefined {
    return this.table.find(hash, coding)
  }

  path(hash: BlobHash, variant: Variant): string {
    return join(this.#directory, variantPath(hash, variant))
  }

  lost(hash: BlobHash, variant: Variant, cause?: unknown): MakiError {
    this.table.drop(hash, variant)
    return new MakiError('MAKI_BLOB_MISSING', `the ${variant.coding} of blob ${hash} is not on this node any more`, {
      cause,
    })
  }

  async read(hash: BlobHash, variant: Variant): Promise<Uint8Array> {
    await using file = await this.#open(hash, variant)
    const bytes = await file.readFile()
    if (checkOf(bytes) !== variant.check) throw this.lost(hash, variant)
    return bytes
  }

  async stream(hash: BlobHash, variant: Variant, range: { start: number; end: number }): Promise<Readable> {
    const file = await this.#open(hash, variant)
    if (range.end > range.start) return file.createReadStream({ start: range.start, end: range.end - 1 })
    await file.close()
    return Readable.from([])
  }

  async #open(hash: BlobHash, variant: Variant): Promise<FileHandle> {
    let file: FileHandle | undefined
    try {
      file = await open(this.path(hash, variant), 'r')
      if ((await file.stat()).size === variant.sizeBytes) return file
    } catch (cause) {
      await file?.close()
      throw this.lost(hash, variant, cause)
    }
    await file.close()
    throw this.lost(hash, variant)
  }
}
