import {
  type Change,
  type ClusterId,
  type Conflict,
  compareOperations,
  createOperation,
  type Digest,
  Emitter,
  type FoldView,
  type Key,
  type Log,
  MakiError,
  type Member,
  type MemberKey,
  type Members,
  nextStamp,
  type Operation,
  type OperationId,
  type Preview,
  type Runtime,
  requireAnnounced,
  type Side,
  type Signer,
  type Stamp,
  type State,
  type StateDelta,
  verifySignature,
} from '../../core/index.ts'
import type { InventoryView, MergeReport, OperationStore, SignatureCheck, StoreDamage } from '../ports.ts'
import type { CheckpointOptions } from './checkpoints.ts'
import { checkHandedIn, stageHandedIn } from './handed-in.ts'
import { type Intake, Ledger, type LedgerEvents } from './ledger.ts'
import { readOperation } from './read-operation.ts'
import { incomplete, malformed, notPulled, requireDue } from './replica-errors.ts'
import { readHistory } from './replica-history.ts'
import { type ReplicaPage, readPage } from './replica-page.ts'
import { previewChanges } from './replica-preview.ts'
import { RoundQueue, type Staged } from './round-queue.ts'
import { explainOperation, type Standing } from './standing.ts'
import { type Arrival, type Verifying, verifyArrivals } from './verify.ts'

export interface ReplicaOptions {
  /** Stays the caller's, who closes it after the replica. */
  readonly store: OperationStore
  readonly cluster: ClusterId
  readonly runtime: Pick<Runtime, 'now' | 'after'>
  readonly log: Log
  /** Where the fold is kept for the next start; undefined: nowhere, and a start folds all again. */
  readonly checkpoint?: CheckpointOptions | undefined
  /** How the signatures of larger merges are checked. Default: here and at once, so that no thread decides the order. */
  readonly checkSignature?: SignatureCheck | undefined
}

export type ReplicaEvents = LedgerEvents

/** How many operations of a merge are stored and folded in one go. */
const MERGE_STEP = 500

/**
 * One live copy of the cluster's operations: on a node, or in an operator's profile. What it acknowledges is durable;
 * its state is the fold of all that it stored and that is due.
 */
export class Replica implements AsyncDisposable {
  readonly cluster: ClusterId
  readonly events = new Emitter<ReplicaEvents>()
  readonly #store: OperationStore
  readonly #runtime: ReplicaOptions['runtime']
  readonly #ledger: Ledger
  readonly #queue: RoundQueue
  readonly #verifying: Verifying
  #closed = false

