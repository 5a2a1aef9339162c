import type { ComponentFault, Inspection } from '../components/index.ts'
import type { BuildOutcome } from './build-outcome.ts'
import type { Generate } from './generator.ts'
import { GLUE_FILE, MODULE_FILE, type PreparedFiles } from './prepared-files.ts'

export interface BuildTools {
  readonly inspect: (component: Uint8Array) => Inspection
  readonly generate: Generate
  /** What a module imports; throws for text that is none. It is not run. See `listImports`. */
  readonly listImports: (text: string) => readonly string[]
  /** Of all files together. */
  readonly maxOutputBytes: number
}

/** What may stand between quotes in JavaScript without ending them: printable ASCII but quotes and backslash. */
const HARMLESS = /^[\x20\x21\x23-\x26\x28-\x5b\x5d-\x5f\x61-\x7e]{0,1024}$/

/**
 * Makes a component ready: nothing of it is run, and no name of it reaches the generator before it was found harmless. What comes out
 * is looked at again, since it is the generator's word on a stranger's bytes.
 */
export function buildComponent(component: Uint8Array, tools: BuildTools): BuildOutcome {
  const { inspect, generate } = tools
  const inspection = inspect(component)
  if (inspection.kind === 'unfit') return inspection
  let files: readonly (readonly [name: string, bytes: Uint8Array])[]
  try {
    files = generate(component).files
  } catch (error) {
    return unfit(refusedBy(error))
  }
  const checked = checkFiles(files, tools)
  return 'code' in checked ? unfit(checked) : { kind: 'ready', report: inspection.report, files: checked }
}

/** The glue and its modules; a fault where anything about them is not as it has to be. */
export function checkFiles(
  files: readonly (readonly [name: string, bytes: Uint8Array])[],
  { maxOutputBytes, listImports }: Pick<BuildTools, 'maxOutputBytes' | 'listImports'>,
): PreparedFiles | ComponentFault {
  const modules = new Map<string, Buffer>()
  let glue: Buffer | undefined
  let totalBytes = 0
  for (const [name, bytes] of files) {
    totalBytes += bytes.length
    if (totalBytes > maxOutputBytes)
      return broken(`what is generated from it is larger than ${Math.floor(maxOutputBytes / 1024 / 1024)} MiB`)
    if (name === GLUE_FILE && glue === undefined) glue = Buffer.from(bytes)
    else if (MODULE_FILE.test(name) && !modules.has(name)) modules.set(name, Buffer.from(bytes))
    else return broken('a file is generated from it that has no place in a component')
  }
  if (glue === undefined) return broken('no JavaScript is generated from it')
  for (const bytes of modules.values()) {
    const fault = checkModule(bytes)
    if (fault !== undefined) return fault
  }
  return checkGlue(glue, listImports) ?? { glue, modules }
}

/** As V8 reads it, which is the reader that counts, whatever ours made of the same bytes. */
function checkModule(bytes: Buffer): ComponentFault | undefined {
  let names: readonly string[]
  try {
    const module = new WebAssembly.Module(Buffer.from(bytes))
    const imports = WebAssembly.Module.imports(module).flatMap(({ module: from, name }) => [from, name])
    names = [...imports, ...WebAssembly.Module.exports(module).map(({ name }) => name)]
  } catch (error) {
    return broken(`one of its core modules is not valid: ${quote(error)}`)
  }
  const bad = names.find((name) => !HARMLESS.test(name))
  if (bad === undefined) return undefined
  return {
    code: 'unsafe-name',
    message: `a core module of it imports or exports the name ${JSON.stringify(bad.slice(0, 60))}`,
    hint: 'Names may hold printable ASCII without quotes and backslashes. No compiler makes others by itself.',
  }
}

/** It is parsed and not run; it is one module alone. */
function checkGlue(glue: Buffer, listImports: BuildTools['listImports']): ComponentFault | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(glue)
    if (listImports(text).length === 0) return undefined
    return broken('the JavaScript that is generated from it imports something')
  } catch (error) {
    return broken(`the JavaScript that is generated from it is not valid: ${quote(error)}`)
  }
}

const unfit = (fault: ComponentFault): BuildOutcome => ({ kind: 'unfit', fault })

const HINT = 'Build it again with a current toolchain. maki wasm check FILE tells more.'

const broken = (message: string): ComponentFault => ({ code: 'broken', message, hint: HINT })

const refusedBy = (error: unknown): ComponentFault => ({
  code: 'unsupported-feature',
  message: `jco cannot make JavaScript of it: ${quote(error)}`,
  hint: HINT,
})

/** The words of an error, which may hold what a stranger wrote: one line of printable characters. */
function quote(error: unknown): string {
  const words = error instanceof Error ? error.message : String(error)
  const [line = ''] = words.replaceAll(/[^\x20-\x7e\n]+/g, ' ').split('\n')
  return line.trim().slice(0, 300) || 'it does not say why'
}
