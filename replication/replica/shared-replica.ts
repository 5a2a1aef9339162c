import { asMakiError, type Log, type Operation, type OperationId, type Runtime } from '../../core/index.ts'
import type { GossipReplica, InventoryView, MergeReport, OperationStore } from '../ports.ts'
import { CopyAllowance } from './copy-allowance.ts'
import { Document, type Entered, type Place } from './document.ts'
import { readDiff, readPlaces } from './document-diff.ts'
import { DocumentLog } from './document-log.ts'
import { LateEntries } from './late-entries.ts'
import { Replica, type ReplicaOptions } from './replica.ts'
import { Turns } from './turns.ts'
import { parseStateVector, parseUpdate, type ReadUpdate } from './update-reader.ts'
import { encodeInParts, type FilledSlot, type Slot } from './update-writer.ts'
import { WaitingSlots } from './waiting-slots.ts'

export interface SharedReplicaOptions extends ReplicaOptions {
  readonly runtime: Runtime
  /** File with the document's index; it can be lost at any time. Undefined: in memory only. */
  readonly index: string | undefined
  /** Opened with the same options before, and closed with the shared replica; otherwise it is opened here. */
  readonly replica?: Replica | undefined
}

/** As many operations without a slot are looked after on start: the last ones before a crash. More are a lost index. */
const MAX_ENTERED_ON_START = 1024

type UpdateListener = (update: Uint8Array, origin: number | undefined) => void

/** What peers did to entries of the document; told, never undone. */
export interface DocumentFaults {
  readonly deleted: number
  readonly replaced: number
}

/**
 * A node's replica: the operations with the Yjs document that carries them between nodes. The bytes are in the store
 * alone; the document is an index of it.
 */
export class SharedReplica implements GossipReplica, AsyncDisposable {
  readonly replica: Replica
  readonly #document: Document
  readonly #store: OperationStore
  readonly #log: Log
  readonly #listeners = new Set<UpdateListener>()
  /** Operations of updates that are being stored; the update itself will bring them into the document. */
  readonly #arriving = new Map<OperationId, number>()
  /** Updates of one link build on one another: they are entered in the order in which they came. */
  readonly #turns = new Turns()
  readonly #copies = new CopyAllowance()
  readonly #waiting = new WaitingSlots()
  readonly #late: LateEntries
  readonly #unsubscribe: () => void
  #file: DocumentLog | undefined
  #faults: DocumentFaults = { deleted: 0, replaced: 0 }

  private constructor(replica: Replica, { store, runtime, log }: SharedReplicaOptions) {
    this.replica = replica
    this.#store = store
    this.#log = log
    this.#document = new Document(runtime)
    this.#late = new LateEntries(runtime, (sequences) => this.#putLate(sequences))
    this.#unsubscribe = replica.events.on('stored', ({ operations, origin }) => this.#publish(operations, origin))
  }

  /**
   * Opens the replica and the document's index. Where that is lost, the operations stay without a slot: peers tell
   * theirs in a sync, and what none of them has travels by id. Few operations without a slot, as those of a seed file or
   * the last before a crash, are entered here when no peer does it for a while.
   */
  static async open(options: SharedReplicaOptions): Promise<SharedReplica> {
    const shared = new SharedReplica(options.replica ?? (await Replica.open(options)), options)
    try {
      await shared.#load(options.index)
      return shared
    } catch (error) {
      await shared[Symbol.asyncDispose]()
      throw error
    }
  }

  get inventory(): InventoryView {
    return this.replica.inventory
  }

  get documentFaults(): DocumentFaults {
    return this.#faults
  }

  has(id: OperationId): boolean {
    return this.replica.has(id)
  }

  stateVector(): Uint8Array {
    return this.#document.stateVector()
  }

