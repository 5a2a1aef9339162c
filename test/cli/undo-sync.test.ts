import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { type Hostname, keys, type OwnerName } from '../../core/index.ts'
import { startTestCluster, type TestCluster } from './support/test-cluster.ts'

const apex = 'shop.example' as Hostname
const KEY = keys.record(apex, 'www' as OwnerName, 'A')

async function project(cluster: TestCluster, value: string | undefined): Promise<void> {
  const record = value === undefined ? '' : `[[domain.records]]\nname = "www"\ntype = "A"\nvalue = "${value}"\n`
  const text = `project = "shop"\n[[domain]]\nname = "${apex}"\nredirect = "https://elsewhere.example"\n${record}`
  await writeFile(join(cluster.directory, 'makiatto.toml'), text)
}

const servedValues = (cluster: TestCluster) =>
  (cluster.nodes[0]!.replica.state.get(KEY)?.value as { values: string[] } | undefined)?.values
const newest = async (cluster: TestCluster) => (await cluster.json<{ id: string }[]>('history', '--limit', '1'))[0]!.id

async function synced(cluster: TestCluster, value: string | undefined, ...flags: string[]) {
  await project(cluster, value)
  return cluster.maki('sync', '--wait', 'none', ...flags)
}

t.test('a sync that was taken back stays so while the file says the same', async (t) => {
  await using cluster = await startTestCluster()
  await synced(cluster, '192.0.2.1')
  await synced(cluster, '192.0.2.2')
  t.equal((await cluster.maki('undo', await newest(cluster))).code, 0)
  t.same(servedValues(cluster), ['192.0.2.1'])
  const count = cluster.nodes[0]!.replica.count
  t.match(await synced(cluster, '192.0.2.2'), { code: 0, stdout: /what others wrote stays/ })
  t.equal(cluster.nodes[0]!.replica.count, count, 'the same file writes nothing')
  t.match(await synced(cluster, '192.0.2.1'), { code: 0, stdout: /Nothing to do/ })
  t.match(await synced(cluster, '192.0.2.3'), { code: 4, stderr: /written by owner.*--take-over/s })
  t.equal((await synced(cluster, '192.0.2.3', '--take-over')).code, 0)
  t.same(servedValues(cluster), ['192.0.2.3'])
  t.equal((await synced(cluster, '192.0.2.4')).code, 0, 'it is the project’s again')
})

t.test('what a sync added and was taken back is not added again by the same file', async (t) => {
  await using cluster = await startTestCluster()
  await synced(cluster, undefined)
  await synced(cluster, '192.0.2.1')
  await cluster.maki('undo', await newest(cluster))
  t.equal(servedValues(cluster), undefined)
  t.match(await synced(cluster, '192.0.2.1'), { code: 0, stdout: /what others wrote stays/ })
  t.equal(servedValues(cluster), undefined)
})

t.test('what a sync removed and was taken back stays though the file lacks it', async (t) => {
  await using cluster = await startTestCluster()
  await synced(cluster, '192.0.2.1')
  await synced(cluster, undefined)
  t.equal(servedValues(cluster), undefined)
  await cluster.maki('undo', await newest(cluster))
  t.match(await synced(cluster, undefined), { code: 0, stdout: /what others wrote stays/ })
  t.same(servedValues(cluster), ['192.0.2.1'])
})

t.test('a change by hand that was taken back leaves the value to its project', async (t) => {
  await using cluster = await startTestCluster()
  await synced(cluster, '192.0.2.1')
  await cluster.maki('record', 'set', apex, 'www', 'A', '192.0.2.66')
  await cluster.maki('undo', await newest(cluster))
  t.equal(cluster.nodes[0]!.replica.state.get(KEY)?.via, 'shop')
  t.match(await synced(cluster, '192.0.2.1'), { code: 0, stdout: /as the project says/ })
  t.equal((await synced(cluster, '192.0.2.2')).code, 0)
  t.same(servedValues(cluster), ['192.0.2.2'])
})

t.test('a domain that was pruned and comes back is its project’s again', async (t) => {
  await using cluster = await startTestCluster()
  await synced(cluster, '192.0.2.1')
  const text = 'project = "shop"\n[[domain]]\nname = "other.example"\nredirect = "https://elsewhere.example"\n'
  await writeFile(join(cluster.directory, 'makiatto.toml'), text)
  t.equal((await cluster.maki('sync', '--prune', '--wait', 'none')).code, 0)
  t.equal(cluster.nodes[0]!.replica.state.get(keys.domain(apex)), undefined)
  const [removal] = await cluster.json<{ id: string }[]>('history', '--domain', apex, '--limit', '1')
  t.equal((await cluster.maki('undo', removal!.id)).code, 0)
  t.same(servedValues(cluster), ['192.0.2.1'])
  t.match(await synced(cluster, '192.0.2.1'), { code: 0 })
  t.equal((await synced(cluster, '192.0.2.2')).code, 0, 'the file decides as before')
  t.same(servedValues(cluster), ['192.0.2.2'])
})
