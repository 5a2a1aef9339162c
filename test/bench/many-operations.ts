import { decodeOperation, Fold, type Operation } from '../../core/index.ts'
import { Author } from './author.ts'
import { addressOf, DOMAIN, domainSet, recordSet } from './changes.ts'
import { sleep, startCluster } from './cluster.ts'
import { askAddress } from './propagation.ts'
import { line, number, title } from './report.ts'

const OPERATIONS = Number(process.env.OPERATIONS ?? 100_000)
/** One domain has a thousand names, so that most operations replace a value. */
const NAMES = 1000
const BATCH = 2000

/** Folding of a long history, and the restart of a node that holds it until it answers its first question. */
export async function benchManyOperations(): Promise<void> {
  title(`5b. ${OPERATIONS} operations`)
  await using cluster = await startCluster(1)
  const node = cluster.nodes[0]!
  const author = await Author.at(cluster, node)
  const operations: Operation[] = [author.make([domainSet])]
  for (let i = 1; i < OPERATIONS; i++) {
    operations.push(author.make([recordSet(i % NAMES, addressOf(i))]))
    // Lets the client notice that an idle connection was closed.
    if (i % 1000 === 0) await sleep(1)
  }
  const { operations: seed } = await node.control.operations(undefined)
  const fold = new Fold()
  for (const bytes of seed) fold.add(decodeOperation(bytes, cluster.cluster, { signatureChecked: true }))
  const folding = performance.now()
  for (const operation of operations) fold.add(operation)
  line('fold', `${number(performance.now() - folding)} ms`)
  const handing = performance.now()
  for (let from = 0; from < operations.length; from += BATCH)
    await node.control.accept(operations.slice(from, from + BATCH).map(({ bytes }) => bytes))
  line(`handed to a node, ${BATCH} at a time`, `${number((performance.now() - handing) / 1000)} s`)
  const name = `r${(OPERATIONS - 1) % NAMES}.${DOMAIN}`
  const restarting = performance.now()
  await node.stop()
  const stopped = performance.now()
  const restarted = node.start()
  while ((await askAddress(node.layout.dnsPort, name)) !== addressOf(OPERATIONS - 1));
  line('start of the node to the first DNS answer', `${number((performance.now() - stopped) / 1000)} s`)
  line('its end before that', `${number((stopped - restarting) / 1000)} s`)
  await restarted
}
