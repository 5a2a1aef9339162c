import {
  asMakiError,
  type Change,
  type ClusterId,
  type Emitter,
  Fold,
  type Log,
  MakiError,
  type MemberKey,
  type Operation,
  type OperationId,
  type Runtime,
  type Stamp,
  type StateDelta,
} from '../../core/index.ts'
import type { OperationRecord, OperationStore } from '../ports.ts'
import { type CheckpointOptions, Checkpoints } from './checkpoints.ts'
import { HeldOperations } from './held-operations.ts'
import { Inventory } from './inventory.ts'
import { PendingPool } from './pending-pool.ts'
import { readOperation } from './read-operation.ts'
import type { Round, Staged } from './round-queue.ts'
import { mergeDeltas } from './state-deltas.ts'
import { chooseTips, type Tip } from './tips.ts'

export interface LedgerEvents {
  /** Operations became durable here, by one call; `origin` is what was given to it. Before they are folded. */
  stored: { readonly operations: readonly Operation[]; readonly origin: number | undefined }
  /** The state took these operations in; `delta` is all that they changed. */
  change: { readonly operations: readonly Operation[]; readonly delta: StateDelta }
}

interface LedgerOptions {
  readonly store: OperationStore
  readonly cluster: ClusterId
  readonly runtime: Pick<Runtime, 'now' | 'after'>
  readonly log: Log
  /** Where the fold is kept for the next start; undefined: nowhere. */
  readonly checkpoint?: CheckpointOptions | undefined
}

/** What became of operations from a peer, added up over the steps of a merge. */
export interface Intake {
  readonly added: OperationId[]
  /** How many were here before. */
  known: number
  /** Those that wait for heads now. */
  readonly waiting: OperationId[]
  readonly refused: string[]
}

const NONE: ReadonlyMap<number, OperationId> = new Map()
/** How many records are read from the store at a time on load. */
const LOAD_STEP = 1000

/**
 * The operations that are stored, and how far they are folded. Takes operations in rounds: staged one after another,
 * each after all of its heads, then durable together, then folded.
 */
