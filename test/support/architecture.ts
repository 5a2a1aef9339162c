import { dirname, join } from 'node:path/posix'
import { findCodeFaults } from './code-rules.ts'
import { folderOf, isProduct, lineAt, parseSource, type SourceFile, type Violation } from './source-file.ts'

/** Who may import whom: the table of the design. `cli` does the wiring. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  migrations: ['core'],
  replication: ['core', 'migrations'],
  dns: ['core'],
  edge: ['core'],
  cli: ['core', 'migrations', 'replication', 'dns', 'edge'],
  test: ['core', 'migrations', 'replication', 'dns', 'edge', 'cli'],
}
/**
 * Rooms of a layer with a door of their own, for whom comes from another layer. Through its one index a layer is loaded as a
 * whole, and the command line would load a web server in order to know how long a list of operations may be.
 */
const SIDE_DOORS: readonly string[] = ['dns/records', 'edge/control', 'replication/local']
export const PRODUCT_FOLDERS = Object.keys(MAY_IMPORT).filter((folder) => folder !== 'test')

/** What of Node computes and does nothing else. */
const PURE_NODE_MODULES = ['node:crypto', 'node:zlib', 'node:net', 'node:util', 'node:buffer', 'node:path/posix']
const KEBAB_CASE = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*$/
/** What the house rules set as the ceiling of one file. */
export const MAX_LINES = 300

/** Checks whole sources, path (relative to the root, with `/`) to text. Pure; what does not parse is a violation too. */
export function checkArchitecture(sources: ReadonlyMap<string, string>): Violation[] {
  const violations: Violation[] = []
  const files: SourceFile[] = []
  for (const [path, text] of sources) {
    try {
      files.push(parseSource(path, text))
    } catch (error) {
      violations.push({
        path,
        line: 1,
        rule: 'parses',
        message: error instanceof Error ? error.message : String(error),
      })
    }
  }
  const folders = new Set([...sources.keys()].filter((path) => path.endsWith('/index.ts')).map((path) => dirname(path)))
  for (const file of files)
    violations.push(...checkImports(file, folders), ...checkShape(file), ...findCodeFaults(file))
  return [...violations, ...findCycles(files)].sort((a, b) =>
    a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line,
  )
}

function* checkImports(file: SourceFile, folders: ReadonlySet<string>): Generator<Violation> {
  const from = folderOf(file.path)
  for (const { specifier, position } of file.imports) {
    const fault = (rule: string, message: string): Violation => ({
      path: file.path,
      line: lineAt(file.text, position),
      rule,
      message,
    })
    if (!specifier.startsWith('.')) {
      if (from === 'core' && specifier.startsWith('node:') && !PURE_NODE_MODULES.includes(specifier)) {
        yield fault('pure-core', `core imports ${specifier}, which does more than compute`)
      }
      continue
    }
    const target = join(dirname(file.path), specifier)
    const to = folderOf(target)
    if (target === 'package.json') continue
    if (to !== from && MAY_IMPORT[from]?.includes(to) !== true) {
      yield fault('layers', `${from} must not import ${to} (${specifier})`)
    }
    // A test mirrors the source and may reach for a single part of it; product code and subfolders enter by the door.
    if (from === 'test') continue
    const closed = findClosedFolder(file.path, target, folders)
    if (closed !== undefined) yield fault('index-only', `${specifier} must be entered through ${closed}/index.ts`)
  }
}

/** The outermost folder around the target, not around the importer, that has an index the import goes round; see SIDE_DOORS. */
function findClosedFolder(from: string, target: string, folders: ReadonlySet<string>): string | undefined {
  if (SIDE_DOORS.some((room) => target === `${room}/index.ts`)) return undefined
  const parts = target.split('/')
  for (let depth = 1; depth < parts.length; depth++) {
    const folder = parts.slice(0, depth).join('/')
    if (from.startsWith(`${folder}/`)) continue
    const isLayer = depth === 1
    if ((isLayer || folders.has(folder)) && target !== `${folder}/index.ts`) return folder
    if (target === `${folder}/index.ts`) return undefined
  }
  return undefined
}

function* checkShape(file: SourceFile): Generator<Violation> {
  const fault = (rule: string, message: string, line = 1): Violation => ({ path: file.path, line, rule, message })
  for (const segment of file.path.split('/')) {
    if (!KEBAB_CASE.test(segment)) yield fault('kebab-case', `${segment} is not in kebab-case`)
  }
  if (!isProduct(file.path)) return
  const lines = file.text.trimEnd().split('\n').length
  if (lines > MAX_LINES) yield fault('length', `the file has ${lines} lines; ${MAX_LINES} are the ceiling`, MAX_LINES)
}

/** Import cycles among files, types included: each once, named from its first file by path. */
function findCycles(files: readonly SourceFile[]): Violation[] {
  const graph = new Map(
    files.map((file) => {
      const targets = file.imports.filter(({ specifier }) => specifier.startsWith('.'))
      return [file.path, targets.map(({ specifier }) => join(dirname(file.path), specifier))]
    }),
  )
  const violations = new Map<string, Violation>()
  const done = new Set<string>()
  const walk = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path)
    if (at !== -1) {
      const cycle = trail.slice(at)
      const first = [...cycle].sort()[0] as string
      const turned = [...cycle.slice(cycle.indexOf(first)), ...cycle.slice(0, cycle.indexOf(first)), first]
      const message = turned.join(' → ')
      violations.set(message, { path: first, line: 1, rule: 'no-cycles', message })
      return
    }
    if (done.has(path)) return
    for (const next of graph.get(path) ?? []) walk(next, [...trail, path])
    done.add(path)
  }
  for (const path of [...graph.keys()].sort()) walk(path, [])
  return [...violations.values()]
}
