import { promisify } from 'node:util'
import { zstdDecompress } from 'node:zlib'
import {
  type BlobHash,
  type Cancel,
  findFileHashes,
  type Log,
  namedBlobs,
  type Operation,
  type Release,
  type Runtime,
} from '../../core/index.ts'
import { LEASE_MS } from '../blobs/blob-lease.ts'
import type { BlobStore } from '../blobs/blob-store.ts'
import type { StoreDamage } from '../ports.ts'
import type { ReleaseHistory } from '../releases/index.ts'
import { ClockWatch } from './clock-watch.ts'
import { CollectionFile } from './collection-file.ts'
import {
  type CollectionPlan,
  type DomainReleases,
  type HashFilter,
  listCarriedOut,
  planCollection,
  planSweep,
} from './collection-plan.ts'
import { surveyReleases } from './collection-survey.ts'
import { HashSieve } from './hash-sieve.ts'

export interface CollectorOptions {
  readonly store: Pick<BlobStore, 'list' | 'leasedMs' | 'remove' | 'renew' | 'read' | 'examine' | 'flush' | 'isShort'>
  /** While it is `damaged` nothing is collected: what needs a blob may be among what it lost. */
  readonly replica: ReleaseHistory & { readonly damaged?: StoreDamage | undefined }
  /** Every release that is served here. */
  readonly served: () => Iterable<Release>
  /** Every release that is served here, or is to be. */
  readonly wanted: () => readonly Release[]
  /** Where it is kept what was seen and done; a path in the data folder. */
  readonly file: string
  readonly runtime: Pick<Runtime, 'now' | 'monotonic' | 'after'>
  readonly log: Log
  /** Told after each look which blobs are needed. */
  readonly onSurveyed?: (needed: HashFilter) => void
}

/** For metrics; only ever grow. */
export interface CollectorCounts {
  runs: number
  blobs: number
  failed: number
}

/** A node that starts has more urgent things to do. */
const FIRST_RUN_MS = 60_000
const INTERVAL_MS = 60 * 60 * 1000
/** How often it is looked whether the disk is short. */
const WATCH_MS = 60_000
/** With a disk that stays short, more often than this is only work. */
const SHORT_INTERVAL_MS = 5 * 60 * 1000
/** Blobs decided about in one turn of the event loop: about a millisecond. */
const STEP_BLOBS = 256
/** What a decompression bomb is stopped at; as for any manifest. */
const MAX_MANIFEST_BYTES = 256 * 1024 * 1024

const decompress = promisify(zstdDecompress)

/**
 * Deletes blobs that no release needs any more, and nobody counts on. In small steps beside everything else: each step
 * first takes in what was published or is being published since the last one, so that nothing can come to need a blob
 * between the decision and the act. Killed anywhere, it has deleted only what was not needed.
 */
export class BlobCollector implements AsyncDisposable {
  readonly counts: CollectorCounts = { runs: 0, blobs: 0, failed: 0 }
  readonly #options: CollectorOptions
  readonly #file: CollectionFile
  readonly #pins = new Set<readonly Release[]>()
  /** What this run took notice of, or has to: whatever is wanted and is not in here is new. */
  readonly #seen = new Set<Release>()
  /** Not read yet, or without a manifest here: looked at again before each step. */
  readonly #unread = new Set<Release>()
  #running: Promise<void> | undefined
  #again = false
  /** Purges that could not be carried out whole, because something that they took was still served. */
  #owed = 0
  #closed = false
  #cancel: Cancel = () => {}
  #lastRunMs = Number.NEGATIVE_INFINITY
  readonly #clock: ClockWatch

  constructor(options: CollectorOptions) {
    this.#options = options
    this.#file = new CollectionFile(options.file, options.log)
    this.#clock = new ClockWatch(options.runtime, LEASE_MS)
    this.#arm(FIRST_RUN_MS)
  }

