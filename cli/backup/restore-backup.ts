import { type BlobHash, type ClusterId, MakiError } from '../../core/index.ts'
import { encodePack, type PackItem } from '../../replication/local/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import type { ControlClient } from '../client/control-client.ts'
import { damaged } from './backup-file.ts'
import { type BackupStart, readBackup } from './read-backup.ts'

/** The beginning of a backup. Throws as `readBackup` does. */
export async function readStart(path: string): Promise<BackupStart> {
  for await (const part of readBackup(path)) if (part.kind === 'start') return part.start
  throw damaged('it is empty')
}

export interface RestoredOperations {
  readonly read: number
  /** That were not here. */
  readonly added: number
  /** Why some are none, the first some. */
  readonly refused: readonly string[]
}

const PAGE = 500

/** Merges the operations of a backup into the copy here: a union, which takes nothing back. */
export async function restoreOperations(client: ClusterClient, path: string): Promise<RestoredOperations> {
  let read = 0
  let added = 0
  const refused: string[] = []
  let page: Uint8Array[] = []
  const merge = async () => {
    const report = await client.local.replica.merge(page)
    added += report.added.length
    refused.push(...report.refused)
    page = []
  }
  for await (const part of readBackup(path)) {
    client.signal.throwIfAborted()
    if (part.kind === 'blob') break
    if (part.kind !== 'operation') continue
    read++
    page.push(part.bytes)
    if (page.length === PAGE) await merge()
  }
  if (page.length > 0) await merge()
  return { read, added, refused }
}

/**
 * Hands a node all operations of the copy here; it passes over what it has. Resolves with the number of those that it does not take,
 * since files of theirs are nowhere any more.
 */
export async function handOver({ local, signal }: ClusterClient, control: ControlClient): Promise<number> {
  let left = 0
  for (let after: string | undefined; ; ) {
    const page = await local.replica.page(after, PAGE)
    if (!(await takes(control, page.operations, signal)))
      for (const one of page.operations) if (!(await takes(control, [one], signal))) left++
    after = page.cursor
    if (!page.more) return left
  }
}

async function takes(control: ControlClient, operations: readonly Uint8Array[], signal: AbortSignal): Promise<boolean> {
  if (operations.length === 0) return true
  try {
    await control.accept(operations, signal)
    return true
  } catch (error) {
    if (error instanceof MakiError && error.code === 'MAKI_BLOB_MISSING') return false
    throw error
  }
}

/** Sends a node the files of a backup that it lacks; resolves with their number. What is cut off goes on where it was. */
export async function restoreBlobs(
  path: string,
  hashes: readonly BlobHash[],
  control: ControlClient,
  signal: AbortSignal,
): Promise<number> {
  const wanted = new Set(await control.missingBlobs(hashes, signal))
  if (wanted.size === 0) return 0
  const items = async function* (): AsyncGenerator<PackItem> {
    for await (const part of readBackup(path)) {
      if (part.kind === 'blob' && wanted.has(part.hash)) yield part
    }
  }
  return await control.putBlobPack(encodePack(items()), signal)
}

/** What a restore did. */
export interface RestoreReport {
  readonly cluster: ClusterId
  readonly name: string
  readonly madeAt: string
  /** The profile that was written; null where there was one. */
  readonly profile: string | null
  readonly operations: { readonly read: number; readonly added: number; readonly refused: number }
  /** Null where the backup has none. */
  readonly files: { readonly inBackup: number; readonly sent: number } | null
  /** The node that has all of it; null where none answered. */
  readonly node: string | null
}
