import {
  type Cancel,
  compareOperations,
  MAX_STAMP_AHEAD_MS,
  type Operation,
  type OperationId,
  type Runtime,
} from '../../core/index.ts'

/** The wall clock may be set at any time, which no timer notices: looked at again at least this often. */
const MAX_DELAY_MS = 60_000

/** Stored operations whose stamp lies too far ahead of the clock here, and what follows them (DESIGN section 3, Clock). */
export class HeldOperations {
  readonly #operations = new Map<OperationId, Operation>()
  readonly #runtime: Pick<Runtime, 'now' | 'after'>
  readonly #onDue: () => void
  #cancel: Cancel | undefined
  /** Of the first of them; infinity when there are none. */
  #firstMs = Number.POSITIVE_INFINITY

  /** `onDue` is called once after `schedule`, when the first of them may be due. */
  constructor(runtime: Pick<Runtime, 'now' | 'after'>, onDue: () => void) {
    this.#runtime = runtime
    this.#onDue = onDue
  }

  has(id: OperationId): boolean {
    return this.#operations.has(id)
  }

  get(id: OperationId): Operation | undefined {
    return this.#operations.get(id)
  }

  ids(): readonly OperationId[] {
    return [...this.#operations.keys()]
  }

  add(operation: Operation): void {
    this.#operations.set(operation.id, operation)
    this.#firstMs = Math.min(this.#firstMs, operation.stamp.wallMs)
  }

  /** True for an operation that is not due yet, or follows one that is held. */
  mustWait({ stamp, heads }: Operation): boolean {
    return !this.#isDue(stamp.wallMs) || heads.some((head) => this.#operations.has(head))
  }

  /**
   * Those whose stamp is due, heads before followers. What they follow is due too, since it has a lesser stamp. Costs
   * nothing while there are none, however many are held.
   */
  takeDue(): readonly Operation[] {
    if (!this.#isDue(this.#firstMs)) return []
    const due: Operation[] = []
    this.#firstMs = Number.POSITIVE_INFINITY
    for (const operation of this.#operations.values()) {
      const { wallMs } = operation.stamp
      if (this.#isDue(wallMs)) due.push(operation)
      else this.#firstMs = Math.min(this.#firstMs, wallMs)
    }
    for (const { id } of due) this.#operations.delete(id)
    return due.sort(compareOperations)
  }

  schedule(): void {
    this.close()
    if (this.#operations.size === 0) return
    const delayMs = this.#firstMs - MAX_STAMP_AHEAD_MS - this.#runtime.now()
    this.#cancel = this.#runtime.after(Math.min(Math.max(delayMs, 0), MAX_DELAY_MS), this.#onDue)
  }

  #isDue(wallMs: number): boolean {
    return wallMs <= this.#runtime.now() + MAX_STAMP_AHEAD_MS
  }

  /** Stops the timer. */
  close(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}
