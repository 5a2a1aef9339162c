import { BlobStore } from '../../../replication/index.ts'
import { buildOldCluster, createCollector } from './old-cluster.ts'

/** Collects what nobody needs of a store that the test made, and stands still after so many; the test kills it there. */
const [directory = '', most] = process.argv.slice(2)
let removed = 0
const { replica, runtime } = await buildOldCluster()
const store = await BlobStore.open(directory, { runtime })
const collector = createCollector(store, replica, runtime, directory)
store.events.on('removed', ({ hash }) => {
  process.stdout.write(`${hash}\n`)
  // What is under way on other threads goes on until the end.
  if (++removed >= Number(most)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
})
await collector.collect()
process.stdout.write('done\n')
setInterval(() => {}, 1000)
