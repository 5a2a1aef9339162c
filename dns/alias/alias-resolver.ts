import type { Cancel, Log, Runtime } from '../../core/index.ts'
import type { NameKey } from '../wire/index.ts'
import type { AliasAddresses } from './alias-addresses.ts'
import { type AliasEntry, type AliasOutcome, aliasAddressesOf, settleAlias, unresolvedAlias } from './alias-entry.ts'

/** Asks others for the addresses of a name outside our zones. */
export interface AliasLookup {
  /** Resolves with what came of it; that it failed too is an outcome. Takes the time that it takes. */
  lookUp(target: NameKey): Promise<AliasOutcome>
}

export interface AliasResolverOptions {
  readonly lookup: AliasLookup
  readonly runtime: Runtime
  readonly log: Log
  /** What was known when the process before ended. */
  readonly known?: readonly AliasEntry[]
  /** Told what answers are made from, whenever that changes; changes that come together are told together. */
  readonly onAddresses: (addresses: readonly AliasAddresses[]) => void
  /** Told all that is known, a moment after it changed. */
  readonly onEntries?: (entries: readonly AliasEntry[]) => void
  readonly maxTargets?: number
}

/** Counted since the start. */
export interface AliasCounts {
  readonly targets: number
  /** Never looked up with success or without. */
  readonly waiting: number
  /** Of which the last look did not go well. */
  readonly failing: number
  readonly succeeded: number
  readonly failed: number
}

/** More are not resolved, the first of the list are: each costs a question every half minute. */
const MAX_TARGETS = 10_000
const MAX_AT_ONCE = 32
/** Longer than any resolver tries; one that never says anything holds a place no longer. */
const LOOK_UP_MS = 30_000
const GATHER_MS = 50
const SAVE_MS = 1_000

interface Watched {
  entry: AliasEntry
  /** Ends the wait for the next look; undefined while one is due or under way. */
  cancel: Cancel | undefined
}

/**
 * Resolves the targets of ALIAS records in the background: each on its own, again before its TTL ends, never for a
 * question. What is told in `onAddresses` changes only by what a lookup brought, or by `watch`.
 */
export class AliasResolver implements Disposable {
  readonly #options: AliasResolverOptions
  readonly #watched = new Map<NameKey, Watched>()
  /** Targets that wait for a place. */
  readonly #due: Watched[] = []
  /** As `watch` was told last. */
  #listed: readonly NameKey[] | undefined
  #underWay = 0
  #telling: Cancel | undefined
  #saving: Cancel | undefined
  #told = '[]'
  #known: Map<NameKey, AliasEntry>
  #outcomes = { succeeded: 0, failed: 0 }
  #isClosed = false

  constructor(options: AliasResolverOptions) {
    this.#options = options
    this.#known = new Map((options.known ?? []).map((entry) => [entry.target, entry]))
  }

