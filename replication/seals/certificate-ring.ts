import {
  asMakiError,
  type CertificateName,
  type CertificateValue,
  Emitter,
  type Entry,
  type HeldCertificate,
  type Key,
  keys,
  type Log,
  listSafeEpochs,
  type OperationId,
  type Runtime,
  type SealEpochKey,
  type SealView,
  type Side,
  type State,
} from '../../core/index.ts'
import { type OpenCertificate, openCertificate, type SealOpener } from './open-certificate.ts'

/** Where TLS gets its certificates from. */
export interface CertificateSource {
  /**
   * The best certificate for a host name in lower case: one that is valid now before others, then one of the very name before a
   * wildcard, then the one that lasts longest.
   */
  find(host: string): OpenCertificate | undefined
  readonly events: Pick<Emitter<CertificateEvents>, 'on'>
}

export interface CertificateEvents {
  /** What `find` answers may be another from now on. */
  change: { readonly names: readonly CertificateName[] }
}

export interface CertificateRingOptions {
  readonly opener: SealOpener
  readonly runtime: Pick<Runtime, 'now'>
  readonly log: Log
  /** What stands side by side at a key, greatest first; without it the value of a key is all there is. */
  readonly frontier?: (key: Key) => readonly Side[]
  /** Epochs that nobody outside the cluster can open; all are where nothing is said. */
  readonly safe?: () => ReadonlySet<SealEpochKey>
}

/** Two halves of a partition make two; whoever makes more of them gets no more of our time. */
const MAX_SIDES = 16

interface Slot {
  /** The operation whose certificate the state has. */
  readonly winner: OperationId
  /** What is served. */
  readonly open: OpenCertificate | undefined
  /** By operation: what was opened, and what cannot be served. */
  readonly tried: ReadonlyMap<OperationId, OpenCertificate | undefined>
}

/**
 * Opens the certificates of the state and keeps them in memory: for each name that of the state while it is valid; else one that
 * was written beside it and is (two halves of a partition both order); else the last that could be served. One that cannot be
 * served is told of once.
 */
export class CertificateRing implements CertificateSource {
  readonly events = new Emitter<CertificateEvents>()
  readonly #options: CertificateRingOptions
  readonly #slots = new Map<CertificateName, Slot>()
  #byName = new Map<string, OpenCertificate[]>()
  #safe: ReadonlySet<SealEpochKey> | undefined
  #served: readonly OpenCertificate[] = []

  constructor(options: CertificateRingOptions) {
    this.#options = options
  }

