import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { dataFolderAt } from '../../cli/client/data-folder.ts'
import { LocalReplica } from '../../cli/client/local-replica.ts'
import { loadProfile } from '../../cli/config/index.ts'
import { systemRuntime } from '../../cli/system.ts'
import { findRelease, type Hostname, hashBlob, isRemoved, type MemberKey, silentLog } from '../../core/index.ts'
import { createRandom, seeds } from '../support/seeds.ts'
import { type Outcome, runInProcess, startTestCluster, type TestCluster, testKey } from './support/test-cluster.ts'
import type { TestNode } from './support/test-node.ts'

/** `maki cluster rebuild`: every node is gone, and the copy on a computer is all that is left. */

interface Rebuilt {
  readonly changed: boolean
  readonly removed: readonly { readonly name: string; readonly key: string }[]
  readonly operation: string | null
  readonly forgotten: readonly string[]
  readonly domains: readonly {
    readonly domain: string
    readonly project: string | null
    readonly filesWaitHere: boolean
  }[]
}

async function writeSite(cluster: TestCluster, text: string): Promise<void> {
  await mkdir(join(cluster.directory, 'site'), { recursive: true })
  await writeFile(join(cluster.directory, 'site', 'index.html'), text)
  const lines = ['project = "blog"', '[[domain]]', 'name = "example.com"', 'path = "./site"']
  await writeFile(join(cluster.directory, 'makiatto.toml'), lines.join('\n'))
}

/** What the copy on the computer says, without asking anybody. */
const records = async (cluster: TestCluster) =>
  (await cluster.json<{ source: string }[]>('record', 'list', 'example.com', '--offline')).filter(
    ({ source }) => source !== 'automatic',
  )
const nodesKnown = async (cluster: TestCluster) =>
  (await cluster.json<{ nodes: { name: string }[] }>('cluster', 'show', '--offline')).nodes.map(({ name }) => name)

async function stopAll(cluster: TestCluster): Promise<void> {
  for (const node of cluster.nodes) await node.stop()
}

t.test('refused while a node answers, and nothing is written', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  await cluster.maki('pull')
  await (cluster.nodes[0] as TestNode).stop()
  const before = await readFile(cluster.profile, 'utf8')
  const refused = await cluster.maki('cluster', 'rebuild', '--yes')
  t.match(refused, { code: 4, stderr: /two answers, so not every node is lost\nTry: .*maki machine remove NAME/ })
  t.strictSame(await nodesKnown(cluster), ['one', 'two'])
  t.equal(await readFile(cluster.profile, 'utf8'), before)
})

t.test('it asks, says what is there and what is gone; no is no', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  await writeSite(cluster, 'hello')
  t.equal((await cluster.maki('sync', '--take-over')).code, 0)
  t.equal((await cluster.maki('record', 'set', 'example.com', 'shop', 'A', '192.0.2.7')).code, 0)
  await stopAll(cluster)
  t.match(await cluster.maki('cluster', 'rebuild'), { code: 2, stderr: /maki cluster rebuild --yes/ }, 'nobody to ask')
  const typed = (answer: string): Promise<Outcome> =>
    runInProcess(['cluster', 'rebuild'], { env: cluster.env, cwd: cluster.directory, answer })
  t.match(await typed('n'), { stderr: /example\.com: 1 RRset, a release of 1 file/ })
  t.strictSame(await nodesKnown(cluster), ['one', 'two'])
  const done = await typed('y')
  t.match(done, { code: 0, stdout: /^Retired one, two\./ })
  t.match(done.stdout, /maki machine init NAME USER@HOST/)
  t.match(done.stdout, /maki sync {2}\(in the project blog\) +the files of example\.com\n?/)
  t.strictSame(await nodesKnown(cluster), [])
  t.strictSame((await loadProfile(cluster.profile, cluster.env)).machines, [])
  t.equal((await records(cluster)).length > 0, true, 'the records are there')
  const again = await cluster.json<Rebuilt>('cluster', 'rebuild')
  t.match(again, { changed: false, operation: null, removed: [], domains: [{ project: 'blog', filesWaitHere: false }] })
})

t.test('a release whose files wait here needs not be published again', async (t) => {
  await using cluster = await startTestCluster()
  await cluster.maki('pull')
  await stopAll(cluster)
  await writeSite(cluster, 'never handed over')
  t.equal((await cluster.maki('sync', '--take-over', '--offline')).code, 0)
  const done = await cluster.json<Rebuilt>('cluster', 'rebuild', '--offline', '--yes')
  t.match(done, { changed: true, domains: [{ domain: 'example.com', filesWaitHere: true }] })
})

