import {
  type BlobHash,
  type Hostname,
  hashBlob,
  keys,
  type Log,
  Manifest,
  type OperationId,
  type Release,
  type ReleaseValue,
  type Runtime,
} from '../../core/index.ts'
import { type OtherAsset, readRules, type SiteRelease } from '../../edge/index.ts'
import {
  type BlobFetcher,
  type BlobStore,
  checkRelease,
  type ReleaseHistory,
  type WantedBlob,
} from '../../replication/index.ts'
import { describeAsset } from './asset-index.ts'
import type { AssetQuestion, EdgeAnswer } from './edge-questions.ts'
import type { KeptReleases } from './kept-releases.ts'

/** Questions that have their answer, counted since the start. */
export interface SeekerCounts {
  found: number
  /** What was asked for is on no node that could be reached in time. */
  absent: number
  /** Nobody looked, because too much was looked for. */
  refused: number
}

/** A visitor waits no longer for a file that some node may have. */
const SEEK_MS = 5_000
/** How long a release that nobody here has heard of may take to arrive: some ways around the world, at busy nodes. */
const HEAR_MS = 2_000
const COMPLETE_MS = 10_000
/** How long a release is fetched for the sake of its preview, whether or not somebody still waits. */
const COMPLETE_ASIDE_MS = 10 * 60_000
/** Of all workers and domains together. */
const MAX_SEEKING = 512
const MAX_MANIFESTS = 96
const MAX_COMPLETING = 2
/** Releases that are looked into; of older ones the edge knows by itself, as far as their manifests are here. */
const MAX_LOOKED = 24
const MAX_LATE = 64

/**
 * Finds for the edge what is not on this node: files of a release that it has not switched to, has not heard of, or never
 * had the whole of; and the files of a release that is previewed. All of it takes a bounded time, of a bounded number.
 */
export class AssetSeeker implements AsyncDisposable {
  readonly counts: SeekerCounts = { found: 0, absent: 0, refused: 0 }
  readonly #ports: SeekerPorts
  readonly #closing = new AbortController()
  /** The last used comes last. */
  readonly #manifests = new Map<BlobHash, Listed>()
  readonly #completing = new Map<OperationId, Promise<boolean>>()
  readonly #running = new Set<Promise<unknown>>()

  constructor(ports: SeekerPorts) {
    this.#ports = ports
  }

