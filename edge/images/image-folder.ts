import { createHash } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log, Runtime } from '../../core/index.ts'

export interface FolderOptions {
  readonly directory: string
  /** What all results together may take, whoever wrote them. */
  readonly maxBytes: number
  /** Processes that write here. */
  readonly writers: number
}

interface Entry {
  readonly path: string
  readonly bytes: number
  readonly usedMs: number
}

const MAGIC = Buffer.from('MKI2')
const CHECK_BYTES = 32
const HEAD_BYTES = MAGIC.length + CHECK_BYTES
/** A tenth of the budget is what may be written between two sweeps, by all writers together; they sweep down to the rest. */
const SLACK = 0.1
/** A use is noted on the disk when the last note is older: reads stay reads. */
const NOTE_AGAIN_MS = 10 * 60_000
/** As for blobs: what is left to the log of operations. */
const KEEP_FREE_SHARE = 0.05
const KEEP_FREE_BYTES = 512 * 1024 * 1024
const KEY = /^[0-9a-f]{64}$/

/**
 * Results on the disk, shared by all workers of a node, least recently used first to go. A file carries a checksum of its
 * key and bytes, so that what was torn by a crash or altered by the disk is never served; nothing is synced, since all of it can be
 * made again. A disk that fails costs speed and no answer.
 */
export class ImageFolder {
  readonly #options: FolderOptions
  readonly #runtime: Runtime
  readonly #log: Log
  #unswept = 0
  #sweeping: Promise<void> | undefined
  #temporaries = 0

  constructor(options: FolderOptions, ports: { runtime: Runtime; log: Log }) {
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
      this.#log.warn('images.folder-failed', { error })
    }
  }

  /** The bytes that were kept under the key; undefined also for a file that is not what it was. */
  async find(key: string): Promise<Uint8Array | undefined> {
    const path = this.#path(key)
    try {
      const file = await readFile(path)
      const bytes = file.subarray(HEAD_BYTES)
      if (
        !file.subarray(0, MAGIC.length).equals(MAGIC) ||
        !check(key, bytes).equals(file.subarray(MAGIC.length, HEAD_BYTES))
      ) {
        await rm(path, { force: true })
        return undefined
      }
      void this.#note(path)
      return bytes
    } catch {
      return undefined
    }
  }

  /** Never rejects. One that is too large for the budget, or for what is left of the disk, is not kept. */
  async keep(key: string, bytes: Uint8Array): Promise<void> {
    const { maxBytes, writers } = this.#options
    const size = HEAD_BYTES + bytes.length
    const share = (maxBytes * SLACK) / writers
    if (size > share) return
    const path = this.#path(key)
    const temporary = join(this.#incoming, `${process.pid}-${this.#temporaries++}`)
    try {
      if (!(await this.#hasRoom(size))) return
      // Before it is written, so that all writers together never exceed the budget.
      if (this.#unswept + size > share) await this.sweep()
      this.#unswept += size
      await mkdir(join(path, '..'), { recursive: true, mode: 0o700 })
      {
        await using file = await open(temporary, 'wx', 0o600)
        await file.writev([MAGIC, check(key, bytes), bytes])
      }
      await rename(temporary, path)
    } catch (error) {
      this.#log.warn('images.folder-failed', { error })
      await rm(temporary, { force: true }).catch(() => {})
    }
  }

  /** Removes what was not used for longest until a tenth of the budget is free. */
  async sweep(): Promise<void> {
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = undefined
    })
    await this.#sweeping
  }

  get #incoming(): string {
    return join(this.#options.directory, 'incoming')
  }

  /** The one place where a key becomes a path. Throws for what is none. */
  #path(key: string): string {
    if (!KEY.test(key)) throw new RangeError('a key is 64 hexadecimal digits')
    return join(this.#options.directory, key.slice(0, 2), key)
  }

  async #sweep(): Promise<void> {
    this.#unswept = 0
    const entries = (await this.#list()).sort((a, b) => a.usedMs - b.usedMs)
    let left = entries.reduce((sum, { bytes }) => sum + bytes, 0)
    const most = this.#options.maxBytes * (1 - SLACK)
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
    const { directory } = this.#options
    for (const bucket of await readdir(directory).catch(() => [])) {
      if (!/^[0-9a-f]{2}$/.test(bucket)) continue
      for (const name of await readdir(join(directory, bucket)).catch(() => [])) {
        const path = join(directory, bucket, name)
        const found = await stat(path).catch(() => undefined)
        if (found !== undefined) entries.push({ path, bytes: found.size, usedMs: found.mtimeMs })
      }
    }
    return entries
  }

  async #note(path: string): Promise<void> {
    try {
      const now = this.#runtime.now()
      if (now - (await stat(path)).mtimeMs > NOTE_AGAIN_MS) await utimes(path, now / 1000, now / 1000)
    } catch {
      // Swept in the meantime.
    }
  }

  async #hasRoom(bytes: number): Promise<boolean> {
    const { bavail, blocks, bsize } = await statfs(this.#options.directory)
    return bavail * bsize - bytes > Math.max(KEEP_FREE_BYTES, blocks * bsize * KEEP_FREE_SHARE)
  }
}

/** Of the key too: a whole result under the name of another one is as wrong as a torn one. */
function check(key: string, bytes: Uint8Array): Buffer {
  return createHash('sha256').update(key).update(bytes).digest()
}

/** Whether a process of that number runs, be it ours or not. */
export function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
