import { ID_BYTES, idBytes, type OperationId } from '../../core/index.ts'

/** Number and XOR of a set of ids: says in 36 bytes whether two sets are equal, in whatever order they were filled. */
export class IdSum {
  count = 0
  readonly xor: Uint8Array

  constructor(count = 0, xor: Uint8Array = new Uint8Array(ID_BYTES)) {
    this.count = count
    this.xor = new Uint8Array(xor)
  }

  /** Adds an id that is not in the set yet. */
  add(id: OperationId): void {
    this.addBytes(idBytes(id))
  }

  addBytes(bytes: Uint8Array): void {
    this.count++
    for (let i = 0; i < ID_BYTES; i++) this.xor[i] = (this.xor[i] as number) ^ (bytes[i] as number)
  }

  equals(other: IdSum): boolean {
    return this.count === other.count && Buffer.compare(this.xor, other.xor) === 0
  }
}
