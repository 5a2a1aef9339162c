import { existsSync, statSync } from 'node:fs'
import { mkdir, readdir, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type BlobHash, Emitter, hashBlob, isBlobHash, MakiError } from '../../core/index.ts'
import { BlobBatch, type BlobShelf, BlobWriter } from './blob-batch.ts'
import { DiskFlusher, DiskSpace, type Statfs, storeError, syncEach } from './blob-disk.ts'
import { BlobFolder, isMissing } from './blob-folder.ts'
import { checkHash, PackParser, type PackPart, SMALL_BLOB_BYTES } from './blob-pack.ts'

export interface BlobStoreOptions {
  /** Refuses larger blobs with MAKI_TOO_LARGE. */
  readonly maxBlobBytes?: number
  /** For tests of a full disk. */
  readonly statfs?: Statfs
}

export interface BlobEvents {
  /** Blobs that were not here became durable; each is named once or, when two senders met, twice. */
  stored: { readonly hashes: readonly BlobHash[] }
  /** A blob that was here is not any more. */
  removed: { readonly hash: BlobHash }
}

export interface PackRules {
  /** Sees each header before any byte of the blob is taken; throws to refuse the pack. */
  readonly accept?: (hash: BlobHash, sizeBytes: number) => void
  readonly maxTotalBytes?: number
}

/** Larger than any file that belongs on a site; bounds what one upload can do. */
const MAX_BLOB_BYTES = 16 * 1024 * 1024 * 1024
/** A batch is flushed at either bound, so that little is lost and the kernel never holds more unwritten data than a small server bears. */
const BATCH_BYTES = 64 * 1024 * 1024
const BATCH_BLOBS = 4096
/** Look-ups between two turns of the event loop: about 2 ms. */
const STATS_PER_TURN = 512

/**
 * Content-addressed bytes of this node: `blobs/` holds what is whole and durable, `incoming/` beside it what is on its
 * way. One process writes; others read through `openBlobReader`.
 */
export class BlobStore extends BlobFolder implements AsyncDisposable {
  readonly events = new Emitter<BlobEvents>()
  readonly #shelf: BlobShelf
  /** Larger blobs are refused. */
  readonly maxBlobBytes: number
  readonly #underWay = new Set<Promise<unknown>>()