export class Ledger {
  /** Set once more by `load`, where there is a checkpoint. */
  fold = new Fold()
  /** Of every stored operation, in order of arrival. */
  readonly inventory = new Inventory()
  readonly pool = new PendingPool()
  readonly held: HeldOperations
  readonly #options: LedgerOptions
  readonly #events: Emitter<LedgerEvents>
  readonly #checkpoints: Checkpoints | undefined
  /** Checked as one of several that are handed in together; not staged yet. */
  readonly #reserved = new Map<OperationId, Operation>()
  /** In the present round: stored and folded, or held, when that is settled. */
  readonly #staged = new Map<OperationId, Operation>()
  /** What can be followed although it is not folded: reserved, staged or held. */
  readonly #unfolded = {
    get: (id: OperationId) => this.#reserved.get(id) ?? this.#staged.get(id) ?? this.held.get(id),
  }
  /** What a new operation follows: the fold's heads, with what this round staged. */
  #tips: Map<OperationId, Stamp> | undefined

  /** `onDue` is called when held operations may have become due; a settled round then folds them. */
  constructor(options: LedgerOptions, events: Emitter<LedgerEvents>, onDue: () => void) {
    this.#options = options
    this.#events = events
    this.held = new HeldOperations(options.runtime, onDue)
    this.#checkpoints = options.checkpoint && new Checkpoints(options.checkpoint, options)
  }

  /** Takes in everything that the store holds. Throws MAKI_STORE_DAMAGED when that is not of this cluster. */
  async load(): Promise<void> {
    const { store } = this.#options
    const { fold, arrivals: folded } = (await this.#checkpoints?.load()) ?? { fold: this.fold, arrivals: NONE }
    this.fold = fold
    for (let sequence = 0; sequence < store.count; ) {
      const id = folded.get(sequence)
      if (id === undefined) {
        const from = sequence++
        while (sequence < store.count && sequence - from < LOAD_STEP && !folded.has(sequence)) sequence++
        this.#loadRecords(await store.list(from, sequence - from))
      } else {
        this.inventory.add(id)
        sequence++
      }
    }
    this.#tips = undefined
    this.#checkpoints?.consider(this.fold)
  }

  /** Waits for a checkpoint that is being written, and stops the timer. */
  async close(): Promise<void> {
    this.held.close()
    await this.#checkpoints?.idle()
  }

  #loadRecords(records: readonly OperationRecord[]): void {
    const staged: Staged[] = []
    for (const record of records) {
      const operation = this.#restore(record)
      this.inventory.add(operation.id)
      const missing = this.missingHeads(operation)
      if (missing.length === 0) this.stage(operation, staged, true)
      else this.pool.add(operation, missing, true)
    }
    this.#foldDue(staged.map(({ operation }) => operation))
  }

  isHere(id: OperationId): boolean {
    return this.inventory.has(id) || this.#unfolded.get(id) !== undefined
  }

  missingHeads(operation: Operation): OperationId[] {
    return operation.heads.filter((head) => !this.fold.has(head) && this.#unfolded.get(head) === undefined)
  }

  /** Throws MAKI_OPERATION_REFUSED for an operation, none of whose heads is missing, that no replica may take. */
  check(operation: Operation): void {
    this.fold.check(operation, this.#unfolded)
  }

  /** As `check`, as words instead of an error; undefined for an operation that passes. */
  findFault(operation: Operation): string | undefined {
    try {
      this.check(operation)
      return undefined
    } catch (error) {
      return asMakiError(error).message
    }
  }

  /** What an operation of `author` with these changes follows when it is made now; see `chooseTips`. */
  tipsFor(author: MemberKey, changes: readonly Change[]): readonly Tip[] {
    const tips = Array.from(this.#openTips(), ([id, stamp]) => ({ id, stamp }))
    return chooseTips(tips, { fold: this.fold, unfolded: this.#unfolded }, author, changes)
  }

  /** Lets others be checked as followers of this one before it is staged. */
  reserve(operation: Operation): void {
    this.#reserved.set(operation.id, operation)
  }

  release(operation: Operation): void {
    this.#reserved.delete(operation.id)
  }

  /** Puts a checked operation into the round, and what waited for it. */
  stage(operation: Operation, staged: Staged[], stored: boolean): void {
    const queue: Staged[] = [{ operation, stored }]
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { id, heads, stamp } = next.operation
      const fault = next.stored || next.operation === operation ? undefined : this.findFault(next.operation)
      if (fault !== undefined) {
        this.#options.log.warn('operation.refused', { operation: id, fault })
        continue
      }
      this.#reserved.delete(id)
      this.#staged.set(id, next.operation)
      staged.push(next)
      if (!this.held.mustWait(next.operation)) {
        const tips = this.#openTips()
        for (const head of heads) tips.delete(head)
        tips.set(id, stamp)
      }
      queue.push(...this.pool.take(id))
    }
  }

  /** Puts reserved operations into the round, each once: a peer may have sent some of them before, without their heads. */
  stageAll(operations: readonly Operation[], staged: Staged[]): void {
    for (const { id } of operations) this.pool.drop(id)
    for (const operation of operations) this.stage(operation, staged, false)
  }

  /** Stages what can be, in total order; lets the rest wait for its heads, or refuses it. */
  takeIn(operations: readonly Operation[], staged: Staged[], intake: Intake): void {
    for (const operation of operations) {
      const missing = this.missingHeads(operation)
      if (this.isHere(operation.id)) intake.known++
      else if (missing.length > 0) {
        this.pool.add(operation, missing)
        intake.waiting.push(operation.id)
      } else {
        const fault = this.findFault(operation)
        if (fault === undefined) this.stage(operation, staged, false)
        else intake.refused.push(fault)
      }
    }
    for (const { operation, stored } of staged) if (!stored) intake.added.push(operation.id)
  }

  /** Makes a round durable, tells of it, and folds what is due. When the store fails, nothing of the round stays. */
  async settle(round: Round): Promise<void> {
    const staged = round.jobs.flatMap((job) => job.staged)
    const fresh = staged.filter(({ stored }) => !stored).map(({ operation }) => operation)
    try {
      if (fresh.length > 0) await this.#options.store.append(fresh)
    } catch (error) {
      for (const { id } of fresh) this.#staged.delete(id)
      throw error
    } finally {
      this.#tips = undefined
    }
    for (const { id } of fresh) this.inventory.add(id)
    try {
      for (const job of round.jobs) {
        const operations = job.staged.filter(({ stored }) => !stored).map(({ operation }) => operation)
        if (operations.length > 0) this.#events.emit('stored', { operations, origin: job.origin })
      }
    } finally {
      // Also when a listener throws: what is stored and not folded would let nothing follow it.
      const change = this.#foldDue(staged.map(({ operation }) => operation))
      if (change.operations.length > 0) this.#events.emit('change', change)
      this.#checkpoints?.consider(this.fold)
    }
  }

  #foldDue(arrived: readonly Operation[]): LedgerEvents['change'] {
    const operations: Operation[] = []
    const deltas: StateDelta[] = []
    for (const operation of [...this.held.takeDue(), ...arrived]) {
      this.#staged.delete(operation.id)
      if (this.held.mustWait(operation)) {
        this.held.add(operation)
        continue
      }
      deltas.push(this.fold.add(operation))
      operations.push(operation)
    }
    this.held.schedule()
    return { operations, delta: mergeDeltas(deltas) }
  }

  #openTips(): Map<OperationId, Stamp> {
    this.#tips ??= new Map(this.fold.heads().map(({ id, stamp }) => [id, stamp]))
    return this.#tips
  }

  #restore({ id, bytes }: OperationRecord): Operation {
    try {
      const operation = readOperation(bytes, this.#options.cluster, { signatureChecked: true })
      if (operation.id === id) return operation
    } catch (cause) {
      throw foreign(id, this.#options.cluster, cause)
    }
    throw foreign(id, this.#options.cluster)
  }
}

function foreign(id: OperationId, cluster: ClusterId, cause?: unknown): MakiError {
  return new MakiError('MAKI_STORE_DAMAGED', `the store holds ${id}, which is no operation of cluster ${cluster}`, {
    cause,
    hint: 'Check that the data directory belongs to this cluster.',
  })
}
