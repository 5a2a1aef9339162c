import { type BigIntStats, type Dirent, lstatSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import { checkPath, isRuleFile, MakiError } from '../../core/index.ts'
import { type FileIdentity, identityOf } from './file-identity.ts'

/** A file that is to be published. */
export interface FoundFile extends FileIdentity {
  /** As in the manifest: relative to the site's root, `/` between segments. */
  readonly path: string
  /** Absolute and free of symbolic links. */
  readonly source: string
}

export interface WalkResult {
  readonly files: readonly FoundFile[]
  /** Why something cannot be published, one line each. */
  readonly faults: readonly string[]
  /** Files and folders that are never published and were left out. */
  readonly skipped: readonly string[]
  /** True when something was gone between being listed and being looked at. */
  readonly changed: boolean
}

/**
 * Lists what a site folder publishes. Links are followed inside the folder only. What must not be published is left
 * out, what cannot be is a fault; nothing that lies outside the folder is read. `excluded` are absolute paths.
 */
export function walkSite(folder: string, excluded: readonly string[] = []): WalkResult {
  return new Walk(realpathSync(folder), new Set(excluded.map(realpathOrSelf))).run()
}

class Walk {
  readonly #root: string
  readonly #excluded: ReadonlySet<string>
  readonly #files: FoundFile[] = []
  readonly #faults: string[] = []
  readonly #skipped: string[] = []
  #changed = false

  constructor(root: string, excluded: ReadonlySet<string>) {
    this.#root = root
    this.#excluded = excluded
  }

  run(): WalkResult {
    this.#readFolder('', this.#root, [this.#root])
    return { files: this.#files, faults: this.#faults, skipped: this.#skipped, changed: this.#changed }
  }

  /** `above` are the real paths of the folders that contain this one: a link back to one of them never ends. */
  #readFolder(path: string, source: string, above: readonly string[]): void {
    const entries = this.#list(path, source)
    if (isClusterFolder(entries)) {
      if (path === '') this.#faults.push(`${this.#root} holds the keys of a cluster, and is no site`)
      else this.#skipped.push(path)
      return
    }
    for (const entry of entries) {
      const child = path === '' ? entry.name : `${path}/${entry.name}`
      if (isNeverPublished(child, entry.isDirectory()) || this.#excluded.has(join(source, entry.name))) {
        this.#skipped.push(child)
      } else if (this.#attempt(child, () => checkPath(child))) {
        this.#attempt(child, () => this.#readEntry(child, join(source, entry.name), entry, above))
      }
    }
  }

  #readEntry(path: string, source: string, entry: Dirent, above: readonly string[]): void {
    if (entry.isSymbolicLink()) this.#followLink(path, source, above)
    else if (entry.isDirectory()) this.#readFolder(path, source, [...above, source])
    else this.#addFile(path, source, lstatSync(source, { bigint: true }))
  }

  #followLink(path: string, source: string, above: readonly string[]): void {
    const target = realpathSync(source)
    if (target !== this.#root && !target.startsWith(this.#root + sep)) {
      this.#faults.push(`${quote(path)} is a link that leaves the site: it leads to ${target}`)
      return
    }
    const stats = statSync(target, { bigint: true })
    const segments = target.slice(this.#root.length + 1).split(sep)
    // Under another name rules would be served as a page.
    const hidden = segments.some((name, i) =>
      isNeverPublished(`./${name}`, i < segments.length - 1 || stats.isDirectory()),
    )
    if (hidden || this.#excluded.has(target)) {
      this.#faults.push(`${quote(path)} is a link to ${target}, which is never published`)
    } else if (!stats.isDirectory()) {
      this.#addFile(path, target, stats)
    } else if (above.some((folder) => folder === target || folder.startsWith(target + sep))) {
      this.#faults.push(`${quote(path)} is a link to ${target}, a folder that contains it`)
    } else {
      this.#readFolder(path, target, [...above, target])
    }
  }

  #addFile(path: string, source: string, stats: BigIntStats): void {
    if (stats.isFile()) this.#files.push({ path, source, ...identityOf(stats) })
    else if (stats.isDirectory() || stats.isSymbolicLink()) this.#changed = true
    else this.#faults.push(`${quote(path)} is ${describeKind(stats)}, not a file`)
  }

  #list(path: string, source: string): readonly Dirent[] {
    let entries: Dirent[] = []
    const listed = this.#attempt(path, () => {
      entries = readdirSync(source, { withFileTypes: true })
      // U+FFFD is what invalid bytes become; only then is the slower look at the bytes needed.
      if (entries.some(({ name }) => name.includes('\ufffd'))) this.#refuseInvalidNames(path, source)
    })
    if (!listed) return []
    return entries.filter(({ name }) => !name.includes('\ufffd') || isOnDisk(join(source, name)))
  }

  #refuseInvalidNames(path: string, source: string): void {
    for (const name of readdirSync(source, { encoding: 'buffer' })) {
      const text = name.toString('utf8')
      if (Buffer.from(text, 'utf8').equals(name)) continue
      const shown = name
        .toString('latin1')
        .replace(/[^\x20-\x7e]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`)
      this.#faults.push(`${path === '' ? 'the site' : quote(path)} has a file whose name is not UTF-8: ${shown}`)
    }
  }

  /** Turns what the file system throws into a fault; false then. */
  #attempt(path: string, act: () => void): boolean {
    try {
      act()
      return true
    } catch (thrown) {
      if (thrown instanceof MakiError) this.#faults.push(thrown.message)
      else this.#addFailure(path, thrown as NodeJS.ErrnoException)
      return false
    }
  }

  #addFailure(path: string, thrown: NodeJS.ErrnoException): void {
    const name = path === '' ? this.#root : quote(path)
    if (thrown.code === 'ENOENT' && isDangling(join(this.#root, path)))
      this.#faults.push(`${name} is a link that leads to nothing`)
    else if (thrown.code === 'ENOENT' || thrown.code === 'ENOTDIR') this.#changed = true
    else if (thrown.code === 'ELOOP') this.#faults.push(`${name} is a link that leads to itself`)
    else this.#faults.push(describeUnreadable(name, thrown))
  }
}

/** The fault of a file that the system does not let us read. */
export function describeUnreadable(name: string, thrown: Pick<NodeJS.ErrnoException, 'code'>): string {
  if (thrown.code === 'EACCES' || thrown.code === 'EPERM')
    return `${name} may not be read by you: give yourself the right (chmod u+r), or remove it`
  if (thrown.code === 'EMFILE' || thrown.code === 'ENFILE')
    return `${name} cannot be opened: too many files are open (see ulimit -n)`
  if (thrown.code === undefined) throw thrown
  return `${name} cannot be read (${thrown.code})`
}

/** Rules at the root of the site travel with it; files of their names in other folders are neither pages nor rules. */
function isNeverPublished(path: string, isFolder: boolean): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (name.startsWith('.')) return name !== '.well-known'
  return name === 'node_modules' || (!isFolder && path.includes('/') && isRuleFile(path))
}

/** What `maki dev` keeps, wherever it was told to, and a profile's data folder: private keys lie in it. */
function isClusterFolder(entries: readonly Dirent[]): boolean {
  const names = new Set(entries.map(({ name }) => name))
  return names.has('operator.key') || (names.has('operator') && names.has('recovery.key'))
}

function describeKind(stats: BigIntStats): string {
  if (stats.isFIFO()) return 'a named pipe'
  if (stats.isSocket()) return 'a socket'
  return stats.isBlockDevice() || stats.isCharacterDevice() ? 'a device' : 'something special'
}

const isOnDisk = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined

const isDangling = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true &&
  statSync(path, { throwIfNoEntry: false }) === undefined

function realpathOrSelf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

/** A name as messages show it: one line, whatever characters it has. */
export const quote = (path: string): string => JSON.stringify(path)
