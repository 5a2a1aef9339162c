import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { findDomain, findRelease } from '../../core/index.ts'
import { example, startTestCluster, type TestCluster } from './support/test-cluster.ts'

interface SyncReport {
  node: string | null
  domains: { domain: string; operation: string | null; changes: object[]; lines: { text: string }[] }[]
  uploaded: { blobs: number }
  waiting: number
}
interface ReleaseRow {
  id: string
  served: boolean
  files: number
  rollbackOf: string | null
  aliases: string[]
}

async function writeProject(cluster: TestCluster, files: Record<string, string>, lines: string[] = []): Promise<void> {
  const site = join(cluster.directory, 'site')
  await rm(site, { recursive: true, force: true })
  await mkdir(site)
  for (const [name, text] of Object.entries(files)) await writeFile(join(site, name), text)
  const toml = ['project = "blog"', '[[domain]]', 'name = "example.com"', 'path = "./site"', ...lines]
  await writeFile(join(cluster.directory, 'makiatto.toml'), toml.join('\n'))
}

t.test('sync publishes once, and writes nothing when nothing changed', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  const count = () => node!.replica.count
  await writeProject(cluster, { 'index.html': 'one', 'a.css': 'a' }, ['aliases = ["www.example.com"]'])
  const fresh = count()
  const planned = await cluster.maki('sync', '--take-over', '--dry-run')
  t.match(planned, {
    code: 0,
    stdout: /^example\.com\n {2}[\s\S]*\nWould change 1 domain; nothing was written\.\n$/,
    stderr: '',
  })
  t.equal(count(), fresh)

  const synced = await cluster.maki('sync', '--take-over')
  t.match(synced, {
    code: 0,
    stdout: /^Synced example\.com, 3 new blobs \(.*\) at one\.\n$/,
    stderr: /Published example\.com\nLive {6}example\.com on one\n$/,
  })
  t.equal(count(), fresh + 1)
  t.equal(findRelease(node!.replica.state, example)?.files, 2)

  const again = await cluster.maki('sync')
  t.same(again, { ...again, code: 0, stdout: 'Nothing to do: the cluster is as the project says.\n' })
  t.equal(count(), fresh + 1)

  await writeProject(cluster, { 'index.html': 'two', 'a.css': 'a' }, ['aliases = ["www.example.com"]'])
  const report = await cluster.json<SyncReport>('sync', '-m', 'second')
  t.match(report, { node: 'one', waiting: 0, domains: [{ domain: 'example.com' }] })
  t.equal(report.uploaded.blobs, 2, 'the changed file and the manifest')
  const [newest] = await cluster.json<{ message: string; via: string }[]>('history', '--limit', '1')
  t.match(newest, { message: 'second', via: 'blog' })
})

t.test('what is wrong with the project is told, and nothing is written', async (t) => {
  await using cluster = await startTestCluster()
  t.match(await cluster.maki('sync'), { code: 2, stderr: /there is no project file/ })
  await writeFile(join(cluster.directory, 'makiatto.toml'), '[[domain]\nname = 1')
  t.match(await cluster.maki('sync'), { code: 2, stdout: '' })
  await writeProject(cluster, {})
  t.match(await cluster.maki('sync', '--take-over'), { code: 2, stderr: /--allow-empty/ })
  await writeProject(cluster, { 'index.html': 'x' }, ['spaa = true'])
  t.match(await cluster.maki('sync', '--take-over', '--dry-run'), { code: 0, stderr: /spaa.*spa/s })
  t.match(await cluster.maki('sync', '--strict', '--dry-run'), { code: 2 })
})

t.test('an offline sync waits with its files, and the next exchange brings both', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  await cluster.maki('pull')
  await node!.stop()
  await writeProject(cluster, { 'index.html': 'made on a train' })
  const report = await cluster.json<SyncReport>('sync', '--take-over')
  t.match(report, { node: null, uploaded: { blobs: 2 } })
  t.ok(report.waiting > 0)
  t.match(await cluster.maki('release', 'list', 'example.com'), {
    code: 0,
    stdout: /served/,
    stderr: /copy on this computer/,
  })
  t.same((await readdir(join(cluster.directory, 'data', 'outbox'))).sort(), ['blobs', 'incoming'])

  await node!.start()
  t.match(await cluster.json('push'), { node: 'one', waiting: [] })
  const release = findRelease(node!.replica.state, example)
  t.equal(release?.files, 1)
  t.same(await node!.blobs.missing([release!.manifest]), [])
  await t.rejects(
    readdir(join(cluster.directory, 'data', 'outbox')),
    { code: 'ENOENT' },
    'what was delivered is not kept twice',
  )
})

t.test('rollback restores files and aliases, once more goes further back, and can itself be rolled back', async (t) => {
  await using cluster = await startTestCluster()
  const state = () => cluster.nodes[0]!.replica.state
  const publish = async (text: string, alias: string) => {
    await writeProject(cluster, { 'index.html': text }, [`aliases = ["${alias}.example.com"]`])
    const outcome = await cluster.maki('sync', '--take-over')
    t.equal(outcome.code, 0, outcome.stderr)
    return findRelease(state(), example)!
  }
  const first = await publish('one', 'a')
  const second = await publish('two', 'b')
  const third = await publish('three', 'c')

  const back = await cluster.json<{ changed: boolean; to: string; release: string }>('rollback', 'example.com')
  t.match(back, { changed: true, to: second.id })
  t.match(findRelease(state(), example), { id: back.release, tree: second.tree, rollbackOf: second.id })
  t.same(findDomain(state(), example)?.aliases, ['b.example.com'])

  t.match(await cluster.json('rollback', 'example.com', '-m', 'further'), { to: first.id })
  t.same(findDomain(state(), example)?.aliases, ['a.example.com'])
  t.match(await cluster.maki('rollback', 'example.com'), { code: 4, stderr: /no release before/ })

  t.match(await cluster.json('rollback', 'example.com', third.id.slice(0, 12)), { changed: true, to: third.id })
  t.match(await cluster.maki('rollback', 'example.com', third.id), { code: 0, stdout: /serves release .* already/ })

  const rows = await cluster.json<ReleaseRow[]>('release', 'list', 'example.com')
  t.same(
    rows.map(({ rollbackOf }) => rollbackOf),
    [third.id, first.id, second.id, null, null, null],
  )
  t.same(
    rows.map(({ served }) => served),
    [true, false, false, false, false, false],
  )
  t.match(await cluster.maki('rollback', 'example.com', 'zzzz'), { code: 4, stderr: /no release "zzzz"/ })
})
