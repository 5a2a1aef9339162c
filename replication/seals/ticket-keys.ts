import {
  type Cancel,
  type ClusterId,
  changedScopes,
  Emitter,
  findSealEpoch,
  type Log,
  liveNodes,
  type MemberKey,
  type Runtime,
  rankHolders,
  type SealEpochKey,
  type SealView,
  type StateDelta,
  scopeKind,
  sealPurpose,
} from '../../core/index.ts'
import type { SealOpener } from './open-certificate.ts'
import { sealValue } from './seal.ts'

/** Whoever steals the keys of a moment reads the sessions of these hours, not of all time (RFC 8446 appendix C.4). */
export const TICKET_WINDOW_MS = 12 * 3_600_000
/** What node takes: a name, a key for authentication, one for encryption. */
export const TICKET_KEYS_BYTES = 48

/** Keys as a node says them to the others: nobody else can open them, and they are written nowhere. */
export interface SharedTicketKeys {
  /** Which twelve hours they are for, counted from 1970. */
  readonly window: number
  readonly epoch: SealEpochKey
  readonly box: string
}

export interface TicketKeysOptions {
  readonly replica: SealView & {
    readonly cluster: ClusterId
    readonly events: Pick<Emitter<{ change: { readonly delta: StateDelta } }>, 'on'>
  }
  readonly self: MemberKey
  readonly opener: SealOpener
  readonly peers: {
    /** What others that are up say. */
    said(): ReadonlyMap<MemberKey, SharedTicketKeys>
    /** Nodes that were heard lately, this one among them. */
    up(): ReadonlySet<MemberKey>
    onChange(listener: () => void): () => void
  }
  /** Told of keys that are to be used from now on. */
  readonly use: (keys: Uint8Array) => void
  readonly runtime: Runtime
  readonly log: Log
}

/** Who has just started hears the others first. */
const STARTING_MS = 5_000
/** How much longer each next one waits for the one before it to make keys and for them to arrive. */
const STEP_MS = 3_000
const MAX_STEPS = 5
const GATHER_MS = 100
/** Boxes that did not open are remembered; a member that makes them without end is forgotten what it made. */
const MAX_REFUSED = 1_000
const CONCERNED: ReadonlySet<string> = new Set(['seal', 'node', 'member'])

/**
 * The keys of session tickets that all nodes share, so that a client resumes at any of them. One node makes them for twelve hours by
 * the wall clock, sealed to the present epoch, and every node says on those that it uses; of several the least counts, everywhere.
 * They are in memory only, and those of an epoch that is over are used by nobody: who was removed knows none. A node that hears no
 * other has keys of its own.
 */
export class TicketKeys implements Disposable {
  readonly events = new Emitter<{ change: undefined }>()
  readonly #options: TicketKeysOptions
  readonly #unsubscribe: (() => void)[]
  readonly #refused = new Set<string>()
  readonly #startedMs: number
  #epoch: SealEpochKey | undefined
  #own: SharedTicketKeys | undefined
  /** The window of the keys in use, shared or not. */
  #window: number
  /** Since when keys are missing, monotonic. */
  #missingMs: number | undefined
  #cancel: Cancel = () => {}
  #wakeAtMs = Number.POSITIVE_INFINITY

  /** `use` was told of keys of this node's own before. */
  constructor(options: TicketKeysOptions) {
    const { replica, peers, runtime } = options
    this.#options = options
    this.#startedMs = runtime.monotonic()
    this.#window = this.#present()
    this.#unsubscribe = [
      replica.events.on('change', ({ delta }) => {
        // At once: whoever was removed by it knows the keys.
        if ([...changedScopes(delta)].some((scope) => CONCERNED.has(scopeKind(scope)))) this.#look()
      }),
      peers.onChange(() => this.#wake(GATHER_MS)),
    ]
    this.#look()
  }

  /** What the others are to be told; undefined while this node shares no keys. */
  get said(): SharedTicketKeys | undefined {
    return this.#own
  }

  [Symbol.dispose](): void {
    this.#cancel()
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
  }

  #present(): number {
    return Math.floor(this.#options.runtime.now() / TICKET_WINDOW_MS)
  }

  #wake(afterMs: number): void {
    const { runtime } = this.#options
    const atMs = runtime.monotonic() + afterMs
    // Whoever speaks without end must not put off what is due.
    if (this.#wakeAtMs <= atMs) return
    this.#cancel()
    this.#wakeAtMs = atMs
    this.#cancel = runtime.after(afterMs, () => this.#look())
  }

