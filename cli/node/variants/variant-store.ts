import { renameSync, statSync, unlinkSync } from 'node:fs'
import { mkdir, open, readdir, rm, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { BlobHash, Cancel, Runtime } from '../../../core/index.ts'
import { CODINGS, findVariantRecord, type VariantRecord, VariantTable, variantPath } from '../../../edge/index.ts'
import { syncDirectory } from '../../../replication/index.ts'
import type { Tier } from './encoding-queue.ts'
import { UselessFile } from './useless-file.ts'

export interface VariantStoreOptions {
  /** `<data>/variants`. */
  readonly directory: string
  readonly runtime: Pick<Runtime, 'after'>
  /** Which of some blobs are not here. */
  readonly missing: (hashes: readonly BlobHash[]) => Promise<readonly BlobHash[]>
  /** Told of everything that came or went (`sizeBytes` 0), in the order in which it did. */
  readonly changed: (record: VariantRecord) => void
}

/** Looks at the disk between two turns of the event loop: about 2 ms. */
const STATS_PER_TURN = 512
/** What was taken back is deleted when those who were told have long opened it or not. */
const GRACE_MS = 10_000
const TIERS: readonly Tier[] = ['old', 'rest', 'first']

/**
 * The encodings on the disk of a node. A name stands only for whole bytes: they are written and synced under another one
 * first, so that a power cut leaves an encoding or none; what it takes along is made again. One process writes; edge workers read.
 */
export class VariantStore implements AsyncDisposable {
  readonly table: VariantTable = new VariantTable()
  readonly useless: UselessFile
  /** Where the encoder leaves its results. */
  readonly incoming: string
  readonly #options: VariantStoreOptions
  readonly #pending = new Set<Cancel>()
  readonly #deleting = new Set<Promise<void>>()

  private constructor(options: VariantStoreOptions, useless: UselessFile) {
    this.#options = options
    this.useless = useless
    this.incoming = join(options.directory, 'incoming')
  }

  /** Sweeps what an earlier process left half done, and takes in what lies there for blobs that are here. */
  static async open(options: VariantStoreOptions): Promise<VariantStore> {
    const { directory } = options
    if ((await mkdir(directory, { recursive: true, mode: 0o750 })) !== undefined)
      await syncDirectory(dirname(directory))
    const store = new VariantStore(options, await UselessFile.open(join(directory, 'useless.bin')))
    await rm(store.incoming, { recursive: true, force: true })
    await mkdir(store.incoming, { mode: 0o750 })
    for (const bucket of await readdir(directory)) if (/^[0-9a-f]{2}$/.test(bucket)) await store.#takeIn(bucket)
    await store.#dropOrphans()
    return store
  }

  path(record: VariantRecord): string {
    return join(this.#options.directory, variantPath(record.hash, record))
  }

  async #takeIn(bucket: string): Promise<void> {
    const folder = join(this.#options.directory, bucket)
    for (const [i, name] of (await readdir(folder)).entries()) {
      if (i % STATS_PER_TURN === STATS_PER_TURN - 1) await nextTurn()
      const path = join(folder, name)
      const record = findVariantRecord(name)
      const sizeBytes = statSync(path, { throwIfNoEntry: false })?.size
      if (record !== undefined && record.sizeBytes === sizeBytes && this.#isFirst(record, bucket)) this.#add(record)
      else await rm(path, { recursive: true, force: true })
    }
  }

  /** One of each coding: of two that different versions made, either will do. */
  #isFirst({ hash, coding }: VariantRecord, bucket: string): boolean {
    return hash.startsWith(bucket) && this.table.find(hash, coding) === undefined
  }

  async #dropOrphans(): Promise<void> {
    const hashes = [...new Set([...this.table.records()].map(({ hash }) => hash).concat(...this.useless.hashes()))]
    const gone = new Set(await this.#options.missing(hashes))
    for (const hash of gone) this.forget(hash)
    await this.useless.prune(gone)
  }

  /** Takes over a file of `incoming`. Resolves when it can be announced. */
  async admit(path: string, record: VariantRecord): Promise<void> {
    const { directory } = this.#options
    const target = this.path(record)
    {
      await using file = await open(path, 'r')
      await file.sync()
    }
    const isNew = await mkdir(join(directory, record.hash.slice(0, 2)), { recursive: true, mode: 0o750 })
    if (isNew !== undefined) await syncDirectory(directory)
    renameSync(path, target)
    const before = this.table.find(record.hash, record.coding)
    if (before !== undefined) this.#drop({ hash: record.hash, ...before })
    this.#add(record)
  }

  /** What an encoder left that failed half way. */
  async sweepIncoming(): Promise<void> {
    for (const name of await readdir(this.incoming).catch(() => []))
      await rm(join(this.incoming, name), { force: true })
  }

  /** Makes what was taken in of a blob stay over a power cut, so that it is not made again. */
  async settle(hash: BlobHash): Promise<void> {
    if (this.table.list(hash).length > 0) await syncDirectory(join(this.#options.directory, hash.slice(0, 2)))
  }

  /**
   * It turned out to be gone or wrong. It is deleted at once, so that no start takes it in again: who was told of it and
   * finds it gone is answered with another. False where it is not this one any more that is here.
   */
  takeBack(record: VariantRecord): boolean {
    if (!this.#isHere(record)) return false
    try {
      unlinkSync(this.path(record))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    this.table.drop(record.hash, record)
    this.#options.changed({ ...record, sizeBytes: 0 })
    return true
  }

  /** Its blob is gone: its encodings go too. */
  forget(hash: BlobHash): void {
    for (const variant of this.table.list(hash)) this.#drop({ hash, ...variant })
  }

  /**
   * Takes encodings back until no more than `mostBytes` are left: those of files that nobody is served, then those that are
   * waited for least; of each kind first the codings that fewest clients need, the largest first. Only what is needed less
   * than `tier`; anything without it. Gives how many went.
   */
  evict(mostBytes: number, tier: Tier | undefined, tierOf: (hash: BlobHash) => Tier): number {
    if (this.table.totalBytes <= mostBytes) return 0
    const rank = tier === undefined ? TIERS.length : TIERS.indexOf(tier)
    const candidates = [...this.table.records()]
      .map((record) => ({ record, rank: TIERS.indexOf(tierOf(record.hash)) }))
      .filter((one) => one.rank < rank)
      .sort((a, b) => a.rank - b.rank || codingRank(b.record) - codingRank(a.record) || sizeOf(b) - sizeOf(a))
    let gone = 0
    for (const { record } of candidates) {
      if (this.table.totalBytes <= mostBytes) break
      this.#drop(record)
      gone += 1
    }
    return gone
  }

  #add(record: VariantRecord): void {
    this.table.add(record)
    this.#options.changed(record)
  }

  #drop(record: VariantRecord): void {
    this.table.drop(record.hash, record)
    this.#options.changed({ ...record, sizeBytes: 0 })
    const cancel = this.#options.runtime.after(GRACE_MS, () => {
      this.#pending.delete(cancel)
      void this.#delete(record)
    })
    this.#pending.add(cancel)
  }

  async #delete(record: VariantRecord): Promise<void> {
    // Made again in the meantime, with the same bytes and so with the same name.
    if (this.#isHere(record)) return
    const deleting = unlink(this.path(record)).catch(() => {})
    this.#deleting.add(deleting)
    await deleting.finally(() => this.#deleting.delete(deleting))
  }

  #isHere({ hash, coding, sizeBytes, check }: VariantRecord): boolean {
    const present = this.table.find(hash, coding)
    return present?.check === check && present.sizeBytes === sizeBytes
  }

  /** What still waits to be deleted stays; the next start finds it useful, or deletes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const cancel of this.#pending) cancel()
    await Promise.all(this.#deleting)
  }
}

const codingRank = ({ coding }: VariantRecord): number => (coding === 'gzip' ? 0.5 : CODINGS.indexOf(coding))
const sizeOf = ({ record }: { readonly record: VariantRecord }): number => record.sizeBytes
