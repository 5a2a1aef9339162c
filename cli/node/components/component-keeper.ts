import { join } from 'node:path'
import {
  asMakiError,
  type BlobHash,
  type Cancel,
  type Hostname,
  hashBlob,
  type Log,
  MakiError,
  type Release,
  type Runtime,
} from '../../../core/index.ts'
import {
  type BuilderCounts,
  type Built,
  type ComponentBuilder,
  type ComponentFault,
  type PreparedComponent,
  readBuildKey,
} from '../../../edge/index.ts'
import type { BlobStore } from '../../../replication/index.ts'
import { ComponentStore, FAULTS_FILE } from './component-store.ts'
import { costlyFault } from './costly-fault.ts'
import { FaultFile } from './fault-file.ts'
import { findPlace, listComponents } from './list-components.ts'

export interface ComponentKeeperOptions {
  /** `<data>/components`. */
  readonly directory: string
  /** What they may take on the disk; those of releases that are served stay also where that is more. */
  readonly budgetBytes: number
  /** Of this program: what one version found wrong is looked at again by the next. */
  readonly version: string
  /** It is ended with the keeper. */
  readonly builder: Pick<ComponentBuilder, 'build' | 'hurry' | 'counts'> & AsyncDisposable
  readonly blobs: Pick<BlobStore, 'read' | 'size' | 'missing' | 'isShort' | 'events'>
  /** Releases that are served, or are to be. */
  readonly wanted: () => Iterable<Release>
  /** The bytes of a blob are not what its name says. */
  readonly onDamaged: (hash: BlobHash) => void
  readonly runtime: Runtime
  readonly log: Log
}

/** Ready to be run, or why never; null: not now, and perhaps later. */
export type Preparation = { readonly prepared: PreparedComponent } | { readonly fault: ComponentFault } | null

/** Since the start; `ready`, `bytes` and `unfit` are of now. */
export interface ComponentCounts extends Readonly<BuilderCounts> {
  readonly ready: number
  readonly bytes: number
  readonly unfit: number
  readonly built: number
  readonly refused: number
  /** Could not be made or kept, for no fault of theirs. */
  readonly failed: number
  readonly evicted: number
}

const FIRST_RETRY_MS = 2_000
/** Each try costs about as much as a visitor's page. */
const LAST_RETRY_MS = 5 * 60_000

/**
 * Makes the components of releases ready to be run and keeps them so: each once, however many releases and domains have it,
 * again when the disk has damaged it, and not at all once it is known to be unfit. Nothing that fails here keeps a site from being served.
 */
export class ComponentKeeper implements AsyncDisposable {
  readonly #options: ComponentKeeperOptions
  readonly #store: ComponentStore
  readonly #faults: FaultFile
  readonly #preparing = new Map<BlobHash, Promise<Preparation>>()
  readonly #settled = new Set<BlobHash>()
  /** Of those that are being prepared: somebody waits for them. */
  readonly #hurried = new Set<BlobHash>()
  /** What each domain is to run. */
  readonly #wanted = new Map<Hostname, readonly BlobHash[]>()
  readonly #retries = new Map<BlobHash, Cancel>()
  readonly #counts = { built: 0, refused: 0, failed: 0, evicted: 0 }
  readonly #unsubscribe: () => void
  #isClosed = false

  private constructor(options: ComponentKeeperOptions, store: ComponentStore, faults: FaultFile) {
    this.#options = options
    this.#store = store
    this.#faults = faults
    this.#unsubscribe = options.blobs.events.on('removed', ({ hash }) => void this.#forget(hash))
  }

  /** Sweeps the folder, and forgets what is no blob here any more. Rejects where the folder cannot be had. */
  static async start(options: ComponentKeeperOptions): Promise<ComponentKeeper> {
    const { directory, version, blobs } = options
    const buildKey = readBuildKey()
    const store = await ComponentStore.open({ directory, buildKey })
    const faults = await FaultFile.open(join(directory, FAULTS_FILE), `${version} ${buildKey}`)
    const keeper = new ComponentKeeper(options, store, faults)
    for (const gone of await blobs.missing(store.components())) await keeper.#forget(gone)
    return keeper
  }

