import t from 'tap'
import { type OperationId, operationIdFrom } from '../../../core/index.ts'
import { IdTable } from '../../../core/packed/id-table.ts'
import { BytesList, NumberList } from '../../../core/packed/packed-lists.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

for (const seed of seeds(30)) {
  t.test(`a table of ids does what a Map does (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const table = new IdTable()
    const map = new Map<OperationId, number>()
    for (let i = 0; i < 600; i++) {
      const bytes = random.bytes(32)
      // Ids that begin alike fall on one place.
      if (random.chance(0.5)) bytes.fill(3, 0, 4)
      const id = random.chance(0.2) && map.size > 0 ? random.pick([...map.keys()]) : operationIdFrom(bytes)
      t.equal(table.indexOf(id), map.get(id))
      if (!map.has(id)) map.set(id, map.size)
      t.equal(table.add(id), map.get(id))
      t.equal(table.size, map.size)
    }
    t.same([...table], [...map.keys()])
    for (const [id, index] of map) t.equal(table.indexOf(id), index)
    t.same([...IdTable.from(table.bytes())], [...map.keys()], 'packed and unpacked')
    t.throws(() => IdTable.from(new Uint8Array([...table.bytes(), ...table.bytesAt(0)])), RangeError)
    t.throws(() => IdTable.from(table.bytes().subarray(1)), RangeError)
    t.equal(table.indexOf('no id'), undefined)
    t.throws(() => table.bytesAt(map.size), RangeError)
  })

  t.test(`packed lists give back what was put in, and keep what was handed out (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const bytes = new BytesList()
    const items: { offset: number; item: Uint8Array }[] = []
    const numbers = { uint32: new NumberList('uint32'), float64: new NumberList('float64') }
    const plain: number[] = []
    let early: { readonly pieces: readonly Uint8Array[]; readonly count: number; readonly copies: string[] } | undefined
    for (let i = 0; i < 300; i++) {
      const item = random.bytes(1 + random.integer(40))
      const large = random.chance(0.03) ? new Uint8Array(random.integer(700_000)).fill(i) : item
      items.push({ offset: bytes.push(large), item: large })
      plain.push(random.integer(2 ** 32))
      for (const list of Object.values(numbers)) list.push(plain[i] as number)
      if (i === 100) early = { pieces: bytes.pieces(), count: items.length, copies: bytes.pieces().map(hex) }
    }
    for (const { offset, item } of items) t.ok(Buffer.compare(bytes.at(offset, item.length), item) === 0)
    for (const list of Object.values(numbers))
      t.same(
        Array.from(plain, (_, i) => list.at(i)),
        plain,
      )
    t.same(
      Array.from(plain, (_, i) => new NumberList('uint32', numbers.uint32.bytes()).at(i)),
      plain,
    )
    t.same(early?.pieces.map(hex), early?.copies, 'views handed out stay as they were')
    const again = new BytesList(early?.pieces)
    for (const { offset, item } of items.slice(0, early?.count))
      t.ok(Buffer.compare(again.at(offset, item.length), item) === 0)
    const next = again.push(Uint8Array.of(1, 2, 3))
    t.same(again.at(next, 3), Uint8Array.of(1, 2, 3), 'goes on behind what it was built from')
    t.throws(() => again.at(next, 4), RangeError)
  })
}

t.test('a list that was unpacked empty grows', async (t) => {
  const list = new NumberList('uint32', new Uint8Array())
  for (let i = 0; i < 100; i++) list.push(i)
  t.equal(list.at(99), 99)
})

const hex = (piece: Uint8Array) => Buffer.from(piece).toString('hex')
