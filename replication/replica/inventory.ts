import { createHash } from 'node:crypto'
import { ID_BYTES, idBytes, type OperationId } from '../../core/index.ts'
import type { InventoryView } from '../ports.ts'
import { IdSum } from '../store/id-sum.ts'

export const INVENTORY_BUCKETS = 256
const ENTRY_BYTES = 4 + ID_BYTES

/** The set of ids, kept so that adding one costs the same however many there are. */
export class Inventory implements InventoryView {
  readonly #buckets = Array.from({ length: INVENTORY_BUCKETS }, () => ({
    sum: new IdSum(),
    ids: new Set<OperationId>(),
  }))
  #size = 0
  /** Undefined while the set changed since it was computed. */
  #root: Uint8Array | undefined

  get size(): number {
    return this.#size
  }

  has(id: OperationId): boolean {
    return this.#bucket(idBytes(id)[0] as number).ids.has(id)
  }

  /** Adding an id again is nothing. */
  add(id: OperationId): void {
    const bytes = idBytes(id)
    const bucket = this.#bucket(bytes[0] as number)
    if (bucket.ids.has(id)) return
    bucket.ids.add(id)
    bucket.sum.addBytes(bytes)
    this.#size++
    this.#root = undefined
  }

  root(): Uint8Array {
    this.#root ??= new Uint8Array(createHash('sha256').update(this.table()).digest())
    return new Uint8Array(this.#root)
  }

  table(): Uint8Array {
    const table = new Uint8Array(INVENTORY_BUCKETS * ENTRY_BYTES)
    const view = new DataView(table.buffer)
    for (const [i, { sum }] of this.#buckets.entries()) {
      view.setUint32(i * ENTRY_BYTES, sum.count)
      table.set(sum.xor, i * ENTRY_BYTES + 4)
    }
    return table
  }

  /** Sorted; throws a RangeError for anything but 0 to 255. */
  bucket(index: number): readonly OperationId[] {
    return [...this.#bucket(index).ids].sort()
  }

  #bucket(index: number) {
    const bucket = this.#buckets[index]
    if (bucket === undefined) throw new RangeError(`an inventory has no bucket ${index}`)
    return bucket
  }
}
