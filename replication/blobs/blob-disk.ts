import { spawn } from 'node:child_process'
import { closeSync, fsync, openSync } from 'node:fs'
import { statfs as systemStatfs } from 'node:fs/promises'
import { platform } from 'node:process'
import { promisify } from 'node:util'
import { MakiError } from '../../core/index.ts'

/** What is asked of a file system: `statfs(2)`. */
export type Statfs = (
  path: string,
) => Promise<{ readonly bsize: number; readonly blocks: number; readonly bavail: number }>

/** Blobs leave this much of the disk to the log of operations, whichever is more. */
const RESERVED_SHARE = 0.05
const RESERVED_BYTES = 512 * 1024 * 1024
/** With less than this above the reserve, blobs that nobody needs go now and not in an hour. */
const SHORT_BYTES = 512 * 1024 * 1024
/** How far blobs may run ahead of the last look at the disk. */
const ALLOWANCE_BYTES = 32 * 1024 * 1024

/** Refuses blobs (MAKI_DISK_FULL) that would take the disk's last part, which belongs to the log. */
export class DiskSpace {
  readonly #path: string
  readonly #statfs: Statfs
  #allowanceBytes = 0

  constructor(path: string, statfs: Statfs = systemStatfs) {
    this.#path = path
    this.#statfs = statfs
  }

  /** Looks at the disk; call it when a transfer starts, since others fill the disk too. */
  async refresh(): Promise<void> {
    const { bsize, blocks, bavail } = await this.#statfs(this.#path)
    this.#allowanceBytes = Math.min(ALLOWANCE_BYTES, bsize * bavail - reserved(bsize * blocks))
  }

  /** True when blobs are refused now, or will be soon. */
  async isShort(): Promise<boolean> {
    const { bsize, blocks, bavail } = await this.#statfs(this.#path)
    return bsize * bavail < reserved(bsize * blocks) + Math.min(SHORT_BYTES, RESERVED_SHARE * bsize * blocks)
  }

  /** Takes from what was seen to be free; false says that the disk has to be looked at again. */
  tryClaim(bytes: number): boolean {
    if (this.#allowanceBytes < bytes) return false
    this.#allowanceBytes -= bytes
    return true
  }

  async claim(wantedBytes: number): Promise<void> {
    // More than this is never allowed at once; a single larger chunk may run over by what it is larger.
    const bytes = Math.min(wantedBytes, ALLOWANCE_BYTES)
    if (this.tryClaim(bytes)) return
    await this.refresh()
    if (!this.tryClaim(bytes)) throw diskFull()
  }
}

const reserved = (diskBytes: number): number => Math.max(RESERVED_SHARE * diskBytes, RESERVED_BYTES)

function diskFull(cause?: unknown): MakiError {
  return new MakiError('MAKI_DISK_FULL', 'the disk has no room for more blobs: its last part is kept for the log', {
    cause,
    hint: 'Free disk space on this node, or give it a larger disk.',
  })
}

/** What a failed file operation means to whoever waits for a blob. */
export function storeError(cause: unknown, act: string): MakiError {
  if (cause instanceof MakiError) return cause
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'ENOSPC' || code === 'EDQUOT') return diskFull(cause)
  const why = cause instanceof Error ? cause.message : String(cause)
  return new MakiError('MAKI_STORE_FAILED', `the blob store cannot ${act}: ${why}`, {
    cause,
    hint: 'Look at the disk of this node (dmesg, df) and at the rights of its data folder.',
  })
}

const syncFile = promisify(fsync)

/** Makes files or folders durable, each by its own fsync, a few at a time. */
export async function syncEach(paths: readonly string[]): Promise<void> {
  let next = 0
  const run = async (): Promise<void> => {
    while (next < paths.length) {
      // Opened at once: only the fsync waits for the disk, and each turn through the thread pool costs a wake-up.
      const file = openSync(paths[next++] as string, 'r')
      try {
        await syncFile(file)
      } finally {
        closeSync(file)
      }
    }
  }
  // Four are what libuv's pool runs at once.
  await Promise.all([run(), run(), run(), run()])
}

/** From here on one flush of the file system is cheaper than an fsync of each (10,000 files: 0.2 s against 2 s). */
const FLUSH_FROM_PATHS = 8

/**
 * Makes many files durable with one `syncfs(2)`. It runs in a child process (`sync -f` of coreutils) because it can
 * take long and must not hold up the event loop; those who ask while one runs share the next. Where it
 * does not exist every path gets its own fsync.
 */
export class DiskFlusher {
  readonly #directory: string
  #canFlush: Promise<boolean> | undefined
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined

  /** `directory` lies on the file system of all paths that will come. */
  constructor(directory: string) {
    this.#directory = directory
  }

  /** Resolves when all that was written to these files and folders before the call is durable. */
  async sync(paths: readonly string[]): Promise<void> {
    if (paths.length < FLUSH_FROM_PATHS) return syncEach(paths)
    this.#canFlush ??= platform === 'linux' ? isWorking(runSync(this.#directory)) : Promise.resolve(false)
    if (!(await this.#canFlush)) return syncEach(paths)
    await this.#flush()
  }

  #flush(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = runSync(this.#directory).finally(() => {
        this.#running = undefined
      })
      return this.#running
    }
    // What was written after the running flush began may not be part of it.
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = undefined
        return this.#flush()
      })
    return this.#next
  }
}

const isWorking = (attempt: Promise<void>): Promise<boolean> =>
  attempt.then(
    () => true,
    () => false,
  )

function runSync(directory: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const child = spawn('sync', ['-f', directory], { stdio: 'ignore' })
  child.once('error', reject)
  child.once('exit', (code, signal) => {
    if (code === 0) resolve()
    else reject(new Error(`sync -f ended with ${code ?? signal}`))
  })
  return promise
}
