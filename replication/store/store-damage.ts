import { readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { ClusterId, Log } from '../../core/index.ts'
import { syncDirectory } from '../files/replace-file.ts'
import type { StoreDamage } from '../ports.ts'
import { exists, type StorePaths } from './store-files.ts'

/** Says outside of a store's directory that a store was made; what is in the file is for people. Once, and durable. */
export async function writeMarker(path: string, cluster: ClusterId): Promise<void> {
  if (await exists(path)) return
  const text = `The operations of cluster ${cluster} were stored here. This file tells a node that lost them from a new one.\n`
  await writeFile(path, text, { mode: 0o600, flush: true })
  await syncDirectory(dirname(path))
}

/** Writes down that a whole store was gone, before another one is made in its place. */
export async function noteLoss(paths: StorePaths, log: Log): Promise<void> {
  if (!(await exists(paths.damage))) await writeDamage(paths, { readable: 0, lost: 0, gone: true })
  log.error('store.damaged', { ...(await readDamage(paths)) })
}

/** What was lost must be known for as long as it is lost, so this is durable before the store is written anew. */
export async function writeDamage(paths: StorePaths, damage: StoreDamage): Promise<void> {
  await writeFile(paths.damage, JSON.stringify(damage), { mode: 0o600, flush: true })
  await syncDirectory(paths.directory)
}

/** What was written down last; a file that cannot be read says that there is damage, and not how much. */
export async function readDamage(paths: StorePaths): Promise<StoreDamage | undefined> {
  if (!(await exists(paths.damage))) return undefined
  try {
    const { readable, lost, gone } = JSON.parse(await readFile(paths.damage, 'utf8')) as Partial<StoreDamage>
    return { readable: Number(readable ?? 0), lost: Number(lost ?? 0), ...(gone === true ? { gone } : {}) }
  } catch {
    return { readable: 0, lost: 0 }
  }
}
