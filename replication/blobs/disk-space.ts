import { statfs as systemStatfs } from 'node:fs/promises'
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
