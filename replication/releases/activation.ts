import {
  asMakiError,
  type BlobHash,
  Emitter,
  type Hostname,
  type Log,
  MakiError,
  type MergePlan,
  mergeId,
  type OperationId,
  type Release,
  type Runtime,
} from '../../core/index.ts'
import type { FetchOptions, WantedBlob } from '../transfer/index.ts'
import { ActivationFile } from './activation-file.ts'
import { assembleMerge, manifestsOf } from './merge-assembly.ts'
import { type ReleaseBlobs, type ReleaseCheck, ReleaseChecker } from './release-check.ts'
import { Slots } from './slots.ts'

/** What a domain is to serve: a release that was published, or what concurrent ones become together. */
export type ReleaseTarget = Release | MergePlan

/** What an activation needs of the blob store. */
interface ActivationBlobs extends ReleaseBlobs {
  /** Resolves when the bytes are durable. Keeps the manifests of merges. */
  put(hash: BlobHash, bytes: AsyncIterable<Uint8Array>): Promise<void>
}

export interface ActivationOptions {
  readonly store: ActivationBlobs
  /** One of the same store, shared with who else checks releases; its own where there is none. */
  readonly checker?: ReleaseChecker | undefined
  readonly fetcher: { fetch(blobs: Iterable<WantedBlob>, options?: FetchOptions): Promise<void> }
  /** Where it is kept what is served; a path in the data folder. */
  readonly file: string
  readonly runtime: Pick<Runtime, 'after'>
  readonly log: Log
}

export interface ActivationEvents {
  /** From now on the domain serves this release, all of which is durable here; null: none. */
  active: { readonly domain: Hostname; readonly release: Release | null }
  /** The list of winners that cannot be completed changed. */
  unservable: readonly Unservable[]
}

/** A winning release that this node cannot complete, while the one before stays. */
export interface Unservable {
  readonly domain: Hostname
  readonly release: OperationId
  /** Blobs that no peer has now; they are asked for again and again. */
  readonly missing: number
  /** What is wrong where it is more than missing blobs: a manifest that is none, a full disk. */
  readonly reason?: string
}

interface Pursuit {
  readonly domain: Hostname
  /** Of the release, or that the merge will have. */
  readonly id: OperationId
  readonly plan: MergePlan | undefined
  /** Undefined until the merge was computed. */
  release: Release | undefined
  readonly abort: AbortController
  trouble: Unservable | undefined
}

/** Enough to read ahead, few enough that their manifests fit in memory together. */
const MAX_CHECKS = 4
/** A merge holds the manifests of all its sides. */
const MAX_MERGES = 1
const FIRST_RETRY_MS = 2_000
const LONGEST_RETRY_MS = 60_000

/**
 * Decides which release each domain serves on this node: the winner, from the moment when its manifest and all its
 * files are durable here; until then the one before.
 */
export class Activation implements AsyncDisposable {
  readonly events = new Emitter<ActivationEvents>()
  readonly #options: ActivationOptions
  readonly #file: ActivationFile
  readonly #checker: ReleaseChecker
  readonly #active = new Map<Hostname, Release>()
  readonly #pursuits = new Map<Hostname, Pursuit>()
  readonly #running = new Set<Promise<void>>()
  readonly #checks = new Slots(MAX_CHECKS)
  readonly #merges = new Slots(MAX_MERGES)

  private constructor(options: ActivationOptions) {
    this.#options = options
    this.#file = new ActivationFile(options.file, options.log)
    this.#checker = options.checker ?? new ReleaseChecker(options.store)
  }

  /** Serves at once what was served before, as far as its manifest is still here; `winner` then says what has changed. */
  static async start(options: ActivationOptions): Promise<Activation> {
    const activation = new Activation(options)
    const releases = await activation.#file.load()
    const sizes = await options.store.sizes(releases.map((release) => release.manifest))
    for (const [i, release] of releases.entries()) {
      if (sizes[i] === undefined) options.log.warn('activation.manifest_missing', { domain: release.domain })
      else activation.#active.set(release.domain, release)
    }
    return activation
  }

  active(): ReadonlyMap<Hostname, Release> {
    return this.#active
  }