  /** Certificates that are served, and those of the state that were opened and cannot be. */
  get counts(): { readonly open: number; readonly unusable: number } {
    const slots = [...this.#slots.values()]
    const isUnusable = ({ tried, winner }: Slot) => tried.has(winner) && tried.get(winner) === undefined
    return { open: slots.filter(({ open }) => open !== undefined).length, unusable: slots.filter(isUnusable).length }
  }

  /**
   * What TLS is to have: all, but one whose key others may know only for names that have no other. One that was imported is its
   * owner's, and stays in the state; it is not preferred because it lasts longer.
   */
  get served(): readonly OpenCertificate[] {
    return this.#served
  }

  /** All that could be served, one a name. */
  get all(): readonly OpenCertificate[] {
    return [...this.#slots.values()].flatMap(({ open }) => open ?? [])
  }

  /** All that could be served, as the plan of certificates asks for them; whose keys are exposed is judged by the view. */
  held(view: SealView): ReadonlyMap<CertificateName, HeldCertificate> {
    const safe = listSafeEpochs(view)
    return new Map(
      this.all.map(({ name, names, id, notBeforeMs, notAfterMs, directory, epoch }) => [
        name,
        {
          name,
          names,
          id,
          notBeforeMs,
          notAfterMs,
          ...(directory === undefined ? {} : { directory }),
          exposed: !safe.has(epoch),
        },
      ]),
    )
  }

  find(host: string): OpenCertificate | undefined {
    const dot = host.indexOf('.')
    const exact = this.#byName.get(host) ?? []
    const wildcard = dot > 0 ? (this.#byName.get(`*.${host.slice(dot + 1)}`) ?? []) : []
    const all = [...exact, ...wildcard]
    return all.find((one) => this.#isValid(one)) ?? all[0]
  }

  /** Follows the state; costs what changed, what could not be opened before, and what is not valid now. */
  refresh(state: State): void {
    const changed = new Set<CertificateName>()
    const present = new Set(state.ids('certificate') as CertificateName[])
    for (const name of [...this.#slots.keys()]) {
      if (present.has(name)) continue
      this.#slots.delete(name)
      changed.add(name)
    }
    for (const name of present) {
      const before = this.#slots.get(name)
      const slot = this.#settle(state.get(keys.certificate(name)) as Entry<CertificateValue>, before)
      if (slot === undefined) continue
      this.#slots.set(name, slot)
      if (slot.open !== before?.open || before === undefined) changed.add(name)
    }
    const safe = this.#options.safe?.()
    if (safe !== undefined && !isSame(safe, this.#safe)) {
      this.#safe = safe
      for (const name of this.#slots.keys()) changed.add(name)
    }
    if (changed.size === 0) return
    this.#index()
    this.events.emit('change', { names: [...changed] })
  }

  /** Undefined where nothing could be tried yet. */
  #settle(entry: Entry<CertificateValue>, before: Slot | undefined): Slot | undefined {
    const tried = new Map<OperationId, OpenCertificate | undefined>()
    const attempt = (operation: OperationId, value: CertificateValue): OpenCertificate | undefined => {
      if (before?.tried.has(operation)) tried.set(operation, before.tried.get(operation))
      else if (this.#options.opener.holds(value.key.epoch)) tried.set(operation, this.#open(value))
      return tried.get(operation)
    }
    const winner = attempt(entry.operation, entry.value)
    if (winner !== undefined && this.#isValid(winner)) return { winner: entry.operation, open: winner, tried }
    const sides = this.#options.frontier?.(entry.key).slice(0, MAX_SIDES) ?? []
    const losers = sides.flatMap(({ operation, value }) =>
      operation === entry.operation || value === undefined ? [] : (attempt(operation, value as CertificateValue) ?? []),
    )
    const usable = [winner, ...losers, before?.open].filter((one) => one !== undefined)
    if (tried.size === 0 && usable.length === 0) return undefined
    return { winner: entry.operation, open: usable.find((one) => this.#isValid(one)) ?? usable[0], tried }
  }

  #open(value: CertificateValue): OpenCertificate | undefined {
    const { opener, log } = this.#options
    const { name } = value
    try {
      const open = openCertificate(value, opener)
      log.info('certificate.opened', { name, names: open.names, notAfterMs: open.notAfterMs })
      return open
    } catch (error) {
      log.error('certificate.unusable', { name, error: asMakiError(error) })
      return undefined
    }
  }

  #isSafe({ epoch }: OpenCertificate): boolean {
    return this.#safe?.has(epoch) ?? true
  }

  #isValid({ notBeforeMs, notAfterMs }: OpenCertificate): boolean {
    const nowMs = this.#options.runtime.now()
    return notBeforeMs <= nowMs && nowMs <= notAfterMs
  }

  #index(): void {
    const { all } = this
    const better = new Set(all.filter((one) => this.#isSafe(one) && this.#isValid(one)).flatMap(({ names }) => names))
    this.#served = all.flatMap((one) => {
      const names = this.#isSafe(one) ? one.names : one.names.filter((name) => !better.has(name))
      return names.length === one.names.length ? one : names.length === 0 ? [] : { ...one, names }
    })
    const byName = new Map<string, OpenCertificate[]>()
    for (const open of this.#served) {
      for (const name of open.names) {
        const list = byName.get(name)
        if (list === undefined) byName.set(name, [open])
        else list.push(open)
      }
    }
    for (const list of byName.values()) list.sort((a, b) => b.notAfterMs - a.notAfterMs)
    this.#byName = byName
  }
}

const isSame = <T>(one: ReadonlySet<T>, other: ReadonlySet<T> | undefined): boolean =>
  other !== undefined && one.size === other.size && one.isSubsetOf(other)
