import type { BlobReader, Hostname, OperationId, Runtime } from '../../core/index.ts'
import { asMakiError, MakiError } from '../../core/index.ts'
import { type Learnt, loadSiteRelease, type Need, type OtherAsset, type SiteRelease } from '../../edge/index.ts'
import { KEPT_FILES_OF, mayBeOpen } from '../../replication/index.ts'
import { AssetIndex } from './asset-index.ts'
import type { AskControl, EdgeRelease } from './edge-questions.ts'

/** Counted since the worker started. */
export interface LearnerCounts {
  /** Files of other releases that were found here, and through control; and names that nobody has. */
  assetsHere: number
  assetsFetched: number
  assetsAbsent: number
  /** Names that were not looked for elsewhere, because too many of the domain were. */
  assetsUnasked: number
}

/** So many names of a domain are looked for at a time; whoever makes up more gets a quick no, and costs nobody else anything. */
const MAX_ASKED = 16
/** How long a name that nobody has is not looked for again. */
const ABSENT_MS = 1_000
const MAX_ABSENT = 1_024
const MAX_PREVIEWS = 8

/**
 * Learns for the requests of one worker what the table of sites does not say: files of other releases, and releases that are
 * previewed. What is on this node is found without control; what is not is asked of it.
 */
export class EdgeLearner {
  readonly counts: LearnerCounts = { assetsHere: 0, assetsFetched: 0, assetsAbsent: 0, assetsUnasked: 0 }
  readonly #blobs: BlobReader
  readonly #ask: AskControl
  readonly #runtime: Pick<Runtime, 'now' | 'monotonic'>
  readonly #index: AssetIndex
  readonly #releases = new Map<Hostname, readonly EdgeRelease[]>()
  readonly #asking = new Map<Hostname, Map<string, Promise<OtherAsset | null>>>()
  /** Until when each name is known to be absent, by domain; the oldest comes first. */
  readonly #absent = new Map<Hostname, Map<string, number>>()
  /** The last used comes last. */
  readonly #previews = new Map<string, Promise<SiteRelease>>()

  constructor(ports: {
    readonly blobs: BlobReader
    readonly ask: AskControl
    readonly runtime: Pick<Runtime, 'now' | 'monotonic'>
  }) {
    this.#blobs = ports.blobs
    this.#ask = ports.ask
    this.#runtime = ports.runtime
    this.#index = new AssetIndex({
      read: (domain, release) => this.#read(domain, release),
      now: ports.runtime.now,
    })
  }

  /** Replaces what is known of a domain's kept releases, newest first. */
  setReleases(domain: Hostname, releases: readonly EdgeRelease[]): void {
    if (releases.length === 0) this.#releases.delete(domain)
    else this.#releases.set(domain, releases)
    this.#absent.delete(domain)
    const kept = new Set(releases.map(({ id }) => keyOf(domain, id)))
    for (const key of this.#previews.keys())
      if (key.endsWith(` ${domain}`) && !kept.has(key)) this.#previews.delete(key)
  }

  /** Rejects where it cannot be told now, and may be a moment later. */
  async findAsset({ domain, path }: Extract<Need, { kind: 'asset' }>): Promise<Learnt> {
    const until = this.#absent.get(domain)?.get(path)
    if (until !== undefined && until > this.#runtime.monotonic()) return { asset: null }
    const known = await this.#index.find(domain, this.#releases.get(domain) ?? [], path)
    if (known !== undefined && (await this.#blobs.size(known.file.hash)) !== undefined) {
      this.counts.assetsHere++
      return { asset: known }
    }
    return { asset: await this.#askFor(domain, path, known) }
  }

  /** Null for a release that is not kept. Rejects while it cannot be read. */
  async findPreview({ domain, idPrefix }: Extract<Need, { kind: 'preview' }>): Promise<Learnt> {
    const now = this.#runtime.now()
    const releases = this.#releases.get(domain) ?? []
    const release = releases.find(
      ({ id, endedMs }, i) => id.startsWith(idPrefix) && (i < KEPT_FILES_OF || mayBeOpen({ endedMs }, now)),
    )
    return { preview: release === undefined ? null : await this.#load(domain, release) }
  }

  #askFor(domain: Hostname, path: string, known: OtherAsset | undefined): Promise<OtherAsset | null> {
    const asking = this.#asking.get(domain) ?? new Map<string, Promise<OtherAsset | null>>()
    const asked = asking.get(path)
    if (asked !== undefined) return asked
    if (asking.size >= MAX_ASKED) {
      this.counts.assetsUnasked++
      return Promise.resolve(null)
    }
    const answer = this.#ask({ kind: 'asset', domain, path, ...(known === undefined ? {} : { known }) })
      .then((found) => {
        const asset = typeof found === 'object' && found !== null && 'release' in found ? found : null
        if (asset === null) this.#noteAbsent(domain, path)
        else this.counts.assetsFetched++
        return asset
      })
      .finally(() => {
        asking.delete(path)
        if (asking.size === 0) this.#asking.delete(domain)
      })
    asking.set(path, answer)
    this.#asking.set(domain, asking)
    return answer
  }

  #noteAbsent(domain: Hostname, path: string): void {
    this.counts.assetsAbsent++
    const names = this.#absent.get(domain) ?? new Map<string, number>()
    this.#absent.set(domain, names)
    names.delete(path)
    names.set(path, this.#runtime.monotonic() + ABSENT_MS)
    for (const oldest of names.keys()) {
      if (names.size <= MAX_ABSENT) break
      names.delete(oldest)
    }
  }

  #load(domain: Hostname, release: EdgeRelease): Promise<SiteRelease> {
    const key = keyOf(domain, release.id)
    const known = this.#previews.get(key)
    this.#previews.delete(key)
    const loading = known ?? this.#loadWhole(domain, release)
    this.#previews.set(key, loading)
    loading.catch(() => this.#previews.get(key) === loading && this.#previews.delete(key))
    for (const oldest of this.#previews.keys()) {
      if (this.#previews.size <= MAX_PREVIEWS) break
      this.#previews.delete(oldest)
    }
    return loading
  }

  /** Control fetches what is not here; where it is gone, what is here has to do. */
  async #loadWhole(domain: Hostname, release: EdgeRelease): Promise<SiteRelease> {
    const isWhole = await this.#ask({ kind: 'release', domain, id: release.id })
    if (isWhole === false)
      throw new MakiError('MAKI_BLOB_MISSING', `the release ${release.id} of ${domain} is not whole on this node yet`)
    return await loadSiteRelease(this.#blobs, domain, release, this.#runtime.now())
  }

  async #read(domain: Hostname, release: EdgeRelease): Promise<SiteRelease | undefined> {
    try {
      return await loadSiteRelease(this.#blobs, domain, release, this.#runtime.now())
    } catch (error) {
      // Missing or damaged: control sees to it when a file is asked for that nobody here knows.
      void asMakiError(error)
      return undefined
    }
  }
}

const keyOf = (domain: Hostname, id: OperationId): string => `${id} ${domain}`
