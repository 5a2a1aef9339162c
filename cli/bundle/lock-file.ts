import type { BundleArch } from './bundle.ts'

/** What a bundle needs to know of `package-lock.json`. */
export interface LockFile {
  readonly packages: Readonly<Record<string, LockEntry>>
}
interface LockEntry {
  readonly version?: string
  readonly integrity?: string
  readonly license?: string
  readonly optional?: boolean
  readonly os?: readonly string[]
  readonly cpu?: readonly string[]
  readonly libc?: readonly string[]
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** A package that goes into a bundle. */
export interface BundledPackage {
  /** Its folder: `node_modules/yjs`. */
  readonly path: string
  readonly version: string
  readonly integrity: string
  readonly license: string
}

/** What people type needs these, and no daemon does. */
const ONLY_FOR_MAKI = ['@oclif/core', 'chokidar', 'ssh2', 'fflate', 'xz-decompress']
/** What a package that we need asks for in parts that are never loaded: jco's optimiser and minifier, 100 MB. */
const NEVER_LOADED = ['binaryen', 'oxc-minify']

export const nodePackage = (arch: BundleArch): string => `node_modules/node-linux-${arch}`

/** The packages that a daemon on this processor needs, by path: from those that ours names on. Pure. */
export function listBundledPackages({ packages }: LockFile, arch: BundleArch): readonly BundledPackage[] {
  const found = new Map<string, BundledPackage>()
  const visit = (from: string, name: string): void => {
    if (NEVER_LOADED.includes(name)) return
    const path = resolve(packages, from, name)
    const entry = path === undefined ? undefined : packages[path]
    if (path === undefined || entry === undefined || found.has(path) || !isFor(entry, arch)) return
    const { version = '', integrity = '', license = '' } = entry
    found.set(path, { path, version, integrity, license })
    for (const each of namesOf(entry)) visit(path, each)
  }
  const root = packages['']
  if (root === undefined) throw new Error('the lock file names no package of ours')
  for (const name of namesOf(root)) if (!ONLY_FOR_MAKI.includes(name)) visit('', name)
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
}

const namesOf = (entry: LockEntry): string[] => Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })

/** As Node looks for a package: beside its user first, then further up. */
function resolve(packages: LockFile['packages'], from: string, name: string): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
    const path = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`
    if (packages[path] !== undefined) return path
    if (folder === '') return undefined
  }
}

function isFor({ os, cpu, libc }: LockEntry, arch: BundleArch): boolean {
  const allows = (list: readonly string[] | undefined, value: string): boolean =>
    list === undefined || list.includes(value)
  return allows(os, 'linux') && allows(cpu, arch) && allows(libc, 'glibc')
}