  unservable(): readonly Unservable[] {
    return [...this.#pursuits.values()].flatMap(({ trouble }) => trouble ?? [])
  }

  /** Every release that is served, or is to be: none of their blobs may go. */
  wanted(): readonly Release[] {
    return [...this.#active.values(), ...[...this.#pursuits.values()].flatMap(({ release }) => release ?? [])]
  }

  /**
   * What the state says a domain is to serve: its winning release, or a merge. Null ends the serving of the domain at
   * once. Saying it again is nothing.
   */
  winner(domain: Hostname, target: ReleaseTarget | null): void {
    const before = this.#pursuits.get(domain)
    const id = target === null ? undefined : idOf(target)
    if (id !== undefined && before?.id === id) return
    this.#pursuits.delete(domain)
    before?.abort.abort()
    if (target === null || id === undefined) this.#deactivate(domain)
    else {
      const plan = 'sides' in target ? target : undefined
      const release = 'sides' in target ? undefined : target
      const pursuit: Pursuit = { domain, id, plan, release, abort: new AbortController(), trouble: undefined }
      this.#pursuits.set(domain, pursuit)
      const run = this.#pursue(pursuit).finally(() => this.#running.delete(run))
      this.#running.add(run)
    }
    if (before?.trouble !== undefined) this.events.emit('unservable', this.unservable())
  }

  #deactivate(domain: Hostname): void {
    if (!this.#active.delete(domain)) return
    this.#save()
    this.#options.log.info('release.deactivated', { domain })
    this.events.emit('active', { domain, release: null })
  }

  /** Ends when the release is active, cannot ever be, or is not wanted any more. */
  async #pursue(pursuit: Pursuit): Promise<void> {
    const { signal } = pursuit.abort
    const { domain, id: release } = pursuit
    for (let retryMs = FIRST_RETRY_MS; !signal.aborted; retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS)) {
      let check: Exclude<ReleaseCheck, { kind: 'missing' }>
      try {
        check = await this.#complete(pursuit)
      } catch (thrown) {
        if (signal.aborted) return
        const error = asMakiError(thrown)
        this.#options.log.error('release.failed', { domain, release, error })
        this.#report(pursuit, { domain, release, missing: 0, reason: error.message })
        await this.#pause(retryMs, signal)
        continue
      }
      if (signal.aborted) return
      if (check.kind === 'whole') return this.#activate(pursuit)
      this.#options.log.warn('release.invalid', { domain, release, reason: check.reason })
      return this.#report(pursuit, { domain, release, missing: 0, reason: check.reason })
    }
  }

  /** Fetches until nothing is missing: first the manifest, then what it names. Looks again after each, since blobs can also go. */
  async #complete(pursuit: Pursuit): Promise<Exclude<ReleaseCheck, { kind: 'missing' }>> {
    for (;;) {
      const { plan } = pursuit
      if (plan !== undefined) {
        const reason = await this.#assemble(pursuit, plan)
        if (reason !== undefined) return { kind: 'invalid', reason }
      }
      const release = pursuit.release as Release
      const check = await this.#checks.run(() => this.#checker.check(release))
      if (check.kind !== 'missing') return check
      // The manifest of a merge is on no other node for sure; it is made again.
      const blobs = check.blobs.filter(({ hash }) => plan === undefined || hash !== release.manifest)
      await this.#fetch(pursuit, blobs)
    }
  }

  /** Computes the merge as soon as the manifests are here, and keeps its own. Returns what makes it impossible. */
  async #assemble(pursuit: Pursuit, plan: MergePlan): Promise<string | undefined> {
    const { store } = this.#options
    const made = pursuit.release?.manifest
    if (made !== undefined && (await store.sizes([made]))[0] !== undefined) return undefined
    const hashes = manifestsOf(plan)
    for (;;) {
      const sizes = await store.sizes(hashes)
      const missing = hashes.filter((_, i) => sizes[i] === undefined)
      if (missing.length > 0)
        await this.#fetch(
          pursuit,
          missing.map((hash) => ({ hash })),
        )
      try {
        return await this.#merges.run(async () => {
          const { release, bytes } = await assembleMerge(plan, store)
          await store.put(release.manifest, oneChunk(bytes))
          pursuit.release = release
          return undefined
        })
      } catch (error) {
        if (!(error instanceof MakiError) || !HOPELESS.has(error.code)) throw error
        // What the disk has damaged is set aside by this, and fetched again.
        const right = await Promise.all(hashes.map((hash) => store.examine(hash)))
        if (pursuit.abort.signal.aborted || right.every((isRight) => isRight)) return error.message
      }
    }
  }

  async #fetch(pursuit: Pursuit, blobs: readonly WantedBlob[]): Promise<void> {
    const { domain, id: release, abort } = pursuit
    const onLacking = (lacking: readonly BlobHash[]): void =>
      this.#report(pursuit, lacking.length === 0 ? undefined : { domain, release, missing: lacking.length })
    await this.#options.fetcher.fetch(blobs, { signal: abort.signal, onLacking })
  }

  #activate(pursuit: Pursuit): void {
    const release = pursuit.release as Release
    this.#report(pursuit, undefined)
    if (this.#active.get(release.domain)?.id === release.id) return
    this.#active.set(release.domain, release)
    this.#save()
    this.#options.log.info('release.activated', { domain: release.domain, release: release.id })
    this.events.emit('active', { domain: release.domain, release })
  }

  #report(pursuit: Pursuit, trouble: Unservable | undefined): void {
    if (this.#pursuits.get(pursuit.domain) !== pursuit || pursuit.trouble === trouble) return
    pursuit.trouble = trouble
    this.events.emit('unservable', this.unservable())
  }

  #save(): void {
    this.#file.save([...this.#active.values()])
  }

  async #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = this.#options.runtime.after(delayMs, resolve)
    signal.addEventListener('abort', () => resolve(), { once: true })
    await promise
    cancel()
  }

  /** Stops fetching and waits until what is active is saved. Nothing is deactivated. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { abort } of this.#pursuits.values()) abort.abort()
    this.#pursuits.clear()
    await Promise.allSettled([...this.#running])
    await this.#file.settled()
  }
}

/** No second try makes these right. */
const HOPELESS: ReadonlySet<string> = new Set(['MAKI_INVALID', 'MAKI_TOO_LARGE'])

const idOf = (target: ReleaseTarget): OperationId => ('sides' in target ? mergeId(target) : target.id)

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