  #look(): void {
    const { replica, runtime } = this.#options
    this.#cancel()
    this.#wakeAtMs = Number.POSITIVE_INFINITY
    const before = this.#epoch
    this.#epoch = findSealEpoch(replica)?.key
    const window = this.#present()
    if (this.#own !== undefined && this.#own.epoch !== this.#epoch) this.#useOwn(window)
    if (this.#adopt(window)) this.#missingMs = undefined
    else {
      if (before !== this.#epoch) this.#missingMs = undefined
      this.#missingMs ??= runtime.monotonic()
      const dueMs = this.#dueMs(window)
      if (dueMs !== undefined && dueMs <= 0) this.#make(window)
      // Keys of a window that is over go, also where nobody shares any.
      else if (this.#window < window && this.#own === undefined) this.#useOwn(window)
      if (dueMs === undefined || dueMs > 0) this.#wake(dueMs ?? STEP_MS)
    }
    this.#wake((window + 1) * TICKET_WINDOW_MS - runtime.now() + GATHER_MS)
  }

  /** Takes the least of those that count, of the latest window; false where there are none. */
  #adopt(window: number): boolean {
    const { peers, replica } = this.#options
    const nodes = liveNodes(replica)
    const heard = [...peers.said()].flatMap(([key, said]) => (nodes.has(key) ? said : []))
    const known = this.#own === undefined ? heard : [this.#own, ...heard]
    const usable = known
      // A clock may be ahead of ours, and by much only where it is wrong.
      .filter((one) => one.epoch === this.#epoch && (one.window === window || one.window === window + 1))
      .sort((a, b) => b.window - a.window || (a.box < b.box ? -1 : a.box > b.box ? 1 : 0))
    for (const one of usable) {
      if (one.box === this.#own?.box) return true
      const keys = this.#open(one)
      if (keys === undefined) continue
      this.#take(one, keys)
      return true
    }
    return false
  }

  #open(said: SharedTicketKeys): Uint8Array | undefined {
    if (this.#refused.has(said.box) || !this.#options.opener.holds(said.epoch)) return undefined
    try {
      const keys = this.#options.opener.open(sealPurpose.tickets(said.window), said)
      if (keys.length === TICKET_KEYS_BYTES) return keys
    } catch {
      // Told of below.
    }
    if (this.#refused.size >= MAX_REFUSED) this.#refused.clear()
    this.#refused.add(said.box)
    this.#options.log.warn('tickets.unusable', { window: said.window, epoch: said.epoch })
    return undefined
  }

  /** How long until it is this node's to make keys; undefined while it cannot, for want of an epoch or of its key. */
  #dueMs(window: number): number | undefined {
    const { peers, opener, runtime, self, replica } = this.#options
    if (this.#epoch === undefined || !opener.holds(this.#epoch)) return undefined
    const nodes = liveNodes(replica)
    if (!nodes.has(self)) return undefined
    const up = [...peers.up()].filter((key) => nodes.has(key) || key === self)
    const rank = rankHolders(`tickets ${this.#epoch} ${window}`, up).indexOf(self)
    const nowMs = runtime.monotonic()
    const dueMs = (this.#missingMs ?? nowMs) + Math.min(rank, MAX_STEPS) * STEP_MS
    return Math.max(dueMs, this.#startedMs + STARTING_MS) - nowMs
  }

  #make(window: number): void {
    const { replica, runtime } = this.#options
    const epoch = this.#epoch as SealEpochKey
    const keys = runtime.randomBytes(TICKET_KEYS_BYTES)
    const place = { cluster: replica.cluster, purpose: sealPurpose.tickets(window) }
    this.#take({ window, epoch, box: sealValue(epoch, keys, place, runtime).box }, keys)
    this.#missingMs = undefined
  }

  #take(shared: SharedTicketKeys, keys: Uint8Array): void {
    this.#own = shared
    this.#window = shared.window
    this.#options.use(keys)
    this.#options.log.info('tickets.shared', { window: shared.window, epoch: shared.epoch })
    this.events.emit('change', undefined)
  }

  #useOwn(window: number): void {
    const wasShared = this.#own !== undefined
    this.#own = undefined
    this.#window = window
    this.#options.use(this.#options.runtime.randomBytes(TICKET_KEYS_BYTES))
    if (wasShared) this.events.emit('change', undefined)
  }
}