  /**
   * The targets from now on, each once; the first of them where they are too many. New ones are looked up at once; what
   * is known of them from before serves until then.
   */
  watch(targets: readonly NameKey[]): void {
    const { maxTargets = MAX_TARGETS, log } = this.#options
    const before = this.#listed
    if (before?.length === targets.length && targets.every((target, i) => target === before[i])) return
    this.#listed = targets
    if (targets.length > maxTargets) log.warn('alias.too-many', { targets: targets.length, resolved: maxTargets })
    const wanted = new Set(targets.slice(0, maxTargets))
    for (const [target, watched] of this.#watched) {
      if (wanted.has(target)) continue
      watched.cancel?.()
      this.#watched.delete(target)
    }
    for (const target of wanted) {
      if (this.#watched.has(target)) continue
      const watched: Watched = { entry: this.#known.get(target) ?? unresolvedAlias(target), cancel: undefined }
      this.#watched.set(target, watched)
      this.#due.push(watched)
    }
    this.#known = new Map()
    this.#tell()
    this.#pump()
    this.#changed()
  }

  /** What is known of every target, by name. */
  entries(): readonly AliasEntry[] {
    return [...this.#watched.values()].map(({ entry }) => entry).sort((a, b) => (a.target < b.target ? -1 : 1))
  }

  get counts(): AliasCounts {
    const entries = this.entries()
    return {
      targets: entries.length,
      waiting: entries.filter(({ resolvedMs, failing }) => resolvedMs === null && failing === null).length,
      failing: entries.filter(({ failing }) => failing !== null).length,
      ...this.#outcomes,
    }
  }

  [Symbol.dispose](): void {
    this.#isClosed = true
    this.#telling?.()
    this.#saving?.()
    for (const { cancel } of this.#watched.values()) cancel?.()
  }

  #pump(): void {
    while (this.#underWay < MAX_AT_ONCE && !this.#isClosed) {
      const watched = this.#due.shift()
      if (watched === undefined) return
      // One that was taken out while it waited.
      if (this.#watched.get(watched.entry.target) !== watched) continue
      this.#underWay += 1
      void this.#lookUp(watched.entry.target).then((outcome) => {
        this.#underWay -= 1
        if (this.#isClosed) return
        if (this.#watched.get(watched.entry.target) === watched) this.#settle(watched, outcome)
        this.#pump()
      })
    }
  }

  #lookUp(target: NameKey): Promise<AliasOutcome> {
    const { lookup, runtime } = this.#options
    const failed = (reason: string): AliasOutcome => {
      const family = { kind: 'failed', reason } as const
      return { ipv4: family, ipv6: family }
    }
    return new Promise((resolve) => {
      const cancel = runtime.after(LOOK_UP_MS, () => resolve(failed('no answer in time')))
      lookup.lookUp(target).then(
        (outcome) => {
          cancel()
          resolve(outcome)
        },
        (error: unknown) => {
          cancel()
          resolve(failed(error instanceof Error ? error.message : String(error)))
        },
      )
    })
  }

  #settle(watched: Watched, outcome: AliasOutcome): void {
    const { runtime } = this.#options
    const before = watched.entry
    const { entry, delayMs } = settleAlias(before, outcome, runtime.now(), runtime.random())
    watched.entry = entry
    this.#outcomes[entry.failing === null ? 'succeeded' : 'failed'] += 1
    watched.cancel = runtime.after(delayMs, () => {
      watched.cancel = undefined
      this.#due.push(watched)
      this.#pump()
    })
    this.#say(before, entry)
    this.#changed()
  }

  #say(before: AliasEntry, entry: AliasEntry): void {
    const { log } = this.#options
    const { target, ipv4, ipv6, failing, refused } = entry
    if (refused.length > 0 && refused.join() !== before.refused.join())
      log.warn('alias.addresses-refused', { target, refused })
    if (failing !== null) {
      if (failing.reason === before.failing?.reason) return
      log.warn('alias.failed', { target, reason: failing.reason, kept: ipv4.length + ipv6.length })
      return
    }
    const isSame = ipv4.join() === before.ipv4.join() && ipv6.join() === before.ipv6.join()
    if (!isSame || before.failing !== null || before.resolvedMs === null)
      log.info('alias.resolved', { target, ipv4, ipv6 })
  }

  #changed(): void {
    if (this.#isClosed) return
    this.#telling ??= this.#options.runtime.after(GATHER_MS, () => this.#tell())
    this.#saving ??= this.#options.runtime.after(SAVE_MS, () => {
      this.#saving = undefined
      this.#options.onEntries?.(this.entries())
    })
  }

  #tell(): void {
    this.#telling?.()
    this.#telling = undefined
    const addresses = this.entries().flatMap((entry) => aliasAddressesOf(entry) ?? [])
    const text = JSON.stringify(addresses)
    if (text === this.#told) return
    this.#told = text
    this.#options.onAddresses(addresses)
  }
}