t.test('only operators, only with a copy', async (t) => {
  await using cluster = await startTestCluster()
  const fresh = {
    ...cluster.env,
    HOME: join(cluster.directory, 'fresh'),
    MAKIATTO_PROFILE: join(cluster.directory, 'f.toml'),
  }
  await writeFile(fresh.MAKIATTO_PROFILE, `cluster = "${cluster.cluster}"\ndata = "fresh-data"\n`)
  const none = await runInProcess(['cluster', 'rebuild', '--yes'], { env: fresh, cwd: cluster.directory })
  t.match(none, { code: 4, stderr: /there is no copy of the cluster/ })
  t.match(await cluster.maki('cluster', 'rebuild', '--key', 'x.key'), { code: 2, stderr: /a key file has none/ })
})

/** A run that ends at any moment, then another: the nodes are out, once, and all else is as it was. */
async function cutAnywhere(t: Test, seed: number): Promise<void> {
  const random = createRandom(seed)
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  t.equal((await cluster.maki('record', 'set', 'example.com', 'shop', 'A', '192.0.2.7')).code, 0)
  await stopAll(cluster)
  const kept = await records(cluster)
  const stop = new AbortController()
  const options = { env: cluster.env, cwd: cluster.directory, signal: stop.signal }
  let turns = random.integer(400)
  const tick = (): void => {
    if (turns-- > 0) setImmediate(tick)
    else stop.abort(new Error('interrupted'))
  }
  tick()
  await runInProcess(['cluster', 'rebuild', '--offline', '--yes'], options)
  t.equal((await cluster.maki('cluster', 'rebuild', '--offline', '--yes')).code, 0)
  t.same(await records(cluster), kept, `nothing is lost (SEED=${seed})`)
  t.strictSame(await nodesKnown(cluster), [])
  t.strictSame((await loadProfile(cluster.profile, cluster.env)).machines, [])
  const history = await cluster.json<{ changes: { kind: string }[] }[]>('history', '--offline')
  const removals = history.flatMap(({ changes }) => changes).filter(({ kind }) => kind === 'node.remove')
  t.equal(removals.length, 2, `each once (SEED=${seed})`)
}

t.test('cut at any moment and typed again, it is done once and nothing is lost', async (t) => {
  for (const seed of seeds(6)) await cutAnywhere(t, seed)
})

t.test('the same project on a new machine: nothing is published anew, and its files are sent', async (t) => {
  await using cluster = await startTestCluster()
  const node = cluster.nodes[0] as TestNode
  await writeSite(cluster, 'hello')
  t.equal((await cluster.maki('sync', '--take-over')).code, 0)
  const release = findRelease(node.replica.state, 'example.com' as Hostname)?.id
  // What a new machine is like: all operations, no file, and nothing that it serves.
  await node.blobs.remove(hashBlob(Buffer.from('hello')))
  node.statusOf = (nodes) => nodes.map((one) => ({ ...one, active: {} }))
  node.hooks.afterPack = () => {
    node.statusOf = (nodes) => nodes
  }
  const count = node.replica.count
  t.match(await cluster.maki('sync'), {
    code: 0,
    stdout: /^Nothing new to publish; sent 1 file \(5 B\) that one lacked/,
  })
  t.ok(await node.blobs.has(hashBlob(Buffer.from('hello'))))
  t.equal(node.replica.count, count)
  t.equal(findRelease(node.replica.state, 'example.com' as Hostname)?.id, release)
  t.match(await cluster.maki('sync'), { code: 0, stdout: 'Nothing to do: the cluster is as the project says.\n' })
})

t.test('with --compromised nothing counts that the copy has not', async (t) => {
  await using cluster = await startTestCluster()
  const node = cluster.nodes[0] as TestNode
  await cluster.maki('pull')
  const own = testKey(100)
  // Written by the node itself, and not heard of on this computer.
  const late = await node.replica.commit(own, [{ kind: 'node.update', key: own.key, set: { drained: true } }])
  await node.stop()
  const done = await cluster.json<Rebuilt>('cluster', 'rebuild', '--compromised', '--yes')
  await node.start()
  await node.replica.merge(await operationsOf(cluster))
  const member = node.replica.findMember(own.key as MemberKey)
  t.ok(member !== undefined && isRemoved(member))
  t.equal(node.replica.explain(late.id).status, 'void', done.operation ?? '')
})

async function operationsOf(cluster: TestCluster): Promise<Uint8Array[]> {
  const folder = dataFolderAt(join(cluster.directory, 'data'))
  await using local = await LocalReplica.open({
    cluster: cluster.cluster,
    folder,
    runtime: systemRuntime,
    log: silentLog,
  })
  return [...(await local.replica.page(undefined, 1000)).operations]
}
