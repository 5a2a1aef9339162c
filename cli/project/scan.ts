import { realpathSync } from 'node:fs'
import { type BlobHash, isRuleFile, MakiError, type ManifestFile, type Runtime } from '../../core/index.ts'
import { type HashOptions, hashFiles } from './hash-files.ts'
import { pause } from './pause.ts'
import { ScanCache } from './scan-cache.ts'
import { describeUnreadable, type FoundFile, quote, type WalkResult, walkSite } from './walk.ts'

/** A file to publish, and where its bytes are. */
export interface SourceFile extends ManifestFile {
  /** Absolute path without symbolic links. */
  readonly source: string
}

export interface ScannedSite {
  /** Sorted by path, as in the manifest. */
  readonly files: readonly SourceFile[]
  readonly warnings: readonly string[]
}

export interface ScanProgress {
  readonly files: number
  readonly filesDone: number
  readonly bytes: number
  readonly bytesDone: number
}

export interface ScanOptions extends Pick<HashOptions, 'asideBytes' | 'asideProgram'> {
  readonly runtime: Runtime
  /** Where hashes are remembered from scan to scan; nowhere when absent. */
  readonly cacheFile?: string | undefined
  /** Every file is hashed, whatever is remembered of it; the cache is then corrected. */
  readonly distrustCache?: boolean | undefined
  /** Absolute paths that are not published: the project file. */
  readonly excluded?: readonly string[] | undefined
  readonly allowEmpty?: boolean | undefined
  readonly onProgress?: ((progress: ScanProgress) => void) | undefined
  /** For tests: called when a file was read and is about to be looked at again. */
  readonly afterRead?: ((path: string) => void) | undefined
}

/** How often a site that changes while it is read is looked at again. */
const ATTEMPTS = 4
const RETRY_DELAY_MS = 100
const SHOWN_FAULTS = 20

/**
 * Hashes the files of a site folder. Throws MAKI_CONFIG that lists what cannot be published, or for a folder without
 * files; MAKI_CONFLICT when files keep changing while they are read.
 */
export async function scanSite(name: string, folder: string, options: ScanOptions): Promise<ScannedSite> {
  const cache = await ScanCache.load(options.cacheFile)
  let changed = ''
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await pause(options.runtime, RETRY_DELAY_MS * attempt)
    const walk = openFolder(name, folder, options)
    refuseFaults(name, walk.faults)
    const hashed = await hashAll(name, walk.files, cache, options)
    if ('changed' in hashed) {
      changed = quote(hashed.changed)
      continue
    }
    if (walk.changed) {
      changed = 'the folder'
      continue
    }
    if (hashed.files.length === 0 && options.allowEmpty !== true) throw emptyFolder(name, folder, walk)
    cache.retain(realpathSync(folder), new Set(hashed.files.map((file) => file.source)))
    await cache.save(options.cacheFile, options.runtime)
    const files = hashed.files.sort((a, b) => (a.path < b.path ? -1 : 1))
    return { files, warnings: [...warnOfRules(walk), ...warnOfCase(files)] }
  }
  throw new MakiError('MAKI_CONFLICT', `the files of ${name} keep changing while they are read: ${changed}`, {
    hint: 'Wait until the build is done, then run the command again.',
  })
}

function openFolder(name: string, folder: string, options: ScanOptions): WalkResult {
  try {
    return walkSite(folder, options.excluded)
  } catch (cause) {
    throw new MakiError(
      'MAKI_CONFIG',
      describeUnreadable(`the folder ${folder} of ${name}`, cause as NodeJS.ErrnoException),
      {
        cause,
        hint: 'Build the site first, or correct path in the project file.',
      },
    )
  }
}

async function hashAll(
  name: string,
  found: readonly FoundFile[],
  cache: ScanCache,
  options: ScanOptions,
): Promise<{ files: SourceFile[] } | { changed: string }> {
  const bytes = found.reduce((sum, file) => sum + file.sizeBytes, 0)
  const files: SourceFile[] = []
  const unreadable = new Map<string, string>()
  let bytesDone = 0
  let changed: string | undefined
  const report = () => options.onProgress?.({ files: found.length, filesDone: files.length, bytes, bytesDone })
  const add = ({ path, source }: FoundFile, hash: BlobHash, sizeBytes: number): void => {
    files.push({ path, source, hash, sizeBytes })
    bytesDone += sizeBytes
  }
  const unknown: FoundFile[] = []
  for (const file of found) {
    const known = options.distrustCache === true ? undefined : cache.find(file)
    if (known === undefined) unknown.push(file)
    else add(file, known, file.sizeBytes)
  }
  await hashFiles(unknown, {
    ...options,
    onPause: report,
    onHashed: (file, result, readAtNs) => {
      if (result === 'changed') changed = file.path
      else if ('hash' in result) {
        cache.remember(file.source, result, readAtNs)
        add(file, result.hash, result.sizeBytes)
      } else if (result.code === 'ENOENT') changed = file.path
      else unreadable.set(file.path, describeUnreadable(quote(file.path), result))
    },
  })
  if (changed !== undefined) return { changed }
  refuseFaults(
    name,
    found.flatMap(({ path }) => unreadable.get(path) ?? []),
  )
  report()
  return { files }
}

function refuseFaults(name: string, faults: readonly string[]): void {
  if (faults.length === 0) return
  const shown = faults.slice(0, SHOWN_FAULTS).map((fault) => `\n  ${fault}`)
  const more = faults.length > SHOWN_FAULTS ? `\n  and ${faults.length - SHOWN_FAULTS} more` : ''
  throw new MakiError('MAKI_CONFIG', `the files of ${name} cannot be published:${shown.join('')}${more}`, {
    hint: 'Correct or remove what is listed, then run the command again.',
  })
}

function emptyFolder(name: string, folder: string, walk: WalkResult): MakiError {
  const left = walk.skipped.length === 0 ? '' : ` (left out: ${walk.skipped.slice(0, 5).map(quote).join(', ')})`
  return new MakiError('MAKI_CONFIG', `${folder} has no files to publish as ${name}${left}`, {
    hint: 'Build the site first. To really publish an empty site: --allow-empty',
  })
}

function warnOfRules(walk: WalkResult): readonly string[] {
  const rules = walk.skipped.filter(isRuleFile)
  if (rules.length === 0) return []
  return [`${rules.map(quote).join(', ')}: neither published nor followed; rules stand at the top of the site`]
}

/** Such files are one file on macOS and Windows, so that the next build there publishes another site. */
function warnOfCase(files: readonly SourceFile[]): readonly string[] {
  const seen = new Map<string, string>()
  const warnings: string[] = []
  for (const { path } of files) {
    const folded = path.normalize('NFC').toLowerCase()
    const first = seen.get(folded)
    if (first === undefined) seen.set(folded, path)
    else warnings.push(`${quote(first)} and ${quote(path)} differ only in case or accents' encoding`)
  }
  return warnings
}
