import { mkdir, rename, rm } from 'node:fs/promises'
import { Level } from 'level'
import {
  type ClusterId,
  encodeBase32,
  IdTable,
  type Log,
  MakiError,
  type OperationId,
  type Runtime,
} from '../../core/index.ts'
import { syncDirectory } from '../files/replace-file.ts'
import type { OperationRecord, OperationStore, StoreDamage } from '../ports.ts'
import { IdSum } from './id-sum.ts'
import { noteLoss, readDamage, writeMarker } from './store-damage.ts'
import { asStoreError, isDamage, isLocked } from './store-errors.ts'
import { exists, holdsData, type StorePaths, storePaths } from './store-files.ts'
import { lockedError, removeHolder, writeHolder } from './store-holder.ts'
import { END_KEY, FIRST_KEY, isIntactRecord, readKey, readRecord, recordIdBytes, recordKey } from './store-record.ts'
import { type Database, ENCODING, NAME_KEY, salvageStore } from './store-salvage.ts'
import { type Seal, SealFile } from './store-seal.ts'
import { StoreWriter } from './store-writer.ts'

export interface LevelStoreOptions {
  /** Holds the store's files and nothing else. */
  readonly directory: string
  readonly cluster: ClusterId
  readonly runtime: Pick<Runtime, 'now' | 'randomBytes'>
  readonly log: Log
  /** Whether a store may be made where none is; otherwise that is MAKI_NOT_FOUND. Default true. */
  readonly create?: boolean
  /**
   * A file outside of the directory that says that a store was made here, written when one is. Where there is such a file
   * and no store, all was lost: the one that is made then is `damaged`.
   */
  readonly marker?: string
  /** Level's own repair of a folder; in this process, which it can end, unless `repairAside` is given. */
  readonly repair?: (folder: string) => Promise<void>
}

/** A store of operations on disk, with what became of it when it was found damaged. */
export interface LevelStore extends OperationStore {
  readonly damaged: StoreDamage | undefined
  markWhole(): Promise<void>
}

/**
 * Opens the store after a look at every record: each against its checksum, and all together against number and XOR of
 * ids in the side file. A damaged store is set aside and what is readable written anew; `damaged` then says what is
 * gone. Throws MAKI_LOCKED when a process has it open, MAKI_NOT_FOUND, MAKI_STORE_FAILED, MAKI_DISK_FULL.
 */
export async function openLevelStore(options: LevelStoreOptions): Promise<LevelStore> {
  const paths = storePaths(options.directory)
  try {
    if (options.create !== false) await mkdir(options.directory, { recursive: true, mode: 0o700 })
    else if (!(await exists(paths.seal)) && !(await holdsData(paths.operations))) throw notFound(options.directory)
    // A crash between the two renames that put a store written anew in its place.
    if (!(await exists(paths.operations)) && (await exists(paths.damage)) && (await exists(paths.rebuild)))
      await rename(paths.rebuild, paths.operations)
    await using cleanup = new AsyncDisposableStack()
    const { file: sealFile, seal } = SealFile.open(paths.seal)
    cleanup.defer(() => sealFile.close())
    const opened = await openSound(options, paths, seal)
    cleanup.defer(() => opened.database.close())
    await writeHolder(paths.holder)
    cleanup.defer(() => removeHolder(paths.holder))
    if (options.marker !== undefined) await writeMarker(options.marker, options.cluster)
    const damaged = await readDamage(paths)
    sealFile.write({ storeId: opened.storeId, sum: opened.sum })
    const store = new OpenStore({ ...opened, sealFile, damaged, paths, log: options.log })
    store.own(cleanup.move())
    return store
  } catch (cause) {
    if (isLocked(cause)) throw await lockedError(options.directory, paths.holder, cause)
    throw asStoreError(cause, 'open it')
  }
}

/** How many records are read at a time when the store is opened. */
const LOOK_STEP = 1000

interface Opened {
  readonly database: Database
  readonly storeId: string
  readonly sum: IdSum
  /** Ids by sequence number. */
  readonly index: IdTable
}

async function openSound(options: LevelStoreOptions, paths: StorePaths, seal: Seal | undefined): Promise<Opened> {
  const newId = () => encodeBase32(options.runtime.randomBytes(16))
  if (seal === undefined && !(await holdsData(paths.operations))) {
    if (options.marker !== undefined && (await exists(options.marker))) await noteLoss(paths, options.log)
    return createDatabase(paths, newId())
  }
  const found = await openChecked(paths, seal, options.log)
  if ('database' in found) return found
  const expected = Math.max(found.seen, seal?.sum.count ?? 0)
  await salvageStore({ ...options, paths, storeId: newId(), expected })
  const again = await openChecked(paths, undefined, options.log)
  if ('database' in again) return again
  throw new MakiError('MAKI_STORE_DAMAGED', `the store in ${options.directory} is damaged and cannot be written anew`, {
    hint: 'Check the disk; the damaged files are kept beside the store.',
  })
}

