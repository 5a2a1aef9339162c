import t from 'tap'
import { createOperation, findRelease, hashBlob, Manifest, nextStamp, type Operation } from '../../core/index.ts'
import { announceSchema, example, startTestCluster } from './support/test-cluster.ts'
import type { TestNode } from './support/test-node.ts'

const chunks = async function* (bytes: Uint8Array) {
  yield bytes
}

/** A release with all its files at the node, as a change. */
async function prepare({ blobs }: TestNode, text: string) {
  const bytes = Buffer.from(text)
  const content = Manifest.of([{ path: 'index.html', hash: hashBlob(bytes), sizeBytes: bytes.length }])
  const { hash, tree, bytes: manifest } = content.encode()
  await blobs.put(hashBlob(bytes), chunks(bytes))
  await blobs.put(hash, chunks(manifest))
  return { kind: 'release.publish', domain: example, manifest: hash, tree, files: 1, bytes: 1, aliases: [] } as const
}

/** Two releases that were published at once: the one that loses, then the one that stands. */
async function publishBeside() {
  await using stack = new AsyncDisposableStack()
  const cluster = stack.use(await startTestCluster())
  await announceSchema(cluster)
  const node = cluster.nodes[0] as TestNode
  const heads = node.replica.heads()
  const sides: Operation[] = []
  for (const [i, text] of ['swordfish', 'menu'].entries()) {
    const stamp = nextStamp(
      Date.now() + i * 5,
      heads.map((head) => head.stamp),
    )
    const changes = [await prepare(node, text)]
    const ids = heads.map(({ id }) => id)
    sides.push(createOperation(cluster.created.operator, cluster.cluster, { stamp, heads: ids, changes }))
  }
  await node.replica.submit(sides.map(({ bytes }) => bytes))
  const owned = stack.move()
  const [loser, winner] = sides as [Operation, Operation]
  return { cluster, node, loser, winner, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

const resolve = (id: string) => ['conflicts', 'resolve', 'domain/example.com/release', '--take', id]

t.test('a side that was purged is not taken, and not offered', async (t) => {
  await using beside = await publishBeside()
  const { cluster, node, loser, winner } = beside
  await cluster.maki('release', 'purge', 'example.com', '--yes')
  const { stdout } = await cluster.maki('conflicts')
  t.match(stdout, new RegExp(`--take ${winner.id.slice(0, 10)}\n`))
  t.notMatch(stdout, new RegExp(`--take ${loser.id.slice(0, 10)}`))
  for (const flags of [[], ['--offline']])
    t.match(await cluster.maki(...resolve(loser.id), ...flags), { code: 4, stderr: /was purged and is never served/ })
  t.equal(findRelease(node.replica.state, example)?.id, winner.id)
  t.match(await cluster.maki(...resolve(winner.id)), { code: 0 })
})

t.test('a side of which the node has not all files is refused before it is signed', async (t) => {
  await using beside = await publishBeside()
  const { cluster, node, loser, winner } = beside
  await node.blobs.remove(hashBlob(Buffer.from('swordfish')))
  t.match(await cluster.maki(...resolve(loser.id)), { code: 4, stderr: /not at one any more/ })
  t.match(await cluster.maki('push'), { code: 0, stdout: 'Nothing waits here.\n' })
  t.equal(findRelease(node.replica.state, example)?.id, winner.id)
})
