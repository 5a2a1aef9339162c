import { createHash } from 'node:crypto'
import { closeSync, openSync, renameSync, writeSync } from 'node:fs'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { BlobHash } from '../../core/index.ts'
import type { BlobFolder } from './blob-folder.ts'
import { checkHash } from './blob-pack.ts'
import type { DiskFlusher } from './disk-flush.ts'
import { type DiskSpace, storeError } from './disk-space.ts'

/** What batches and writers of one store share. */
export interface BlobShelf {
  readonly folder: BlobFolder
  readonly incomingDirectory: string
  readonly space: DiskSpace
  readonly flusher: DiskFlusher
  /** Blobs whose rename is not yet durable, with what makes it so. */
  readonly settling: Map<BlobHash, Promise<void>>
  /** True for a blob that stands under its name; nothing but a purge takes it away for 48 hours from now. */
  readonly renew: (hash: BlobHash) => boolean
  nextName: number
}

/** Renames between two turns of the event loop. */
const RENAMES_PER_TURN = 128

/**
 * Checked blobs under temporary names that become durable together: one flush for the bytes, the renames, one flush
 * for the folders. The order is what makes a file under `blobs/` always whole, also after a power failure.
 */
export class BlobBatch {
  readonly #shelf: BlobShelf
  readonly #temporaries = new Map<BlobHash, string>()
  bytes = 0

  constructor(shelf: BlobShelf) {
    this.#shelf = shelf
  }

  get count(): number {
    return this.#temporaries.size
  }

  /**
   * Writes a small blob whose hash was checked. Blocks for the length of three system calls on purpose: through the thread pool
   * the same file costs twice the CPU, and the flushes bound how much unwritten data the kernel holds for us.
   */
  async addWhole(hash: BlobHash, bytes: Uint8Array): Promise<void> {
    if (this.#temporaries.has(hash)) return
    if (!this.#shelf.space.tryClaim(bytes.length)) await this.#shelf.space.claim(bytes.length)
    const path = temporaryPath(this.#shelf)
    this.#temporaries.set(hash, path)
    this.bytes += bytes.length
    try {
      writeWhole(path, bytes)
    } catch (error) {
      throw storeError(error, 'write a blob')
    }
  }

  /** Takes over a finished file. */
  addFile(hash: BlobHash, path: string, sizeBytes: number): void {
    const before = this.#temporaries.get(hash)
    if (before !== undefined) void unlink(before).catch(() => {})
    this.#temporaries.set(hash, path)
    this.bytes += sizeBytes
  }

  /** Resolves with the hashes when all are durable under their names; on an error none of them is left half done. */
  async commit(): Promise<readonly BlobHash[]> {
    if (this.#temporaries.size === 0) return []
    const { flusher, settling } = this.#shelf
    const hashes = [...this.#temporaries.keys()]
    const settled = Promise.withResolvers<void>()
    settled.promise.catch(() => {})
    const renamed: BlobHash[] = []
    const others: Promise<void>[] = []
    try {
      await flusher.sync([...this.#temporaries.values()])
      for (const [i, hash] of hashes.entries()) {
        if (i % RENAMES_PER_TURN === RENAMES_PER_TURN - 1) await nextTurn()
        const path = this.#shelf.folder.path(hash)
        const other = settling.get(hash)
        if (other !== undefined) others.push(other)
        // What stands there was acknowledged or is about to be by another batch: it is theirs to take back.
        if (other !== undefined || this.#shelf.renew(hash)) continue
        settling.set(hash, settled.promise)
        renameSync(this.#temporaries.get(hash) as string, path)
        this.#temporaries.delete(hash)
        renamed.push(hash)
      }
      await flusher.sync([...new Set(renamed.map((hash) => dirname(this.#shelf.folder.path(hash))))])
      settled.resolve()
    } catch (error) {
      await Promise.all(renamed.map((hash) => unlink(this.#shelf.folder.path(hash)).catch(() => {})))
      const failure = storeError(error, 'make blobs durable')
      settled.reject(failure)
      throw failure
    } finally {
      for (const hash of hashes) if (settling.get(hash) === settled.promise) settling.delete(hash)
      await this.discard()
    }
    await Promise.all(others)
    return hashes
  }

  /** Deletes the temporary files. */
  async discard(): Promise<void> {
    const paths = [...this.#temporaries.values()]
    this.#temporaries.clear()
    await Promise.all(paths.map((path) => unlink(path).catch(() => {})))
  }
}

/** A large blob on its way in, hashed while it is written; survives a change of the peer that sends it. */
export class BlobWriter {
  readonly hash: BlobHash
  readonly #shelf: BlobShelf
  readonly #path: string
  readonly #hasher = createHash('sha256')
  #handle: FileHandle | undefined
  /** Bytes taken so far: where a broken transfer goes on. */
  writtenBytes = 0

  constructor(shelf: BlobShelf, hash: BlobHash) {
    this.#shelf = shelf
    this.hash = hash
    this.#path = temporaryPath(shelf)
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      await this.#shelf.space.claim(bytes.length)
      this.#handle ??= await open(this.#path, 'wx')
      let at = 0
      while (at < bytes.length) at += (await this.#handle.write(bytes, at)).bytesWritten
    } catch (error) {
      throw storeError(error, 'write a blob')
    }
    this.#hasher.update(bytes)
    this.writtenBytes += bytes.length
  }

  /** Hands the file to a batch. Throws MAKI_BLOB_MISMATCH, and deletes the file, when the bytes are not the blob's. */
  async finish(batch: BlobBatch): Promise<void> {
    try {
      checkHash(this.hash, this.#hasher.digest('hex'))
      this.#handle ??= await open(this.#path, 'wx')
      await this.#handle.close()
      this.#handle = undefined
    } catch (error) {
      await this.discard()
      throw storeError(error, 'write a blob')
    }
    batch.addFile(this.hash, this.#path, this.writtenBytes)
  }

  async discard(): Promise<void> {
    await this.#handle?.close().catch(() => {})
    this.#handle = undefined
    await unlink(this.#path).catch(() => {})
  }
}

/** A name in `incoming/` that nobody has; what is left there is swept when the store is opened. */
export const temporaryPath = (shelf: BlobShelf): string =>
  join(shelf.incomingDirectory, `${process.pid}-${shelf.nextName++}`)

function writeWhole(path: string, bytes: Uint8Array): void {
  const file = openSync(path, 'wx')
  try {
    let at = 0
    while (at < bytes.length) at += writeSync(file, bytes, at)
  } finally {
    closeSync(file)
  }
}
