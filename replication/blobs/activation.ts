import {
  asMakiError,
  type BlobHash,
  Emitter,
  type Hostname,
  type Log,
  type OperationId,
  type Release,
  type Runtime,
} from '../../core/index.ts'
import { ActivationFile } from './activation-file.ts'
import type { FetchOptions, WantedBlob } from './blob-wants.ts'
import { type ReleaseBlobs, type ReleaseCheck, ReleaseChecker } from './release-check.ts'

export interface ActivationOptions {
  readonly store: ReleaseBlobs
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
  readonly release: Release
  readonly abort: AbortController
  trouble: Unservable | undefined
}

/** Enough to read ahead, few enough that their manifests fit in memory together. */
const MAX_CHECKS = 4
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
  readonly #waiting: (() => void)[] = []
  #checks = 0

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

  /** The state's winning release of a domain; null ends the serving of the domain at once. Saying it again is nothing. */
  winner(domain: Hostname, release: Release | null): void {
    const before = this.#pursuits.get(domain)
    if (release !== null && before?.release.id === release.id) return
    this.#pursuits.delete(domain)
    before?.abort.abort()
    if (release === null) this.#deactivate(domain)
    else {
      const pursuit: Pursuit = { release, abort: new AbortController(), trouble: undefined }
      this.#pursuits.set(domain, pursuit)
      const run = this.#pursue(pursuit).finally(() => this.#running.delete(run))
      this.#running.add(run)
    }
    if (before?.trouble !== undefined) this.events.emit('unservable', this.unservable())
  }

  /** All winners at once, as after a start: domains that are not among them end. */
  winners(releases: Iterable<Release>): void {
    const all = new Map([...releases].map((release) => [release.domain, release]))
    for (const domain of new Set([...this.#active.keys(), ...this.#pursuits.keys()]))
      if (!all.has(domain)) this.winner(domain, null)
    for (const [domain, release] of all) this.winner(domain, release)
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
    const { domain, id: release } = pursuit.release
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
    const { fetcher } = this.#options
    const { release, abort } = pursuit
    const { domain, id } = release
    const onLacking = (lacking: readonly BlobHash[]): void =>
      this.#report(pursuit, lacking.length === 0 ? undefined : { domain, release: id, missing: lacking.length })
    for (;;) {
      const check = await this.#withSlot(() => this.#checker.check(release))
      if (check.kind !== 'missing') return check
      await fetcher.fetch(check.blobs, { signal: abort.signal, onLacking })
    }
  }

  #activate(pursuit: Pursuit): void {
    const { release } = pursuit
    this.#report(pursuit, undefined)
    if (this.#active.get(release.domain)?.id === release.id) return
    this.#active.set(release.domain, release)
    this.#save()
    this.#options.log.info('release.activated', { domain: release.domain, release: release.id })
    this.events.emit('active', { domain: release.domain, release })
  }

  #report(pursuit: Pursuit, trouble: Unservable | undefined): void {
    if (this.#pursuits.get(pursuit.release.domain) !== pursuit || pursuit.trouble === trouble) return
    pursuit.trouble = trouble
    this.events.emit('unservable', this.unservable())
  }

  #save(): void {
    this.#file.save([...this.#active.values()])
  }

  async #withSlot<T>(check: () => Promise<T>): Promise<T> {
    if (this.#checks >= MAX_CHECKS) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#checks += 1
    try {
      return await check()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#checks -= 1
      else next()
    }
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
