import type { BlobHash, Hostname, Log } from '../../core/index.ts'
import type { BlobFetcher, BlobStore } from '../../replication/index.ts'

/**
 * Fetches the manifests of kept releases that this node never had: one that was replaced before it was whole here. Pages of
 * it may be open all the same, at a node that had it; with its manifest a file of it is found, and fetched when it is asked for.
 */
export class KeptManifests implements Disposable {
  readonly #store: Pick<BlobStore, 'sizes'>
  readonly #fetcher: Pick<BlobFetcher, 'fetch'>
  readonly #log: Log
  /** By domain: what was looked for, and what ends the fetching of what is still missing. */
  readonly #wanted = new Map<Hostname, Map<BlobHash, AbortController>>()

  constructor(ports: {
    readonly store: Pick<BlobStore, 'sizes'>
    readonly fetcher: Pick<BlobFetcher, 'fetch'>
    readonly log: Log
  }) {
    this.#store = ports.store
    this.#fetcher = ports.fetcher
    this.#log = ports.log
  }

  /** Replaces what is wanted of a domain: the rest is fetched in the background, and no longer what went. */
  keep(domain: Hostname, hashes: readonly BlobHash[]): void {
    const before = this.#wanted.get(domain)
    const wanted = new Map(hashes.map((hash) => [hash, before?.get(hash) ?? new AbortController()]))
    if (wanted.size === 0) this.#wanted.delete(domain)
    else this.#wanted.set(domain, wanted)
    for (const [hash, abort] of before ?? []) if (!wanted.has(hash)) abort.abort()
    const fresh = [...wanted].filter(([hash]) => before?.has(hash) !== true)
    void this.#fetch(fresh).catch((error: unknown) => this.#log.warn('releases.manifests-failed', { domain, error }))
  }

  async #fetch(fresh: readonly (readonly [BlobHash, AbortController])[]): Promise<void> {
    const sizes = await this.#store.sizes(fresh.map(([hash]) => hash))
    const missing = fresh.filter((_, i) => sizes[i] === undefined)
    const fetches = missing.map(([hash, { signal }]) => this.#fetcher.fetch([{ hash }], { signal }))
    for (const result of await Promise.allSettled(fetches))
      if (result.status === 'rejected') this.#log.debug('releases.manifest-missing', { error: result.reason })
  }

  [Symbol.dispose](): void {
    for (const wanted of this.#wanted.values()) for (const abort of wanted.values()) abort.abort()
    this.#wanted.clear()
  }
}
