import type { OperationId, Runtime } from '../../core/index.ts'
import { SlotList } from './slot-list.ts'
import type { DeletedRange, ReadSlot } from './update-reader.ts'
import { encodeStateVector } from './update-writer.ts'

/**
 * What all peers together may enter beside the first slot of each operation. Honest ones leave a few: an operation that
 * two nodes took from one laptop, the last of a node that crashed, and all that a node has after it lost its index.
 */
const COPIES_BASE = 65_536
const COPIES_PER_OPERATION = 16
/** A copy takes four bytes; one under a new client takes a stream of its own. */
const NEW_CLIENT_WEIGHT = 64
/** Processes that wrote; half of what a peer reads in a state vector, so that no flood of others' takes us beyond it. */
const MAX_STREAMS = 50_000
/** As far as no stream comes: who hears that we have so much of one sends nothing of it. */
const ALL = Number.MAX_SAFE_INTEGER
/** Slots that are looked at for the deletions of one update, which can name all there are in a dozen bytes. */
const MAX_LOOKED_AT = 1_000_000

/** A slot as it is kept: a place, and which operation of the store stands there. */
export interface Place {
  readonly client: number
  readonly clock: number
  /** In the store. */
  readonly sequence: number
}

/** What became of slots that a peer sent. */
export interface Entered {
  /** Not here before, in order. */
  readonly taken: readonly Place[]
  /** What those weigh that are further slots of operations that had one. */
  readonly copies: number
  /** Slots that build on what is not here, and for which there is room. */
  readonly gap: boolean
  /** Slots that no replica would tell of; in words. */
  readonly foreign: readonly string[]
  /** Operations that stand in a slot where another stands here. */
  readonly replaced: readonly OperationId[]
}

/** Clocks of one client, from the first up to `end`. */
export interface Part {
  readonly client: number
  readonly from: number
  readonly end: number
}

interface Stream {
  readonly client: number
  readonly slots: SlotList
}

/**
 * The Yjs document that carries operations between nodes, without its bytes: which operation of the store each client
 * set at each clock, in some ten bytes an operation. It is transport: what it holds is never read back. A stream of a
 * client ends before the first slot whose operation is not in the store; what others know beyond travels by id.
 */
export class Document {
  readonly #runtime: Pick<Runtime, 'randomBytes'>
  #client: number
  readonly #streams: Stream[] = []
  readonly #byClient = new Map<number, number>()
  /** Clients whose next slot there was no room for. What they set travels by id. */
  readonly #closed = new Set<number>()
  /** By sequence number: one more than the index of the stream whose slot Yjs would let stand; 0 without a slot. */
  #holders = new Uint32Array(64)
  #operations = 0
  #copies = 0
  #vector: Uint8Array | undefined
  /** Sequence numbers whose deletion was told, one bit each. */
  #told = new Uint8Array(0)

  /** Writes under a fresh 53-bit client id: 32 bits collide among 10,000 processes. */
  constructor(runtime: Pick<Runtime, 'randomBytes'>) {
    this.#runtime = runtime
    this.#client = drawClientId(runtime)
  }

  /** Under which this process writes now: another one as soon as somebody else did. */
  get client(): number {
    return this.#client
  }

  /** Operations that have a slot. */
  get size(): number {
    return this.#operations
  }

  /** Slots beyond the first of an operation, weighed by what they take. */
  get copies(): number {
    return this.#copies
  }

