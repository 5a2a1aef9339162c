import { open, readFile } from 'node:fs/promises'
import type { BlobHash } from '../../../core/index.ts'
import {
  type Coding,
  decodeVariantRecords,
  encodeVariantRecords,
  RECORD_BYTES,
  type VariantRecord,
  VariantTable,
} from '../../../edge/index.ts'
import { replaceFile } from '../../../replication/index.ts'

const NO_CHECK = '0'.repeat(16)

/**
 * Which encodings were tried and saved nothing, so that no start tries them again. Lines are added without waiting for the
 * disk: what a power cut takes or spoils is tried once more, or names no blob.
 */
export class UselessFile {
  readonly #path: string
  /** A size of one stands for: tried. */
  readonly #table = new VariantTable()

  private constructor(path: string) {
    this.#path = path
  }

  /** A file that cannot be read counts as empty. */
  static async open(path: string): Promise<UselessFile> {
    const file = new UselessFile(path)
    const bytes = await readFile(path).catch(() => new Uint8Array())
    file.#table.apply(bytes)
    if (bytes.length % RECORD_BYTES !== 0) await file.#save([...file.#table.records()])
    return file
  }

  has(hash: BlobHash, coding: Coding): boolean {
    return this.#table.find(hash, coding) !== undefined
  }

  /** Blobs that it names. */
  hashes(): Set<BlobHash> {
    return new Set([...this.#table.records()].map(({ hash }) => hash))
  }

  async add(hash: BlobHash, codings: readonly Coding[]): Promise<void> {
    if (codings.length === 0) return
    const records = encodeVariantRecords(
      codings.map((coding) => ({ hash, coding, sizeBytes: 1, check: NO_CHECK })),
      codings.length,
    )
    this.#table.apply(records)
    await using file = await open(this.#path, 'a', 0o600)
    await file.write(records)
  }

  /** Leaves out blobs that are gone. */
  async prune(gone: ReadonlySet<BlobHash>): Promise<void> {
    const records = [...this.#table.records()]
    const kept = records.filter(({ hash }) => !gone.has(hash))
    if (kept.length === records.length) return
    for (const record of decodeVariantRecords(this.#table.snapshot()))
      if (gone.has(record.hash)) this.#table.drop(record.hash, record)
    await this.#save(kept)
  }

  async #save(records: readonly VariantRecord[]): Promise<void> {
    await replaceFile(this.#path, encodeVariantRecords(records, records.length))
  }
}
