import type { BlobHash, Hostname, Log, Runtime } from '../../core/index.ts'
import type { BlobFetcher, BlobStore } from '../../replication/index.ts'

/** By then every worker that was asked for a name has read it. */
const LATE_MS = 5_000

interface Wanted {
  readonly abort: AbortController
  /** Undefined for one that was here at once, infinity for one that is not here yet. */
  arrivedMs: number | undefined
}

/**
 * Fetches the manifests of kept releases that this node never had: one that was replaced before it was whole here. Pages of
 * it may be open all the same, at a node that had it; with its manifest a file of it is found, and fetched when it is asked for.
 */
export class KeptManifests implements Disposable {
  readonly #store: Pick<BlobStore, 'sizes'>
  readonly #fetcher: Pick<BlobFetcher, 'fetch'>
  readonly #runtime: Pick<Runtime, 'monotonic'>
  readonly #log: Log
  readonly #wanted = new Map<Hostname, Map<BlobHash, Wanted>>()

  constructor(ports: {
    readonly store: Pick<BlobStore, 'sizes'>
    readonly fetcher: Pick<BlobFetcher, 'fetch'>
    readonly runtime: Pick<Runtime, 'monotonic'>
    readonly log: Log
  }) {
    this.#store = ports.store
    this.#fetcher = ports.fetcher
    this.#runtime = ports.runtime
    this.#log = ports.log
  }

  /** Replaces what is wanted of a domain: the rest is fetched in the background, and no longer what went. */
  keep(domain: Hostname, hashes: readonly BlobHash[]): void {
    const before = this.#wanted.get(domain)
    const wanted = new Map(hashes.map((hash) => [hash, before?.get(hash) ?? newWanted()]))
    if (wanted.size === 0) this.#wanted.delete(domain)
    else this.#wanted.set(domain, wanted)
    for (const [hash, { abort }] of before ?? []) if (!wanted.has(hash)) abort.abort()
    const fresh = [...wanted].filter(([hash]) => before?.has(hash) !== true)
    void this.#fetch(fresh).catch((error: unknown) => this.#log.warn('releases.manifests-failed', { domain, error }))
  }

  /** True for a manifest that is not here yet, or came so late that an edge may not have read it. */
  isLate(domain: Hostname, hash: BlobHash): boolean {
    const arrivedMs = this.#wanted.get(domain)?.get(hash)?.arrivedMs
    return arrivedMs !== undefined && this.#runtime.monotonic() - arrivedMs < LATE_MS
  }

  async #fetch(fresh: readonly (readonly [BlobHash, Wanted])[]): Promise<void> {
    const sizes = await this.#store.sizes(fresh.map(([hash]) => hash))
    const missing = fresh.filter((_, i) => sizes[i] === undefined)
    await Promise.all(missing.map(([hash, wanted]) => this.#fetchOne(hash, wanted)))
  }

  async #fetchOne(hash: BlobHash, wanted: Wanted): Promise<void> {
    wanted.arrivedMs = Number.POSITIVE_INFINITY
    try {
      await this.#fetcher.fetch([{ hash }], { signal: wanted.abort.signal })
      wanted.arrivedMs = this.#runtime.monotonic()
    } catch (error) {
      if (!wanted.abort.signal.aborted) this.#log.warn('releases.manifest-missing', { hash, error })
    }
  }

  [Symbol.dispose](): void {
    for (const wanted of this.#wanted.values()) for (const { abort } of wanted.values()) abort.abort()
    this.#wanted.clear()
  }
}

const newWanted = (): Wanted => ({ abort: new AbortController(), arrivedMs: undefined })
