import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { findRelease, hashBlob } from '../../core/index.ts'
import { example, startTestCluster, type TestCluster } from './support/test-cluster.ts'
import type { TestNode } from './support/test-node.ts'

async function writeProject(cluster: TestCluster, text: string): Promise<void> {
  const site = join(cluster.directory, 'site')
  await rm(site, { recursive: true, force: true })
  await mkdir(site)
  await writeFile(join(site, 'index.html'), text)
  const toml = ['project = "blog"', '[[domain]]', 'name = "example.com"', 'path = "./site"']
  await writeFile(join(cluster.directory, 'makiatto.toml'), toml.join('\n'))
}

/** Takes a file away each time when it was uploaded and its release is about to be taken, as a purge of another site may. */
function loseFile({ hooks, blobs }: TestNode, text: string, times: number): void {
  let left = times
  hooks.beforeAccept = async () => {
    if (left-- > 0) await blobs.remove(hashBlob(Buffer.from(text)))
  }
}

/** What the node has of the site's release: its only file. */
const isServed = ({ replica, blobs }: TestNode, text: string): Promise<boolean> =>
  findRelease(replica.state, example) === undefined ? Promise.resolve(false) : blobs.has(hashBlob(Buffer.from(text)))

t.test('a file that was taken away before its release is sent again', async (t) => {
  await using cluster = await startTestCluster()
  const node = cluster.nodes[0] as TestNode
  await writeProject(cluster, 'one')
  await cluster.maki('sync', '--take-over')
  await writeProject(cluster, 'two')
  loseFile(node, 'two', 1)
  t.match(await cluster.maki('sync'), { code: 0, stdout: /^Synced example\.com/, stderr: /Again: .*not whole/ })
  t.ok(await isServed(node, 'two'))
  t.match(await cluster.maki('push'), { code: 0, stdout: 'Nothing waits here.\n' })
})

t.test('a release that was refused for a lost file is mended by the next sync', async (t) => {
  await using cluster = await startTestCluster()
  const node = cluster.nodes[0] as TestNode
  await writeProject(cluster, 'one')
  await cluster.maki('sync', '--take-over')
  await writeProject(cluster, 'two')
  loseFile(node, 'two', 2)
  t.match(await cluster.maki('sync'), { code: 4, stderr: /Error: .*not whole/ })
  t.match(await cluster.maki('push'), { code: 4 }, 'a push has no files')
  t.match(await cluster.maki('sync'), { code: 0 })
  t.ok(await isServed(node, 'two'))
  t.match(await cluster.maki('push'), { code: 0, stdout: 'Nothing waits here.\n' })
  t.match(await cluster.maki('record', 'set', 'example.com', 'www', 'A', '192.0.2.1'), { code: 0, stdout: /at one/ })
})

t.test('so it is when the files have changed since: what replaces a release needs it not', async (t) => {
  await using cluster = await startTestCluster()
  const node = cluster.nodes[0] as TestNode
  await writeProject(cluster, 'one')
  await cluster.maki('sync', '--take-over')
  await writeProject(cluster, 'two')
  loseFile(node, 'two', 99)
  t.match(await cluster.maki('sync'), { code: 4 })
  t.match(await cluster.maki('record', 'set', 'example.com', 'www', 'A', '192.0.2.1'), { stderr: /which waits/ })
  await writeProject(cluster, 'three')
  t.match(await cluster.maki('sync'), { code: 0, stdout: /^Synced example\.com/ })
  t.ok(await isServed(node, 'three'))
  t.match(await cluster.maki('push'), { code: 0, stdout: 'Nothing waits here.\n' })
  t.equal((await cluster.json<object[]>('history')).length, node.replica.count, 'the node has all that was made here')
})

t.test('the node that got the files went away before the release: another one gets both', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  const [one, two] = cluster.nodes as [TestNode, TestNode]
  await writeProject(cluster, 'one')
  one.hooks.beforeAccept = async () => {
    await one.stop()
  }
  await cluster.maki('sync', '--take-over', '--wait', 'none')
  t.match(await cluster.maki('sync', '--wait', 'none'), { code: 0 })
  t.ok(await isServed(two, 'one'))
  t.match(await cluster.maki('push'), { code: 0, stdout: 'Nothing waits here.\n' })
})
