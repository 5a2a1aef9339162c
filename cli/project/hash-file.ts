import { createHash, hash } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import type { BlobHash } from '../../core/index.ts'
import { type FileIdentity, identityOf, isSameFile } from './file-identity.ts'
import type { FoundFile } from './walk.ts'

/** `O_NOFOLLOW`: a link put there since the walk is not followed. `O_NONBLOCK`: a pipe put there does not stop us. */
export const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)
const CHUNK_BYTES = 1024 * 1024

/**
 * One buffer for all: reading and hashing is synchronous, and callers give way between chunks. Measured on 10,000
 * files of 20 kB: 0.35 s, against 0.75 s with sixteen asynchronous reads at a time.
 */
const buffer = Buffer.allocUnsafe(CHUNK_BYTES)

export interface HashedFile extends FileIdentity {
  readonly hash: BlobHash
}

/**
 * Hashes a file; yields undefined between chunks of 1 MiB so that the caller can give way, and at the end the result,
 * or 'changed' when it changed while it was read (or is no file any more). Throws what opening throws.
 */
export function* hashInSteps(
  file: Pick<FoundFile, 'path' | 'source'>,
  afterRead?: (path: string) => void,
): Generator<undefined, HashedFile | 'changed'> {
  const fd = openSync(file.source, OPEN_FLAGS)
  try {
    const before = fstatSync(fd, { bigint: true })
    if (!before.isFile()) return 'changed'
    const identity = identityOf(before)
    let digest: string
    let readBytes = fill(fd)
    if (readBytes < CHUNK_BYTES) {
      digest = hash('sha256', buffer.subarray(0, readBytes), 'hex')
    } else {
      const hasher = createHash('sha256')
      for (let length = readBytes; length > 0; ) {
        hasher.update(buffer.subarray(0, length))
        yield undefined
        length = fill(fd)
        readBytes += length
      }
      digest = hasher.digest('hex')
    }
    afterRead?.(file.path)
    const after = identityOf(fstatSync(fd, { bigint: true }))
    if (readBytes !== identity.sizeBytes || !isSameFile(identity, after)) return 'changed'
    return { ...identity, hash: digest as BlobHash }
  } finally {
    closeSync(fd)
  }
}

function fill(fd: number): number {
  let filled = 0
  while (filled < CHUNK_BYTES) {
    const length = readSync(fd, buffer, filled, CHUNK_BYTES - filled, null)
    if (length === 0) break
    filled += length
  }
  return filled
}
