import { constants } from 'node:fs'
import { access, mkdir, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { syncDirectory } from '../../replication/local/index.ts'

/** What a profile keeps for one cluster (`Profile.dataFolder`), mode 0700: nothing in it is shared or committed. */
export interface DataFolder {
  readonly path: string
  /** The operator's private key. */
  readonly keyFile: string
  /** The Level store of the replica. */
  readonly replica: string
  /** The fold of the replica's operations, for the next command. */
  readonly checkpoint: string
  /** Blobs of releases that were made offline and wait for a node. */
  readonly blobs: string
  /** What the nodes are known to have; see `exchange-log.ts`. */
  readonly exchange: string
}

export function dataFolderAt(path: string): DataFolder {
  return {
    path,
    keyFile: join(path, 'operator.key'),
    replica: join(path, 'replica'),
    checkpoint: join(path, 'checkpoint.bin'),
    blobs: join(path, 'outbox'),
    exchange: join(path, 'exchange.json'),
  }
}

/** Makes the folder and what is above it; the folder itself is its owner's alone. */
export async function makeDataFolder(folder: DataFolder): Promise<void> {
  await mkdir(dirname(folder.path), { recursive: true, mode: 0o700 })
  await mkdir(folder.path, { recursive: true, mode: 0o700 })
}

export async function exists(path: string): Promise<boolean> {
  try {
    await access(path, constants.F_OK)
    return true
  } catch {
    return false
  }
}

/** Makes a new file durable; fails with EEXIST where there is one already. */
export async function createFile(path: string, text: string, mode: number): Promise<void> {
  await using file = await open(path, 'wx', mode)
  await file.writeFile(text)
  await file.sync()
  await syncDirectory(dirname(path))
}
