import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { BlobHash, Log, Runtime } from '../../core/index.ts'
import { isAlive } from '../images/index.ts'
import { decodeOutcome, encodeOutcome } from './outcome-file.ts'
import type { TransformedFile, TransformOutcome } from './transform-job.ts'

export interface FolderOptions {
  /** `<data>/transformed`. */
  readonly directory: string
  /** What all results together may take, whoever wrote them. */
  readonly maxBytes: number
  /** Processes that write here. */
  readonly writers: number
}

export type Kept = Exclude<TransformOutcome, { kind: 'failed' }>

interface Entry {
  readonly path: string
  readonly bytes: number
  readonly usedMs: number
}

/** A tenth of the budget is what may be written between two sweeps, by all writers together; they sweep down to the rest. */
const SLACK = 0.1
/** A use is noted on the disk when the last note is older: reads stay reads. */
const NOTE_AGAIN_MS = 10 * 60_000
const MAX_NOTED = 10_000
/** As for blobs: what is left to the log of operations. */
const KEEP_FREE_SHARE = 0.05
const KEEP_FREE_BYTES = 512 * 1024 * 1024
/** An outcome takes a block of the disk, however small it is. */
const BLOCK_BYTES = 4096
const NAME = /^[0-9a-f]{64}$/
const KINDS = ['results', 'outcomes'] as const

/**
 * Results on the disk, shared by all workers of a node, least recently used first to go: `results/` holds bytes under their
 * SHA-256, as blobs are held, `outcomes/` what came of each job. Both are written under another name first, the bytes before
 * what names them; nothing is synced, since all of it can be made again: what a crash tore is found by its checksum, never
 * served, and removed. A disk that fails costs speed and no answer.
 */
export class TransformFolder {
  readonly #options: FolderOptions
  readonly #runtime: Pick<Runtime, 'now'>
  readonly #log: Log
  readonly #noted = new Map<string, number>()
  #unswept = 0
  #sweeping: Promise<void> | undefined
  #temporaries = 0

  constructor(options: FolderOptions, ports: { readonly runtime: Pick<Runtime, 'now'>; readonly log: Log }) {
    this.#options = options
    this.#runtime = ports.runtime
    this.#log = ports.log
  }