  diff(stateVector: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
    const lacking = this.#document.lacking(parseStateVector(stateVector))
    this.#late.meet()
    return readDiff(this.#document, lacking, this.#store)
  }

  /** As the port says. A stream of the document ends before the first entry whose operation is not stored. */
  async mergeUpdate(update: Uint8Array, origin?: number): Promise<MergeReport> {
    let read: ReadUpdate
    try {
      read = parseUpdate(update)
    } catch (error) {
      return { added: [], known: 0, missing: [], refused: [asMakiError(error).message], gap: false }
    }
    // What stands under a known id is never looked at: its bytes are read from the store when they are passed on.
    const fresh = read.slots.filter(({ id }) => !this.replica.has(id))
    const known = read.slots.length - fresh.length
    const arrivals = fresh.flatMap(({ id, bytes }) => (bytes === undefined ? [] : [{ bytes, claimed: id }]))
    for (const { claimed } of arrivals) this.#arriving.set(claimed, (this.#arriving.get(claimed) ?? 0) + 1)
    const turn = this.#turns.take(origin)
    try {
      const merged = await this.replica.mergeArrivals(arrivals, origin)
      const report = { ...merged, known: merged.known + known }
      await turn.come
      const refused = [...read.foreign, ...report.refused]
      if (origin !== undefined && this.#copies.isSpent(origin, this.#store.count)) refused.push(TOO_MANY_COPIES)
      if (refused.length > 0) return { ...report, refused }
      const { foreign, gap } = await this.#enter(read, origin, known === 0 ? update : undefined)
      return { ...report, refused: foreign, gap }
    } finally {
      turn.end()
      for (const { claimed } of arrivals) {
        const times = this.#arriving.get(claimed) ?? 1
        if (times === 1) this.#arriving.delete(claimed)
        else this.#arriving.set(claimed, times - 1)
      }
    }
  }

  mergeOperations(operations: readonly Uint8Array[], origin?: number): Promise<MergeReport> {
    return this.replica.merge(operations, origin)
  }

  async readOperations(ids: readonly OperationId[]): Promise<readonly Uint8Array[]> {
    const found: Uint8Array[] = []
    for (const id of ids) {
      const bytes = await this.replica.readBytes(id)
      if (bytes !== undefined) found.push(bytes)
    }
    return found
  }

  onUpdate(listener: UpdateListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Waits for what is under way. The store stays open. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#late.close()
    await this.replica[Symbol.asyncDispose]()
    this.#unsubscribe()
    await this.#turns.idle()
    await this.#file?.idle()
  }

  /** Enters what is stored, tells of it, and of what should not be in it. `verified` is the update if all of it is. */
  async #enter(read: ReadUpdate, origin: number | undefined, verified: Uint8Array | undefined): Promise<Entered> {
    const entered = this.#document.enter(read.slots, (id) => this.#store.sequence(id))
    const { copies, replaced } = entered
    for (const slot of read.slots) if (this.#mayWait(slot)) this.#waiting.add(slot)
    const taken = [...entered.taken, ...this.#enterWaiting(new Set(entered.taken.map(({ client }) => client)))]
    this.#file?.append(taken)
    if (origin !== undefined) this.#copies.note(origin, copies)
    const deleted = this.#document.noteDeleted(read.deleted)
    if (deleted.length > 0 || replaced.length > 0) {
      const { deleted: before, replaced: replacedBefore } = this.#faults
      this.#faults = { deleted: before + deleted.length, replaced: replacedBefore + replaced.length }
      this.#log.warn('document.fault', { origin, deleted: deleted.length, replaced: replaced.length })
    }
    if (taken.length === 0) return entered
    const isWhole = entered.taken.length === read.slots.length && taken.length === read.slots.length
    const isPlain = read.deleted.length === 0 && read.slots.every(({ bytes }) => bytes !== undefined)
    if (verified !== undefined && isWhole && isPlain) this.#emit(verified, origin)
    else await this.#emitPlaces(taken, origin)
    return entered
  }

  /** Puts into the document what was made or handed in here, and what waited for it; the rest can wait for a peer's slot. */
  #publish(operations: readonly Operation[], origin: number | undefined): void {
    const bySequence = new Map<number, Operation>()
    const late = new Set<number>()
    const others: number[] = []
    for (const operation of operations) {
      const sequence = this.#store.sequence(operation.id)
      if (sequence === undefined) continue
      const isArriving = this.#arriving.has(operation.id)
      const slot = isArriving ? undefined : this.#waiting.find(operation.id)
      if (slot !== undefined) late.add(slot.client)
      if (origin === undefined && !isArriving && slot === undefined) bySequence.set(sequence, operation)
      else others.push(sequence)
    }
    this.#late.add(others)
    const places = this.#document.put([...bySequence.keys()])
    this.#file?.append(places)
    const slots = places.map(({ client, clock, sequence }): FilledSlot => {
      const { id, bytes } = bySequence.get(sequence) as Operation
      return { client, clock, id, bytes }
    })
    for (const update of encodeInParts(slots)) this.#emit(update, origin)
    if (late.size > 0) this.#tell(this.#enterWaiting(late), origin)
  }

  /** Gives a slot of ours to what no peer gave one. */
  #putLate(sequences: readonly number[]): void {
    const places = this.#document.put(sequences)
    if (places.length > 0) this.#log.debug('document.entered-late', { operations: places.length })
    this.#tell(places, undefined)
  }

  /** Only what was verified: else a peer could keep an operation that is not here yet from being entered. */
  #mayWait({ client, clock, id }: Slot): boolean {
    if (clock < this.#document.clock(client)) return false
    return this.#store.sequence(id) !== undefined || this.replica.explain(id).status === 'pending'
  }

  /** Enters what waited to follow in the streams of these clients. */
  #enterWaiting(clients: Iterable<number>): Place[] {
    const places: Place[] = []
    for (const client of clients) {
      for (;;) {
        const slot = this.#waiting.take(client, this.#document.clock(client))
        if (slot === undefined) break
        const { taken } = this.#document.enter([{ ...slot, bytes: undefined }], (id) => this.#store.sequence(id))
        if (taken.length === 0) {
          this.#waiting.add(slot)
          break
        }
        places.push(...taken)
      }
    }
    return places
  }

