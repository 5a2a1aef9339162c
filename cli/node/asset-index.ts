import type { BlobHash, Hostname, Manifest, ManifestFile, OperationId } from '../../core/index.ts'
import { isFingerprinted, mayBeFingerprinted, type OtherAsset, type SiteRelease } from '../../edge/index.ts'
import { mayBeOpen } from '../../replication/index.ts'
import type { EdgeRelease } from './edge-questions.ts'

/** Undefined for a release whose manifest or rules are not here. */
export type ReadRelease = (
  domain: Hostname,
  release: EdgeRelease,
) => Promise<Pick<SiteRelease, 'manifest' | 'rules'> | undefined>

/** About a hundred megabytes. */
const MAX_FILES = 500_000
/** A manifest that is not here is not looked for with every name that somebody makes up. */
const TRY_AGAIN_MS = 500
/** Releases that slid out of a list and still have names in the map. */
const MAX_STALE = 64

interface DomainAssets {
  readonly files: Map<string, OtherAsset>
  /** The manifests that were read, by release. */
  readonly read: Map<OperationId, BlobHash>
  /** What was open when it was looked at last, newest first. */
  order: readonly OperationId[]
  stale: number
  triedMs: number
}

/**
 * The fingerprinted files of the releases that pages may still be open of, by path. A domain's manifests are read when the
 * first name is looked for, one after another, and each once; a further name then costs one look-up, whether it is there or
 * not. Holds a bounded number of names: the domain that was not asked about for longest goes first.
 */
export class AssetIndex {
  readonly #read: ReadRelease
  readonly #now: () => number
  readonly #maxFiles: number
  /** The one that was asked about last comes last. */
  readonly #domains = new Map<Hostname, DomainAssets>()
  #turn: Promise<unknown> = Promise.resolve()
  #files = 0

  constructor(ports: { readonly read: ReadRelease; readonly now: () => number; readonly maxFiles?: number }) {
    this.#read = ports.read
    this.#now = ports.now
    this.#maxFiles = ports.maxFiles ?? MAX_FILES
  }

  /** `releases` are those that are kept now, newest first: what is in none of them is not found, whatever was read before. */
  async find(domain: Hostname, releases: readonly EdgeRelease[], path: string): Promise<OtherAsset | undefined> {
    const open = releases.filter((release) => mayBeOpen({ endedMs: release.endedMs }, this.#now()))
    if (!this.#isComplete(domain, open)) {
      // One at a time: whoever asks about many domains at once waits for himself.
      const turn = this.#turn.then(() => this.#complete(domain, open))
      this.#turn = turn.catch(() => {})
      await turn
    }
    const found = this.#domains.get(domain)?.files.get(path)
    return found !== undefined && open.some(({ id }) => id === found.release) ? found : undefined
  }

  #isComplete(domain: Hostname, open: readonly EdgeRelease[]): boolean {
    const assets = this.#domains.get(domain)
    if (assets === undefined) return open.length === 0
    if (!isOrdered(assets, open)) return false
    const missing = open.filter(({ id }) => !assets.read.has(id))
    const isTried = missing.every(({ id }) => assets.order.includes(id))
    return missing.length === 0 || (isTried && this.#now() - assets.triedMs < TRY_AGAIN_MS)
  }

  async #complete(domain: Hostname, open: readonly EdgeRelease[]): Promise<void> {
    const before = this.#domains.get(domain)
    if (before !== undefined && !isOrdered(before, open)) this.#drop(domain)
    const assets = this.#domains.get(domain) ?? { files: new Map(), read: new Map(), order: [], stale: 0, triedMs: 0 }
    this.#domains.delete(domain)
    this.#domains.set(domain, assets)
    assets.stale += countStale(assets, open)
    assets.order = open.map(({ id }) => id)
    assets.triedMs = this.#now()
    const rank = new Map(assets.order.map((id, i) => [id, i]))
    const rankOf = (id: OperationId): number => rank.get(id) ?? Number.POSITIVE_INFINITY
    for (const [i, release] of open.entries()) {
      if (assets.read.has(release.id)) continue
      const isRead = open.slice(0, i).some(({ id }) => assets.read.get(id) === release.manifest)
      const found = isRead ? undefined : await this.#read(domain, release)
      // One that is not here may come any time.
      if (!isRead && found === undefined) continue
      assets.read.set(release.id, release.manifest)
      const previous = assets.files.size
      for (const file of found === undefined ? [] : listFingerprinted(found.manifest)) {
        const holder = assets.files.get(file.path)?.release
        if (holder === undefined || rankOf(holder) > i)
          assets.files.set(file.path, describeAsset(domain, file, release.id, found?.rules))
      }
      this.#files += assets.files.size - previous
      this.#makeRoom(domain)
    }
  }

  #makeRoom(except: Hostname): void {
    for (const domain of [...this.#domains.keys()]) {
      if (this.#files <= this.#maxFiles) return
      if (domain !== except) this.#drop(domain)
    }
  }

  #drop(domain: Hostname): void {
    this.#files -= this.#domains.get(domain)?.files.size ?? 0
    this.#domains.delete(domain)
  }
}

/** How many of the oldest releases are not open any more; the names that only they had are found no more. */
function countStale({ order }: DomainAssets, open: readonly EdgeRelease[]): number {
  const ids = new Set(open.map(({ id }) => id))
  return order.filter((id) => !ids.has(id)).length
}

/** False where a release went from among others, as a purge makes it: an older one may have the names that it hid. */
function isOrdered(assets: DomainAssets, open: readonly EdgeRelease[]): boolean {
  const stale = countStale(assets, open)
  const rest = assets.order.slice(0, assets.order.length - stale)
  const ids = new Set(open.map(({ id }) => id))
  return assets.stale + stale <= MAX_STALE && rest.every((id) => ids.has(id))
}

/**
 * The files of a release that are named after their content: those whose name shows it, and in the folders of these what
 * may be, since a bundler names all that it writes into a folder alike.
 */
export function* listFingerprinted(manifest: Manifest): Generator<ManifestFile> {
  const folders = new Set<string>()
  for (const { path } of manifest.files()) if (isFingerprinted(path)) folders.add(folderOf(path))
  for (const file of manifest.files()) if (folders.has(folderOf(file.path)) && mayBeFingerprinted(file.path)) yield file
}

/** A file of a release as it is told of, with whether the release's own rules protect it. */
export function describeAsset(
  domain: Hostname,
  file: ManifestFile,
  release: OperationId,
  rules: SiteRelease['rules'],
): OtherAsset {
  const isProtected = rules?.authFor(domain, { path: file.path, slash: false }) !== undefined
  return isProtected ? { file, release, isProtected } : { file, release }
}

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1)
