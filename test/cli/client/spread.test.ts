import t from 'tap'
import { ClusterClient } from '../../../cli/client/cluster-client.ts'
import { spread, spreadAll } from '../../../cli/client/spread.ts'
import { loadProfile } from '../../../cli/config/index.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { type Change, type OwnerName, silentLog } from '../../../core/index.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { example, startTestCluster, type TestCluster } from '../support/test-cluster.ts'

const NAMES = ['one', 'two', 'three', 'four', 'five']

async function open(cluster: TestCluster, options: { offline?: boolean } = {}): Promise<ClusterClient> {
  const client = await ClusterClient.open({
    profile: await loadProfile(cluster.profile, cluster.env),
    host: { runtime: systemRuntime, signal: new AbortController().signal },
    log: silentLog,
    offline: options.offline ?? false,
  })
  return client
}

const record = (random: Random): Change => ({
  kind: 'record.set',
  domain: example,
  name: random.pick(['www', 'mail', 'api']) as OwnerName,
  type: 'A',
  ttl: 300,
  values: [`192.0.2.${1 + random.integer(250)}`],
})

/** Nodes that hear nobody write, each for itself, and some of them are off. */
async function scatter(cluster: TestCluster, random: Random): Promise<ReadonlySet<string>> {
  for (let i = 0; i < 40; i++) await cluster.write(random.pick(cluster.nodes), [record(random)])
  const off = new Set(NAMES.filter(() => random.chance(0.3)))
  for (const node of cluster.nodes) if (off.has(node.name)) await node.stop()
  return off
}

for (const seed of seeds(4)) {
  t.test(`machines that hear nobody become equal, and those that are off are named (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    await using cluster = await startTestCluster({ nodes: NAMES })
    const off = await scatter(cluster, random)
    await using client = await open(cluster)
    await client.exchange()
    const { taken, had, missed } = await spreadAll(client)
    t.strictSame(
      missed.map(({ machine }) => machine),
      NAMES.filter((name) => off.has(name)),
    )
    t.strictSame([...taken, ...had].sort(), NAMES.filter((name) => !off.has(name)).sort(), 'each is told of once')
    const reached = cluster.nodes.filter(({ name }) => !off.has(name))
    const { state, ids } = client.local.replica.digest()
    for (const { replica, name } of reached) t.match(replica.digest(), { state, ids }, name)
    const again = await spreadAll(client)
    t.strictSame(again.taken, [], 'the second time nothing is to be done')
    t.strictSame([...again.had].sort(), reached.map(({ name }) => name).sort())
  })

  t.test(`an operation reaches every machine that is on, with all that it follows (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    await using cluster = await startTestCluster({ nodes: NAMES })
    const off = await scatter(cluster, random)
    await using client = await open(cluster)
    await client.exchange()
    if (client.local.isKnown === false) return
    const except = random.shuffle(NAMES).slice(0, random.integer(3))
    const operation = await client.commit([record(random)])
    const { taken, missed } = await spread([operation], client, { except })
    const asked = NAMES.filter((name) => !except.includes(name))
    t.strictSame([...taken, ...missed.map(({ machine }) => machine)].sort(), [...asked].sort())
    for (const { name, replica } of cluster.nodes) {
      const isTold = asked.includes(name) && !off.has(name)
      t.equal(replica.has(operation.id), isTold, name)
      if (isTold) t.ok(replica.fold.has(operation.id), `${name} has what it follows, too`)
    }
  })
}

t.test('with --offline nobody is asked, and another cluster takes nothing', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  await using other = await startTestCluster({ nodes: ['three'] })
  await using client = await open(cluster)
  await client.exchange()
  const operation = await client.commit([record(createRandom(1))])
  const { profile } = client
  const machines = [...profile.machines, ...(await loadProfile(other.profile, other.env)).machines]
  Object.assign(profile, { machines })
  t.match(await spread([operation], client), {
    taken: ['one', 'two'],
    missed: [{ machine: 'three', why: /another cluster/ }],
  })
  t.equal(other.nodes[0]?.batches.length, 0)
  await using offline = await open(other, { offline: true })
  t.strictSame(await spread([operation], offline), { taken: [], had: [], missed: [] })
  t.strictSame(await spreadAll(offline), { taken: [], had: [], missed: [] })
})