  /** Makes the folder, sweeps what dead processes left, and brings what is there within the budget. */
  async open(): Promise<void> {
    try {
      await mkdir(this.#incoming, { recursive: true, mode: 0o700 })
      for (const name of await readdir(this.#incoming))
        if (!isAlive(Number(name.split('-')[0]))) await rm(join(this.#incoming, name), { force: true })
      await this.sweep()
    } catch (error) {
      this.#log.warn('transforms.folder-failed', { error })
    }
  }

  /** Where the bytes of a result lie. Throws a RangeError for what is no hash. */
  path(hash: BlobHash): string {
    return resultPath(this.#options.directory, hash)
  }

  /** What came of a job, its bytes compared with their name; undefined also for what is not what it was. */
  async find(key: string): Promise<Kept | undefined> {
    const outcome = decodeOutcome(key, await readFile(this.#outcomePath(key)).catch(() => undefined))
    if (outcome === undefined) return undefined
    if (outcome.kind === 'done' && !(await this.#isWhole(outcome.result))) {
      await rm(this.#outcomePath(key), { force: true }).catch(() => {})
      return undefined
    }
    this.note(key, outcome)
    return outcome
  }

  /** False where it could not be kept: it is too large for the budget or the disk, or that fails. Never rejects. */
  async keep(key: string, outcome: Kept, bytes?: Uint8Array): Promise<boolean> {
    const { maxBytes, writers } = this.#options
    const size = BLOCK_BYTES + (bytes?.length ?? 0)
    if (size > maxBytes / 2) return false
    try {
      if (!(await this.#hasRoom(size))) return false
      if (this.#unswept + size > (maxBytes * SLACK) / writers) await this.sweep(size)
      this.#unswept += size
      if (outcome.kind === 'done' && bytes !== undefined) await this.#write(this.path(outcome.result.hash), bytes)
      await this.#write(this.#outcomePath(key), encodeOutcome(key, outcome))
      return true
    } catch (error) {
      this.#log.warn('transforms.folder-failed', { error })
      return false
    }
  }

  /** Bytes turned out to be gone or wrong: no other worker is to be told of them. */
  async remove(hash: BlobHash): Promise<void> {
    await rm(this.path(hash), { force: true }).catch(() => {})
  }

  /** Says that an outcome was used, so that it stays. */
  note(key: string, outcome: Kept): void {
    const now = this.#runtime.now()
    if (now - (this.#noted.get(key) ?? 0) < NOTE_AGAIN_MS) return
    if (this.#noted.size >= MAX_NOTED) this.#noted.clear()
    this.#noted.set(key, now)
    const paths = [this.#outcomePath(key), ...(outcome.kind === 'done' ? [this.path(outcome.result.hash)] : [])]
    // Swept in the meantime, where it fails.
    for (const path of paths) void utimes(path, now / 1000, now / 1000).catch(() => {})
  }

  /** Removes what was not used for longest until a tenth of the budget, and `roomBytes`, are free. */
  async sweep(roomBytes = 0): Promise<void> {
    this.#sweeping ??= this.#sweep(roomBytes).finally(() => {
      this.#sweeping = undefined
    })
    await this.#sweeping
  }

  get #incoming(): string {
    return join(this.#options.directory, 'incoming')
  }

  #outcomePath(key: string): string {
    return join(this.#options.directory, placeOf('outcomes', key))
  }

  async #isWhole({ hash, sizeBytes }: TransformedFile): Promise<boolean> {
    const path = this.path(hash)
    try {
      if ((await stat(path)).size === sizeBytes) {
        const digest = createHash('sha256')
        await pipeline(createReadStream(path), digest)
        if (digest.digest('hex') === hash) return true
      }
      await rm(path, { force: true })
    } catch {
      // It is gone.
    }
    return false
  }

  async #write(path: string, bytes: Uint8Array): Promise<void> {
    const temporary = join(this.#incoming, `${process.pid}-${this.#temporaries++}`)
    try {
      await mkdir(this.#incoming, { recursive: true, mode: 0o700 })
      await mkdir(join(path, '..'), { recursive: true, mode: 0o700 })
      {
        await using file = await open(temporary, 'wx', 0o600)
        await file.writeFile(bytes)
      }
      await rename(temporary, path)
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {})
      throw error
    }
  }

  async #sweep(roomBytes: number): Promise<void> {
    this.#unswept = 0
    const entries = (await this.#list()).sort((a, b) => a.usedMs - b.usedMs)
    let left = entries.reduce((sum, { bytes }) => sum + bytes, 0)
    const most = this.#options.maxBytes * (1 - SLACK) - roomBytes
    for (const { path, bytes } of entries) {
      if (left <= most) return
      // What cannot be removed must not keep the rest from being.
      left -= await rm(path, { force: true, recursive: true }).then(
        () => bytes,
        () => 0,
      )
    }
  }

  async #list(): Promise<Entry[]> {
    const entries: Entry[] = []
    for (const kind of KINDS) {
      const folder = join(this.#options.directory, kind)
      for (const bucket of await readdir(folder).catch(() => [])) {
        for (const name of await readdir(join(folder, bucket)).catch(() => [])) {
          const path = join(folder, bucket, name)
          const found = await stat(path).catch(() => undefined)
          if (found !== undefined)
            entries.push({ path, bytes: Math.max(BLOCK_BYTES, found.size), usedMs: found.mtimeMs })
        }
      }
    }
    return entries
  }

  async #hasRoom(bytes: number): Promise<boolean> {
    await mkdir(this.#incoming, { recursive: true, mode: 0o700 })
    const { bavail, blocks, bsize } = await statfs(this.#options.directory)
    return bavail * bsize - bytes > Math.max(KEEP_FREE_BYTES, blocks * bsize * KEEP_FREE_SHARE)
  }
}

/** Where a result lies in a folder of results. Throws a RangeError for what is no hash. */
export function resultPath(directory: string, hash: BlobHash): string {
  return join(directory, placeOf('results', hash))
}

/** The one place where a name becomes a path. */
function placeOf(kind: (typeof KINDS)[number], name: string): string {
  if (!NAME.test(name)) throw new RangeError('a name is 64 hexadecimal digits')
  return join(kind, name.slice(0, 2), name)
}
