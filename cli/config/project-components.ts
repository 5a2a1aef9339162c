import { readFile, realpath, stat } from 'node:fs/promises'
import { join, relative, resolve, sep } from 'node:path'
import { asMakiError, checkPath } from '../../core/index.ts'
import { parseDotenv } from './dotenv.ts'
import type { Findings } from './findings.ts'
import type { DomainTable, ProjectFile } from './project-schema.ts'
import type { ConfigPath } from './toml.ts'

/** A WebAssembly component of a domain, with its environment in clear: it is sealed before it leaves this computer. */
export interface ComponentConfig {
  /** Relative to the site's folder, as in its release. */
  readonly path: string
  /** Absolute. */
  readonly source: string
  /** Where its path stands in the file, for messages. */
  readonly place: string
  readonly env: Readonly<Record<string, string>>
  /** Where some of `env` was read from, absolute. */
  readonly envFile: string | undefined
  readonly timeoutMs: number | undefined
  readonly maxMemoryMb: number | undefined
}

export interface FunctionConfig extends ComponentConfig {
  /** Upper case, sorted; undefined for all. */
  readonly methods: readonly string[] | undefined
}

export interface TransformConfig extends ComponentConfig {
  readonly files: string
  readonly maxFileSizeKb: number | undefined
}

/** The components of one domain, in the file's order. */
export interface DomainComponents {
  readonly functions: readonly FunctionConfig[]
  readonly transforms: readonly TransformConfig[]
}

export const NO_COMPONENTS: DomainComponents = { functions: [], transforms: [] }

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,199}$/
/** JavaScript has other uses for them: a table of a release cannot hold them. */
const RESERVED: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])
/** What a sealed value can hold, with room to spare. */
const MAX_VALUE_BYTES = 32 * 1024
const MAX_ENV_FILE_BYTES = 1024 * 1024
const METHOD = /^[A-Z]{1,20}$/

/** Reads the components of every domain of a file, their env files included; what is wrong goes to `findings`. */
export async function readComponents(
  values: ProjectFile,
  findings: Findings,
  base: string,
): Promise<readonly DomainComponents[]> {
  const tables = Array.isArray(values.domain) ? values.domain : []
  const sites: string[] = []
  for (const { path } of tables) if (typeof path === 'string') sites.push(await realpathOrSelf(resolve(base, path)))
  const all: DomainComponents[] = []
  for (const [i, table] of tables.entries()) {
    const reader = new ComponentReader(findings, base, sites)
    all.push(await reader.readDomain(table, ['domain', i]))
  }
  return all
}

class ComponentReader {
  readonly #findings: Findings
  readonly #base: string
  /** Folders that are published. */
  readonly #sites: readonly string[]

  constructor(findings: Findings, base: string, sites: readonly string[]) {
    this.#findings = findings
    this.#base = base
    this.#sites = sites
  }

