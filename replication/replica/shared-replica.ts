import { asMakiError, type Log, MakiError, type Operation, type OperationId, type Runtime } from '../../core/index.ts'
import type { GossipReplica, InventoryView, MergeReport, OperationRecord } from '../ports.ts'
import type { Document, Inspection } from './document.ts'
import { readSnapshot, writeSnapshot } from './document-file.ts'
import { Replica, type ReplicaOptions } from './replica.ts'

export interface SharedReplicaOptions extends ReplicaOptions {
  readonly runtime: Runtime
  /** Where the document's snapshot lies; it can be lost at any time. Undefined: in memory only. */
  readonly snapshot: string | undefined
}

/** A snapshot is written when so many operations, or this part of all, came since the last. */
const SNAPSHOT_MIN_OPERATIONS = 256
const SNAPSHOT_PART = 0.05
/** Put into the document in one transaction on start. */
const PUT_STEP = 1000

type UpdateListener = (update: Uint8Array, origin: number | undefined) => void

/** What peers did to entries of the document; told, never undone. */
export interface DocumentFaults {
  readonly deleted: number
  readonly replaced: number
}

/** A node's replica: the operations with the Yjs document that carries them between nodes. */
export class SharedReplica implements GossipReplica, AsyncDisposable {
  readonly replica: Replica
  readonly #document: Document
  readonly #snapshot: string | undefined
  readonly #log: Log
  readonly #listeners = new Set<UpdateListener>()
  /** Operations of updates that are being stored; the update itself will bring them into the document. */
  readonly #arriving = new Map<OperationId, number>()
  #faults: DocumentFaults = { deleted: 0, replaced: 0 }
  #countAtSnapshot = 0
  #writing: Promise<void> | undefined
  #unsubscribe: () => void

  private constructor(replica: Replica, document: Document, { snapshot, log }: SharedReplicaOptions) {
    this.replica = replica
    this.#document = document
    this.#snapshot = snapshot
    this.#log = log
    this.#unsubscribe = replica.events.on('stored', ({ operations, origin }) => this.#publish(operations, origin))
  }

