import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, renameSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import type { BlobHash } from '../../core/index.ts'
import { isMissing } from './blob-folder.ts'

/** Read at a time; small enough to be paced. */
const CHUNK_BYTES = 256 * 1024
/** Kept for whoever wants to know what the disk did; more of it would fill that disk. */
const MAX_KEPT_FILES = 32
const MAX_KEPT_BYTES = 16 * 1024 * 1024

/** Called after every read with its number of bytes; what it returns is waited for. */
export type Pace = (bytes: number) => Promise<void>

/** What reading a blob's file through says of it. */
export type Finding =
  | { readonly kind: 'right' }
  | { readonly kind: 'missing' }
  /** Other bytes, or bytes that the disk does not give any more; `inode` names the file that was read. */
  | { readonly kind: 'damaged'; readonly inode: number }

/** Reads a blob's file and compares its hash. Throws what is no matter of this one file, as a lack of file descriptors. */
export async function inspectFile(path: string, hash: BlobHash, pace: Pace): Promise<Finding> {
  let handle: FileHandle
  try {
    handle = await open(path, 'r')
  } catch (error) {
    if (isMissing(error)) return { kind: 'missing' }
    throw error
  }
  try {
    const { ino: inode } = await handle.stat()
    const hasher = createHash('sha256')
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
    try {
      for (;;) {
        const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES, null)
        if (bytesRead === 0) break
        hasher.update(buffer.subarray(0, bytesRead))
        await pace(bytesRead)
      }
    } catch (error) {
      // EIO: the disk itself says that these bytes are lost.
      if (error instanceof Error && 'code' in error && error.code === 'EIO') return { kind: 'damaged', inode }
      throw error
    }
    return hasher.digest('hex') === hash ? { kind: 'right' } : { kind: 'damaged', inode }
  } finally {
    await handle.close()
  }
}

/**
 * Moves a damaged file out of the readers' way, in one turn, unless another one took its place since it was read. Returns
 * where it lies now, or undefined. The first few are kept in `keepIn`; of the rest `temporary` says where they go, to be
 * deleted.
 */
export function setAside(
  { path, inode, name }: { readonly path: string; readonly inode: number; readonly name: string },
  keepIn: string,
  temporary: () => string,
): { readonly path: string; readonly kept: boolean } | undefined {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat?.ino !== inode) return undefined
  mkdirSync(keepIn, { recursive: true })
  const kept = stat.size <= MAX_KEPT_BYTES && readdirSync(keepIn).length < MAX_KEPT_FILES
  const to = kept ? join(keepIn, name) : temporary()
  renameSync(path, to)
  return { path: to, kept }
}
