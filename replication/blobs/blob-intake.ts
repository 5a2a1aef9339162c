import { type BlobHash, MakiError } from '../../core/index.ts'
import { BlobBatch, type BlobShelf, BlobWriter } from './blob-batch.ts'
import { PackParser, type PackPart } from './blob-pack.ts'

/** What a pack may hold. */
export interface PackRules {
  /** Sees each header before any byte of the blob is taken; throws to refuse the pack. */
  readonly accept?: (hash: BlobHash, sizeBytes: number) => void
  readonly maxTotalBytes?: number
}

/** A batch is flushed at either bound, so that little is lost and the kernel never holds more unwritten data than a small server bears. */
const BATCH_BYTES = 64 * 1024 * 1024
const BATCH_BLOBS = 4096
const DISK_CODES: ReadonlySet<string> = new Set(['MAKI_DISK_FULL', 'MAKI_STORE_FAILED'])

/**
 * Takes a pack and resolves with the number of its blobs when all are durable. What was whole before an error is kept,
 * unless the disk is what failed. `commit` makes a batch durable.
 */
export async function takePack(
  shelf: BlobShelf,
  pack: AsyncIterable<Uint8Array>,
  limits: PackRules & { readonly maxBlobBytes: number },
  commit: (batch: BlobBatch) => Promise<void>,
): Promise<number> {
  await shelf.space.refresh()
  const parser = new PackParser(limits)
  const intake = new Intake(shelf)
  // One batch settles while the next one is written; a failure shows at the next turn.
  let committing: Promise<void> = Promise.resolve()
  try {
    for await (const chunk of pack) {
      for (const part of parser.push(chunk)) {
        await intake.take(part)
        const full = intake.takeFull()
        if (full === undefined) continue
        await committing
        committing = commit(full)
        committing.catch(() => {})
      }
    }
    parser.finish()
    await committing
    await commit(intake.batch)
  } catch (error) {
    await intake.writer?.discard()
    const diskFailed = error instanceof MakiError && DISK_CODES.has(error.code)
    if (diskFailed) await intake.batch.discard()
    else await commit(intake.batch).catch(() => {})
    await committing.catch(() => {})
    throw error
  }
  return parser.blobs
}

class Intake {
  readonly #shelf: BlobShelf
  batch: BlobBatch
  writer: BlobWriter | undefined

  constructor(shelf: BlobShelf) {
    this.#shelf = shelf
    this.batch = new BlobBatch(shelf)
  }

  async take(part: PackPart): Promise<void> {
    switch (part.kind) {
      case 'blob':
        if (!this.#isDurable(part.hash)) await this.batch.addWhole(part.hash, part.bytes)
        return
      case 'begin':
        if (!this.#isDurable(part.hash)) this.writer = new BlobWriter(this.#shelf, part.hash)
        return
      case 'data':
        await this.writer?.write(part.bytes)
        return
      case 'end':
        await this.writer?.finish(this.batch)
        this.writer = undefined
        return
      default:
        part satisfies never
    }
  }

  /** The batch, once it has enough; a new one takes its place. */
  takeFull(): BlobBatch | undefined {
    const { batch } = this
    if (batch.bytes < BATCH_BYTES && batch.count < BATCH_BLOBS) return undefined
    this.batch = new BlobBatch(this.#shelf)
    return batch
  }

  #isDurable(hash: BlobHash): boolean {
    return !this.#shelf.settling.has(hash) && this.#shelf.renew(hash)
  }
}