  /** Keeps what these releases need while they are published; dispose of it when the operations are folded. */
  pin(releases: readonly Release[]): Disposable {
    this.#pins.add(releases)
    this.#note(releases)
    return { [Symbol.dispose]: () => void this.#pins.delete(releases) }
  }

  /** To be called in the turn in which the state took operations in. */
  follow(operations: readonly Pick<Operation, 'id' | 'changes'>[]): void {
    let purges = false
    for (const { id, changes } of operations) {
      for (const change of changes) {
        if (change.kind === 'release.publish') this.#note([{ ...change, id }])
        purges ||= change.kind === 'release.purge'
      }
    }
    if (purges) this.collectSoon()
  }

  /** To be called when what is served has changed: a purge may have waited for it. */
  switched(): void {
    if (this.#owed > 0) this.collectSoon()
  }

  /** Begins a run now, or another one when one is under way. */
  collectSoon(): void {
    if (this.#running !== undefined) this.#again = true
    else this.collect().catch(() => {})
  }

  /** Resolves when everything has been looked at once. A failure is logged and counted, and rejects. */
  collect(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      if (this.#closed || !this.#again) return
      this.#again = false
      this.collectSoon()
    })
    return this.#running
  }

  #note(releases: readonly Release[]): void {
    if (this.#running === undefined) return
    for (const release of releases) {
      if (this.#seen.has(release)) continue
      this.#seen.add(release)
      this.#unread.add(release)
    }
  }

  async #run(): Promise<void> {
    const { log, runtime } = this.#options
    this.#lastRunMs = runtime.monotonic()
    try {
      await this.#collect()
      this.counts.runs += 1
    } catch (error) {
      if (this.#closed) return
      this.counts.failed += 1
      log.error('blobs.collection_failed', { error })
      throw error
    } finally {
      this.#unread.clear()
      this.#seen.clear()
    }
  }

  async #collect(): Promise<void> {
    const { runtime, replica, log, store, onSurveyed } = this.#options
    if (replica.damaged !== undefined) return
    const isDiskShort = await store.isShort()
    const time = { nowMs: runtime.now(), isClockTrusted: this.#clock.isTrusted(), isDiskShort }
    const domains: DomainReleases[] = []
    for await (const domain of surveyReleases(replica, await this.#file.load(), time.nowMs)) {
      domains.push(domain)
      if (this.#closed) return
    }
    const wanted = this.#options.wanted()
    const plan = planCollection(domains, [...wanted, ...[...this.#pins].flat()], time)
    const needed = new HashSieve()
    const served = new Set([...this.#options.served()].map(({ manifest }) => manifest))
    for (const hash of plan.manifests) needed.add(hash)
    for (const release of plan.whole) {
      this.#seen.add(release)
      const isRead = await this.#read(release, needed)
      // It is served from memory; without its manifest nobody can tell which files it is served from.
      if (!isRead && served.has(release.manifest)) {
        log.warn('blobs.collection_waits', { domain: release.domain, release: release.id })
        return
      }
    }
    const purged = await this.#readPurged(plan)
    const blobs = await this.#sweep(needed, purged, time)
    onSurveyed?.(needed)
    if (this.#closed) return
    const purges = listCarriedOut(domains, plan)
    if (purges.length > 0) await store.flush()
    await this.#file.save(domains, purges)
    this.#owed = domains.flatMap(({ pending }) => pending).length - purges.length
    if (blobs > 0) log.info('blobs.collected', { blobs, purges: purges.length })
  }

  /** Adds all that a release needs; false when its manifest is not here, or is damaged, so that nobody can tell. */
  async #read(release: Release, into: HashSieve): Promise<boolean> {
    const { store } = this.#options
    for (const hash of namedBlobs(release)) into.add(hash)
    if (store.leasedMs(release.manifest) === undefined) {
      this.#unread.add(release)
      return false
    }
    try {
      const content = await decompress(await store.read(release.manifest), { maxOutputLength: MAX_MANIFEST_BYTES })
      const hashes = findFileHashes(content)
      if (hashes !== undefined) into.addAll(hashes)
      return hashes !== undefined
    } catch {
      // Gone since, damaged, or no manifest at all: then nothing can be served from it.
      if (!(await store.examine(release.manifest))) this.#unread.add(release)
      return false
    }
  }

  async #readPurged({ purged }: CollectionPlan): Promise<HashSieve> {
    const sieve = new HashSieve()
    for (const release of purged) await this.#read(release, sieve)
    // Nothing is served from these, so nobody waits for what is not here.
    for (const release of purged) this.#unread.delete(release)
    return sieve
  }

  /** Returns how many blobs went. */
  async #sweep(
    needed: HashSieve,
    purged: HashFilter,
    time: { nowMs: number; isClockTrusted: boolean },
  ): Promise<number> {
    const { store } = this.#options
    let gone = 0
    let step: BlobHash[] = []
    const take = async (): Promise<void> => {
      await this.#absorb(needed)
      // From here to the removals nothing else runs.
      const blobs = step.flatMap((hash) => {
        const leasedMs = store.leasedMs(hash)
        return leasedMs === undefined ? [] : [{ hash, leasedMs }]
      })
      step = []
      const { drop, restart } = planSweep(blobs, { needed, purged }, time)
      const removals = drop.map((hash) => store.remove(hash))
      if (restart.length > 0) await store.renew(restart)
      gone += (await Promise.all(removals)).filter((removed) => removed).length
    }
    for await (const hash of store.list()) {
      if (this.#closed) return gone
      step.push(hash)
      if (step.length >= STEP_BLOBS) await take()
    }
    await take()
    this.counts.blobs += gone
    return gone
  }

  /** Takes in what came to be needed since; returns in a turn in which nothing is left to be taken in. */
  async #absorb(needed: HashSieve): Promise<void> {
    const { store } = this.#options
    for (;;) {
      this.#note(this.#options.wanted())
      for (const release of this.#unread) for (const hash of namedBlobs(release)) needed.add(hash)
      // One whose manifest is not here is looked for again before the next step.
      const next = [...this.#unread].find(({ manifest }) => store.leasedMs(manifest) !== undefined)
      if (next === undefined) return
      this.#unread.delete(next)
      await this.#read(next, needed)
    }
  }

  #arm(delayMs: number): void {
    this.#cancel = this.#options.runtime.after(
      delayMs,
      () => void this.#watch().finally(() => this.#closed || this.#arm(WATCH_MS)),
    )
  }

  async #watch(): Promise<void> {
    const { runtime, store, log } = this.#options
    const sinceMs = runtime.monotonic() - this.#lastRunMs
    try {
      if (sinceMs >= INTERVAL_MS || (sinceMs >= SHORT_INTERVAL_MS && (await store.isShort()))) await this.collect()
    } catch (error) {
      log.debug('blobs.watch_failed', { error })
    }
  }

  /** Waits for the step under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#cancel()
    await this.#running?.catch(() => {})
  }
}
