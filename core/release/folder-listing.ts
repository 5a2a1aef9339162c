/** A name in a folder. */
export type FolderEntry = readonly [name: string, type: 'file' | 'folder']

/** Part of a folder; `more`: names follow. */
export interface FolderListing {
  readonly entries: readonly FolderEntry[]
  readonly more: boolean
}

/** The character after `/`: what is below a folder lies before all that begins with the folder's name and this. */
const AFTER_SLASH = '0'

/**
 * At most `most` names in a folder (`''` is the root) of which `paths`, sorted by code unit, are the files: in the order of the
 * paths, with a slash at the end of folders, and after the one named `after`. A name that is both is a file. Costs a few
 * steps for each name, however much is below it.
 */
export function listFolder(
  paths: readonly string[],
  folder: string,
  after: string | undefined,
  most: number,
): FolderListing {
  const prefix = folder === '' ? '' : `${folder}/`
  const entries: FolderEntry[] = []
  let at = findFirst(paths, prefix)
  if (after !== undefined) {
    const file = prefix + after
    at = findFirst(paths, file)
    at = paths[at] === file ? at + 1 : findFirst(paths, `${file}${AFTER_SLASH}`, at)
  }
  while (at < paths.length) {
    const path = paths[at] as string
    if (!path.startsWith(prefix)) break
    const slash = path.indexOf('/', prefix.length)
    const isFile = slash === -1
    const name = path.slice(prefix.length, isFile ? undefined : slash)
    if (isFile || !holds(paths, prefix + name)) {
      if (entries.length === most) return { entries, more: true }
      entries.push([name, isFile ? 'file' : 'folder'])
    }
    at = isFile ? at + 1 : findFirst(paths, `${prefix}${name}${AFTER_SLASH}`, at)
  }
  return { entries, more: false }
}

/** True where a file lies below `folder`, and for the root. */
export function isFolder(paths: readonly string[], folder: string): boolean {
  if (folder === '') return true
  const path = paths[findFirst(paths, `${folder}/`)]
  return path?.startsWith(`${folder}/`) === true
}

function holds(paths: readonly string[], path: string): boolean {
  return paths[findFirst(paths, path)] === path
}

/** Position of the first path that is not before `path`. */
function findFirst(paths: readonly string[], path: string, from = 0): number {
  let low = from
  let high = paths.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((paths[middle] as string) < path) low = middle + 1
    else high = middle
  }
  return low
}