  private constructor(options: ReplicaOptions) {
    this.cluster = options.cluster
    this.#store = options.store
    this.#runtime = options.runtime
    // A round that fails tells those who wrote in it.
    this.#ledger = new Ledger(options, this.events, () => void this.#queue.run(() => undefined).catch(() => {}))
    this.#queue = new RoundQueue((round) => this.#ledger.settle(round))
    this.#verifying = {
      cluster: options.cluster,
      has: (id) => this.has(id),
      read: (id) => this.#store.read(id),
      check: options.checkSignature ?? verifySignature,
    }
  }

  /** Loads and folds everything in the store. Throws MAKI_STORE_DAMAGED for a store of another cluster. */
  static async open(options: ReplicaOptions): Promise<Replica> {
    const replica = new Replica(options)
    await replica.#ledger.load()
    return replica
  }

  get fold(): FoldView {
    return this.#ledger.fold
  }

  get state(): State {
    return this.#ledger.fold.state
  }

  get inventory(): InventoryView {
    return this.#ledger.inventory
  }

  /** How many operations are stored. */
  get count(): number {
    return this.#ledger.inventory.size
  }

  /** True for a stored operation, folded or not. */
  has(id: OperationId): boolean {
    return this.#ledger.inventory.has(id)
  }

  digest = (): Digest => this.#ledger.fold.digest()

  /** The folded operations that no other folded one follows, in total order. */
  heads(): readonly { readonly id: OperationId; readonly stamp: Stamp }[] {
    return this.#ledger.fold.heads()
  }

  conflicts = (): readonly Conflict[] => this.#ledger.fold.conflicts()

  /** What stands side by side at a key, greatest first; as `frontier` of the fold. */
  frontier = (key: Key): readonly Side[] => this.#ledger.fold.frontier(key)

  /** The operation that the sides of a key have in common; as `mergeBase` of the fold. */
  mergeBase = (key: Key): OperationId | undefined => this.#ledger.fold.mergeBase(key)

  /** True when b descends from a; both are folded. */
  isAncestor = (a: OperationId, b: OperationId): boolean => this.#ledger.fold.isAncestor(a, b)

  voids(): readonly { readonly operation: OperationId; readonly reason: string }[] {
    return this.#ledger.fold.voids()
  }

  /** Folded operations of a newer schema than this code knows. */
  unknown = (): readonly OperationId[] => this.#ledger.fold.unknown()

  /** Operations that wait for heads that are not here. */
  pending = (): readonly OperationId[] => this.#ledger.pool.ids()

  /** Stored operations whose stamp lies too far ahead of the clock here, and what follows them. */
  held(): readonly OperationId[] {
    return this.#ledger.held.ids()
  }

  /** True for a key that was admitted and not removed. */
  isMember(key: MemberKey): boolean {
    return this.#ledger.fold.isMember(key)
  }

  /** Whoever was ever admitted, with its removals. */
  findMember(key: MemberKey): Member | undefined {
    return this.#ledger.fold.members.get(key)
  }

  /** Whoever was ever admitted, by key. */
  get members(): Members {
    return this.#ledger.fold.members
  }

  /** What an operation that `author` made here now would change about who belongs and what counts; nothing is written. */
  preview(author: MemberKey, changes: readonly Change[]): Preview {
    return previewChanges(this.#ledger, author, changes, this.#runtime.now())
  }

  /** The whole state as the delta that builds it from nothing. */
  snapshot(): StateDelta {
    return this.#ledger.fold.state.snapshot()
  }

  /** What an operation is to this replica. */
  explain(id: OperationId): Standing {
    return explainOperation(this.#ledger, id)
  }

  /**
   * Makes an operation here and resolves when it is durable and folded. It follows all that is folded, up to 16 heads.
   * Throws MAKI_NOT_FOUND before the cluster's first operation is here, MAKI_STORE_DAMAGED while what was lost may be
   * missing, MAKI_INVALID for malformed changes, MAKI_OPERATION_REFUSED for a stranger, or a clock too far behind.
   */
  commit(signer: Signer, changes: readonly Change[], message?: string): Promise<Operation> {
    return this.#run((stage) => {
      if (this.damaged !== undefined) throw incomplete(this.damaged)
      const followed = this.#ledger.tipsFor(signer.key, changes)
      if (followed.length === 0) throw notPulled(this.cluster)
      requireAnnounced(this.state, changes)
      const stamps = followed.map(({ stamp }) => stamp)
      const operation = createOperation(signer, this.cluster, {
        stamp: nextStamp(this.#runtime.now(), stamps),
        heads: followed.map(({ id }) => id),
        changes,
        ...(message === undefined ? {} : { message }),
      })
      if (operation.defect?.kind === 'malformed-change') throw malformed(operation.defect.index, operation.defect.fault)
      this.#ledger.check(operation)
      // What it follows was folded while the clock here was further ahead.
      requireDue(operation, this.#runtime.now())
      this.#ledger.stage(operation, stage, false)
      return operation
    })
  }

  /**
   * Takes operations that a client made elsewhere, all or none; resolves when all are durable. Throws
   * MAKI_OPERATION_INVALID, MAKI_OPERATION_REFUSED (a stranger's, or a stamp too far ahead), MAKI_CONFLICT (follows
   * what is not here). `prepare` is given those that are new once all would be taken; nothing is when it rejects.
   */
  async submit(
    operations: readonly Uint8Array[],
    prepare?: (fresh: readonly Operation[]) => Promise<void>,
  ): Promise<{ readonly accepted: readonly OperationId[]; readonly known: readonly OperationId[] }> {
    const verified = await verifyArrivals(
      operations.map((bytes) => ({ bytes })),
      this.#verifying,
    )
    const [fault] = verified.refused
    if (fault !== undefined) throw new MakiError('MAKI_OPERATION_INVALID', fault)
    if (prepare !== undefined) {
      await this.#run(() => checkHandedIn(this.#ledger, verified.operations, this.#runtime.now()))
      await prepare(verified.operations)
    }
    return await this.#run((stage) => {
      const { accepted, known } = stageHandedIn(this.#ledger, verified.operations, this.#runtime.now(), stage)
      return { accepted, known: [...verified.known, ...known] }
    })
  }

  /** Takes what a peer sent: stores all that is right, whatever else comes with it. Rejects only when the store fails. */
  merge(operations: readonly Uint8Array[], origin?: number): Promise<MergeReport> {
    const arrivals = operations.map((bytes) => ({ bytes }))
    return this.mergeArrivals(arrivals, origin)
  }

  /** As `merge`, for bytes that stood under an id. */
  async mergeArrivals(arrivals: readonly Arrival[], origin?: number): Promise<MergeReport> {
    const verified = await verifyArrivals(arrivals, this.#verifying)
    const operations = verified.operations.toSorted(compareOperations)
    const intake: Intake = { added: [], known: verified.known.length, waiting: [], refused: [...verified.refused] }
    // In steps, so that a large merge neither holds up other writers nor the process.
    for (let from = 0; from < operations.length || from === 0; from += MERGE_STEP) {
      const step = operations.slice(from, from + MERGE_STEP)
      await this.#run((stage) => this.#ledger.takeIn(step, stage, intake), origin)
    }
    const { added, known, waiting, refused } = intake
    return { added, known, missing: this.#ledger.pool.missing(waiting), refused, gap: false }
  }

  /** A stored operation; undefined when it is not here. */
  async read(id: OperationId): Promise<Operation | undefined> {
    const bytes = await this.#store.read(id)
    return bytes === undefined ? undefined : readOperation(bytes, this.cluster, { signatureChecked: true })
  }

  /** Bytes as they were stored, for passing on; undefined when the operation is not here. */
  readBytes(id: OperationId): Promise<Uint8Array | undefined> {
    return this.#store.read(id)
  }

  /** Of every stored operation, in order of arrival. */
  ids(): Iterable<OperationId> {
    return this.#ledger.inventory.ids()
  }

  /** At most `limit` stored operations in order of arrival, after a cursor of this store; else from the start. */
  page(after: string | undefined, limit: number): Promise<ReplicaPage> {
    return readPage(this.#store, after, limit)
  }

  /** Newest first in total order: every stored operation, or those counted that touch a key. As of the call. */
  history(key?: Key): AsyncGenerator<Operation, void, void> {
    return readHistory(this.#ledger, (id) => this.read(id), key)
  }

  /** What the store lost, until `markWhole`; nothing is signed here meanwhile. */
  get damaged(): StoreDamage | undefined {
    return this.#store.damaged
  }

  /** Lets this replica sign again after its store was damaged: its inventory was merged with that of a peer. */
  async markWhole(): Promise<void> {
    await this.#store.markWhole?.()
  }

  /** Waits for what is under way; nothing is taken after. The store stays open. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    await this.#queue.idle()
    await this.#ledger.close()
  }

  async #run<T>(plan: (stage: Staged[]) => T, origin?: number): Promise<T> {
    if (this.#closed) throw new MakiError('MAKI_STORE_FAILED', 'the replica is closed: nothing can be written')
    return await this.#queue.run(plan, origin)
  }
}