  #tell(places: readonly Place[], origin: number | undefined): void {
    this.#file?.append(places)
    const turn = this.#turns.take(origin)
    this.#emitPlaces(places, origin)
      .catch((error: unknown) => this.#log.warn('document.unread', { error: asMakiError(error) }))
      .finally(() => turn.end())
  }

  async #emitPlaces(places: readonly Place[], origin: number | undefined): Promise<void> {
    const slots: FilledSlot[] = []
    for await (const slot of readPlaces(places, this.#store)) slots.push(slot)
    for (const update of encodeInParts(slots)) this.#emit(update, origin)
  }

  #emit(update: Uint8Array, origin: number | undefined): void {
    for (const listener of [...this.#listeners]) listener(update, origin)
  }

  async #load(path: string | undefined): Promise<void> {
    const document = this.#document
    const { id, count } = this.#store
    if (path !== undefined) await this.#loadFile(path, id, count)
    const lacking: number[] = []
    for (let sequence = 0; sequence < count && lacking.length <= MAX_ENTERED_ON_START; sequence++)
      if (!document.has(sequence)) lacking.push(sequence)
    if (lacking.length <= MAX_ENTERED_ON_START) this.#late.add(lacking)
    else this.#log.warn('document.incomplete', { operations: count - document.size })
  }

  async #loadFile(path: string, storeId: string, count: number): Promise<void> {
    const failed = (error: unknown) => this.#log.warn('document.index.failed', { error: asMakiError(error) })
    const restore = (place: Place) => place.sequence < count && this.#document.restore(place)
    try {
      const { log, found } = await DocumentLog.open(path, storeId, restore, failed)
      this.#file = log
      if (!found && count > 0) this.#log.info('document.index.lost', { operations: count })
    } catch (error) {
      failed(error)
    }
  }
}

const TOO_MANY_COPIES = 'more copies of operations than a member makes'
