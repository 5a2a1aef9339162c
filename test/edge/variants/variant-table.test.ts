import t from 'tap'
import { type BlobHash, hashBlob } from '../../../core/index.ts'
import { CODINGS } from '../../../edge/message/index.ts'
import {
  encodeVariantRecords,
  findVariantRecord,
  RECORD_BYTES,
  type VariantRecord,
  VariantTable,
  variantPath,
} from '../../../edge/variants/index.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'

const sorted = (value: object) => Object.entries(value).sort()

function drawRecord(random: Random, hashes: readonly BlobHash[]): VariantRecord {
  const check = Buffer.from(random.bytes(8)).toString('hex')
  return { hash: random.pick(hashes), coding: random.pick(CODINGS), sizeBytes: 1 + random.integer(2 ** 32 - 1), check }
}

for (const seed of seeds(8)) {
  t.test(`a table says what a map would, through packs too (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const hashes = Array.from({ length: 300 }, () => hashBlob(random.bytes(8)))
    const table = new VariantTable()
    const model = new Map<string, VariantRecord>()
    for (let round = 0; round < 40; round++) {
      const records = Array.from({ length: random.integer(60) }, (): VariantRecord => {
        const record = drawRecord(random, hashes)
        return random.chance(0.45) ? { ...record, sizeBytes: 0 } : record
      })
      const before = table.epoch
      table.apply(encodeVariantRecords(records, records.length))
      t.ok(table.epoch > before)
      for (const record of records) {
        if (record.sizeBytes === 0) model.delete(`${record.hash} ${record.coding}`)
        else model.set(`${record.hash} ${record.coding}`, record)
      }
      const copy = new VariantTable()
      copy.apply(table.snapshot())
      for (const one of [table, copy]) {
        const wrong = hashes.flatMap((hash) =>
          CODINGS.filter((coding) => {
            const { hash: _, ...expected } = model.get(`${hash} ${coding}`) ?? { hash }
            return JSON.stringify(sorted(one.find(hash, coding) ?? {})) !== JSON.stringify(sorted(expected))
          }),
        )
        t.strictSame(wrong, [])
        t.equal(one.count, model.size)
        t.equal(
          one.totalBytes,
          [...model.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        )
      }
    }
  })

  t.test(`a name is its encoding, and nothing else is a name (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    for (let i = 0; i < 200; i++) {
      const record = drawRecord(random, [hashBlob(random.bytes(4))])
      const name = variantPath(record.hash, record).slice(3)
      t.strictSame(findVariantRecord(name), record)
      const at = random.integer(name.length)
      const other = name.slice(0, at) + String.fromCharCode(random.integer(128)) + name.slice(at + 1)
      const read = findVariantRecord(other)
      if (read !== undefined) t.equal(variantPath(read.hash, read).slice(3), other)
    }
  })
}

t.test('drop takes only what was meant', async (t) => {
  const table = new VariantTable()
  const hash = hashBlob(new Uint8Array(1))
  const variant = { coding: 'br', sizeBytes: 5, check: '0123456789abcdef' } as const
  table.add({ hash, ...variant })
  table.drop(hash, { ...variant, check: '0000000000000000' })
  t.strictSame(table.find(hash, 'br'), variant)
  const before = table.epoch
  table.drop(hash, variant)
  t.equal(table.find(hash, 'br'), undefined)
  t.ok(table.epoch > before)
  t.equal(table.find('not a hash' as BlobHash, 'br'), undefined)
})

t.test('what is not packed well is passed over', async (t) => {
  const table = new VariantTable()
  const hash = hashBlob(new Uint8Array(2))
  const record = { hash, coding: 'gzip', sizeBytes: 7, check: '0123456789abcdef' } as const
  const packed = Buffer.from(encodeVariantRecords([record, record], 2))
  packed[32] = 200
  table.apply(packed.subarray(0, RECORD_BYTES * 2 - 1))
  t.equal(table.count, 0)
  table.apply(packed)
  t.equal(table.count, 1)
})

t.test('100,000 blobs with three encodings each take some 10 MB and are told at once', async (t) => {
  const table = new VariantTable()
  const hash = Buffer.alloc(32)
  for (let i = 0; i < 100_000; i++) {
    hash.writeUInt32LE(Math.imul(i + 1, 0x9e3779b1) >>> 0, 0)
    hash.writeUInt32LE(i, 8)
    const text = hash.toString('hex') as BlobHash
    for (const coding of CODINGS) table.add({ hash: text, coding, sizeBytes: i + 1, check: '0123456789abcdef' })
  }
  t.equal(table.count, 300_000)
  const packed = table.snapshot()
  t.equal(packed.length, 300_000 * RECORD_BYTES)
  const before = process.memoryUsage().arrayBuffers
  const copy = new VariantTable()
  copy.apply(packed)
  t.equal(copy.count, table.count)
  t.ok(process.memoryUsage().arrayBuffers - before < 40 * 1024 * 1024, 'while it grows, old and new together')
})