  private constructor(directory: string, options: BlobStoreOptions) {
    super(directory)
    this.maxBlobBytes = options.maxBlobBytes ?? MAX_BLOB_BYTES
    this.#shelf = {
      folder: this,
      incomingDirectory: join(directory, 'incoming'),
      space: new DiskSpace(directory, options.statfs),
      flusher: new DiskFlusher(directory),
      settling: new Map(),
      nextName: 1,
    }
  }

  /** Opens or creates the store in a data folder, and sweeps what an earlier process left half done. Throws MAKI_STORE_FAILED, MAKI_DISK_FULL. */
  static async open(directory: string, options: BlobStoreOptions = {}): Promise<BlobStore> {
    const store = new BlobStore(directory, options)
    try {
      await store.#prepare()
    } catch (error) {
      throw storeError(error, 'be opened')
    }
    return store
  }

  async #prepare(): Promise<void> {
    const { incomingDirectory, flusher } = this.#shelf
    await mkdir(incomingDirectory, { recursive: true })
    for (const name of await readdir(incomingDirectory)) await unlink(join(incomingDirectory, name))
    await mkdir(this.blobsDirectory, { recursive: true })
    const present = new Set(await readdir(this.blobsDirectory))
    for (const bucket of BUCKETS) if (!present.has(bucket)) await mkdir(join(this.blobsDirectory, bucket))
    // A process that was killed may have renamed without having made it durable.
    await flusher.sync(BUCKETS.map((bucket) => join(this.blobsDirectory, bucket)))
    await syncEach([this.blobsDirectory, this.directory, dirname(this.directory)])
  }

  /** True when the blob is whole and durable here; waits for one that is about to be. */
  async has(hash: BlobHash): Promise<boolean> {
    return (await this.missing([hash])).length === 0
  }

  async missing(hashes: readonly BlobHash[]): Promise<BlobHash[]> {
    const sizes = await this.sizes(hashes)
    return hashes.filter((_, i) => sizes[i] === undefined)
  }

  /** Size of each blob that is durable here, undefined for the others. 10,000 take some 50 ms, in short turns. */
  async sizes(hashes: readonly BlobHash[]): Promise<(number | undefined)[]> {
    if (this.#shelf.settling.size > 0)
      await Promise.allSettled(hashes.flatMap((hash) => this.#shelf.settling.get(hash) ?? []))
    const sizes: (number | undefined)[] = []
    for (const hash of hashes) {
      if (sizes.length % STATS_PER_TURN === STATS_PER_TURN - 1) await nextTurn()
      sizes.push(statSync(this.path(hash), { throwIfNoEntry: false })?.size)
    }
    return sizes
  }

  /** Resolves when the bytes are durable. Throws MAKI_BLOB_MISMATCH, MAKI_TOO_LARGE, MAKI_DISK_FULL, MAKI_STORE_FAILED, or what `bytes` throws. */
  async put(hash: BlobHash, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#track(this.#put(hash, bytes))
  }

  async #put(hash: BlobHash, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const present = await this.has(hash)
    if (!present) await this.#shelf.space.refresh()
    let seenBytes = 0
    let head: Uint8Array[] = []
    let writer: BlobWriter | undefined
    const batch = new BlobBatch(this.#shelf)
    try {
      for await (const chunk of bytes) {
        seenBytes += chunk.length
        if (seenBytes > this.maxBlobBytes)
          throw new MakiError('MAKI_TOO_LARGE', `blob ${hash} has more than ${this.maxBlobBytes} bytes`)
        if (present) continue
        if (writer === undefined && seenBytes <= SMALL_BLOB_BYTES) {
          head.push(chunk)
          continue
        }
        writer ??= new BlobWriter(this.#shelf, hash)
        for (const part of head) await writer.write(part)
        head = []
        await writer.write(chunk)
      }
      if (present) return
      if (writer === undefined) {
        const whole = Buffer.concat(head)
        checkHash(hash, hashBlob(whole))
        await batch.addWhole(hash, whole)
      } else await writer.finish(batch)
    } catch (error) {
      await writer?.discard()
      await batch.discard()
      throw error
    }
    await this.#commit(batch)
  }

  /** Starts a blob that comes in pieces; end it with `commitWriter` or `discard`. Throws MAKI_DISK_FULL. */
  async createWriter(hash: BlobHash): Promise<BlobWriter> {
    await this.#shelf.space.refresh()
    return new BlobWriter(this.#shelf, hash)
  }

  /** Resolves when the blob is durable; throws MAKI_BLOB_MISMATCH when the bytes are another's. The writer is done with. */
  async commitWriter(writer: BlobWriter): Promise<void> {
    const batch = new BlobBatch(this.#shelf)
    await this.#track(writer.finish(batch).then(() => this.#commit(batch)))
  }

  /**
   * Takes a pack and resolves with the number of its blobs when all are durable. What was whole before an error is
   * kept, unless the disk is what failed. Throws as `put` does, and MAKI_PROTOCOL for a pack that ends in the middle.
   */
  async putPack(pack: AsyncIterable<Uint8Array>, rules: PackRules = {}): Promise<number> {
    return await this.#track(this.#putPack(pack, rules))
  }

  async #putPack(pack: AsyncIterable<Uint8Array>, rules: PackRules): Promise<number> {
    await this.#shelf.space.refresh()
    const parser = new PackParser({ maxBlobBytes: this.maxBlobBytes, ...rules })
    const intake: PackIntake = { batch: new BlobBatch(this.#shelf), writer: undefined }
    // One batch settles while the next one is written; a failure shows at the next turn.
    let committing: Promise<void> = Promise.resolve()
    try {
      for await (const chunk of pack) {
        for (const part of parser.push(chunk)) {
          await this.#takePart(intake, part)
          if (intake.batch.bytes < BATCH_BYTES && intake.batch.count < BATCH_BLOBS) continue
          const full = intake.batch
          intake.batch = new BlobBatch(this.#shelf)
          await committing
          committing = this.#commit(full)
          committing.catch(() => {})
        }
      }
      parser.finish()
      await committing
      await this.#commit(intake.batch)
    } catch (error) {
      await intake.writer?.discard()
      const diskFailed = error instanceof MakiError && DISK_CODES.has(error.code)
      if (diskFailed) await intake.batch.discard()
      else await this.#commit(intake.batch).catch(() => {})
      await committing.catch(() => {})
      throw error
    }
    return parser.blobs
  }

  async #takePart(intake: PackIntake, part: PackPart): Promise<void> {
    switch (part.kind) {
      case 'blob':
        if (!this.#isDurable(part.hash)) await intake.batch.addWhole(part.hash, part.bytes)
        return
      case 'begin':
        if (!this.#isDurable(part.hash)) intake.writer = new BlobWriter(this.#shelf, part.hash)
        return
      case 'data':
        await intake.writer?.write(part.bytes)
        return
      case 'end':
        await intake.writer?.finish(intake.batch)
        intake.writer = undefined
        return
      default:
        part satisfies never
    }
  }

  #isDurable(hash: BlobHash): boolean {
    return !this.#shelf.settling.has(hash) && existsSync(this.path(hash))
  }

  async #commit(batch: BlobBatch): Promise<void> {
    const hashes = await batch.commit()
    if (hashes.length > 0) this.events.emit('stored', { hashes })
  }

  /** Every blob that is here, in the order of their hashes. */
  async *list(): AsyncGenerator<BlobHash> {
    for (const bucket of BUCKETS) {
      const names = await readdir(join(this.blobsDirectory, bucket))
      for (const name of names.sort()) if (isBlobHash(name) && name.startsWith(bucket)) yield name
    }
  }

  /** Durable when it resolves; removing what is not here is nothing. A reader that has it open reads on. */
  async remove(hash: BlobHash): Promise<void> {
    const path = this.path(hash)
    try {
      await unlink(path)
      this.events.emit('removed', { hash })
      await syncEach([dirname(path)])
    } catch (error) {
      if (!isMissing(error)) throw storeError(error, 'remove a blob')
    }
  }

  async #track<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work)
    try {
      return await work
    } finally {
      this.#underWay.delete(work)
    }
  }

  /** Waits for what is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([...this.#underWay])
  }
}

interface PackIntake {
  batch: BlobBatch
  writer: BlobWriter | undefined
}

const DISK_CODES: ReadonlySet<string> = new Set(['MAKI_DISK_FULL', 'MAKI_STORE_FAILED'])
const BUCKETS: readonly string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))
