import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Where the parts of a store lie in its directory. */
export interface StorePaths {
  readonly directory: string
  /** The Level folder. */
  readonly operations: string
  /** Where a damaged store is written anew before it takes the place of `operations`. */
  readonly rebuild: string
  /** A copy of a damaged store, for Level's own repair. */
  readonly salvage: string
  readonly seal: string
  readonly holder: string
  /** Says that operations were lost and not pulled again yet. */
  readonly damage: string
}

export function storePaths(directory: string): StorePaths {
  return {
    directory,
    operations: join(directory, 'operations'),
    rebuild: join(directory, 'operations.rebuild'),
    salvage: join(directory, 'operations.salvage'),
    seal: join(directory, 'integrity'),
    holder: join(directory, 'holder.pid'),
    damage: join(directory, 'damage.json'),
  }
}

export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

/** True when a Level folder was ever written to: it has its `CURRENT`, a table, or a log with something in it. */
export async function holdsData(folder: string): Promise<boolean> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (name === 'CURRENT' || /\.(ldb|sst)$/.test(name)) return true
    if (name.endsWith('.log') && ((await stat(join(folder, name)).catch(() => undefined))?.size ?? 0) > 0) return true
  }
  return false
}
