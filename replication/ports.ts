import type { MemberKey, OperationId } from '../core/index.ts'

/** An operation as it is kept and sent: its id and its bytes. */
export interface OperationRecord {
  readonly id: OperationId
  readonly bytes: Uint8Array
}

/**
 * Where operations are kept: append only, the truth. One conformance suite (`test/replication/store-conformance.ts`)
 * runs on every implementation.
 */
export interface OperationStore extends AsyncDisposable {
  /** Set when operations were lost to damage; stays over restarts until `markWhole`. Absent where nothing can be lost. */
  readonly damaged?: StoreDamage | undefined
  /** Forgets the damage: what was lost has been pulled again, or the owner decides to go on without it. */
  markWhole?(): Promise<void>
  /** Random name of this store, made when it is created; a cursor of another store means nothing here. */
  readonly id: string
  /** How many operations are kept; their sequence numbers are 0 to count - 1. */
  readonly count: number
  /**
   * Resolves when the records are durable (fsync), in the order given; calls that wait together share one fsync. Rejects
   * with MAKI_STORE_FAILED or MAKI_DISK_FULL; nothing of that call is then kept, and no later call succeeds. An id that
   * was passed before is the caller's mistake: that call alone rejects with MAKI_INTERNAL, and nothing of it is kept.
   */
  append(records: readonly OperationRecord[]): Promise<void>
  /** From sequence number `from` in order of arrival, at most `limit`. */
  list(from: number, limit: number): Promise<readonly OperationRecord[]>
  read(id: OperationId): Promise<Uint8Array | undefined>
  /** Sequence number of a kept operation, by which `list` finds it. */
  sequence(id: OperationId): number | undefined
  /** Waits for appends under way. Idempotent. */
  close(): Promise<void>
}

/**
 * Checks an Ed25519 signature: as `verifySignature` of core does, or elsewhere (`verifySignatureAside`), so that a node
 * that merges much still answers. Never rejects.
 */
export type SignatureCheck = (key: MemberKey, bytes: Uint8Array, signature: Uint8Array) => boolean | Promise<boolean>

/** What a look through a damaged store found; the damaged files are kept aside. */
export interface StoreDamage {
  /** The whole store was gone; nobody knows how many operations it held. */
  readonly gone?: true
  /** Operations that were read and are kept. */
  readonly readable: number
  /** How many are known to be gone; what is gone without a trace is not counted. */
  readonly lost: number
}

/** What came of operations that a peer sent. Bad ones never throw: they are counted and the link answers for them. */
export interface MergeReport {
  /** Stored now. */
  readonly added: readonly OperationId[]
  /** How many were here before. */
  readonly known: number
  /** Heads that are missing here, of operations that wait for them in memory. */
  readonly missing: readonly OperationId[]
  /** Faults of the sender: no operation, wrong signature, stranger's operation; with the reason. */
  readonly refused: readonly string[]
  /** A part of the update builds on what is not here and was not entered: ask for a sync step 1. */
  readonly gap: boolean
}

/** Names a set of ids by 256 buckets of (count, XOR of ids), bucket = first byte of the id. */
export interface InventoryView {
  /** 32-byte hash over the table; equal roots are equal sets. */
  root(): Uint8Array
  /** 256 entries of 4-byte big-endian count and 32-byte XOR, one after another. */
  table(): Uint8Array
  /** The ids in a bucket. */
  bucket(index: number): readonly OperationId[]
  /** The same as 32-byte values, one after another in no order. */
  bucketBytes(index: number): Uint8Array
}

/** What gossip sees of the replica. Queries are synchronous and pure; the two merges are durable when they resolve. */
export interface GossipReplica {
  readonly inventory: InventoryView
  has(id: OperationId): boolean
  /** Yjs state vector of the transport document. */
  stateVector(): Uint8Array
  /**
   * Yjs V1 updates of some megabyte each with what a peer at `stateVector` lacks at the moment of the call, to be merged
   * in their order; none when it lacks nothing. They are read when they are asked for. Throws MAKI_PROTOCOL, by the call
   * itself, when that is no state vector.
   */
  diff(stateVector: Uint8Array): AsyncGenerator<Uint8Array, void, void>
  /** Takes the operations out of a Yjs V1 update, verifies and stores them, then enters them into the document. */
  mergeUpdate(update: Uint8Array, origin?: number): Promise<MergeReport>
  mergeOperations(operations: readonly Uint8Array[], origin?: number): Promise<MergeReport>
  readOperations(ids: readonly OperationId[]): Promise<readonly Uint8Array[]>
  /**
   * Called with each Yjs update that peers have to hear of: after local commits and after every merge that added
   * something. `origin` is what was given to that merge (a link), so that nobody is told what it said.
   */
  onUpdate(listener: (update: Uint8Array, origin: number | undefined) => void): () => void
}
