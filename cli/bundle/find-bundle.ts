import { createHash } from 'node:crypto'
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import * as v from 'valibot'
import { MakiError, type Runtime } from '../../core/index.ts'
import { type Environment, writeFileAtomically } from '../config/index.ts'
import type { Bundle, BundleArch } from './bundle.ts'
import { makeBundle } from './make-bundle.ts'
import { readBundle } from './read-bundle.ts'
import { findSources, type Sources } from './sources.ts'

export interface FindBundleOptions {
  readonly arch: BundleArch
  /** A bundle that is to be taken, whatever it is, once it is whole and for this processor. */
  readonly binaryPath?: string
  readonly env: Environment
  readonly runtime: Pick<Runtime, 'randomBytes'>
  readonly signal: AbortSignal
  /** What is done at the moment, in a word or two. */
  readonly onProgress?: (text: string) => void
}

const record = v.object({ version: v.string(), sha256: v.string(), sizeBytes: v.number() })
const RECORD = 'made.json'
/** Of other versions, and of other states of a checkout. */
const KEPT = 3

/**
 * The bundle to bring to a server: the one that is named; else that of this very program, which is made on this computer where
 * it was not yet, and compared with what is known of it each time. Throws MAKI_BLOB_MISMATCH for one that this version was not
 * published with.
 */
export async function findBundle(options: FindBundleOptions): Promise<Bundle> {
  const { arch, binaryPath, env, signal, onProgress, runtime } = options
  if (binaryPath !== undefined) return await readBundle(binaryPath, arch)
  const sources = await findSources()
  const cache = cacheFolder(env)
  const folder = join(cache, `${sources.key.slice(0, 16)}-${arch}`)
  const kept = await readKept(folder, sources, arch)
  if (kept !== undefined) return requireKnown(kept, sources)
  const draft = join(cache, `.${Buffer.from(runtime.randomBytes(6)).toString('hex')}`)
  try {
    const made = requireKnown(
      await makeBundle(sources, arch, { folder: draft, signal, ...(onProgress && { onProgress }) }),
      sources,
    )
    const { version, sha256, sizeBytes } = made
    const text = `${JSON.stringify({ version, sha256, sizeBytes })}\n`
    await writeFileAtomically(join(draft, RECORD), text, { mode: 0o644, runtime })
    await rm(folder, { recursive: true, force: true })
    // Another maki may have made the same meanwhile, of equal bytes.
    await rename(draft, folder).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
    await sweep(cache, folder)
    return { ...made, file: fileIn(folder, sources, arch) }
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

const fileIn = (folder: string, { version }: Sources, arch: BundleArch): string =>
  join(folder, `makiatto-${version}-linux-${arch}.tar.gz`)

function cacheFolder(env: Environment): string {
  const { XDG_CACHE_HOME: cache = '', HOME: home = '' } = env
  const base = isAbsolute(cache) ? cache : join(isAbsolute(home) ? home : homedir(), '.cache')
  return join(base, 'makiatto', 'bundles')
}

/** Undefined where none is kept, or it is not what was made. */
async function readKept(folder: string, sources: Sources, arch: BundleArch): Promise<Bundle | undefined> {
  try {
    const { version, sha256, sizeBytes } = v.parse(record, JSON.parse(await readFile(join(folder, RECORD), 'utf8')))
    const file = fileIn(folder, sources, arch)
    const bytes = await readFile(file)
    if (createHash('sha256').update(bytes).digest('hex') !== sha256) return undefined
    return { file, arch, version, sha256, sizeBytes }
  } catch {
    return undefined
  }
}

/** A checkout makes its own; a published package names the only one that it takes. */
function requireKnown(bundle: Bundle, { known, compiled }: Sources): Bundle {
  if (compiled === undefined) return bundle
  const wanted = known?.[bundle.arch]
  if (wanted === bundle.sha256) return bundle
  throw new MakiError(
    'MAKI_BLOB_MISMATCH',
    wanted === undefined
      ? `this package of maki was made without saying what its bundle for linux-${bundle.arch} is`
      : `the bundle that was made here is ${bundle.sha256}, and this version of maki was published with ${wanted}`,
    { hint: 'Make a bundle in a checkout (npm run bundle), and bring that one: --binary-path FILE' },
  )
}

async function sweep(cache: string, current: string): Promise<void> {
  const folders = (await readdir(cache)).filter((name) => !name.startsWith('.')).map((name) => join(cache, name))
  const aged = await Promise.all(folders.map(async (path) => ({ path, ms: (await stat(path)).mtimeMs })))
  const old = aged.filter(({ path }) => path !== current).sort((a, b) => b.ms - a.ms)
  for (const { path } of old.slice(KEPT)) await rm(path, { recursive: true, force: true })
}