  /** Never rejects. */
  async answer(question: AssetQuestion): Promise<EdgeAnswer> {
    if (this.#running.size >= MAX_SEEKING) {
      this.counts.refused++
      return null
    }
    const answer = this.#answer(question).catch((error: unknown) => {
      this.#ports.log.debug('assets.seek-failed', { kind: question.kind, domain: question.domain, error })
      return question.kind === 'release' ? false : null
    })
    this.#running.add(answer)
    const found = await answer.finally(() => this.#running.delete(answer))
    if (found === null || found === false) this.counts.absent++
    else this.counts.found++
    return found
  }

  async #answer(question: AssetQuestion): Promise<EdgeAnswer> {
    switch (question.kind) {
      case 'asset':
        return await this.#within(SEEK_MS, null, (signal) => this.#seek(question, signal))
      case 'release':
        return await this.#complete(question.domain, question.id)
      default:
        return question satisfies never
    }
  }

  async #seek(
    { domain, path, known }: Extract<AssetQuestion, { kind: 'asset' }>,
    signal: AbortSignal,
  ): Promise<OtherAsset | null> {
    if (known !== undefined) return await this.#bring(known, signal)
    const { runtime, kept } = this.#ports
    const { promise, resolve } = Promise.withResolvers<OtherAsset | null>()
    const looked = new Set<OperationId>()
    let looks = 0
    let isLate = false
    const look = async (release: Release): Promise<void> => {
      looked.add(release.id)
      looks++
      const file = await this.#find(domain, release, path, signal).catch(() => undefined)
      looks--
      if (file !== undefined) resolve(file)
      else if (isLate && looks === 0) resolve(null)
    }
    // Beside each other: the list of one may be on no node that can be reached.
    const lookAround = () => {
      for (const release of this.#listCandidates(domain)) if (!looked.has(release.id)) void look(release)
    }
    const unsubscribe = kept.events.on('published', (published) => published === domain && lookAround())
    const cancel = runtime.after(HEAR_MS, () => {
      isLate = true
      if (looks === 0) resolve(null)
    })
    signal.addEventListener('abort', () => resolve(null), { once: true })
    lookAround()
    try {
      const found = await promise
      return found === null ? null : await this.#bring(found, signal)
    } finally {
      unsubscribe()
      cancel()
    }
  }

  async #bring(asset: OtherAsset, signal: AbortSignal): Promise<OtherAsset> {
    const { hash, sizeBytes } = asset.file
    await this.#ports.fetcher.fetch([{ hash, sizeBytes }], { signal })
    return asset
  }

  /** What stands, whether or not this node serves it; the newest of what stood before, and what came late. */
  #listCandidates(domain: Hostname): readonly Release[] {
    const { history, kept } = this.#ports
    if (history.state.get(keys.domain(domain)) === undefined) return []
    const releases = kept.of(domain).map(({ release }) => release)
    const [winner] = history.frontier(keys.release(domain))
    const isMissing = winner?.value !== undefined && !releases.some(({ id }) => id === winner.operation)
    const first = isMissing ? [{ ...(winner.value as ReleaseValue), id: winner.operation, domain }] : []
    const late = releases.slice(MAX_LOOKED).filter((release) => kept.isLate(release))
    return [...first, ...releases.slice(0, MAX_LOOKED), ...late.slice(0, MAX_LATE)]
  }

  async #find(domain: Hostname, release: Release, path: string, signal: AbortSignal): Promise<OtherAsset | undefined> {
    const hash = release.manifest
    const known = this.#manifests.get(hash)
    this.#manifests.delete(hash)
    const listed = known ?? (await this.#read(hash, signal))
    if (listed === undefined) return undefined
    this.#manifests.set(hash, listed)
    for (const oldest of this.#manifests.keys()) {
      if (this.#manifests.size <= MAX_MANIFESTS) break
      this.#manifests.delete(oldest)
    }
    const file = listed.manifest.find(path)
    return file && describeAsset(domain, file, release.id, listed.rules)
  }

  async #read(hash: BlobHash, signal: AbortSignal): Promise<Listed | undefined> {
    const { store, fetcher } = this.#ports
    const read = async (wanted: BlobHash): Promise<Uint8Array> => {
      await fetcher.fetch([{ hash: wanted }], { signal })
      return await store.read(wanted)
    }
    const bytes = await read(hash)
    if (hashBlob(bytes) !== hash) return undefined
    const manifest = Manifest.decode(bytes)
    // Who may see its files is told by the release itself.
    return { manifest, ...(await readRules({ read }, manifest)) }
  }

  /** Whoever asks waits a while; the fetching goes on, so that the next one waits less. */
  async #complete(domain: Hostname, id: OperationId): Promise<boolean> {
    const under = this.#completing.get(id)
    if (under === undefined && this.#completing.size >= MAX_COMPLETING) return false
    const completing = under ?? this.#within(COMPLETE_ASIDE_MS, false, (signal) => this.#fetchWhole(domain, id, signal))
    if (under === undefined) {
      this.#completing.set(id, completing)
      void completing.finally(() => this.#completing.delete(id))
    }
    return await this.#within(COMPLETE_MS, false, () => completing)
  }

  async #fetchWhole(domain: Hostname, id: OperationId, signal: AbortSignal): Promise<boolean> {
    const { kept, store, fetcher } = this.#ports
    const release = kept.of(domain).find((one) => one.release.id === id)?.release
    if (release === undefined) return false
    for (;;) {
      signal.throwIfAborted()
      const check = await checkRelease(release, store)
      if (check.kind !== 'missing') return check.kind === 'whole'
      await fetcher.fetch(check.blobs satisfies readonly WantedBlob[], { signal })
    }
  }

  /** What `act` gives, or `otherwise` when the time is over or it failed; then its signal says so. */
  async #within<T>(ms: number, otherwise: T, act: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const timeout = new AbortController()
    const late = Promise.withResolvers<T>()
    const stop = () => {
      timeout.abort()
      late.resolve(otherwise)
    }
    const cancel = this.#ports.runtime.after(ms, stop)
    this.#closing.signal.addEventListener('abort', stop)
    if (this.#closing.signal.aborted) stop()
    try {
      return await Promise.race([act(timeout.signal).catch(() => otherwise), late.promise])
    } finally {
      cancel()
      this.#closing.signal.removeEventListener('abort', stop)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await Promise.allSettled([...this.#running, ...this.#completing.values()])
  }
}

/** What a release has, and who may see it. */
type Listed = Pick<SiteRelease, 'manifest' | 'rules'>

/** What it looks in, and fetches with. */
export interface SeekerPorts {
  readonly history: Pick<ReleaseHistory, 'state' | 'frontier'>
  readonly kept: Pick<KeptReleases, 'of' | 'isLate' | 'events'>
  readonly store: Pick<BlobStore, 'read' | 'sizes' | 'examine'>
  readonly fetcher: Pick<BlobFetcher, 'fetch'>
  readonly runtime: Pick<Runtime, 'monotonic' | 'after'>
  readonly log: Log
}
