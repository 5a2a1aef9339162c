import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BlobHash } from '../../core/index.ts'
import type { ComponentReport } from '../components/index.ts'

/** The JavaScript that links a component's core modules, and these modules by the names that it asks for them. */
export interface PreparedFiles {
  readonly glue: Buffer
  readonly modules: ReadonlyMap<string, Buffer>
}

/** What stands beside the files of a prepared component. */
export interface PreparedMeta {
  readonly component: BlobHash
  readonly report: ComponentReport
  /** Size and SHA-256 of the glue and of each module, by file name. */
  readonly files: Readonly<Record<string, readonly [sizeBytes: number, sha256: string]>>
}

export const GLUE_FILE = 'glue.js'
export const META_FILE = 'meta.json'
/** How the generator names core modules: `glue.core.wasm`, `glue.core2.wasm` … */
export const MODULE_FILE: RegExp = /^glue\.core([1-9][0-9]{0,2})?\.wasm$/
const MAX_FILES = 1000

/** Lists the files with their hashes. Pure. */
export function buildMeta(component: BlobHash, report: ComponentReport, files: PreparedFiles): PreparedMeta {
  const all = [[GLUE_FILE, files.glue] as const, ...files.modules]
  return {
    component,
    report,
    files: Object.fromEntries(all.map(([name, bytes]) => [name, [bytes.length, hashOf(bytes)] as const])),
  }
}

/** As text that begins with a hash over the rest, so that a damaged one is known for what it is. */
export function encodeMeta(meta: PreparedMeta): string {
  const json = JSON.stringify(meta)
  return `${hashOf(json)}\n${json}\n`
}

/** Undefined for text that is torn, altered, or not of this component. */
export function findMeta(text: string, component: BlobHash): PreparedMeta | undefined {
  const at = text.indexOf('\n')
  const json = text.slice(at + 1, -1)
  if (hashOf(json) !== text.slice(0, at)) return undefined
  // Whole, so it is what `encodeMeta` wrote.
  const meta: PreparedMeta = JSON.parse(json)
  const names = Object.keys(meta.files)
  const isSound = names.length <= MAX_FILES && names.every((name) => name === GLUE_FILE || MODULE_FILE.test(name))
  return isSound && meta.component === component ? meta : undefined
}

/**
 * Reads a prepared component whose folder control named. Undefined where it is gone or any byte is not what was written:
 * control is to be asked again, which makes it anew. Rejects where nothing can be read at the moment (EMFILE, ENOMEM).
 */
export async function readPreparedFiles(
  folder: string,
  component: BlobHash,
): Promise<(PreparedFiles & { readonly meta: PreparedMeta }) | undefined> {
  try {
    const meta = findMeta(await readFile(join(folder, META_FILE), 'utf8'), component)
    if (meta === undefined) return undefined
    const modules = new Map<string, Buffer>()
    let glue: Buffer | undefined
    for (const [name, [sizeBytes, sha256]] of Object.entries(meta.files)) {
      const bytes = await readFile(join(folder, name))
      if (bytes.length !== sizeBytes || hashOf(bytes) !== sha256) return undefined
      if (name === GLUE_FILE) glue = bytes
      else modules.set(name, bytes)
    }
    return glue === undefined ? undefined : { glue, modules, meta }
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR', 'EIO'].includes(String((error as NodeJS.ErrnoException).code))) return undefined
    throw error
  }
}

const hashOf = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')
