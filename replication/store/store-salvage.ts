import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, rename, rm } from 'node:fs/promises'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Level } from 'level'
import { type ClusterId, type Log, type OperationId, operationIdOf, type Runtime } from '../../core/index.ts'
import { syncDirectory } from '../files/replace-file.ts'
import type { OperationRecord, StoreDamage } from '../ports.ts'
import { writeDamage } from './store-damage.ts'
import { asStoreError } from './store-errors.ts'
import { exists, type StorePaths } from './store-files.ts'
import { END_KEY, encodeRecord, FIRST_KEY, readRecord, recordKey } from './store-record.ts'

export type Database = Level<Uint8Array, Uint8Array>
export const ENCODING = { keyEncoding: 'view', valueEncoding: 'view', compression: false } as const
/** Where a store keeps its own name. */
export const NAME_KEY: Uint8Array = new TextEncoder().encode('name')

/** How many records are read, or written, in one step. */
const STEP = 500

/** What is needed to write a store anew. */
interface Salvage {
  readonly paths: StorePaths
  readonly cluster: ClusterId
  /** Name of the new store. */
  readonly storeId: string
  /** How many operations the damaged store should hold, as far as is known. */
  readonly expected: number
  readonly runtime: Pick<Runtime, 'now'>
  readonly log: Log
  readonly repair?: (folder: string) => Promise<void>
}

/**
 * Writes what is readable of a damaged store into a new one, then sets the damaged files aside. The last steps are
 * renames, so a crash on the way starts the work again and loses nothing.
 */
export async function salvageStore(salvage: Salvage): Promise<StoreDamage> {
  const { paths, log, runtime, expected } = salvage
  try {
    await rm(paths.rebuild, { recursive: true, force: true })
    const readable = await writeAnew(salvage)
    const damage: StoreDamage = { readable, lost: Math.max(0, expected - readable) }
    await writeDamage(paths, damage)
    const time = new Date(runtime.now()).toISOString().replaceAll(':', '')
    let aside = `${paths.operations}.damaged-${time}`
    for (let i = 2; await exists(aside); i++) aside = `${paths.operations}.damaged-${time}-${i}`
    if (await exists(paths.operations)) await rename(paths.operations, aside)
    await rename(paths.rebuild, paths.operations)
    await syncDirectory(paths.directory)
    log.error('store.damaged', { ...damage, aside })
    return damage
  } catch (cause) {
    throw asStoreError(cause, 'write the damaged store anew')
  } finally {
    await rm(paths.salvage, { recursive: true, force: true }).catch(() => {})
  }
}

async function writeAnew({ paths, cluster, storeId, log, repair = repairHere }: Salvage): Promise<number> {
  await using target: Database = new Level<Uint8Array, Uint8Array>(paths.rebuild, ENCODING)
  await target.open()
  await target.put(NAME_KEY, new TextEncoder().encode(storeId), { sync: true })
  const seen = new Set<OperationId>()
  const keep = async (records: readonly OperationRecord[]) => {
    const fresh = records.filter(({ id, bytes }) => !seen.has(id) && isOperation(id, bytes, cluster))
    if (fresh.length === 0) return
    const puts = fresh.map((record, i) => {
      return { type: 'put', key: recordKey(seen.size + i), value: encodeRecord(record) } as const
    })
    await target.batch(puts, { sync: true })
    for (const { id } of fresh) seen.add(id)
  }
  await readFolder(paths.operations, keep, log)
  // Level's own repair finds tables that the present index no longer names; it works in place, so on a copy.
  if (await exists(paths.operations)) {
    try {
      await rm(paths.salvage, { recursive: true, force: true })
      await cp(paths.operations, paths.salvage, { recursive: true })
      await repair(paths.salvage)
    } catch (error) {
      log.warn('store.repair.failed', { error })
    }
    await readFolder(paths.salvage, keep, log)
  }
  return seen.size
}

const REPAIR = fileURLToPath(new URL(`./repair-main${extname(import.meta.filename)}`, import.meta.url))

/**
 * Level's own repair in this process, which its assertions can end. Level has it as a static method of its class, which its
 * common type does not show.
 */
export async function repairHere(folder: string): Promise<void> {
  await (Level as unknown as { repair(location: string): Promise<void> }).repair(folder)
}

/** Level's own repair in a process of its own. Rejects when Level gives up, and when its assertions end that process. */
export async function repairAside(folder: string): Promise<void> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', REPAIR, folder], { stdio: 'ignore' })
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  if (code !== 0) throw new Error(`the repair ended by ${signal ?? `exit ${code}`}`)
}

async function readFolder(folder: string, keep: (records: OperationRecord[]) => Promise<void>, log: Log) {
  if (!(await exists(folder))) return
  try {
    await using source: Database = new Level<Uint8Array, Uint8Array>(folder, ENCODING)
    await source.open({ createIfMissing: false })
    await readIntact(source, keep)
  } catch (error) {
    const failed = asStoreError(error, 'read the damaged store')
    // Only the copying side may be short of space; what cannot be read is what we are here for.
    if (failed.code === 'MAKI_DISK_FULL') throw failed
    log.warn('store.salvage.unreadable', { error })
  }
}

/** Passes on every record that is as it was written; goes on behind what Level cannot read. */
async function readIntact(source: Database, keep: (records: OperationRecord[]) => Promise<void>): Promise<void> {
  let batch: OperationRecord[] = []
  await using iterator = source.values({ gte: FIRST_KEY, lt: END_KEY })
  for (;;) {
    const value = await iterator.next().catch(() => undefined)
    if (value === undefined) break
    const record = readRecord(value)
    if (record === undefined) continue
    batch.push(record)
    if (batch.length < STEP) continue
    await keep(batch)
    batch = []
  }
  await keep(batch)
}

function isOperation(id: OperationId, bytes: Uint8Array, cluster: ClusterId): boolean {
  try {
    return operationIdOf(bytes, cluster) === id
  } catch {
    return false
  }
}