async function createDatabase(paths: StorePaths, storeId: string): Promise<Opened> {
  const database: Database = new Level<Uint8Array, Uint8Array>(paths.operations, ENCODING)
  try {
    await database.open({ createIfMissing: true })
    await database.put(NAME_KEY, new TextEncoder().encode(storeId), { sync: true })
    await syncDirectory(paths.directory)
    return { database, storeId, sum: new IdSum(), index: new IdTable() }
  } catch (error) {
    await database.close()
    throw error
  }
}

/** Opens what is there and looks through it; `seen` is how many records were met before, or behind, the damage. */
async function openChecked(
  paths: StorePaths,
  seal: Seal | undefined,
  log: Log,
): Promise<Opened | { readonly seen: number }> {
  const database: Database = new Level<Uint8Array, Uint8Array>(paths.operations, ENCODING)
  const index = new IdTable()
  const sum = new IdSum()
  let seen = 0
  try {
    // A missing CURRENT would otherwise open as an empty store.
    await database.open({ createIfMissing: false })
    const name = await database.get(NAME_KEY)
    const storeId = name === undefined ? undefined : new TextDecoder().decode(name)
    // A seal of another store is left over from before a repair; without one, each record answers for itself.
    const expected = seal !== undefined && seal.storeId === storeId ? seal.sum : new IdSum()
    let sound = storeId !== undefined
    await using iterator = database.iterator({ gte: FIRST_KEY, lt: END_KEY })
    for (let step = await iterator.nextv(LOOK_STEP); step.length > 0; step = await iterator.nextv(LOOK_STEP)) {
      for (const [key, value] of step) {
        const sequence = readKey(key)
        seen = Math.max(seen, (sequence ?? 0) + 1)
        // An id that is here already keeps its number.
        if (!isIntactRecord(value) || sequence !== index.size || index.addBytes(recordIdBytes(value)) !== sequence) {
          sound = false
          continue
        }
        sum.addBytes(recordIdBytes(value))
        if (sum.count === expected.count && !sum.equals(expected)) sound = false
      }
    }
    if (sum.count < expected.count) sound = false
    if (sound && storeId !== undefined) return { database, storeId, sum, index }
  } catch (error) {
    if (!isDamage(error)) {
      await database.close()
      throw error
    }
    log.warn('store.unreadable', { error })
  }
  await database.close()
  return { seen }
}

class OpenStore implements LevelStore {
  readonly id: string
  readonly #database: Database
  readonly #index: IdTable
  readonly #writer: StoreWriter
  readonly #paths: StorePaths
  readonly #owned = new AsyncDisposableStack()
  #damaged: StoreDamage | undefined
  #closing: Promise<void> | undefined

  constructor(parts: Opened & { sealFile: SealFile; damaged: StoreDamage | undefined; paths: StorePaths; log: Log }) {
    this.id = parts.storeId
    this.#database = parts.database
    this.#index = parts.index
    this.#paths = parts.paths
    this.#damaged = parts.damaged
    this.#writer = new StoreWriter(parts)
  }

  /** Takes over what is to be closed with the store. */
  own(owned: AsyncDisposableStack): void {
    this.#owned.use(owned)
  }

  get count(): number {
    return this.#index.size
  }

  get damaged(): StoreDamage | undefined {
    return this.#damaged
  }

  async markWhole(): Promise<void> {
    await rm(this.#paths.damage, { force: true })
    this.#damaged = undefined
  }

  append(records: readonly OperationRecord[]): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(closed('append'))
    return this.#writer.append(records)
  }

  async list(from: number, limit: number): Promise<readonly OperationRecord[]> {
    if (this.#closing !== undefined) throw closed('list')
    if (limit <= 0 || from >= this.count) return []
    const gte = recordKey(from)
    const values = await this.#database.values({ gte, lt: END_KEY, limit }).all().catch(failedRead)
    // Only what was acknowledged counts as kept; a batch under way may be visible already.
    return values.slice(0, this.count - from).map(intact)
  }

  async read(id: OperationId): Promise<Uint8Array | undefined> {
    if (this.#closing !== undefined) throw closed('read')
    const sequence = this.#index.indexOf(id)
    if (sequence === undefined) return undefined
    return intact(await this.#database.get(recordKey(sequence)).catch(failedRead)).bytes
  }

  sequence(id: OperationId): number | undefined {
    return this.#index.indexOf(id)
  }

  close(): Promise<void> {
    this.#closing ??= this.#writer.idle().then(() => this.#owned.disposeAsync())
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

function intact(value: Uint8Array | undefined): OperationRecord {
  const record = value === undefined ? undefined : readRecord(value)
  if (record !== undefined) return record
  throw new MakiError('MAKI_STORE_DAMAGED', 'an operation that was stored is not what it was', {
    hint: 'Restart the node: it keeps what is readable and pulls the rest from the others.',
  })
}

function failedRead(cause: unknown): never {
  throw asStoreError(cause, 'read')
}

const closed = (act: string) => new MakiError('MAKI_STORE_FAILED', `the store is closed: cannot ${act}`)

const notFound = (directory: string) => new MakiError('MAKI_NOT_FOUND', `there is no store in ${directory}`)
