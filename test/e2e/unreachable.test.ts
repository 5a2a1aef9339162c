import t, { type Test } from 'tap'
import type { Change, Hostname } from '../../core/index.ts'
import { eventually } from '../support/eventually.ts'
import { createRandom, seeds } from '../support/seeds.ts'
import type { Daemon } from './support/daemons.ts'
import { NetworkedCluster } from './support/networked-cluster.ts'
import { Scene } from './support/scene.ts'

/** Nodes on real networks are cut off, hang, die and come back, and visitors of every node that is reached are sent well. */

t.setTimeout(0)
// Mostly waits: for checks that go unanswered.
const [seed = 1] = seeds(1)
const random = createRandom(seed)
const APEX = 'example.test' as Hostname
const HEALTH = { check_interval: 1, dns_timeout: 2, http_timeout: 2, failure_threshold: 2, success_threshold: 1 }
/** Clients that the answers are asked for: unknown places, which are spread over the nodes. */
const SUBNETS = Array.from({ length: 24 }, (_, i) => `203.0.${i * 9}.0/24`)
const PAGE: Change = { kind: 'domain.set', domain: APEX, spa: false, onConcurrent: 'latest', previews: true }

async function open(t: Test, nodes: number): Promise<NetworkedCluster> {
  const scene = await Scene.open()
  t.teardown(() => scene[Symbol.asyncDispose]())
  const net = await NetworkedCluster.start(scene, { nodes, others: ['client'], health: HEALTH })
  t.teardown(() => net[Symbol.asyncDispose]())
  await net.commit(PAGE)
  await net.cluster.agreement()
  return net
}

/** The addresses that a node gives to clients all over the world, asked from a host; undefined when it does not answer. */
async function given(net: NetworkedCluster, from: string, node: string): Promise<ReadonlySet<string> | undefined> {
  const { ipv4 } = net.host(node)
  const questions = SUBNETS.flatMap((subnet) => [APEX, 'A', `+subnet=${subnet}`])
  const options = [`@${ipv4}`, '+short', '+tries=1', '+time=1']
  try {
    const text = await net.host(from).run('dig', ...options, ...questions)
    const found = text.split('\n').filter((line) => /^[0-9.]+$/.test(line))
    return found.length === 0 ? undefined : new Set(found)
  } catch {
    return undefined
  }
}

/** Waits until a node gives out exactly the addresses of these. */
async function settles(net: NetworkedCluster, node: string, names: readonly string[], from = 'client'): Promise<void> {
  const wanted = names.map((name) => net.host(name).ipv4).sort()
  await eventually(`${node} to send visitors to ${names.join(' and ')}`, async () => {
    const got = [...((await given(net, from, node)) ?? [])].sort()
    if (got.join() !== wanted.join()) throw new Error(`it gives ${got.join() || 'nothing'}`)
    return true
  })
}

const namesOf = (net: NetworkedCluster) => net.daemons.map(({ name }) => name)

t.test('three nodes', async (t) => {
  const net = await open(t, 3)
  const all = namesOf(net)
  for (const node of all) await settles(net, node, all)

  // First, while nobody remembers having seen another down.
  await t.test('a cut in one direction between two: the third sees both, and so do visitors', async (t) => {
    const [a, b, c] = all as [string, string, string]
    await net.network.cut(a, b)
    for (let i = 0; i < 20; i++) {
      for (const node of all) {
        const got = await given(net, 'client', node)
        t.ok(got !== undefined && got.size > 0, `${node} always answers`)
        t.ok(got?.has(net.host(c).ipv4), 'and with whom everybody sees')
      }
    }
    await net.network.healAll()
    for (const node of all) await settles(net, node, all)
    t.ok(b)
  })

  // One of them; another for another seed.
  for (const alone of random.shuffle(all).slice(0, 1)) {
    await t.test(`${alone} is cut off from the others, and clients reach all (SEED=${seed})`, async (t) => {
      const others = all.filter((name) => name !== alone)
      await net.network.isolate(alone, others)
      // The others agree by majority; the one that hears nobody goes by what it sees, which is itself.
      for (const node of others) await settles(net, node, others)
      await settles(net, alone, [alone])
      t.pass('nobody is sent where the answering side sees nothing')
      await net.network.healAll()
      for (const node of all) await settles(net, node, all)
    })
  }

  await t.test('a node that hangs is as one that is dead, and comes back', async () => {
    const [victim, ...others] = net.daemons as [Daemon, ...Daemon[]]
    victim.signalAll('SIGSTOP')
    const rest = others.map(({ name }) => name)
    for (const node of rest) await settles(net, node, rest)
    victim.signalAll('SIGCONT')
    for (const node of all) await settles(net, node, all)
  })

  await t.test('all but one die: the last answers with itself; all dead ones come back', async () => {
    const [last, ...others] = net.daemons as [Daemon, ...Daemon[]]
    for (const daemon of others) await daemon.powerOff()
    await settles(net, last.name, [last.name])
    for (const daemon of others) await daemon.start()
    for (const node of all) await settles(net, node, all)
  })
})

t.test('two nodes', async (t) => {
  const net = await open(t, 2)
  const [a, b] = namesOf(net) as [string, string]
  for (const node of [a, b]) await settles(net, node, [a, b])
  await net.network.isolate(a, [b])
  await settles(net, a, [a])
  await settles(net, b, [b])
  await net.network.healAll()
  for (const node of [a, b]) await settles(net, node, [a, b])
  await net.daemon(b).powerOff()
  await settles(net, a, [a])
  t.pass('each goes by its own eyes')

  // Nobody is there to tell it what it has forgotten.
  const daemon = net.daemon(a)
  await daemon.powerOff()
  const started = daemon.start()
  const all = new Set<string>()
  let isStarted = false
  void started.finally(() => {
    isStarted = true
  })
  for (let after = 0; after < 20; after += isStarted ? 1 : 0)
    for (const address of (await given(net, 'client', a)) ?? []) all.add(address)
  await started
  t.same([...all], [net.host(a).ipv4], 'a node that starts again answers with the dead at no moment')
})
