import { createHash } from 'node:crypto'
import { ID_BYTES, IdTable, type OperationId } from '../../core/index.ts'
import type { InventoryView } from '../ports.ts'
import { IdSum } from '../store/id-sum.ts'
import { SlotList } from './slot-list.ts'

const INVENTORY_BUCKETS = 256
const ENTRY_BYTES = 4 + ID_BYTES

/** The set of ids, kept so that adding one costs the same however many there are. */
export class Inventory implements InventoryView {
  readonly #ids = new IdTable()
  readonly #sums = Array.from({ length: INVENTORY_BUCKETS }, () => new IdSum())
  /** Of each bucket: the numbers of its ids. */
  readonly #members = Array.from({ length: INVENTORY_BUCKETS }, () => new SlotList())
  /** Undefined while the set changed since it was computed. */
  #root: Uint8Array | undefined

  get size(): number {
    return this.#ids.size
  }

  has(id: OperationId): boolean {
    return this.#ids.has(id)
  }

  /** In the order in which they were added. */
  ids(): Iterable<OperationId> {
    return this.#ids
  }

  /** Adding an id again is nothing. */
  add(id: OperationId): void {
    const { size } = this.#ids
    const number = this.#ids.add(id)
    if (number < size) return
    const bytes = this.#ids.bytesAt(number)
    const bucket = bytes[0] as number
    this.#sums[bucket]?.addBytes(bytes)
    this.#members[bucket]?.push(number)
    this.#root = undefined
  }

  root(): Uint8Array {
    this.#root ??= new Uint8Array(createHash('sha256').update(this.table()).digest())
    return new Uint8Array(this.#root)
  }

  table(): Uint8Array {
    const table = new Uint8Array(INVENTORY_BUCKETS * ENTRY_BYTES)
    const view = new DataView(table.buffer)
    for (const [i, sum] of this.#sums.entries()) {
      view.setUint32(i * ENTRY_BYTES, sum.count)
      table.set(sum.xor, i * ENTRY_BYTES + 4)
    }
    return table
  }

  /** The ids in a bucket as 32-byte values, one after another in no order; throws a RangeError for anything but 0 to 255. */
  bucketBytes(index: number): Uint8Array {
    const members = this.#membersOf(index)
    const bytes = new Uint8Array(members.length * ID_BYTES)
    for (let i = 0; i < members.length; i++) bytes.set(this.#ids.bytesAt(members.at(i) as number), i * ID_BYTES)
    return bytes
  }

  /** Sorted; throws a RangeError for anything but 0 to 255. */
  bucket(index: number): readonly OperationId[] {
    const members = this.#membersOf(index)
    return Array.from({ length: members.length }, (_, i) => this.#ids.at(members.at(i) as number)).sort()
  }

  #membersOf(index: number): SlotList {
    const members = this.#members[index]
    if (members === undefined) throw new RangeError(`an inventory has no bucket ${index}`)
    return members
  }
}
