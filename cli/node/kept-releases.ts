import {
  type Cancel,
  Emitter,
  type Hostname,
  type Log,
  type Operation,
  type Release,
  type Runtime,
  type StateDelta,
  scopeKind,
  scopeOf,
} from '../../core/index.ts'
import {
  type BlobFetcher,
  type BlobStore,
  type DatedRelease,
  listKeptReleases,
  type ReleaseHistory,
} from '../../replication/index.ts'
import type { EdgeRelease } from './edge-questions.ts'
import { KeptManifests } from './kept-manifests.ts'

/** A domain that publishes a hundred releases a second is looked at ten times. */
const LEAST_GAP_MS = 100

/** More than are published between two looks. */
const MAX_HEARD = 32

/** What an edge is told with. */
export interface ReleaseAudience {
  /** Replaces what is known of a domain's kept releases, newest first. */
  setReleases(domain: Hostname, releases: readonly EdgeRelease[]): void
}

interface Look {
  /** Undefined while a look is under way. */
  cancel: Cancel | undefined
  /** Something changed since it began. */
  again: boolean
}

/**
 * Knows the releases whose files are kept, of every domain, and tells the edge of them whenever they change: it previews
 * them, and serves their assets to pages that are still open, also while control is gone.
 */
export class KeptReleases implements Disposable {
  /** Said in the turn in which the state took a publication in; the lists follow. */
  readonly events = new Emitter<{ published: Hostname }>()
  readonly #history: ReleaseHistory
  readonly #edge: ReleaseAudience
  readonly #manifests: KeptManifests
  readonly #runtime: Pick<Runtime, 'now' | 'monotonic' | 'after'>
  readonly #log: Log
  readonly #kept = new Map<Hostname, readonly DatedRelease[]>()
  readonly #heard = new Map<Hostname, readonly DatedRelease[]>()
  readonly #looks = new Map<Hostname, Look>()
  readonly #lookedMs = new Map<Hostname, number>()
  #closed = false

  constructor(ports: {
    readonly history: ReleaseHistory
    readonly edge: ReleaseAudience
    readonly store: Pick<BlobStore, 'sizes'>
    readonly fetcher: Pick<BlobFetcher, 'fetch'>
    readonly runtime: Pick<Runtime, 'now' | 'monotonic' | 'after'>
    readonly log: Log
  }) {
    this.#history = ports.history
    this.#edge = ports.edge
    this.#runtime = ports.runtime
    this.#log = ports.log
    this.#manifests = new KeptManifests(ports)
  }

  /** Newest first, as they were at the last look; before them what was published since, last heard first. */
  of(domain: Hostname): readonly DatedRelease[] {
    return [...(this.#heard.get(domain) ?? []), ...(this.#kept.get(domain) ?? [])]
  }

  /** True for a release whose manifest is not here yet, or came so late that the edge may not know it. */
  isLate({ domain, manifest }: Release): boolean {
    return this.#manifests.isLate(domain, manifest)
  }

  /** Looks at every domain once. */
  async begin(): Promise<void> {
    for (const domain of this.#history.state.ids('domain') as readonly Hostname[]) {
      if (this.#closed) return
      await this.#look(domain)
    }
  }

  /** To be called in the turn in which the state took operations in. */
  follow(operations: readonly Pick<Operation, 'id' | 'changes'>[], delta: StateDelta): void {
    const domains = new Set<Hostname>()
    const published = new Set<Hostname>()
    for (const { id, changes } of operations) {
      for (const change of changes) {
        if (change.kind === 'release.publish') {
          const { domain } = change
          published.add(domain)
          const heard = this.#heard.get(domain) ?? []
          this.#heard.set(domain, [{ release: { ...change, id }, endedMs: undefined }, ...heard].slice(0, MAX_HEARD))
        }
        if (KINDS.has(change.kind) && 'domain' in change) domains.add(change.domain as Hostname)
      }
    }
    // Who comes or goes may take operations along, or bring them back.
    if (delta.entries.some(([key]) => scopeKind(scopeOf(key)) === 'member'))
      for (const domain of [...(this.#history.state.ids('domain') as readonly Hostname[]), ...this.#kept.keys()])
        domains.add(domain)
    for (const domain of domains) this.#lookSoon(domain)
    for (const domain of published) this.events.emit('published', domain)
  }

  #lookSoon(domain: Hostname): void {
    const under = this.#looks.get(domain)
    if (under !== undefined) {
      under.again = true
      return
    }
    const waitMs = LEAST_GAP_MS - (this.#runtime.monotonic() - (this.#lookedMs.get(domain) ?? Number.NEGATIVE_INFINITY))
    if (waitMs <= 0) void this.#look(domain)
    else {
      const cancel = this.#runtime.after(waitMs, () => {
        this.#looks.delete(domain)
        void this.#look(domain)
      })
      this.#looks.set(domain, { cancel, again: false })
    }
  }

  async #look(domain: Hostname): Promise<void> {
    const look: Look = { cancel: undefined, again: false }
    this.#looks.set(domain, look)
    this.#lookedMs.set(domain, this.#runtime.monotonic())
    const heard = this.#heard.get(domain)
    try {
      this.#tell(domain, await listKeptReleases(this.#history, domain, this.#runtime.now()))
    } catch (error) {
      // The store is being closed, or refuses to be read, which it says by itself.
      if (!this.#closed) this.#log.warn('releases.look-failed', { domain, error })
    }
    // What came meanwhile is in the next look.
    const newer = this.#heard.get(domain)?.filter((one) => heard?.includes(one) !== true) ?? []
    if (newer.length === 0) this.#heard.delete(domain)
    else this.#heard.set(domain, newer)
    this.#looks.delete(domain)
    if (look.again && !this.#closed) this.#lookSoon(domain)
  }

  #tell(domain: Hostname, kept: readonly DatedRelease[]): void {
    if (this.#closed) return
    const before = this.#kept.get(domain)
    if (kept.length > 0) this.#kept.set(domain, kept)
    else {
      this.#kept.delete(domain)
      this.#lookedMs.delete(domain)
    }
    if (before !== undefined && isSame(before, kept)) return
    this.#manifests.keep(
      domain,
      kept.map(({ release }) => release.manifest),
    )
    this.#edge.setReleases(domain, kept.map(toEdgeRelease))
  }

  [Symbol.dispose](): void {
    this.#closed = true
    this.#manifests[Symbol.dispose]()
    for (const { cancel } of this.#looks.values()) cancel?.()
  }
}

/** The changes after which another release may be kept. */
const KINDS: ReadonlySet<string> = new Set(['release.publish', 'release.purge', 'domain.set', 'domain.remove'])

const isSame = (a: readonly DatedRelease[], b: readonly DatedRelease[]): boolean =>
  a.length === b.length &&
  a.every(({ release, endedMs }, i) => release.id === b[i]?.release.id && endedMs === b[i].endedMs)

function toEdgeRelease({ release, endedMs }: DatedRelease): EdgeRelease {
  const { id, manifest, functions, transforms, publishedMs } = release
  return {
    id,
    manifest,
    ...(functions === undefined ? {} : { functions }),
    ...(transforms === undefined ? {} : { transforms }),
    ...(publishedMs === undefined ? {} : { publishedMs }),
    ...(endedMs === undefined ? {} : { endedMs }),
  }
}