  /** Whether an operation of the store has a slot. */
  has(sequence: number): boolean {
    return (this.#holders[sequence] ?? 0) !== 0
  }

  /** Gives each of these operations that has none a slot of ours. */
  put(sequences: readonly number[]): readonly Place[] {
    const places: Place[] = []
    for (const sequence of sequences) {
      if (this.has(sequence)) continue
      const place = { client: this.client, clock: this.clock(this.client), sequence }
      this.#append(place)
      places.push(place)
    }
    return places
  }

  /** Takes back a slot of an earlier process. False when it does not follow what is here; nothing is done then. */
  restore(place: Place): boolean {
    if (place.clock !== this.clock(place.client)) return false
    this.#append(place)
    return true
  }

  /**
   * Takes what a peer entered, as far as each operation is in the store and there is room. `sequenceOf` says where. A slot
   * that is not taken for lack of room is no fault of who tells it: a member that fills the room would else make all others
   * drop one another.
   */
  enter(slots: readonly ReadSlot[], sequenceOf: (id: OperationId) => number | undefined): Entered {
    const taken: Place[] = []
    const foreign = new Set<string>()
    const replaced: OperationId[] = []
    const copiesBefore = this.#copies
    let gap = false
    for (const { client, clock, id, bytes } of slots) {
      const next = this.clock(client)
      const sequence = sequenceOf(id)
      if (clock < next) {
        if (this.at(client, clock) !== sequence && sequence !== undefined) replaced.push(id)
      } else if (clock > next) gap ||= !this.#isClosed(client)
      else if (sequence === undefined) {
        if (bytes === undefined) foreign.add('an entry whose value is gone')
        else gap = true
      } else if (this.#isFull(client, sequence)) this.#close(client)
      else {
        // Who told it has it under our name: ours would never reach them.
        if (client === this.#client) this.#client = drawClientId(this.#runtime)
        const place = { client, clock, sequence }
        this.#append(place)
        taken.push(place)
      }
    }
    return { taken, copies: this.#copies - copiesBefore, gap, foreign: [...foreign], replaced }
  }

  /**
   * The operations whose standing entry is in these ranges, each told once in the life of this process. A Yjs document
   * deletes by itself what two clients set, but for one entry: that is no deletion.
   */
  noteDeleted(ranges: readonly DeletedRange[]): readonly number[] {
    const deleted: number[] = []
    // Yjs joins ranges that touch: together they never cover more than there is.
    let room = this.#operations + this.#copies
    let looks = MAX_LOOKED_AT
    for (const { client, clock, length } of ranges) {
      const end = Math.min(clock + length, this.clock(client))
      for (let at = clock; at < end && room > 0 && looks > 0; at++, room--) {
        const sequence = this.at(client, at) as number
        if (this.#isTold(sequence)) continue
        const holder = this.#streams[(this.#holders[sequence] as number) - 1] as Stream
        if (holder.client !== client) continue
        looks -= at + 1
        if (holder.slots.indexOf(sequence) !== at) continue
        this.#tell(sequence)
        deleted.push(sequence)
      }
    }
    return deleted
  }

  /** Yjs state vector. */
  stateVector(): Uint8Array {
    this.#vector ??= encodeStateVector([
      ...this.#streams.map(({ client, slots }) => [client, this.#closed.has(client) ? ALL : slots.length] as const),
      ...Array.from(this.#closed).flatMap((client) => (this.#byClient.has(client) ? [] : [[client, ALL] as const])),
    ])
    return this.#vector
  }

  /** Which operation stands there; undefined beyond the end of a client's stream. */
  at(client: number, clock: number): number | undefined {
    const stream = this.#byClient.get(client)
    return stream === undefined ? undefined : this.#streams[stream]?.slots.at(clock)
  }

  /** The part of each client's stream that a replica with these clocks lacks. */
  lacking(clocks: ReadonlyMap<number, number>): readonly Part[] {
    const parts: Part[] = []
    for (const { client, slots } of this.#streams) {
      const from = clocks.get(client) ?? 0
      if (from < slots.length) parts.push({ client, from, end: slots.length })
    }
    return parts
  }

  /** How many slots a client has: the clock of its next. */
  clock(client: number): number {
    const stream = this.#byClient.get(client)
    return stream === undefined ? 0 : (this.#streams[stream] as Stream).slots.length
  }

  #isFull(client: number, sequence: number): boolean {
    if (!this.#byClient.has(client) && this.#streams.length >= MAX_STREAMS) return true
    if (!this.has(sequence)) return false
    const weight = this.#byClient.has(client) ? 1 : NEW_CLIENT_WEIGHT
    return this.#copies + weight > COPIES_BASE + COPIES_PER_OPERATION * this.#operations
  }

  #isClosed(client: number): boolean {
    return this.#closed.has(client) || (!this.#byClient.has(client) && this.#streams.length >= MAX_STREAMS)
  }

  #close(client: number): void {
    // Of clients that have nothing here few are remembered: they take room as well.
    if (this.#closed.has(client) || this.#closed.size >= MAX_STREAMS / 2) return
    this.#closed.add(client)
    this.#vector = undefined
  }

  #append({ client, sequence }: Place): void {
    this.#closed.delete(client)
    let index = this.#byClient.get(client)
    const isNew = index === undefined
    if (index === undefined) {
      index = this.#streams.push({ client, slots: new SlotList() }) - 1
      this.#byClient.set(client, index)
    }
    ;(this.#streams[index] as Stream).slots.push(sequence)
    this.#vector = undefined
    if (sequence >= this.#holders.length) this.#growHolders(sequence)
    const holder = this.#holders[sequence] as number
    if (holder === 0) this.#operations++
    else this.#copies += isNew ? NEW_CLIENT_WEIGHT : 1
    // Of entries that follow nothing, Yjs lets that of the greatest client stand.
    if (holder === 0 || (this.#streams[holder - 1] as Stream).client < client) this.#holders[sequence] = index + 1
  }

  #growHolders(sequence: number): void {
    const larger = new Uint32Array(Math.ceil((sequence + 1) * 1.5))
    larger.set(this.#holders)
    this.#holders = larger
  }

  #isTold(sequence: number): boolean {
    return ((this.#told[sequence >> 3] ?? 0) & (1 << (sequence & 7))) !== 0
  }

  #tell(sequence: number): void {
    if (sequence >> 3 >= this.#told.length) {
      const larger = new Uint8Array((this.#holders.length >> 3) + 1)
      larger.set(this.#told)
      this.#told = larger
    }
    this.#told[sequence >> 3] = (this.#told[sequence >> 3] as number) | (1 << (sequence & 7))
  }
}

function drawClientId(runtime: Pick<Runtime, 'randomBytes'>): number {
  const view = new DataView(runtime.randomBytes(8).buffer)
  return (view.getUint32(0) & 0x1f_ffff) * 2 ** 32 + view.getUint32(4)
}
