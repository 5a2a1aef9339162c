import type { MemberKey, OperationId } from '../ids.ts'
import type { Authority, Place, PreviewOperation } from '../membership/index.ts'
import type { OperationTable } from './operation-table.ts'

/** An operation that does not count, and why. */
export interface VoidOperation {
  readonly operation: OperationId
  readonly reason: string
}

/** Which operations of the table count, and why others do not. Lists are sorted once, until they change. */
export class Verdicts {
  readonly #operations: OperationTable
  readonly #authority: Authority
  readonly #isAncestor: (a: number, b: number) => boolean
  /** Of operations that admit and remove members, which every other one is held against. */
  readonly #numbers = new Map<OperationId, number>()
  /** Of those that do not count. */
  readonly #reasons = new Map<number, string>()
  #voids: readonly VoidOperation[] | undefined
  #unknown: readonly OperationId[] | undefined

  constructor(operations: OperationTable, authority: Authority, isAncestor: (a: number, b: number) => boolean) {
    this.#operations = operations
    this.#authority = authority
    this.#isAncestor = isAncestor
  }

  counts(operation: number): boolean {
    return !this.#reasons.has(operation)
  }

  /** Judges an operation, for the first time or again. Returns whether its verdict turned; at first all count. */
  judge(operation: number): boolean {
    const table = this.#operations
    const reason =
      table.faultOf(operation) ??
      this.#authority.judge(table.authorOf(operation), this.#placeOf(operation), table.demandsOf(operation))
    const before = this.#reasons.get(operation)
    if (reason === before) return false
    this.#voids = undefined
    this.#unknown = undefined
    if (reason === undefined) this.#reasons.delete(operation)
    else this.#reasons.set(operation, reason)
    return (reason === undefined) !== (before === undefined)
  }

  /** By number: a checkpoint has its operations judged one and all, and an id costs more to spell out than all the rest. */
  #placeOf(operation: number): Place {
    return {
      is: (id) => this.#numberOf(id) === operation,
      follows: (id) => this.#isAncestor(this.#numberOf(id), operation),
      precedes: (id) => this.#isAncestor(operation, this.#numberOf(id)),
    }
  }

  #numberOf(id: OperationId): number {
    const known = this.#numbers.get(id)
    if (known !== undefined) return known
    const number = this.#operations.numberOf(id)
    this.#numbers.set(id, number)
    return number
  }

  /** Operations by whoever is among the authors, as a preview judges them. */
  *by(authors: ReadonlySet<MemberKey>): Generator<PreviewOperation> {
    const table = this.#operations
    for (const operation of table.by(authors)) {
      yield {
        id: table.idOf(operation),
        author: table.authorOf(operation),
        stamp: table.stampOf(operation),
        demands: table.demandsOf(operation),
        fault: table.faultOf(operation),
        counts: this.counts(operation),
      }
    }
  }

  /** Why an operation is void; undefined where it counts, or is of a newer schema. */
  voidReason(operation: number): string | undefined {
    return this.#operations.isNewer(operation) ? undefined : this.#reasons.get(operation)
  }

  /** In total order. */
  voids(): readonly VoidOperation[] {
    if (this.#voids === undefined) {
      const numbers = [...this.#reasons.keys()].filter((operation) => !this.#operations.isNewer(operation))
      this.#voids = this.#operations.sort(numbers).map((operation) => {
        return { operation: this.#operations.idOf(operation), reason: this.#reasons.get(operation) as string }
      })
    }
    return this.#voids
  }

  /** Operations of a newer schema than this code knows, in total order. */
  unknown(): readonly OperationId[] {
    // Each of them has a reason not to count, so the list changes only when a reason does.
    this.#unknown ??= this.#operations
      .sort(this.#operations.newer())
      .map((operation) => this.#operations.idOf(operation))
    return this.#unknown
  }
}
