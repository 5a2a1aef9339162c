import { MakiError, type Runtime } from '../../core/index.ts'
import type { Environment } from '../config/index.ts'
import type { Bundle, BundleArch } from './bundle.ts'
import { BundleCache, bundleFolder } from './bundle-cache.ts'
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

/**
 * The bundle to bring to a server: the one that is named; else that of this very program, which is made on this computer where
 * it was not yet, and compared with what is known of it each time. Throws MAKI_BLOB_MISMATCH for one that this version was not
 * published with, and MAKI_CONFLICT in a checkout that changes while the bundle is made.
 */
export async function findBundle(options: FindBundleOptions): Promise<Bundle> {
  const { arch, binaryPath, env, signal, onProgress, runtime } = options
  if (binaryPath !== undefined) return await readBundle(binaryPath, arch)
  const sources = await findSources()
  const cache = new BundleCache(bundleFolder(env), runtime)
  const kept = await cache.find(sources.key, arch)
  if (kept !== undefined) return requireKnown(kept, sources)
  return await cache.keep(arch, async (folder) => {
    const made = await makeBundle(sources, arch, { folder, scratch: folder, signal, ...(onProgress && { onProgress }) })
    const bundle = requireKnown(made, sources)
    // Of a checkout that was worked on meanwhile it is no state's own, and must not be found again as one.
    const isOfOneState = (await findSources()).key === sources.key
    return { key: isOfOneState ? sources.key : bundle.sha256, bundle }
  })
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
