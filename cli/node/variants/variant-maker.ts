import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  asMakiError,
  type BlobHash,
  type Hostname,
  hashBlob,
  type Log,
  Manifest,
  type Release,
  type Runtime,
} from '../../../core/index.ts'
import { type EncodingStep, planEncodings, type VariantRecord } from '../../../edge/index.ts'
import type { Activation, BlobStore } from '../../../replication/index.ts'
import type { Encoded } from './encoder-messages.ts'
import { EncoderProcess } from './encoder-process.ts'
import { type EncodingList, listFiles } from './encoding-list.ts'
import { type EncodingJob, EncodingQueue } from './encoding-queue.ts'
import { Pauses } from './pauses.ts'
import { ResultList } from './result-list.ts'
import type { VariantCounts } from './variant-counts.ts'
import { VariantNews } from './variant-news.ts'
import { VariantRoom } from './variant-room.ts'
import { VariantScrub } from './variant-scrub.ts'
import { VariantStore } from './variant-store.ts'

export interface VariantMakerOptions {
  /** Where encodings lie: `<data>/variants`. */
  readonly directory: string
  /** What they may take together. */
  readonly budgetBytes: number
  readonly blobs: Pick<BlobStore, 'path' | 'size' | 'read' | 'missing' | 'isShort' | 'events'>
  readonly activation: Pick<Activation, 'active' | 'events'>
  /** Told, packed, what came and went since the last time. */
  readonly announce: (records: Uint8Array) => void
  /** The bytes of a blob are not what its name says. */
  readonly onDamaged: (hash: BlobHash) => void
  /** How many want to compute for each processor; ourselves included. */
  readonly load: () => number
  readonly runtime: Runtime
  readonly log: Log
}

/** Files looked at between two turns of the event loop: about 2 ms. */
const LOOKS_PER_TURN = 500
/** Twice as many want to compute as can: we wait, but not for ever, since some machines are never at rest. */
const MUCH_LOAD = 2
const LOAD_PAUSE_MS = 1000
const MOST_LOAD_PAUSES = { first: 5, rest: 60 }
const SHORT_PAUSE_MS = 60_000
/** Manifests of some thousand files are read here: for these no process is started. */
const SMALL_MANIFEST_BYTES = 64 * 1024
const TRIES = 2
const RETRY_MS = 1000
/** They are of no domain in the list. */
const RESULTS = '' as Hostname
/** Blobs that are remembered for trouble. */
const MAX_TROUBLED = 10_000

/**
 * Makes br, zstd and gzip of what is served, in the background and once for each blob: what visitors wait for first. Keeps
 * to its budget, starts again where it was, and never keeps anybody waiting.
 */
