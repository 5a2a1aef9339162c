import { BlobStore, encodePack, SMALL_BLOB_BYTES } from '../../../replication/index.ts'
import { createRandom } from '../../support/seeds.ts'
import { createBlob, createBytes, packItem } from '../blob-support.ts'

/** Puts packs for ever and prints the hashes of each that was acknowledged; the test kills it. */
const [directory = '', seed = '1'] = process.argv.slice(2)
const random = createRandom(Number(seed))
const store = await BlobStore.open(directory)

async function putPack(): Promise<void> {
  const sizes = Array.from({ length: 30 }, () => random.integer(random.chance(0.1) ? 2 * SMALL_BLOB_BYTES : 20_000))
  const blobs = sizes.map((size) => createBlob(createBytes(random, size)))
  await store.putPack(encodePack(blobs.map(packItem)))
  process.stdout.write(`${JSON.stringify(blobs.map((blob) => blob.hash))}\n`)
}

for (;;) await Promise.all([putPack(), putPack()])
