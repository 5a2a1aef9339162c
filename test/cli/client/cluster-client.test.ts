import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { ClusterClient } from '../../../cli/client/cluster-client.ts'
import { dataFolderAt } from '../../../cli/client/data-folder.ts'
import { writeKeyFile } from '../../../cli/client/identity.ts'
import { loadProfile, type Profile } from '../../../cli/config/index.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { type Change, MakiError, type MemberKey, type OwnerName, silentLog } from '../../../core/index.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { example, startTestCluster, type TestCluster, testKey } from '../support/test-cluster.ts'
import { gossip, type TestNode } from '../support/test-node.ts'

const openClient = (profile: Profile, options: { offline?: boolean; node?: string } = {}) =>
  ClusterClient.open({
    profile,
    host: { runtime: systemRuntime, signal: new AbortController().signal },
    log: silentLog,
    offline: options.offline ?? false,
    ...(options.node === undefined ? {} : { node: options.node }),
  })

const randomRecord = (random: Random): Change => ({
  kind: 'record.set',
  domain: example,
  name: random.pick(['www', 'mail', 'api']) as OwnerName,
  type: 'A',
  ttl: 300,
  values: [`192.0.2.${1 + random.integer(250)}`],
})

/** A second laptop: an operator of its own, with an empty data folder. */
async function addLaptop(cluster: TestCluster, number: number): Promise<Profile> {
  const seed = new Uint8Array(32).fill(number)
  const key = testKey(number).key as MemberKey
  await cluster.write(cluster.nodes[0]!, [{ kind: 'operator.add', key, name: `laptop-${number}`, role: 'operator' }])
  const folder = join(cluster.directory, `laptop-${number}`)
  await mkdir(folder)
  const profile = await loadProfile(cluster.profile, cluster.env)
  await writeKeyFile(dataFolderAt(folder).keyFile, seed, 'test')
  return { ...profile, dataFolder: folder }
}

for (const seed of seeds(6)) {
  t.test(`laptops that are offline, cut off and crossed by others lose nothing (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
    const [one, two] = cluster.nodes as [TestNode, TestNode]
    const laptops = [await loadProfile(cluster.profile, cluster.env), await addLaptop(cluster, 9)]
    await gossip(one, two)
    for (const profile of laptops) {
      await using client = await openClient(profile)
      await client.exchange()
    }
    const made = new Set<string>()
    const acknowledged = new Set<string>()
    const fail = async () => {
      throw new MakiError('MAKI_UNREACHABLE', 'the node is gone')
    }
    for (let step = 0; step < 12; step++) {
      const node = random.pick([one, two])
      delete one.hooks.beforeAccept
      delete one.hooks.afterAccept
      delete two.hooks.beforeAccept
      delete two.hooks.afterAccept
      if (random.chance(0.3)) node.hooks[random.pick(['beforeAccept', 'afterAccept'] as const)] = fail
      if (random.chance(0.2)) await gossip(one, two)
      if (random.chance(0.2)) await gossip(two, one)
      await using client = await openClient(random.pick(laptops), { offline: random.chance(0.3), node: node.name })
      for (let i = random.integer(3); i > 0; i--) made.add((await client.commit([randomRecord(random)])).id)
      const report = await client.exchange()
      for (const id of report.delivered) acknowledged.add(id)
      for (const { id } of report.waiting)
        t.ok(made.has(id) || String(id) === cluster.cluster, 'only own operations wait')
    }
    for (const id of acknowledged)
      t.ok(one.replica.has(id as never) || two.replica.has(id as never), 'acknowledged is stored')
    one.hooks.beforeAccept = one.hooks.afterAccept = two.hooks.beforeAccept = two.hooks.afterAccept = async () => {}
    for (const profile of laptops) {
      await using client = await openClient(profile)
      const report = await client.exchange()
      t.same(report.waiting, [])
    }
    await gossip(one, two)
    await gossip(two, one)
    for (const id of made) t.equal(one.replica.explain(id as never).status, 'counted')
    for (const profile of laptops) {
      await using client = await openClient(profile)
      await client.exchange()
      t.same(client.local.replica.digest(), one.replica.digest())
      t.same(await client.listWaiting(), [])
    }
    t.same(two.replica.digest(), one.replica.digest())
  })
}

t.test('what a node refuses waits and is named; the rest is delivered', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  const profile = await loadProfile(cluster.profile, cluster.env)
  const random = createRandom(1)
  {
    await using client = await openClient(profile, { offline: true })
    // Nothing but the creation is here, so these are concurrent with the node's own.
    for (let i = 0; i < 3; i++) await client.commit([randomRecord(random)])
  }
  const cautions: string[] = []
  let calls = 0
  node!.hooks.beforeAccept = async () => {
    // The batch as a whole, then the first alone, are refused.
    if (++calls <= 2) throw new MakiError('MAKI_OPERATION_REFUSED', 'its stamp lies ahead')
  }
  await using client = await ClusterClient.open({
    profile,
    host: { runtime: systemRuntime, signal: new AbortController().signal },
    log: silentLog,
    offline: false,
    onCaution: (text) => cautions.push(text),
  })
  const report = await client.exchange()
  t.equal(report.waiting.length, 1)
  t.equal(report.delivered.length, 3)
  t.match(cautions, [/one does not take operation .* which waits: its stamp lies ahead/])
  const again = await client.exchange()
  t.same(again.waiting, [], 'a later exchange tries it again')
})

t.test('a new computer: its key is made, named and refused until it is admitted', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  const profile = join(cluster.directory, 'other.toml')
  await writeFile(
    profile,
    `cluster = "${cluster.cluster}"\ndata = "other"\n[[machines]]\nname = "one"\ncontrol = "${node!.socketPath}"\n`,
  )
  const set = ['record', 'set', 'example.com', 'www', 'A', '192.0.2.1', '--profile', profile]
  const first = await cluster.maki(...set)
  t.match(first, { code: 4, stdout: '', stderr: /had no key.*\nTry: .*maki operator add NAME [a-z2-7]{52}\n/s })
  const second = await cluster.maki(...set)
  t.match(second, { code: 4, stderr: /is no member of this cluster\nTry: .*maki operator add NAME/ })
  t.equal((await cluster.maki('history', '--profile', profile)).code, 0, 'reading needs no key')
  const key = (await cluster.maki('operator', 'key', '--profile', profile)).stdout.trim()
  t.ok(first.stderr.includes(key))
  await cluster.write(node!, [{ kind: 'operator.add', key: key as MemberKey, name: 'other', role: 'operator' }])
  t.match(await cluster.maki(...set), { code: 0 })
})

t.test('--key: an identity without a replica on disk', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  const key = testKey(33)
  const file = join(cluster.directory, 'ci.key')
  await writeKeyFile(file, new Uint8Array(32).fill(33), 'ci')
  await cluster.write(node!, [{ kind: 'operator.add', key: key.key, name: 'ci', role: 'operator' }])
  const set = ['record', 'set', 'example.com', 'ci', 'A', '192.0.2.7', '--key', file]
  t.match(await cluster.maki(...set), { code: 0, stdout: /^Set ci\.example\.com A/ })
  const [newest] = await cluster.json<{ author: { name: string } }[]>('history', '--limit', '1')
  t.equal(newest?.author.name, 'ci')
  await node!.stop()
  t.match(await cluster.maki(...set), { code: 3, stderr: /nothing is known of the cluster here yet/ })
})
