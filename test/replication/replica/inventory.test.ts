import { createHash } from 'node:crypto'
import t from 'tap'
import { idBytes, type OperationId, operationIdFrom } from '../../../core/index.ts'
import { Inventory } from '../../../replication/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

/** The definition, from scratch. */
function tableOf(ids: readonly OperationId[]): Buffer {
  const table = Buffer.alloc(256 * 36)
  for (const id of ids) {
    const bytes = idBytes(id)
    const at = (bytes[0] as number) * 36
    table.writeUInt32BE(table.readUInt32BE(at) + 1, at)
    for (let i = 0; i < 32; i++) table[at + 4 + i] = (table[at + 4 + i] as number) ^ (bytes[i] as number)
  }
  return table
}

for (const seed of seeds(20)) {
  t.test(`an inventory is what its definition says, in any order (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const ids = Array.from({ length: 500 }, () => operationIdFrom(random.bytes(32)))
    const inventory = new Inventory()
    for (const [i, id] of ids.entries()) {
      inventory.add(id)
      if (random.chance(0.1)) inventory.add(random.pick(ids.slice(0, i + 1)))
      if (random.chance(0.05)) inventory.root()
    }
    const table = tableOf(ids)
    t.same(Buffer.from(inventory.table()), table)
    t.same(Buffer.from(inventory.root()), createHash('sha256').update(table).digest())
    t.equal(inventory.size, ids.length)
    const index = random.integer(256)
    t.same(inventory.bucket(index), ids.filter((id) => idBytes(id)[0] === index).sort())
    const packed = Buffer.from(inventory.bucketBytes(index))
    const unpacked = Array.from({ length: packed.length / 32 }, (_, i) => packed.subarray(i * 32, i * 32 + 32))
    t.same(unpacked.map((bytes) => operationIdFrom(bytes)).sort(), inventory.bucket(index))
    const other = new Inventory()
    for (const id of random.shuffle(ids)) other.add(id)
    t.same(other.root(), inventory.root())
    t.ok(ids.every((id) => inventory.has(id)))
    other.add(operationIdFrom(random.bytes(32)))
    t.notSame(other.root(), inventory.root())
    t.throws(() => inventory.bucket(256), RangeError)
  })
}