  async readDomain(table: DomainTable, at: ConfigPath): Promise<DomainComponents> {
    const functions: FunctionConfig[] = []
    const transforms: TransformConfig[] = []
    const seen = new Map<string, ConfigPath>()
    const envs = new Map<string, string>()
    // A value is sealed for its path and name: one path cannot have two.
    const checkEnv = ({ path, env }: ComponentConfig, where: ConfigPath): void => {
      const known = envs.get(path)
      envs.set(path, JSON.stringify(env))
      if (known !== undefined && known !== JSON.stringify(env))
        this.#findings.fault(where, `the component ${path} stands here twice, with another env each time`)
    }
    for (const [i, each] of listOf(table.functions).entries()) {
      const path = [...at, 'functions', i]
      const component = await this.#readComponent(table, each, path)
      if (component === undefined) continue
      const first = seen.get(component.path)
      if (first !== undefined)
        this.#findings.fault(
          path,
          `the function ${component.path} stands on line ${this.#findings.line(first)} already`,
        )
      seen.set(component.path, path)
      checkEnv(component, path)
      functions.push({ ...component, methods: this.#readMethods(each.methods, [...path, 'methods']) })
    }
    for (const [i, each] of listOf(table.transforms).entries()) {
      const path = [...at, 'transforms', i]
      const component = await this.#readComponent(table, each, path)
      if (component === undefined) continue
      checkEnv(component, path)
      await this.#checkPattern(each.files, [...path, 'files'])
      transforms.push({ ...component, files: each.files, maxFileSizeKb: each.max_file_size_kb })
    }
    return { functions, transforms }
  }

  async #readComponent(
    table: DomainTable,
    component: DomainTable['functions'][number] | DomainTable['transforms'][number],
    at: ConfigPath,
  ): Promise<ComponentConfig | undefined> {
    if (!this.#findings.isSound(at)) return undefined
    if (table.path === undefined) {
      this.#findings.fault(at, `${table.name} redirects; only a domain with a path has components`)
      return undefined
    }
    const folder = resolve(this.#base, table.path)
    const source = resolve(folder, component.path)
    const path = relative(folder, source).split(sep).join('/')
    const fault = await findFileFault(folder, source, path)
    if (fault !== undefined) {
      this.#findings.fault([...at, 'path'], `the component was looked for in ${source}: ${fault}`, {
        hint: 'Build it first, or correct the path; it is relative to the path of its domain.',
      })
      return undefined
    }
    return {
      path,
      source,
      place: this.#findings.place([...at, 'path']),
      env: await this.#readEnv(component, at),
      envFile: component.env_file === undefined ? undefined : resolve(this.#base, component.env_file),
      timeoutMs: component.timeout_ms,
      maxMemoryMb: component.max_memory_mb,
    }
  }

  /** `env` wins over `env_file`. */
  async #readEnv(
    component: { env: Record<string, string>; env_file?: string | undefined },
    at: ConfigPath,
  ): Promise<Readonly<Record<string, string>>> {
    const file = component.env_file
    const fromFile = file === undefined ? {} : await this.#readEnvFile(file, [...at, 'env_file'])
    const env = { ...fromFile, ...component.env }
    for (const [name, value] of Object.entries(env)) {
      const path = Object.hasOwn(component.env, name) ? [...at, 'env', name] : [...at, 'env_file']
      if (!ENV_NAME.test(name))
        this.#findings.fault(path, `${JSON.stringify(name)} is no name of a variable: letters, digits and _ are`)
      else if (RESERVED.has(name)) this.#findings.fault(path, `no variable can have the name ${name}`)
      if (value.includes('\0')) this.#findings.fault(path, `the value of ${name} has a zero character in it`)
      if (Buffer.byteLength(value) > MAX_VALUE_BYTES)
        this.#findings.fault(path, `the value of ${name} is longer than ${MAX_VALUE_BYTES} bytes`)
    }
    return Object.fromEntries(Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  async #readEnvFile(name: string, at: ConfigPath): Promise<Readonly<Record<string, string>>> {
    const file = resolve(this.#base, name)
    const real = await realpathOrSelf(file)
    const site = this.#sites.find((folder) =>
      [file, real].some((each) => each === folder || each.startsWith(folder + sep)),
    )
    if (site !== undefined) {
      this.#findings.fault(at, `${file} lies in ${site}, which is published`, {
        hint: 'Move it next to makiatto.toml, out of the site.',
      })
      return {}
    }
    try {
      const { size } = await statFile(file)
      if (size > MAX_ENV_FILE_BYTES) throw new Error(`it has ${size} bytes, ${MAX_ENV_FILE_BYTES} are allowed`)
      return parseDotenv(await readFile(file, 'utf8'), name)
    } catch (thrown) {
      const { code, message, hint } = asMakiError(thrown)
      const words = code === 'MAKI_CONFIG' ? message : `${file} cannot be read: ${message}`
      this.#findings.fault(at, words, { hint })
      return {}
    }
  }

  async #checkPattern(files: string, at: ConfigPath): Promise<void> {
    // Loaded by who has transforms alone.
    const { parseGlob } = await import('../../edge/index.ts')
    try {
      parseGlob(files)
    } catch (thrown) {
      const { message, hint } = asMakiError(thrown)
      this.#findings.fault(at, message, { hint })
    }
  }

  #readMethods(methods: readonly string[] | undefined, at: ConfigPath): readonly string[] | undefined {
    if (methods === undefined) return undefined
    const upper = [...new Set(methods.map((method) => method.toUpperCase()))].sort()
    const wrong = upper.find((method) => !METHOD.test(method))
    if (wrong !== undefined) this.#findings.fault(at, `${JSON.stringify(wrong)} is no HTTP method`)
    if (upper.length === 0) this.#findings.fault(at, 'the list is empty: leave it out to allow all methods')
    return upper
  }
}

/** A faulty array may be anything. */
const listOf = <T>(value: readonly T[] | undefined): readonly T[] => (Array.isArray(value) ? value : [])

async function findFileFault(folder: string, source: string, path: string): Promise<string | undefined> {
  try {
    if (path === '' || path.startsWith('../') || path === '..') return 'that is outside the path of the domain'
    checkPath(path)
    if (!(await stat(source)).isFile()) return 'that is not a file'
    const [root, real] = [await realpath(folder), await realpath(source)]
    return real === join(root, ...path.split('/')) ? undefined : 'a link leads there; name the file itself'
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    return code === 'ENOENT' ? 'there is no such file' : asMakiError(thrown).message
  }
}

/** Devices and pipes never end. */
async function statFile(path: string) {
  const found = await stat(path)
  if (!found.isFile()) throw new Error('that is not a file')
  return found
}

async function realpathOrSelf(path: string): Promise<string> {
  return realpath(path).catch(() => path)
}