export class VariantMaker implements AsyncDisposable {
  readonly #options: VariantMakerOptions
  /** What transforms made is encoded too. */
  readonly results: ResultList = new ResultList(() => this.#pauses.wake())
  readonly #queue = new EncodingQueue()
  readonly #encoder: EncoderProcess
  readonly #pauses: Pauses
  readonly #owned = new AsyncDisposableStack()
  /** What domains serve from now on, as far as their manifests are still to be read. */
  readonly #switched = new Map<Hostname, Release | null>()
  /** How often it failed; TRIES stands for: not before its blob comes anew. */
  readonly #troubled = new Map<BlobHash, number>()
  readonly #counts = { made: 0, useless: 0, failed: 0, noRoom: 0 }
  readonly #news: VariantNews
  readonly #running: Promise<void>
  #store: VariantStore | undefined
  #room: VariantRoom | undefined
  #scrub: VariantScrub | undefined

  private constructor(options: VariantMakerOptions) {
    const { directory, runtime, activation, blobs, log } = options
    this.#options = options
    this.#pauses = new Pauses(runtime)
    this.#news = new VariantNews(options.announce, runtime)
    this.#encoder = new EncoderProcess(join(directory, 'incoming'), runtime)
    for (const [domain, release] of activation.active()) this.#switched.set(domain, release)
    this.#owned.defer(
      activation.events.on('active', ({ domain, release }) => {
        this.#switched.set(domain, release)
        this.#pauses.wake()
      }),
    )
    this.#owned.defer(blobs.events.on('removed', ({ hash }) => this.#forget(hash)))
    this.#owned.defer(blobs.events.on('stored', ({ hashes }) => this.#retry(hashes)))
    this.#running = this.#run().catch((error: unknown) => {
      // Without encodings everything is served as it is.
      log.error('variants.stopped', { error: asMakiError(error) })
    })
  }

  /** Begins in the background; what goes wrong there is logged and hurts nobody. */
  static start(options: VariantMakerOptions): VariantMaker {
    return new VariantMaker(options)
  }

  /** For metrics. */
  get counts(): VariantCounts {
    const { count: ready = 0, totalBytes: bytes = 0 } = this.#store?.table ?? {}
    return {
      ready,
      bytes,
      waiting: this.#queue.waiting,
      damaged: this.#scrub?.damaged ?? 0,
      evicted: this.#room?.evicted ?? 0,
      ...this.#counts,
    }
  }

  /** The process that encodes, while there is one. */
  get encoderPid(): number | undefined {
    return this.#encoder.pid
  }

  async #run(): Promise<void> {
    const { directory, budgetBytes, runtime, blobs, announce, log } = this.#options
    const missing = (hashes: readonly BlobHash[]) => blobs.missing(hashes)
    const changed = (record: VariantRecord) => {
      if (this.#store !== undefined) this.#news.add(record)
    }
    const store = this.#owned.use(await VariantStore.open({ directory, runtime, missing, changed }))
    const room = new VariantRoom(store, { budgetBytes, blobs, tierOf: (hash) => this.#queue.tierOf(hash) })
    this.#store = store
    this.#room = room
    announce(store.table.snapshot())
    this.#scrub = this.#owned.use(new VariantScrub({ store, tookBack: () => this.#lookAgain(), runtime, log }))
    log.info('variants.opened', { ready: store.table.count, bytes: store.table.totalBytes })
    while (!this.#pauses.isClosed) await this.#step(store, room)
  }

  async #step(store: VariantStore, room: VariantRoom): Promise<void> {
    const [switched] = this.#switched
    if (switched !== undefined) {
      this.#switched.delete(switched[0])
      return await this.#list(...switched)
    }
    const results = this.results.takeNew()
    if (results !== undefined) this.#take(RESULTS, results)
    const job = this.#queue.next((hash, sizeBytes) => this.#stepsFor(store, hash, sizeBytes).length > 0, LOOKS_PER_TURN)
    if (job === undefined) return await this.#pauses.untilWoken()
    if (job === 'later') return void (await nextTurn())
    await this.#waitForCalm(job)
    if (this.#pauses.isClosed || !(await this.#makeRoom(store, room, job))) return
    await this.#encode(store, room, job)
  }

  #stepsFor(store: VariantStore, hash: BlobHash, sizeBytes: number): EncodingStep[] {
    if ((this.#troubled.get(hash) ?? 0) >= TRIES) return []
    return planEncodings(sizeBytes).filter(
      ({ coding }) => store.table.find(hash, coding) === undefined && !store.useless.has(hash, coding),
    )
  }

  async #list(domain: Hostname, release: Release | null): Promise<void> {
    const { log } = this.#options
    try {
      this.#take(domain, release === null ? undefined : await this.#readList(release.manifest))
    } catch (error) {
      this.#counts.failed += 1
      if (!this.#pauses.isClosed) log.warn('variants.list-failed', { domain, error: asMakiError(error) })
    }
  }

  #take(domain: Hostname, list: EncodingList | undefined): void {
    this.#room?.changed()
    this.#queue.replace(domain, list)
  }

  async #readList(hash: BlobHash) {
    const { blobs, onDamaged } = this.#options
    if (((await blobs.size(hash)) ?? 0) <= SMALL_MANIFEST_BYTES) {
      const bytes = await blobs.read(hash)
      if (hashBlob(bytes) === hash) return listFiles(Manifest.decode(bytes))
      onDamaged(hash)
      return undefined
    }
    const reply = await this.#encoder.call({ type: 'list', manifest: blobs.path(hash), hash })
    if (reply.type === 'listed') return reply.list
    if (reply.type === 'damaged') onDamaged(hash)
    return undefined
  }

  async #waitForCalm({ tier }: EncodingJob): Promise<void> {
    const { load } = this.#options
    for (let i = 0; i < MOST_LOAD_PAUSES[tier] && load() > MUCH_LOAD; i++) await this.#pauses.pause(LOAD_PAUSE_MS)
  }

  /** False: the file stays as it is, for now. */
  async #makeRoom(store: VariantStore, room: VariantRoom, job: EncodingJob): Promise<boolean> {
    const made = await room.make(job)
    if (made === 'made') return true
    if (made === 'full') {
      this.#counts.noRoom += 1
      return false
    }
    this.#options.log.warn('variants.disk-short', { evicted: room.evicted, left: store.table.totalBytes })
    await this.#pauses.pause(SHORT_PAUSE_MS)
    this.#queue.restart()
    return false
  }

  async #encode(store: VariantStore, room: VariantRoom, { hash, sizeBytes }: EncodingJob): Promise<void> {
    const { blobs, onDamaged, log } = this.#options
    const steps = this.#stepsFor(store, hash, sizeBytes)
    try {
      const call = { type: 'encode', blob: blobs.path(hash), hash, steps, folder: store.incoming } as const
      const reply = await this.#encoder.call(call)
      if (reply.type === 'encoded') await this.#keep(store, room, hash, reply.results)
      else if (reply.type === 'damaged') {
        this.#giveUp(hash, TRIES)
        onDamaged(hash)
      } else throw reply
    } catch (thrown) {
      if (this.#pauses.isClosed) return
      this.#counts.failed += 1
      const tries = (this.#troubled.get(hash) ?? 0) + 1
      this.#giveUp(hash, tries)
      const error = thrown instanceof Error ? asMakiError(thrown) : thrown
      log.warn('variants.failed', { hash, tries, error })
      await store.sweepIncoming()
      if (tries < TRIES) this.#queue.restart()
      await this.#pauses.pause(RETRY_MS)
    }
  }

  async #keep(store: VariantStore, room: VariantRoom, hash: BlobHash, results: readonly Encoded[]): Promise<void> {
    const { blobs } = this.#options
    const useless = results.flatMap(({ kind, coding }) => (kind === 'useless' ? [coding] : []))
    this.#counts.useless += useless.length
    await store.useless.add(hash, useless)
    for (const result of results) {
      if (result.kind === 'useless') continue
      const { coding, sizeBytes, check } = result
      const path = join(store.incoming, coding)
      if (!room.has(sizeBytes)) {
        this.#counts.noRoom += 1
        await rm(path, { force: true })
        continue
      }
      await store.admit(path, { hash, coding, sizeBytes, check })
      this.#counts.made += 1
    }
    await store.settle(hash)
    // It may have gone while it was encoded.
    if ((await blobs.missing([hash])).length > 0) store.forget(hash)
  }

  #giveUp(hash: BlobHash, tries: number): void {
    if (this.#troubled.size >= MAX_TROUBLED) this.#troubled.clear()
    this.#troubled.set(hash, tries)
  }

  #forget(hash: BlobHash): void {
    const store = this.#store
    if (store === undefined || store.table.list(hash).length === 0) return
    store.forget(hash)
    this.#room?.changed()
    // A damaged one comes back, and is then looked for.
    this.#giveUp(hash, 0)
  }

  #retry(hashes: readonly BlobHash[]): void {
    const back = hashes.filter((hash) => this.#troubled.delete(hash))
    if (back.length > 0) this.#lookAgain()
  }

  #lookAgain(): void {
    this.#room?.changed()
    this.#queue.restart()
    this.#pauses.wake()
  }

  /** Ends the encoder in the middle of what it does; the next start does it again. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#pauses.close()
    this.#news.close()
    await this.#encoder[Symbol.asyncDispose]()
    await this.#running
    await this.#owned.disposeAsync()
  }
}
