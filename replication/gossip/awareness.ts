import { type ClusterId, Emitter, MAX_STAMP_AHEAD_MS, type MemberKey, type Signer } from '../../core/index.ts'
import {
  type AwarenessData,
  type AwarenessEntry,
  compareEntries,
  createAwarenessEntry,
  isAuthentic,
  parseAwarenessEntry,
} from './awareness-entry.ts'

/** How often a member speaks even when nothing changed: one small frame, and three fit into the time-out. */
export const HEARTBEAT_MS = 5000
/** A member is up while its last word is younger: two heartbeats may be lost. */
export const UP_MS = 15_000
/** An older incarnation that still speaks this long after the newer one began is a second machine, not a late frame. */
export const CLONE_GRACE_MS = 5000
/** For how long a clone that falls silent is told of: it may only be cut off. */
const CLONE_SHOWN_MS = 10 * 60_000
/** Entries that arrive closer together say nothing about how fast the author's clock is. */
const OFFSET_SPACING_MS = 1000

export interface AwarenessView {
  readonly key: MemberKey
  readonly incarnation: number
  readonly data: AwarenessData
  /** How old its last word is, by its stamp, corrected for a clock that differs from ours. 0 for ourselves. */
  readonly ageMs: number
  readonly up: boolean
}

export interface AwarenessEvents {
  /** A member said something new, came up, went down or took its leave. Heartbeats that repeat are no event. */
  change: { readonly key: MemberKey; readonly up: boolean }
  /** Two processes speak with one key: a cloned machine or a restored backup. Once for each pair. */
  cloned: { readonly key: MemberKey; readonly incarnations: readonly [number, number] }
}

type AwarenessRefusal = 'malformed' | 'forged' | 'stranger' | 'from-the-future'

type AwarenessOutcome =
  /** To be relayed to every other link, once. */
  | { readonly kind: 'new' }
  | { readonly kind: 'known' }
  /** `malformed` and `forged` are the sender's fault; the others may be ours. */
  | { readonly kind: 'refused'; readonly reason: AwarenessRefusal }

interface Heard {
  entry: AwarenessEntry
  /** When this incarnation first spoke, by its own clock. */
  readonly firstWallMs: number
  heardMs: number
  /** Our clock minus the author's, when the entry came, and for one before: the smaller holds the clocks' difference. */
  offsetMs: number
  earlierOffsetMs: number
  up: boolean
}

export interface AwarenessConfig {
  readonly cluster: ClusterId
  readonly signer: Signer
  /** Greater than that of every earlier process with this key. */
  readonly incarnation: number
  isMember(key: MemberKey): boolean
}

/**
 * What members say about themselves and what must not last: without socket and clock, `nowMs` is the wall clock. Only
 * a member's own signature replaces or withdraws its entry; time-outs are decided here and told to nobody.
 */
export class Awareness {
  readonly events = new Emitter<AwarenessEvents>()
  readonly #config: AwarenessConfig
  readonly #heard = new Map<MemberKey, Heard>()
  /** The other incarnation last reported, for each cloned key, and when it was met last. */
  readonly #cloned = new Map<MemberKey, { readonly other: number; readonly metMs: number }>()
  #own: AwarenessEntry | undefined
  #ownFirstWallMs = 0
  #ownSaid = ''

  constructor(config: AwarenessConfig) {
    this.#config = config
  }

  /** Replaces what we say; returns the entry to send to all links. Throws MAKI_TOO_LARGE. */
  set(data: AwarenessData, nowMs: number): Uint8Array {
    const entry = this.#speak(data, nowMs)
    const said = JSON.stringify(data)
    const changed = said !== this.#ownSaid
    this.#ownSaid = said
    if (changed) this.events.emit('change', { key: entry.key, up: true })
    return entry.bytes
  }

  /** What to send to all links when a heartbeat is due; undefined when none is, or nothing was ever set. */
  heartbeat(nowMs: number): Uint8Array | undefined {
    const own = this.#own
    if (own === undefined || own.data === null) return undefined
    const sinceMs = nowMs - own.wallMs
    // A clock that went back must not silence us until it has caught up.
    if (sinceMs >= 0 && sinceMs < HEARTBEAT_MS) return undefined
    return this.#speak(own.data, nowMs).bytes
  }

  /** Takes our leave: peers see us as gone at once. Returns what to send; undefined when nothing was ever set. */
  withdraw(nowMs: number): Uint8Array | undefined {
    return this.#own === undefined ? undefined : this.#speak(null, nowMs).bytes
  }

