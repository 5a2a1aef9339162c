import type { Operation, OperationId } from '../../core/index.ts'

/** Signed by whoever, so bounded: more than a long partition leaves in one update, less than a node misses in memory. */
export const MAX_PENDING_OPERATIONS = 10_000
export const MAX_PENDING_BYTES = 32 * 1024 * 1024

interface Waiting {
  readonly operation: Operation
  /** Kept in the store already (its heads were lost to damage): neither bounded nor stored again. */
  readonly stored: boolean
  readonly missing: Set<OperationId>
}

/**
 * Operations that wait for heads that are not here. The oldest that are not stored make room for newer ones: a peer's
 * inventory brings them again.
 */
export class PendingPool {
  readonly #waiting = new Map<OperationId, Waiting>()
  readonly #followers = new Map<OperationId, Set<OperationId>>()
  /** In order of arrival. */
  readonly #bounded = new Set<OperationId>()
  readonly #limits: { readonly operations: number; readonly bytes: number }
  #sizeBytes = 0
  #evicted = 0

  constructor(limits = { operations: MAX_PENDING_OPERATIONS, bytes: MAX_PENDING_BYTES }) {
    this.#limits = limits
  }

  /** How many were dropped to make room, ever. */
  get evicted(): number {
    return this.#evicted
  }

  has(id: OperationId): boolean {
    return this.#waiting.has(id)
  }

  get(id: OperationId): Operation | undefined {
    return this.#waiting.get(id)?.operation
  }

  ids(): readonly OperationId[] {
    return [...this.#waiting.keys()]
  }

  /** Lets an operation wait for `missing`, at least one of its heads. */
  add(operation: Operation, missing: readonly OperationId[], stored = false): void {
    if (this.#waiting.has(operation.id)) return
    this.#waiting.set(operation.id, { operation, stored, missing: new Set(missing) })
    for (const head of missing) {
      const followers = this.#followers.get(head)
      if (followers === undefined) this.#followers.set(head, new Set([operation.id]))
      else followers.add(operation.id)
    }
    if (stored) return
    this.#bounded.add(operation.id)
    this.#sizeBytes += operation.bytes.length
    this.#evict()
  }

  /** Forgets an operation that came another way, with all of its heads. */
  drop(id: OperationId): void {
    const waiting = this.#waiting.get(id)
    if (waiting !== undefined) this.#forget(waiting)
  }

  /** Takes out what waited for nothing but this head. */
  take(head: OperationId): readonly { readonly operation: Operation; readonly stored: boolean }[] {
    const ready: Waiting[] = []
    for (const id of this.#followers.get(head) ?? []) {
      const waiting = this.#waiting.get(id)
      if (waiting === undefined) continue
      waiting.missing.delete(head)
      if (waiting.missing.size > 0) continue
      this.#remove(waiting)
      ready.push(waiting)
    }
    this.#followers.delete(head)
    return ready
  }

  /** The heads that these operations, or those that they wait for in turn, need from elsewhere. */
  missing(ids: Iterable<OperationId>): readonly OperationId[] {
    const absent = new Set<OperationId>()
    const seen = new Set<OperationId>()
    const queue = [...ids]
    for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
      if (seen.has(id)) continue
      seen.add(id)
      for (const head of this.#waiting.get(id)?.missing ?? []) {
        if (this.#waiting.has(head)) queue.push(head)
        else absent.add(head)
      }
    }
    return [...absent]
  }

  #evict(): void {
    for (const id of this.#bounded) {
      if (this.#bounded.size <= this.#limits.operations && this.#sizeBytes <= this.#limits.bytes) return
      const oldest = this.#waiting.get(id)
      if (oldest === undefined) continue
      this.#forget(oldest)
      this.#evicted++
    }
  }

  #forget(waiting: Waiting): void {
    this.#remove(waiting)
    for (const head of waiting.missing) {
      const followers = this.#followers.get(head)
      followers?.delete(waiting.operation.id)
      if (followers?.size === 0) this.#followers.delete(head)
    }
  }

  #remove({ operation, stored }: Waiting): void {
    this.#waiting.delete(operation.id)
    if (stored) return
    this.#bounded.delete(operation.id)
    this.#sizeBytes -= operation.bytes.length
  }
}
