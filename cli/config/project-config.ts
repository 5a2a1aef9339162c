import { stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { type DomainValue, type Hostname, MakiError } from '../../core/index.ts'
import type { Finding, Findings } from './findings.ts'
import { type DomainComponents, NO_COMPONENTS, readComponents } from './project-components.ts'
import { groupRecords, type RecordSetConfig } from './project-records.ts'
import { type DomainTable, type ProjectFile, projectSchema } from './project-schema.ts'
import { readConfig } from './read-config.ts'
import { type ConfigPath, readToml, type TomlDocument } from './toml.ts'

/** A `makiatto.toml` whose every part was checked; names and values are canonical. */
export interface ProjectConfig {
  /** Absolute. */
  readonly file: string
  /** The folder of the file, which paths in it are relative to. */
  readonly folder: string
  /** Whose `via` the changes of its `sync` carry. */
  readonly project: string
  /** In the file's order. */
  readonly domains: readonly DomainConfig[]
  readonly warnings: readonly Finding[]
}

export interface DomainConfig {
  readonly name: Hostname
  /** Where it stands in the file. */
  readonly line: number
  /** The site's folder, absolute; undefined for a domain that redirects. */
  readonly folder: string | undefined
  readonly settings: DomainValue
  /** Sorted. */
  readonly aliases: readonly Hostname[]
  readonly records: readonly RecordSetConfig[]
  readonly components: DomainComponents
}

export interface ProjectOptions {
  /** Unknown keys are faults. */
  readonly strict?: boolean | undefined
  /** The file's name in messages; the path unless it says otherwise. */
  readonly shownAs?: string | undefined
}

/**
 * Reads a project file. Throws MAKI_CONFIG with every fault of the file, folders, components and env files
 * that are missing included.
 */
export async function loadProject(path: string, options: ProjectOptions = {}): Promise<ProjectConfig> {
  const file = resolve(path)
  const document = await readProjectFile(file, options.shownAs ?? path)
  const { values, findings } = readConfig(projectSchema, document, options)
  const project = checkProject(values, findings, file)
  await checkFolders(values, project.folder, findings)
  const components = await readComponents(values, findings, project.folder)
  findings.throwFaults()
  // Without faults no domain was left out, so that both lists have the file's order.
  const domains = project.domains.map((domain, i) => ({ ...domain, components: components[i] ?? NO_COMPONENTS }))
  return { ...project, domains, warnings: findings.warnings }
}

/** Everything that needs no look at the disk; pure. Domains that are not sound are left out. */
export function checkProject(values: ProjectFile, findings: Findings, file: string): ProjectConfig {
  const folder = dirname(file)
  const tables = Array.isArray(values.domain) ? values.domain : []
  if (tables.length === 0 && findings.isSound(['domain']))
    findings.fault(['domain'], 'there is no [[domain]]', { hint: `Add one:\n\n${EXAMPLE}` })
  checkHosts(tables, findings)
  const domains: DomainConfig[] = []
  for (const [i, table] of tables.entries()) {
    const path = ['domain', i]
    if (!findings.isSound([...path, 'name'])) continue
    checkTarget(table, path, findings)
    // A faulty array still has elements that are worth a look; a faulty anything else has not.
    const records = Array.isArray(table.records) ? table.records : []
    domains.push({
      name: table.name,
      line: findings.line(path, 'key'),
      folder: typeof table.path === 'string' ? resolve(folder, table.path) : undefined,
      settings: {
        spa: table.spa,
        onConcurrent: table.on_concurrent,
        previews: table.previews,
        ...(table.redirect === undefined ? {} : { redirect: table.redirect }),
      },
      aliases: findings.isSound([...path, 'aliases']) ? [...new Set(table.aliases)].sort() : [],
      records: groupRecords(table.name, records, [...path, 'records'], findings),
      components: NO_COMPONENTS,
    })
  }
  const project = values.project ?? domains[0]?.name ?? ''
  return { file, folder, project, domains, warnings: findings.warnings }
}

/** A host name belongs to one domain of the file, once: as its name or as one alias. */
function checkHosts(tables: readonly DomainTable[], findings: Findings): void {
  const seen = new Map<Hostname, { path: ConfigPath; owner: string }>()
  const claim = (host: Hostname, path: ConfigPath, owner: string): void => {
    const first = seen.get(host)
    if (first === undefined) seen.set(host, { path, owner })
    else findings.fault(path, `${host} stands on line ${findings.line(first.path)} already, as ${first.owner}`)
  }
  // All names first: an alias that takes another domain's name is the fault, wherever it stands.
  for (const [i, table] of tables.entries()) {
    const path = ['domain', i, 'name']
    if (findings.isSound(path)) claim(table.name, path, 'a domain')
  }
  for (const [i, table] of tables.entries()) {
    if (!findings.isSound(['domain', i, 'name']) || !Array.isArray(table.aliases)) continue
    for (const [j, alias] of table.aliases.entries()) {
      const path = ['domain', i, 'aliases', j]
      if (findings.isSound(path)) claim(alias, path, `an alias of ${table.name}`)
    }
  }
}

function checkTarget(table: DomainTable, path: ConfigPath, findings: Findings): void {
  if (table.path === undefined && table.redirect === undefined && findings.isSound([...path, 'path'])) {
    findings.fault([...path, 'path'], `${table.name} has neither a path nor a redirect`, {
      hint: 'Write the folder of its files, like path = "./dist", or redirect = "https://…".',
    })
  }
  const own = [table.name, ...(Array.isArray(table.aliases) ? table.aliases : [])].flatMap((host) =>
    typeof host === 'string' ? host.toLowerCase() : [],
  )
  const target = findings.isSound([...path, 'redirect']) ? URL.parse(table.redirect ?? '')?.hostname : undefined
  if (target !== undefined && own.includes(target))
    findings.fault([...path, 'redirect'], `${target} would send its visitors to itself`, {
      hint: 'Redirect to another host, or give the domain a path.',
    })
  if (table.path !== undefined && table.redirect !== undefined)
    findings.fault([...path, 'redirect'], `${table.name} has a path and a redirect; it can have one of them`)
}

async function checkFolders(values: ProjectFile, base: string, findings: Findings): Promise<void> {
  for (const [i, table] of (Array.isArray(values.domain) ? values.domain : []).entries()) {
    const path = ['domain', i, 'path']
    if (!findings.isSound(path) || table.path === undefined) continue
    const folder = resolve(base, table.path)
    const fault = await findFolderFault(folder)
    if (fault !== undefined) {
      findings.fault(path, `the files ${nameOwner(table.name)}were looked for in ${folder}: ${fault}`, {
        hint: 'Build the site first, or correct the path; it is relative to the file that it stands in.',
      })
    }
  }
}

/** The name itself may be the fault: then it is missing here, or any value. */
const nameOwner = (name: unknown): string => (typeof name === 'string' ? `of ${name} ` : '')

async function findFolderFault(folder: string): Promise<string | undefined> {
  try {
    return (await stat(folder)).isDirectory() ? undefined : 'that is not a folder'
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    if (code === 'ENOENT') return 'there is no such folder'
    if (code === 'ENOTDIR') return 'a part of the path is a file'
    if (code === 'EACCES') return 'it may not be read by you'
    return `it cannot be read (${code ?? String(thrown)})`
  }
}

const EXAMPLE = '  [[domain]]\n  name = "example.com"\n  path = "./dist"'

async function readProjectFile(file: string, shownAs: string): Promise<TomlDocument> {
  try {
    return await readToml(file, shownAs)
  } catch (thrown) {
    if (thrown instanceof MakiError) throw thrown
    const { code } = thrown as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new MakiError('MAKI_CONFIG', `there is no project file: ${file} was looked for`, {
        cause: thrown,
        hint: `Go to the project's folder, or name the file with --config FILE. A first one:\n\n${EXAMPLE}`,
      })
    }
    const why = code === 'EISDIR' ? 'it is a folder' : code === 'EACCES' ? 'you may not read it' : String(thrown)
    throw new MakiError('MAKI_CONFIG', `the project file ${file} cannot be read: ${why}`, {
      cause: thrown,
      hint: 'Name the file with --config FILE.',
    })
  }
}
