import { BlobStore } from '../../../replication/index.ts'
import { buildOldCluster, createCollector } from './old-cluster.ts'

/** Collects what nobody needs of a store that the test made; the test kills it somewhere in between. */
const [directory = ''] = process.argv.slice(2)
const { replica, runtime } = await buildOldCluster()
const store = await BlobStore.open(directory, { runtime })
const collector = createCollector(store, replica, runtime, directory)
store.events.on('removed', ({ hash }) => process.stdout.write(`${hash}\n`))
await collector.collect()
process.stdout.write('done\n')
setInterval(() => {}, 1000)
