import { isAbsolute, relative, sep } from 'node:path'
import { type FSWatcher, watch } from 'chokidar'

export interface FileWatcher extends AsyncDisposable {
  /**
   * Watches these files and folders from now on, and no others; those that are missing too, until they are there.
   * Resolves when every later change is told.
   */
  set(paths: readonly string[]): Promise<void>
}

export interface WatchOptions {
  readonly paths: readonly string[]
  readonly excluded: readonly string[]
  readonly onChange: () => void
  readonly onError: (error: unknown) => void
}

/** Never published, and often busy. */
const IGNORED = /^(\..+|node_modules)$/
/** The one folder with a dot that is published (RFC 8615). */
const WELL_KNOWN = '.well-known'

/** Calls `onChange` for every change of a file that could be published; never inside one of the `excluded` folders. */
export async function watchFiles(options: WatchOptions): Promise<FileWatcher> {
  let roots = options.paths
  let watcher = await startWatcher(roots, options)
  return {
    async set(paths) {
      if (paths.length === roots.length && paths.every((path) => roots.includes(path))) return
      roots = paths
      const before = watcher
      // The new one listens before the old one ends, so that nothing falls between them.
      watcher = await startWatcher(paths, options)
      await before.close()
    },
    [Symbol.asyncDispose]: () => watcher.close(),
  }
}

async function startWatcher(
  roots: readonly string[],
  { excluded, onChange, onError }: WatchOptions,
): Promise<FSWatcher> {
  const watcher = watch([...roots], {
    ignoreInitial: true,
    ignored: (path) => isIgnored(path, roots, excluded),
  })
  watcher.on('all', onChange)
  watcher.on('error', onError)
  await new Promise<void>((ready) => watcher.once('ready', () => ready()))
  return watcher
}

/** True for what no sync reads: below an excluded folder, or below a root in something hidden. Pure. */
export function isIgnored(path: string, roots: readonly string[], excluded: readonly string[]): boolean {
  if (excluded.some((folder) => inside(path, folder) !== undefined)) return true
  const inner = roots.flatMap((root) => inside(path, root) ?? [])
  // A root lies where it lies: only the names below it say whether it is hidden.
  return (
    inner.length > 0 &&
    inner.every((below) => below.split(sep).some((name) => name !== WELL_KNOWN && IGNORED.test(name)))
  )
}

/** The path below a folder, '' for itself; undefined for one that lies elsewhere. */
function inside(path: string, folder: string): string | undefined {
  const below = relative(folder, path)
  return below === '..' || below.startsWith(`..${sep}`) || isAbsolute(below) ? undefined : below
}