  /** Opens the replica and loads the document; a document that is missing or broken is built from the store. */
  static async open(options: SharedReplicaOptions): Promise<SharedReplica> {
    // Yjs is loaded where a node runs: commands, which import this folder too, do without it.
    const { Document } = await import('./document.ts')
    const replica = await Replica.open(options)
    const document = new Document(options.runtime)
    const shared = new SharedReplica(replica, document, options)
    try {
      await shared.#load()
      return shared
    } catch (error) {
      shared.#unsubscribe()
      await replica[Symbol.asyncDispose]()
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

  diff(stateVector: Uint8Array): Uint8Array {
    return this.#document.diff(stateVector)
  }

  async mergeUpdate(update: Uint8Array, origin?: number): Promise<MergeReport> {
    let inspection: Inspection
    try {
      inspection = this.#document.inspect(update)
    } catch (error) {
      return { added: [], known: 0, missing: [], refused: [asMakiError(error).message], gap: false }
    }
    const ids = inspection.entries.map(({ id }) => id)
    for (const id of ids) this.#arriving.set(id, (this.#arriving.get(id) ?? 0) + 1)
    try {
      const arrivals = inspection.entries.map(({ id, bytes }) => ({ bytes, claimed: id }))
      const report = await this.replica.mergeArrivals(arrivals, origin)
      const refused = [...inspection.foreign, ...report.refused]
      if (refused.length > 0) return { ...report, refused }
      // The document only ever holds what is stored, and so has passed every check: what waits comes again in a sync step.
      if (!ids.every((id) => this.replica.has(id))) return { ...report, gap: true }
      return this.#apply(update, report, origin)
    } finally {
      for (const id of ids) {
        const times = this.#arriving.get(id) ?? 1
        if (times === 1) this.#arriving.delete(id)
        else this.#arriving.set(id, times - 1)
      }
      this.#considerSnapshot()
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

  /** Waits for what is under way and writes the snapshot. The store stays open. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.replica[Symbol.asyncDispose]()
    this.#unsubscribe()
    await this.#writing
    if (this.replica.count !== this.#countAtSnapshot) await this.#writeSnapshot()
  }

  #apply(update: Uint8Array, report: MergeReport, origin: number | undefined): MergeReport {
    try {
      const { outcome, advanced, deleted, replaced } = this.#document.apply(update)
      if (deleted.length > 0 || replaced.length > 0) {
        const { deleted: before, replaced: replacedBefore } = this.#faults
        this.#faults = { deleted: before + deleted.length, replaced: replacedBefore + replaced.length }
        this.#log.warn('document.fault', { origin, deleted: deleted.length, replaced: replaced.length })
      }
      if (advanced && outcome === 'applied') this.#emit(update, origin)
      return { ...report, gap: outcome === 'gap' }
    } catch (error) {
      return { ...report, refused: [asMakiError(error).message] }
    }
  }

  /** Puts into the document what came by another way than an update. */
  #publish(operations: readonly Operation[], origin: number | undefined): void {
    const update = this.#document.put(operations.filter(({ id }) => !this.#arriving.has(id)))
    if (update !== undefined) this.#emit(update, origin)
    this.#considerSnapshot()
  }

  #considerSnapshot(): void {
    // What is arriving is stored but not in the document yet.
    if (this.#snapshot === undefined || this.#arriving.size > 0) return
    const added = this.replica.count - this.#countAtSnapshot
    if (added < Math.max(SNAPSHOT_MIN_OPERATIONS, this.replica.count * SNAPSHOT_PART)) return
    this.#writing ??= this.#writeSnapshot().finally(() => {
      this.#writing = undefined
    })
  }

  #emit(update: Uint8Array, origin: number | undefined): void {
    for (const listener of [...this.#listeners]) listener(update, origin)
  }

  async #load(): Promise<void> {
    const snapshot = this.#snapshot === undefined ? undefined : await readSnapshot(this.#snapshot)
    if (snapshot !== undefined) await this.#loadSnapshot(snapshot)
    this.#countAtSnapshot = this.#document.size
    const lacking = [...this.replica.ids()].filter((id) => !this.#document.has(id))
    for (let from = 0; from < lacking.length; from += PUT_STEP) {
      const records: OperationRecord[] = []
      for (const id of lacking.slice(from, from + PUT_STEP)) {
        const bytes = await this.replica.readBytes(id)
        if (bytes !== undefined) records.push({ id, bytes })
      }
      this.#document.put(records)
    }
  }

  /** Taken in as from a peer: what the store lost to damage comes back from it. */
  async #loadSnapshot(snapshot: Uint8Array): Promise<void> {
    try {
      const { entries, foreign } = this.#document.inspect(snapshot)
      if (foreign[0] !== undefined) throw new MakiError('MAKI_PROTOCOL', `the snapshot holds ${foreign[0]}`)
      this.#document.apply(snapshot)
      const unknown = entries.filter(({ id }) => !this.replica.has(id))
      if (unknown.length === 0) return
      const { added, refused } = await this.replica.mergeArrivals(
        unknown.map(({ id, bytes }) => ({ bytes, claimed: id })),
      )
      this.#log.warn('document.recovered', { added: added.length, refused: refused.length })
    } catch (error) {
      this.#log.warn('document.rebuilt', { error: asMakiError(error) })
    }
  }

  async #writeSnapshot(): Promise<void> {
    if (this.#snapshot === undefined) return
    const count = this.replica.count
    try {
      await writeSnapshot(this.#snapshot, this.#document.snapshot())
      this.#countAtSnapshot = count
    } catch (error) {
      this.#log.warn('document.snapshot.failed', { error })
    }
  }
}
