import { readFile } from 'node:fs/promises'
import { type BlobHash, isBlobHash, type Runtime } from '../../core/index.ts'
import { writeFileAtomically } from '../config/index.ts'
import { isSameFile } from './file-identity.ts'
import type { HashedFile } from './hash-file.ts'
import type { FoundFile } from './walk.ts'

/**
 * A file that changed less than this before it was read is hashed again next time: a second change within the same
 * tick of the file system's clock would leave size and times as they are (what git calls a racy entry). FAT counts in
 * two seconds; others are finer.
 */
const RACY_NS = 2_000_000_000n
const VERSION = 1

type Row = [path: string, size: number, mtimeNs: string, ctimeNs: string, inode: string, hash: string]

/** Remembers the hashes of files by path, size, times and inode. A lost or broken cache costs time, nothing else. */
export class ScanCache {
  readonly #entries = new Map<string, HashedFile>()
  #dirty = false

  static async load(file: string | undefined): Promise<ScanCache> {
    const cache = new ScanCache()
    if (file === undefined) return cache
    for (const row of await readRows(file)) cache.#restore(row)
    return cache
  }

  find(file: FoundFile): BlobHash | undefined {
    const entry = this.#entries.get(file.source)
    return entry !== undefined && isSameFile(entry, file) ? entry.hash : undefined
  }

  /** `readAtNs`: the clock when the reading of the file began, nanoseconds since the Unix epoch. */
  remember(source: string, file: HashedFile, readAtNs: bigint): void {
    const changedNs = file.mtimeNs > file.ctimeNs ? file.mtimeNs : file.ctimeNs
    if (changedNs + RACY_NS <= readAtNs) this.#entries.set(source, file)
    else if (!this.#entries.delete(source)) return
    this.#dirty = true
  }

  /** Forgets what lies in the folder and was not found there. */
  retain(folder: string, present: ReadonlySet<string>): void {
    for (const source of this.#entries.keys()) {
      if (!source.startsWith(`${folder}/`) || present.has(source)) continue
      this.#entries.delete(source)
      this.#dirty = true
    }
  }

  async save(file: string | undefined, runtime: Pick<Runtime, 'randomBytes'>): Promise<void> {
    if (file === undefined || !this.#dirty) return
    const rows: Row[] = []
    for (const [source, { sizeBytes, mtimeNs, ctimeNs, inode, hash }] of this.#entries)
      rows.push([source, sizeBytes, String(mtimeNs), String(ctimeNs), String(inode), hash])
    await writeFileAtomically(file, JSON.stringify([VERSION, rows]), { mode: 0o600, runtime, durable: false })
    this.#dirty = false
  }

  #restore(row: unknown): void {
    if (!isRow(row)) return
    const [source, sizeBytes, mtimeNs, ctimeNs, inode, hash] = row
    if (!isBlobHash(hash)) return
    this.#entries.set(source, {
      sizeBytes,
      mtimeNs: BigInt(mtimeNs),
      ctimeNs: BigInt(ctimeNs),
      inode: BigInt(inode),
      hash,
    })
  }
}

const INTEGER = /^-?[0-9]{1,20}$/

function isRow(row: unknown): row is Row {
  if (!Array.isArray(row) || row.length !== 6) return false
  const [source, size, ...rest] = row as unknown[]
  const integers = rest.slice(0, 3).every((text) => typeof text === 'string' && INTEGER.test(text))
  return typeof source === 'string' && Number.isSafeInteger(size) && integers && typeof rest[3] === 'string'
}

async function readRows(file: string): Promise<readonly unknown[]> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'))
    if (Array.isArray(value) && value[0] === VERSION && Array.isArray(value[1])) return value[1]
  } catch {
    // Not there yet, or broken: the files are hashed again.
  }
  return []
}
