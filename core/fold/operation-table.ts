import type { MemberKey, OperationId } from '../ids.ts'
import type { Demands } from '../membership/index.ts'
import type { Operation } from '../operation/index.ts'
import { IdTable, Interned, NumberList } from '../packed/index.ts'
import type { Stamp } from '../stamp.ts'

/** What the constructor needs besides the packed lists: small, and plain enough for MessagePack. */
export interface OperationTableHead {
  readonly authors: readonly MemberKey[]
  readonly demands: readonly Demands[]
  readonly newer: readonly number[]
  readonly faults: readonly (readonly [operation: number, fault: string])[]
}

/**
 * What the fold keeps of each operation, some 70 bytes, by the number that it got when it was added: who wrote it, when,
 * after what, and what it takes to sign it. Nothing of it ever changes.
 */
export class OperationTable {
  readonly ids: IdTable
  readonly #wallMs: NumberList
  readonly #counters: NumberList
  readonly #authors: NumberList
  readonly #demands: NumberList
  /** The numbers of all heads one after another, and where those of an operation end. */
  readonly #heads: NumberList
  readonly #headEnds: NumberList
  readonly #authorKeys: Interned<MemberKey>
  /** Distinct demands: as texts, and as they are. */
  readonly #demandTexts = new Interned()
  readonly #demandValues: Demands[] = []
  readonly #newer: Set<number>
  readonly #faults: Map<number, string>

  constructor(head?: OperationTableHead, lists: readonly Uint8Array[] = []) {
    const [ids, wallMs, counters, authors, demands, heads, headEnds] = lists
    this.ids = ids === undefined ? new IdTable() : IdTable.from(ids)
    this.#wallMs = new NumberList('float64', wallMs)
    this.#counters = new NumberList('uint32', counters)
    this.#authors = new NumberList('uint32', authors)
    this.#demands = new NumberList('uint32', demands)
    this.#heads = new NumberList('uint32', heads)
    this.#headEnds = new NumberList('uint32', headEnds)
    this.#authorKeys = new Interned(head?.authors)
    for (const [number, value] of (head?.demands ?? []).entries())
      if (this.#internDemands(value) !== number) throw new RangeError('the same demands stand here twice')
    this.#newer = new Set(head?.newer)
    this.#faults = new Map(head?.faults)
  }

  get size(): number {
    return this.ids.size
  }

  /** Adds an operation that is not here, all of whose heads are. Returns its number. */
  add(operation: Operation, demands: Demands): number {
    for (const head of operation.heads) this.#heads.push(this.numberOf(head))
    const number = this.ids.add(operation.id)
    this.#headEnds.push(this.#heads.length)
    this.#wallMs.push(operation.stamp.wallMs)
    this.#counters.push(operation.stamp.counter)
    this.#authors.push(this.#authorKeys.add(operation.author))
    this.#demands.push(this.#internDemands(demands))
    if (operation.defect?.kind === 'newer-schema') this.#newer.add(number)
    const fault = readFault(operation)
    if (fault !== undefined) this.#faults.set(number, fault)
    return number
  }

  /** Throws an Error for an operation that was not added. */
  numberOf(id: OperationId): number {
    const number = this.ids.indexOf(id)
    if (number === undefined) throw new Error(`operation ${id} was not added`)
    return number
  }

  idOf(operation: number): OperationId {
    return this.ids.at(operation)
  }

  authorOf(operation: number): MemberKey {
    return this.#authorKeys.at(this.#authors.at(operation))
  }

  stampOf(operation: number): Stamp {
    return { wallMs: this.#wallMs.at(operation), counter: this.#counters.at(operation) }
  }

  demandsOf(operation: number): Demands {
    return this.#demandValues[this.#demands.at(operation)] as Demands
  }

  headsOf(operation: number): readonly number[] {
    const heads: number[] = []
    const from = operation === 0 ? 0 : this.#headEnds.at(operation - 1)
    for (let i = from; i < this.#headEnds.at(operation); i++) heads.push(this.#heads.at(i))
    return heads
  }

  /** True for one of a newer schema than this code knows. */
  isNewer(operation: number): boolean {
    return this.#newer.has(operation)
  }

  newer(): ReadonlySet<number> {
    return this.#newer
  }

  /** Why its changes cannot be read at all. */
  faultOf(operation: number): string | undefined {
    return this.#faults.get(operation)
  }

  /** The total order: stamp, then id. */
  compare(a: number, b: number): number {
    const order = this.#compareStamps(a, b)
    if (order !== 0 || a === b) return order
    return this.idOf(a) < this.idOf(b) ? -1 : 1
  }

  /** In total order. */
  sort(operations: Iterable<number>): number[] {
    // Thousands with one stamp are what a forker makes: each id is written out once.
    const ids = new Map<number, OperationId>()
    const idOf = (operation: number): OperationId => {
      const known = ids.get(operation) ?? this.idOf(operation)
      ids.set(operation, known)
      return known
    }
    return [...operations].sort((a, b) => this.#compareStamps(a, b) || (a === b ? 0 : idOf(a) < idOf(b) ? -1 : 1))
  }

  /** Numbers of the operations by whoever is among the authors. */
  *by(authors: ReadonlySet<MemberKey>): Generator<number> {
    const wanted = new Set([...authors].map((author) => this.#authorKeys.find(author)))
    for (let operation = 0; operation < this.size; operation++) {
      if (wanted.has(this.#authors.at(operation))) yield operation
    }
  }

  /** Everything as the constructor takes it: views and copies, which later additions leave as they are. */
  pack(): { readonly head: OperationTableHead; readonly lists: readonly Uint8Array[] } {
    return {
      head: {
        authors: this.#authorKeys.texts(),
        demands: [...this.#demandValues],
        newer: [...this.#newer],
        faults: [...this.#faults],
      },
      lists: [
        this.ids.bytes(),
        ...[this.#wallMs, this.#counters, this.#authors, this.#demands, this.#heads, this.#headEnds].map((list) =>
          list.bytes(),
        ),
      ],
    }
  }

  #compareStamps(a: number, b: number): number {
    return this.#wallMs.at(a) - this.#wallMs.at(b) || this.#counters.at(a) - this.#counters.at(b)
  }

  #internDemands(demands: Demands): number {
    const { operator, duty, deploys, updates } = demands
    // By position: what was packed may have its members in another order.
    const number = this.#demandTexts.add(JSON.stringify([operator, duty, deploys, updates]))
    if (number === this.#demandValues.length) this.#demandValues.push(demands)
    return number
  }
}

function readFault(operation: Operation): string | undefined {
  const { defect } = operation
  if (defect === undefined) return undefined
  if (defect.kind === 'newer-schema') return `it has schema ${defect.schema}, which this version does not know`
  return `change ${defect.index} is malformed: ${defect.fault}`
}
