import { createHash } from 'node:crypto'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncDirectory } from '../store/store-files.ts'

/** `MKD1`, SHA-256 of what follows (32), a Yjs V1 update. */
const MAGIC = Buffer.from('MKD1')
const HEADER_BYTES = MAGIC.length + 32

/** The snapshot that was written last; undefined when there is none or it is not what was written. */
export async function readSnapshot(path: string): Promise<Uint8Array | undefined> {
  let content: Buffer
  try {
    content = await readFile(path)
  } catch {
    return undefined
  }
  if (content.length < HEADER_BYTES || Buffer.compare(content.subarray(0, MAGIC.length), MAGIC) !== 0) return undefined
  const snapshot = content.subarray(HEADER_BYTES)
  if (Buffer.compare(checksum(snapshot), content.subarray(MAGIC.length, HEADER_BYTES)) !== 0) return undefined
  return new Uint8Array(snapshot)
}

/** Puts a snapshot in the place of the last one, durable and whole or not at all. */
export async function writeSnapshot(path: string, snapshot: Uint8Array): Promise<void> {
  const temporary = `${path}.new`
  try {
    await using file = await open(temporary, 'w', 0o600)
    await file.writev([MAGIC, checksum(snapshot), snapshot])
    await file.sync()
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw error
  }
  await rename(temporary, path)
  await syncDirectory(dirname(path))
}

const checksum = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest()