  /** For metrics. */
  get counts(): ComponentCounts {
    const { count: ready, totalBytes: bytes } = this.#store
    return { ready, bytes, unfit: this.#faults.count, ...this.#counts, ...this.#options.builder.counts }
  }

  /** Known to be ready or unfit, without a look at the disk: nothing is waited for. */
  isSettled(component: BlobHash): boolean {
    return this.#settled.has(component)
  }

  /** Why a component cannot be run, as far as that is known. */
  findFault(component: BlobHash): ComponentFault | undefined {
    return this.#faults.find(component)
  }

  /**
   * From now on these are what the domain runs: they are made ready, and what cannot be now is tried again and again. Resolves after
   * the first try of each. Never rejects.
   */
  async want(domain: Hostname, components: readonly BlobHash[]): Promise<void> {
    if (components.length === 0) this.#wanted.delete(domain)
    else this.#wanted.set(domain, components)
    await Promise.all(components.map((component) => this.#settle(component)))
  }

  /** Makes it ready where it is not, before what nobody asks for yet. Looks at the disk each time. Never rejects. */
  prepare(component: BlobHash): Promise<Preparation> {
    const preparation = this.#begin(component)
    this.hurry(component)
    return preparation
  }

  /** Somebody waits for it: it is made ready, where that is still to be done, before what nobody waits for. */
  hurry(component: BlobHash): void {
    if (!this.#preparing.has(component)) return
    this.#hurried.add(component)
    this.#options.builder.hurry(component)
  }

  #begin(component: BlobHash): Promise<Preparation> {
    const preparing = this.#preparing.get(component) ?? this.#prepare(component)
    this.#preparing.set(component, preparing)
    return preparing
  }

  /** Ends what is under way; the next start does it again. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    this.#unsubscribe()
    for (const cancel of this.#retries.values()) cancel()
    await this.#options.builder[Symbol.asyncDispose]()
    await Promise.all(this.#preparing.values())
  }

  async #settle(component: BlobHash, retryMs = FIRST_RETRY_MS): Promise<void> {
    if (this.#settled.has(component) || this.#isClosed) return
    const preparation = await this.#begin(component)
    if (preparation !== null || this.#isClosed || this.#retries.has(component) || !this.#isWanted(component)) return
    const cancel = this.#options.runtime.after(retryMs, () => {
      this.#retries.delete(component)
      if (this.#isWanted(component)) void this.#settle(component, Math.min(2 * retryMs, LAST_RETRY_MS))
    })
    this.#retries.set(component, cancel)
  }

  #isWanted(component: BlobHash): boolean {
    for (const components of this.#wanted.values()) if (components.includes(component)) return true
    return false
  }

  async #prepare(component: BlobHash): Promise<Preparation> {
    // The caller has to have written down first that it is under way.
    await Promise.resolve()
    try {
      const preparation = await this.#findOrBuild(component)
      if (preparation !== null) this.#settled.add(component)
      return preparation
    } catch (error) {
      if (this.#isClosed) return null
      this.#counts.failed += 1
      const place = findPlace(component, this.#options.wanted())
      this.#options.log.warn('component.not-ready', { ...place, component, error: asMakiError(error) })
      return null
    } finally {
      this.#preparing.delete(component)
      this.#hurried.delete(component)
    }
  }

  async #findOrBuild(component: BlobHash): Promise<Preparation> {
    const { blobs, builder, runtime, log } = this.#options
    const known = this.#faults.find(component)
    if (known !== undefined) return { fault: known }
    const wasThere = this.#store.has(component)
    const kept = await this.#store.find(component)
    if (kept !== undefined) return { prepared: kept }
    this.#settled.delete(component)
    if (wasThere) log.warn('component.damaged', { component })
    const sizeBytes = await blobs.size(component)
    if (sizeBytes === undefined) return null
    await this.#makeRoom(component)
    const startedMs = runtime.monotonic()
    const building = builder.build({ component, sizeBytes, read: () => this.#read(component) })
    if (this.#hurried.has(component)) builder.hurry(component)
    const built = await building
    const ms = Math.round(runtime.monotonic() - startedMs)
    return await this.#take(component, built, ms)
  }

  async #read(component: BlobHash): Promise<Uint8Array> {
    const { blobs, onDamaged } = this.#options
    const bytes = await blobs.read(component)
    if (hashBlob(bytes) === component) return bytes
    onDamaged(component)
    throw new Error('its blob is damaged')
  }

  async #take(component: BlobHash, built: Built, ms: number): Promise<Preparation> {
    const { log, wanted } = this.#options
    const fault = built.kind === 'unfit' ? built.fault : built.kind === 'ended' ? costlyFault(built.why) : undefined
    if (fault !== undefined) {
      this.#counts.refused += 1
      const place = findPlace(component, wanted())
      log.warn('component.unfit', { ...place, component, code: fault.code, message: fault.message })
      // Known all the same where the disk is full.
      await this.#faults.add(component, fault).catch((error: unknown) => {
        log.warn('component.fault-not-kept', { component, error: asMakiError(error) })
      })
      return { fault }
    }
    if (built.kind !== 'ready') {
      if (built.kind === 'ended' && built.why !== 'closed') throw new Error('no process could be started for it')
      return null
    }
    const prepared = await this.#store.keep(component, built.report, built.files)
    this.#counts.built += 1
    log.info('component.ready', { component, world: built.report.world, ms })
    return { prepared }
  }

  /**
   * While there is too much, what no served release has goes, what was not used for longest first. Throws while the disk is short: the
   * rest of it is left to the log.
   */
  async #makeRoom(next: BlobHash): Promise<void> {
    const { budgetBytes, blobs, wanted } = this.#options
    const isShort = await blobs.isShort()
    if (!isShort && this.#store.totalBytes <= budgetBytes) return
    const needed = new Set([...wanted()].flatMap(listComponents))
    for (const component of this.#store.components()) {
      if (!isShort && this.#store.totalBytes <= budgetBytes) return
      if (component === next || needed.has(component) || this.#preparing.has(component)) continue
      await this.#drop(component)
      this.#counts.evicted += 1
    }
    if (await blobs.isShort()) throw new MakiError('MAKI_DISK_FULL', 'the disk of this node is short of room')
  }

  /** Its blob is gone. One that is needed comes back by itself, and is ready then. */
  async #forget(component: BlobHash): Promise<void> {
    try {
      if (!this.#store.has(component) && this.#faults.find(component) === undefined) return
      const needed = [...this.#options.wanted()].some((release) => listComponents(release).includes(component))
      if (needed) return
      await this.#drop(component)
      await this.#faults.forget(component)
    } catch (error) {
      this.#options.log.warn('component.not-deleted', { component, error: asMakiError(error) })
    }
  }

  async #drop(component: BlobHash): Promise<void> {
    this.#settled.delete(component)
    await this.#store.forget(component)
  }
}
