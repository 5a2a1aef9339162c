import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { BlobStore, checkRelease, encodePack } from '../../../replication/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { auditBlobs, createBlob, packItem } from '../blob-support.ts'
import { blobsOf } from '../releases/release-support.ts'
import { buildOldCluster, createCollector } from './old-cluster.ts'

async function count(store: BlobStore): Promise<number> {
  let blobs = 0
  for await (const _ of store.list()) blobs += 1
  return blobs
}

const child = fileURLToPath(new URL('./blob-collector-child.ts', import.meta.url))

for (const seed of seeds(2)) {
  t.test(`kill -9 in the middle takes nothing that is needed (SEED=${seed})`, async (t) => {
    const directory = t.testdir()
    const { replica, runtime, sites, releases } = await buildOldCluster()
    const strays = Array.from({ length: 600 }, (_, i) => createBlob(Buffer.from(`stray ${i}`)))
    {
      await using store = await BlobStore.open(directory)
      await store.putPack(encodePack([...sites.flatMap(blobsOf), ...strays].map(packItem)))
    }
    const killAfter = 1 + createRandom(seed).integer(500)
    const args = [child, directory, String(killAfter)]
    const killed = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let lines = 0
    killed.stdout.setEncoding('utf8').on('data', (text: string) => {
      lines += text.split('\n').length - 1
      if (lines >= killAfter) killed.kill('SIGKILL')
    })
    await once(killed, 'exit')
    t.equal(killed.signalCode, 'SIGKILL')
    t.same((await auditBlobs(directory)).wrong, [])
    const whole = async (store: BlobStore) => {
      for (const release of releases.slice(-10)) t.equal((await checkRelease(release, store)).kind, 'whole')
      t.same(await store.missing(releases.slice(-50).map(({ manifest }) => manifest)), [])
    }
    await using store = await BlobStore.open(directory, { runtime })
    t.same(await readdir(join(directory, 'incoming')), [])
    t.ok((await count(store)) > 100, 'it was killed before the end')
    await whole(store)
    await using collector = createCollector(store, replica, runtime, directory)
    await collector.collect()
    await whole(store)
    t.equal(await count(store), 50 + 2 * 10 + 1, 'and the next run ends it')
  })
}
