import { existsSync, renameSync, statSync } from 'node:fs'
import { mkdir, readdir, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type BlobHash, Emitter, hashBlob, isBlobHash, MakiError, type Runtime } from '../../core/index.ts'
import { BlobBatch, type BlobShelf, BlobWriter, temporaryPath } from './blob-batch.ts'
import { inspectFile, type Pace, setAside } from './blob-damage.ts'
import { BlobFolder } from './blob-folder.ts'
import { type PackRules, takePack } from './blob-intake.ts'
import { readLease, renewLease } from './blob-lease.ts'
import { checkHash, SMALL_BLOB_BYTES } from './blob-pack.ts'
import { DiskFlusher, syncEach } from './disk-flush.ts'
import { DiskSpace, type Statfs, storeError } from './disk-space.ts'

export interface BlobStoreOptions {
  /** Refuses larger blobs with MAKI_TOO_LARGE. */
  readonly maxBlobBytes?: number
  /** For tests of a full disk. */
  readonly statfs?: Statfs
  /** The clock of leases. A store without it renews none: what takes nothing away needs none. */
  readonly runtime?: Pick<Runtime, 'now'>
}

export interface BlobEvents {
  /** Blobs that were not here became durable; each is named once or, when two senders met, twice. */
  stored: { readonly hashes: readonly BlobHash[] }
  /** A blob that was here is not any more. */
  removed: { readonly hash: BlobHash }
  /** What stood under a blob's name were other bytes; they were set aside, so that it is not here any more. */
  damaged: { readonly hash: BlobHash }
}

/** Larger than any file that belongs on a site; bounds what one upload can do. */
const MAX_BLOB_BYTES = 16 * 1024 * 1024 * 1024
/** Look-ups and renewals between two turns of the event loop: about 2 ms. */
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
  readonly #runtime: Pick<Runtime, 'now'> | undefined

  private constructor(directory: string, options: BlobStoreOptions) {
    super(directory)
    this.maxBlobBytes = options.maxBlobBytes ?? MAX_BLOB_BYTES
    this.#runtime = options.runtime
    this.#shelf = {
      folder: this,
      incomingDirectory: join(directory, 'incoming'),
      space: new DiskSpace(directory, options.statfs),
      flusher: new DiskFlusher(directory),
      settling: new Map(),
      renew: (hash) => this.#renew(hash),
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
    await this.#shelf.settling.get(hash)?.catch(() => {})
    const present = this.#renew(hash)
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
    const limits = { maxBlobBytes: this.maxBlobBytes, ...rules }
    return await this.#track(takePack(this.#shelf, pack, limits, (batch) => this.#commit(batch)))
  }

  async #commit(batch: BlobBatch): Promise<void> {
    const hashes = await batch.commit()
    if (hashes.length > 0) this.events.emit('stored', { hashes })
  }

  /** Every blob that is here, in the order of their hashes; those after `after`. */
  async *list(after: string = ''): AsyncGenerator<BlobHash> {
    for (const bucket of BUCKETS) {
      if (bucket < after.slice(0, 2)) continue
      const names = await readdir(join(this.blobsDirectory, bucket))
      for (const name of names.sort()) if (isBlobHash(name) && name.startsWith(bucket) && name > after) yield name
    }
  }

  /** Those of `hashes` that are not here. The others may be relied on for 48 hours from now (see `judgeLease`). */
  async renew(hashes: readonly BlobHash[]): Promise<BlobHash[]> {
    if (this.#shelf.settling.size > 0)
      await Promise.allSettled(hashes.flatMap((hash) => this.#shelf.settling.get(hash) ?? []))
    const missing: BlobHash[] = []
    for (const [i, hash] of hashes.entries()) {
      if (i % STATS_PER_TURN === STATS_PER_TURN - 1) await nextTurn()
      if (this.#shelf.settling.has(hash) || !this.#renew(hash)) missing.push(hash)
    }
    return missing
  }

  #renew(hash: BlobHash): boolean {
    const path = this.path(hash)
    return this.#runtime === undefined ? existsSync(path) : renewLease(path, this.#runtime.now())
  }

  /** When the lease of a blob was renewed, milliseconds since the epoch; undefined for one that is not here. */
  leasedMs(hash: BlobHash): number | undefined {
    return this.#shelf.settling.has(hash) ? undefined : readLease(this.path(hash))
  }

  /**
   * Takes a blob away if `mayGo` agrees to the time of its lease; nothing comes between the question and the act. False
   * when it stays, or is not here. A reader that has it open reads on. Its space is free when this resolves; after a
   * power failure it may stand there again until `flush`.
   */
  async remove(hash: BlobHash, mayGo: (leasedMs: number) => boolean = () => true): Promise<boolean> {
    const leasedMs = this.leasedMs(hash)
    if (leasedMs === undefined || !mayGo(leasedMs)) return false
    const gone = temporaryPath(this.#shelf)
    try {
      // Deleting a large file takes its time; renaming does not, and the event loop waits for neither.
      renameSync(this.path(hash), gone)
      this.events.emit('removed', { hash })
      await this.#track(unlink(gone))
    } catch (error) {
      throw storeError(error, 'remove a blob')
    }
    return true
  }

  /** Makes what was removed stay away also after a power failure. */
  async flush(): Promise<void> {
    await this.#shelf.flusher.sync(BUCKETS.map((bucket) => join(this.blobsDirectory, bucket)))
  }

  /**
   * Reads a blob that is here again: true when its bytes are right, false when it is not here. Damaged bytes are set aside
   * in `damaged/`, so that nobody is served them, and told of.
   */
  async examine(hash: BlobHash, pace: Pace = async () => {}): Promise<boolean> {
    const path = this.path(hash)
    try {
      const finding = await inspectFile(path, hash, pace)
      if (finding.kind !== 'damaged') return finding.kind === 'right'
      const file = { path, inode: finding.inode, name: hash }
      const aside = setAside(file, join(this.directory, 'damaged'), () => temporaryPath(this.#shelf))
      if (aside === undefined) return false
      this.events.emit('removed', { hash })
      this.events.emit('damaged', { hash })
      if (!aside.kept) await this.#track(unlink(aside.path))
      return false
    } catch (error) {
      throw storeError(error, 'read a blob')
    }
  }

  /** True when the part of the disk that is left to the log has been touched, or is about to be. */
  async isShort(): Promise<boolean> {
    return await this.#shelf.space.isShort()
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

const BUCKETS: readonly string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))
