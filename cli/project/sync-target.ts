import type { BlobHash, Change, Hostname, Key, Manifest, OperationId, Sealed, State } from '../../core/index.ts'
import type { NodeStatus, SameItem } from '../../edge/index.ts'

/** Seals what only nodes may know, and asks them what nobody here can tell. */
export interface SecretTarget {
  /** Throws MAKI_UNREACHABLE where nothing can be sealed without a node. */
  seal(purpose: string, value: Uint8Array): Promise<Sealed>
  /** For each item whether both boxes hold the same; undefined where no node can be asked. */
  same(items: readonly SameItem[]): Promise<readonly boolean[] | undefined>
}

/** Where a sync goes: a node through its control API or, offline, the local replica with its outbox. */
export interface SyncTarget {
  /** As of now; read again for every plan, so it may move on between two of them. */
  readonly state: State
  /**
   * What this project's `sync` last wrote to the key: the value of the greatest operation with this `via` that
   * touches it. Undefined where there is none, or where that operation removed the key or its domain.
   */
  lastWritten(key: Key, project: string): Promise<unknown | undefined>
  /**
   * The manifest of the release that is served there, all of whose files are therefore whole there; undefined where it is
   * another than that of `state`. A target without it is asked for every file.
   */
  readServed?(domain: Hostname): Promise<Manifest | undefined>
  /** Who holds the releases of a domain, since when and why, in words; undefined where nobody does. */
  describeHold?(domain: Hostname): Promise<string | undefined>
  /** The releases that a domain serves together, in words; undefined where it serves one, or none. */
  describeMerge?(domain: Hostname): Promise<string | undefined>
  /** Those of `hashes` that are not whole there. */
  missing(hashes: readonly BlobHash[]): Promise<readonly BlobHash[]>
  /** Takes a pack (`encodePack`); resolves with the number of blobs when all are durable. */
  putPack(pack: AsyncIterable<Uint8Array>): Promise<number>
  /** Resolves when the operation is durable. */
  submit(changes: readonly Change[], message: string): Promise<OperationId>
  /**
   * Hands over once more what waits, when the files that a node lacked are there. Resolves with the operation of the last
   * `submit`, undefined where there was none; throws as that does.
   */
  retry?(): Promise<OperationId | undefined>
  /** True for a domain whose release waits here though a node was reached: it may lack files of it. */
  waits?(domain: Hostname): boolean
  /**
   * True for a domain whose winning release the machine that is asked does not serve: it may lack files, which a new machine in the
   * place of lost ones does.
   */
  lacks?(domain: Hostname): boolean
  /** What secrets are sealed with; a target without it takes none. */
  readonly secrets?: SecretTarget
  /** What is known of the nodes now, then again whenever it changes, until the signal aborts. */
  nodes(signal: AbortSignal): AsyncIterable<readonly NodeStatus[]>
  /** True when the release that a node serves comes after the given one; a target without it waits for exactly that one. */
  isNewer?(active: OperationId, release: OperationId): boolean
}