  /** Never throws for what a peer sent. */
  receive(bytes: Uint8Array, nowMs: number): AwarenessOutcome {
    let entry: AwarenessEntry
    try {
      entry = parseAwarenessEntry(bytes)
    } catch {
      return { kind: 'refused', reason: 'malformed' }
    }
    const own = entry.key === this.#config.signer.key
    const known = own ? undefined : this.#heard.get(entry.key)
    // What we have needs no second look at its signature, which is most of the work of a flood.
    if (known !== undefined && Buffer.compare(known.entry.bytes, entry.bytes) === 0) return { kind: 'known' }
    if (!this.#config.isMember(entry.key)) return { kind: 'refused', reason: 'stranger' }
    if (!isAuthentic(entry, this.#config.cluster)) return { kind: 'refused', reason: 'forged' }
    if (entry.wallMs > nowMs + MAX_STAMP_AHEAD_MS) return { kind: 'refused', reason: 'from-the-future' }
    if (own) return this.#receiveOwn(entry, nowMs)
    if (known !== undefined) {
      this.#watchForClone(known.entry, known.firstWallMs, entry, nowMs)
      if (compareEntries(entry, known.entry) <= 0) return { kind: 'known' }
    }
    this.#accept(known, entry, nowMs)
    return { kind: 'new' }
  }

  /** To be called when an earlier process of a member is alive, though a later one has been here for the grace and more. */
  noteEarlier(key: MemberKey, later: number, earlier: number, nowMs: number): void {
    this.#reportClone(key, later, earlier, nowMs)
  }

  /** Members with whose key two processes spoke lately: ourselves among them, when another machine has our key. */
  clones(nowMs: number): readonly MemberKey[] {
    return [...this.#cloned]
      .filter(([key, { metMs }]) => nowMs - metMs < CLONE_SHOWN_MS && this.#config.isMember(key))
      .map(([key]) => key)
      .sort()
  }

  /** Everything that is known and signed, ours included; what a new link is told first. */
  snapshot(): Uint8Array[] {
    const heard = [...this.#heard.values()].filter(({ entry }) => this.#config.isMember(entry.key))
    return [...(this.#own === undefined ? [] : [this.#own.bytes]), ...heard.map(({ entry }) => entry.bytes)]
  }

  /** Members that spoke and took no leave, by key, ourselves among them. */
  entries(nowMs: number): readonly AwarenessView[] {
    const views: AwarenessView[] = []
    const own = this.#own
    if (own?.data != null)
      views.push({ key: own.key, incarnation: own.incarnation, data: own.data, ageMs: 0, up: true })
    for (const heard of this.#heard.values()) {
      const { key, incarnation, data } = heard.entry
      if (data === null || !this.#config.isMember(key)) continue
      const ageMs = ageOf(heard, nowMs)
      views.push({ key, incarnation, data, ageMs, up: ageMs <= UP_MS })
    }
    return views.sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  /** To be called about every second: says who fell silent, and forgets who is no member any more. */
  expire(nowMs: number): void {
    for (const [key, heard] of [...this.#heard]) {
      const member = this.#config.isMember(key)
      if (!member) this.#heard.delete(key)
      const up = member && isUp(heard, nowMs)
      if (up === heard.up) continue
      heard.up = up
      this.events.emit('change', { key, up })
    }
  }

  #speak(data: AwarenessData | null, nowMs: number): AwarenessEntry {
    const { signer, cluster, incarnation } = this.#config
    const counter = (this.#own?.counter ?? 0) + 1
    if (counter === 1) this.#ownFirstWallMs = nowMs
    this.#own = createAwarenessEntry(signer, cluster, {
      incarnation,
      counter,
      wallMs: Math.max(0, Math.floor(nowMs)),
      data,
    })
    return this.#own
  }

  /** Our own words come back over other links; words in our name that we did not say come from a second machine. */
  #receiveOwn(entry: AwarenessEntry, nowMs: number): AwarenessOutcome {
    const { incarnation } = this.#config
    const counter = this.#own?.counter ?? 0
    if (entry.incarnation > incarnation || (entry.incarnation === incarnation && entry.counter > counter))
      this.#reportClone(entry.key, incarnation, entry.incarnation, nowMs)
    else if (this.#own !== undefined) this.#watchForClone(this.#own, this.#ownFirstWallMs, entry, nowMs)
    return { kind: 'known' }
  }

  #watchForClone(known: AwarenessEntry, firstWallMs: number, entry: AwarenessEntry, nowMs: number): void {
    const older = entry.incarnation < known.incarnation && entry.wallMs > firstWallMs + CLONE_GRACE_MS
    const twin = compareEntries(entry, known) === 0 && Buffer.compare(entry.bytes, known.bytes) !== 0
    if (older || twin) this.#reportClone(entry.key, known.incarnation, entry.incarnation, nowMs)
  }

  #reportClone(key: MemberKey, ours: number, other: number, nowMs: number): void {
    const known = this.#cloned.get(key)?.other
    this.#cloned.set(key, { other, metMs: nowMs })
    if (known !== other) this.events.emit('cloned', { key, incarnations: [ours, other] })
  }

  #accept(known: Heard | undefined, entry: AwarenessEntry, nowMs: number): void {
    const offsetMs = nowMs - entry.wallMs
    const continues = known?.entry.incarnation === entry.incarnation
    const heard: Heard = {
      entry,
      firstWallMs: continues ? known.firstWallMs : entry.wallMs,
      heardMs: nowMs,
      offsetMs,
      // The first word may have been under way for long: only a clock ahead of ours can be told from it.
      earlierOffsetMs: continues ? earlierOffset(known, nowMs) : Math.min(0, offsetMs),
      up: false,
    }
    heard.up = isUp(heard, nowMs)
    this.#heard.set(entry.key, heard)
    const same = known !== undefined && continues && JSON.stringify(known.entry.data) === JSON.stringify(entry.data)
    if (!same || known.up !== heard.up) this.events.emit('change', { key: entry.key, up: heard.up })
  }
}

function earlierOffset(known: Heard, nowMs: number): number {
  return nowMs - known.heardMs >= OFFSET_SPACING_MS ? known.offsetMs : known.earlierOffsetMs
}

function ageOf({ entry, offsetMs, earlierOffsetMs }: Heard, nowMs: number): number {
  return Math.max(0, nowMs - entry.wallMs - Math.min(offsetMs, earlierOffsetMs))
}

const isUp = (heard: Heard, nowMs: number) => heard.entry.data !== null && ageOf(heard, nowMs) <= UP_MS

/** Refusals that a peer answers for. */
export const isSendersFault = (reason: AwarenessRefusal): boolean => reason === 'malformed' || reason === 'forged'
