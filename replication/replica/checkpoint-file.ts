import { createHash } from 'node:crypto'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import {
  type ClusterId,
  decodeMessage,
  encodeCanonical,
  FOLD_VERSION,
  type Fold,
  PACKED_FOLD_LAYOUT,
  type PackedFold,
  SCHEMA,
} from '../../core/index.ts'
import { syncDirectory } from '../files/replace-file.ts'

/**
 * `MKF2`, the number below in the byte order of the machine (4), the length of the header in that order (4), the header
 * (canonical MessagePack), the lists of the fold one after another, SHA-256 of all that (32).
 */
const MAGIC = Buffer.from('MKF2')
const BYTE_ORDER = 0x01020304
const PREFIX_BYTES = MAGIC.length + 8
const HASH_BYTES = 32

/** What a checkpoint was made by and of; with any other it says nothing. */
interface Origin {
  readonly foldVersion: number
  readonly layout: number
  readonly schema: number
  readonly cluster: ClusterId
  /** Name of the store. */
  readonly store: string
}

interface Header extends Origin {
  /** Number and XOR of the ids that were folded. */
  readonly count: number
  readonly ids: string
  readonly head: PackedFold['head']
  /** Length of each list, in bytes. */
  readonly lists: readonly number[]
}

/** Written and hashed in one go; between those, others have their turn. */
const STEP_BYTES = 1024 * 1024

const originOf = (cluster: ClusterId, store: string): Origin => ({
  foldVersion: FOLD_VERSION,
  layout: PACKED_FOLD_LAYOUT,
  schema: SCHEMA,
  cluster,
  store,
})

/** Puts the fold as it is now in the place of the last checkpoint, durable and whole or not at all. */
export async function writeCheckpoint(path: string, fold: Fold, cluster: ClusterId, store: string): Promise<void> {
  const { count, ids } = fold.digest()
  const { head, lists } = fold.pack()
  const lengths = lists.map(({ length }) => length)
  const header = encodeCanonical({ ...originOf(cluster, store), count, ids, head, lists: lengths } satisfies Header)
  const prefix = Buffer.concat([MAGIC, new Uint8Array(Uint32Array.of(BYTE_ORDER, header.length).buffer)])
  const hash = createHash('sha256')
  const temporary = `${path}.new`
  try {
    await using file = await open(temporary, 'w', 0o600)
    for (const part of [prefix, header, ...lists]) {
      for (let from = 0; from < part.length; from += STEP_BYTES) {
        const step = part.subarray(from, from + STEP_BYTES)
        hash.update(step)
        await file.write(step)
        await setImmediate()
      }
    }
    await file.write(hash.digest())
    await file.sync()
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw error
  }
  await rename(temporary, path)
  await syncDirectory(dirname(path))
}

/** What a checkpoint holds; undefined where there is none. Throws an Error that says why one is of no use. */
export async function readCheckpoint(path: string, cluster: ClusterId, store: string): Promise<PackedFold | undefined> {
  let content: Buffer
  try {
    content = await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const end = content.length - HASH_BYTES
  if (end < PREFIX_BYTES) throw new Error('it is too short')
  const hash = createHash('sha256').update(content.subarray(0, end)).digest()
  if (Buffer.compare(hash, content.subarray(end)) !== 0) throw new Error('it is not what was written')
  if (Buffer.compare(content.subarray(0, MAGIC.length), MAGIC) !== 0) throw new Error('it has another format')
  const [order, headerLength = 0] = new Uint32Array(new Uint8Array(content.subarray(MAGIC.length, PREFIX_BYTES)).buffer)
  if (order !== BYTE_ORDER) throw new Error('it is from a machine of another byte order')
  let at = PREFIX_BYTES + headerLength
  const header = decodeMessage(content.subarray(PREFIX_BYTES, at)) as Header
  for (const [name, value] of Object.entries(originOf(cluster, store))) {
    if (header[name as keyof Origin] !== value) throw new Error(`its ${name} is another`)
  }
  const lists = header.lists.map((length) => {
    at += length
    // Copied, so that the file as a whole can be forgotten.
    return new Uint8Array(content.subarray(at - length, at))
  })
  if (at !== end) throw new Error('it has other lists than it says')
  return { head: header.head, lists }
}
