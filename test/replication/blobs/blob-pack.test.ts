import t from 'tap'
import type { BlobHash } from '../../../core/index.ts'
import { encodePack, PackParser, SMALL_BLOB_BYTES } from '../../../replication/index.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { collect, createBlob, createBytes, fragment, packItem, type TestBlob } from '../blob-support.ts'

const MAX_BLOB_BYTES = 4 * SMALL_BLOB_BYTES

function parse(
  fragments: readonly Uint8Array[],
  parser = new PackParser({ maxBlobBytes: MAX_BLOB_BYTES }),
): TestBlob[] {
  const blobs: TestBlob[] = []
  let large: { hash: BlobHash; chunks: Uint8Array[] } | undefined
  for (const piece of fragments) {
    for (const part of parser.push(piece)) {
      switch (part.kind) {
        case 'blob':
          blobs.push({ hash: part.hash, sizeBytes: part.bytes.length, bytes: Buffer.from(part.bytes) })
          break
        case 'begin':
          large = { hash: part.hash, chunks: [] }
          break
        case 'data':
          large?.chunks.push(Buffer.from(part.bytes))
          break
        case 'end': {
          const bytes = Buffer.concat(large?.chunks ?? [])
          blobs.push({ hash: part.hash, sizeBytes: bytes.length, bytes })
          break
        }
        default:
          part satisfies never
      }
    }
  }
  parser.finish()
  return blobs
}

function randomBlobs(random: Random): TestBlob[] {
  return Array.from({ length: random.integer(12) }, () => {
    const sizeBytes = random.chance(0.15)
      ? SMALL_BLOB_BYTES + random.integer(99_999)
      : random.integer(random.pick([1, 50, 5000]))
    return createBlob(createBytes(random, sizeBytes))
  })
}

for (const seed of seeds(40)) {
  const random = createRandom(seed)
  const blobs = randomBlobs(random)

  t.test(`a pack comes out as it went in, wherever it is cut (SEED=${seed})`, async (t) => {
    const pack = await collect(encodePack(blobs.map(packItem)))
    const read = parse(fragment(random, pack))
    t.equal(read.length, blobs.length)
    t.ok(read.every((blob, i) => blob.hash === blobs[i]?.hash && Buffer.compare(blob.bytes, blobs[i].bytes) === 0))
  })

  t.test(`a pack with one bit flipped or its end cut off is refused (SEED=${seed})`, async (t) => {
    if (blobs.length === 0) blobs.push(createBlob(createBytes(random, 10)))
    const pack = await collect(encodePack(blobs.map(packItem)))
    const flipped = Buffer.from(pack)
    const at = random.integer(pack.length)
    flipped[at] = (flipped[at] as number) ^ (1 << random.integer(8))
    const codes = /^MAKI_(BLOB_MISMATCH|PROTOCOL|TOO_LARGE)$/
    t.throws(() => parse(fragment(random, flipped)), { code: codes })
    const last = blobs.at(-1) as TestBlob
    const cut = pack.length - 1 - random.integer(Math.min(pack.length, last.sizeBytes + 39))
    t.throws(() => parse(fragment(random, pack.subarray(0, cut))), { code: 'MAKI_PROTOCOL' })
  })
}

t.test('no byte of a blob is taken beyond a limit', async (t) => {
  const blobs = [createBlob(Buffer.from('one')), createBlob(Buffer.from('two'))]
  const pack = await collect(encodePack(blobs.map(packItem)))
  const limits = { maxBlobBytes: 100 }
  t.equal(parse([pack], new PackParser({ ...limits, maxBlobs: 2, maxTotalBytes: 6 })).length, 2)
  t.throws(() => parse([pack], new PackParser({ maxBlobBytes: 2 })), { code: 'MAKI_TOO_LARGE' })
  t.throws(() => parse([pack], new PackParser({ ...limits, maxBlobs: 1 })), { code: 'MAKI_TOO_LARGE' })
  t.throws(() => parse([pack], new PackParser({ ...limits, maxTotalBytes: 5 })), { code: 'MAKI_TOO_LARGE' })
  const seen: unknown[] = []
  const accept = (hash: BlobHash, sizeBytes: number) => {
    seen.push([hash, sizeBytes])
    throw new Error('no')
  }
  t.throws(() => parse([pack.subarray(0, 40)], new PackParser({ ...limits, accept })), { message: 'no' })
  t.same(seen, [[blobs[0]?.hash, 3]])
  const huge = Buffer.alloc(40, 0xff)
  t.throws(() => parse([huge], new PackParser({ maxBlobBytes: Number.MAX_SAFE_INTEGER })), { code: 'MAKI_TOO_LARGE' })
})

t.test('a file that changed its size while it was read ends the pack', async (t) => {
  const { hash } = createBlob(Buffer.from('four'))
  for (const sizeBytes of [3, 5]) {
    const item = { hash, sizeBytes, chunks: [Buffer.from('four')] }
    await t.rejects(collect(encodePack([item])), { code: 'MAKI_CONFLICT' })
  }
})
