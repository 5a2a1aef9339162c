import {
  type Cancel,
  compareOperations,
  MAX_STAMP_AHEAD_MS,
  type Operation,
  type OperationId,
  type Runtime,
} from '../core/index.ts'

/** The wall clock may be set at any time, which no timer notices: looked at again at least this often. */
const MAX_DELAY_MS = 60_000

/** Stored operations whose stamp lies too far ahead of the clock here, and what follows them (DESIGN section 3, Clock). */
export class HeldOperations {
  readonly #operations = new Map<OperationId, Operation>()
  readonly #runtime: Pick<Runtime, 'now' | 'after'>
  readonly #onDue: () => void
  #cancel: Cancel | undefined

  /** `onDue` is called once after `schedule`, when the first of them may be due. */
  constructor(runtime: Pick<Runtime, 'now' | 'after'>, onDue: () => void) {
    this.#runtime = runtime
    this.#onDue = onDue
  }

  has(id: OperationId): boolean {
    return this.#operations.has(id)
  }

  ids(): readonly OperationId[] {
    return [...this.#operations.keys()]
  }

  add(operation: Operation): void {
    this.#operations.set(operation.id, operation)
  }

  /** True for an operation that is not due yet, or follows one that is held. */
  mustWait({ stamp, heads }: Operation): boolean {
    return stamp.wallMs > this.#runtime.now() + MAX_STAMP_AHEAD_MS || heads.some((head) => this.#operations.has(head))
  }

  /** All of them, heads before followers, to be judged anew. */
  takeAll(): readonly Operation[] {
    if (this.#operations.size === 0) return []
    const all = [...this.#operations.values()].sort(compareOperations)
    this.#operations.clear()
    return all
  }

  schedule(): void {
    this.close()
    let firstMs = Number.POSITIVE_INFINITY
    for (const { stamp } of this.#operations.values()) firstMs = Math.min(firstMs, stamp.wallMs)
    if (firstMs === Number.POSITIVE_INFINITY) return
    const delayMs = firstMs - MAX_STAMP_AHEAD_MS - this.#runtime.now()
    this.#cancel = this.#runtime.after(Math.min(Math.max(delayMs, 0), MAX_DELAY_MS), this.#onDue)
  }

  /** Stops the timer. */
  close(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}
