import t, { type Test } from 'tap'
import type { HealthVerdict } from '../../edge/index.ts'
import { eventually } from '../support/eventually.ts'
import type { Daemon } from './support/daemons.ts'
import { LoopbackCluster } from './support/loopback-cluster.ts'
import { type Outcome, Scene } from './support/scene.ts'

/** Real nodes die, hang and come back; the others say so, stop answering with them, and `maki health` tells. */

// Holds and thresholds take their time.
t.setTimeout(0)
// Mostly waits: for checks, and for what is held.
const APEX = 'example.test'

async function open(t: Test, nodes: number) {
  const scene = await Scene.open()
  t.teardown(() => scene[Symbol.asyncDispose]())
  const loopback = await LoopbackCluster.start(scene, { nodes, apex: APEX })
  t.teardown(() => loopback[Symbol.asyncDispose]())
  const maki = (...args: string[]): Promise<Outcome> => scene.maki([...args, '--profile', loopback.cluster.profile])
  return { loopback, maki }
}

/** Waits until each of `askers` answers with exactly the addresses of `named`, and then sees that it stays so. */
async function answers(t: Test, loopback: LoopbackCluster, askers: readonly Daemon[], named: readonly Daemon[]) {
  const wanted = named.map((daemon) => loopback.addressOf(daemon)).sort()
  for (const asker of askers) {
    await eventually(`${asker.name} to answer with ${wanted.join()}`, async () => {
      const given = await loopback.given(asker, APEX)
      if (given.join() === wanted.join()) return true
      throw new Error(`it gives ${given.join()}`)
    })
  }
  for (let i = 0; i < 30; i++) {
    for (const asker of askers) {
      const given = await loopback.given(asker, APEX)
      if (given.join() === wanted.join()) continue
      t.fail(`${asker.name} gives ${given.join()} again`)
      return
    }
  }
  t.pass(`${askers.map(({ name }) => name).join()} answer with ${wanted.join()}, and keep to it`)
}

async function verdictsAt(asker: Daemon, node: Daemon): Promise<readonly HealthVerdict[]> {
  const { nodes } = await asker.client.status()
  return nodes.find(({ name }) => name === node.name)?.health ?? []
}

t.test('three nodes: one dies, two die, and all come back', async (t) => {
  const { loopback, maki } = await open(t, 3)
  const [a, b, c] = loopback.daemons as [Daemon, Daemon, Daemon]
  await answers(t, loopback, [a, b, c], [a, b, c])
  await eventually('votes of both others on everybody', async () => {
    for (const asker of [a, b, c]) {
      for (const node of [a, b, c]) {
        const verdicts = await verdictsAt(asker, node)
        if (verdicts.length !== 2 || verdicts.some(({ votes }) => votes.up !== 2))
          throw new Error(JSON.stringify(verdicts))
      }
    }
    return true
  })

  await t.test('maki health finds nothing', async (t) => {
    const text = await maki('health')
    t.equal(text.code, 0, text.stdout + text.stderr)
    t.match(text.stdout, /^NODE +HEARD +WEB +DNS +OTHERS +RECORDS/)
    t.match(text.stdout, /node3 +up +\d+ ms +\d+ ms +up +(\d+) of \1 /)
    t.match(text.stdout, /healthy: 3 nodes/)
    const json = JSON.parse((await maki('health', '--json')).stdout)
    t.equal(json.healthy, true)
    t.equal(json.nodes.length, 3)
    t.ok(json.nodes.every((node: { records: { asked: number; right: number } }) => node.records.asked > 5))
    t.notOk(json.findings.some(({ level }: { level: string }) => level === 'wrong'))
  })

  await c.kill()
  const seen = await Promise.all([a, b].map((daemon) => daemon.event('health.verdict', '"standing":"down"')))
  for (const line of seen) t.match(line, { node: 'node3', basis: 'majority', votes: { up: 0 } })
  await answers(t, loopback, [a, b], [a, b])

  await t.test('maki health and maki status say who is down, and why', async (t) => {
    const text = await maki('health')
    t.equal(text.code, 1, text.stderr)
    t.match(text.stdout, /node3 +\S+ +down +down +down +-/)
    t.match(
      text.stdout,
      /wrong node3: it does not answer: DNS, HTTP.* \(127\.0\.0\.4, from here: HTTP: nothing listens there\)\n {2}Is its/,
    )
    t.equal(text.stdout.match(/(?:wrong|note) node3/g)?.length, 1, 'one finding for one dead node')
    const { findings } = JSON.parse((await maki('health', '--json')).stdout)
    const { details } = findings.find(({ node }: { node: string }) => node === 'node3')
    t.match(details.join('\n'), /web at 127\.0\.0\.4 is down: HTTP: nothing listens there \(2 of 2 nodes/)
    t.match(text.stdout, /not healthy: 3 nodes; as node1 sees them/)
    const status = await maki('status')
    t.equal(status.code, 1)
    t.match(status.stdout, /down node3: web at 127\.0\.0\.4 is down: HTTP: nothing listens there/)
  })

  await b.kill()
  // It hears no majority now, and goes by its own eyes.
  await eventually('a verdict by own eyes', async () => {
    const [web] = await verdictsAt(a, b)
    return (web?.standing === 'down' && web.basis === 'own eyes') || undefined
  })
  await answers(t, loopback, [a], [a])

  await Promise.all([b.start(), c.start()])
  await eventually('what came back to be held', async () => {
    const [web] = await verdictsAt(a, b)
    return web?.standing === 'held' || web?.standing === 'up' || undefined
  })
  await answers(t, loopback, [a, b, c], [a, b, c])

  await t.test('nobody answers: what was tried is printed', async (t) => {
    for (const daemon of loopback.daemons) await daemon.stop()
    const text = await maki('health')
    t.equal(text.code, 3)
    t.match(text.stdout, /node1 +- +/)
    t.match(text.stdout, /not known: 3 nodes; no node says/)
    t.match(text.stderr, /no node can be reached/)
    t.equal((await maki('health', '--offline')).code, 2)
  })
})

t.test('two nodes: each goes by its own eyes; one hangs and comes back', async (t) => {
  const { loopback } = await open(t, 2)
  const [a, b] = loopback.daemons as [Daemon, Daemon]
  await answers(t, loopback, [a, b], [a, b])
  b.signalAll('SIGSTOP')
  t.match(await a.event('health.verdict', '"standing":"down"'), {
    node: 'node2',
    basis: 'own eyes',
    reason: /no answer/,
  })
  await answers(t, loopback, [a], [a])
  b.signalAll('SIGCONT')
  // What it missed while it stood still is held against nobody.
  await answers(t, loopback, [b], [a, b])
  await answers(t, loopback, [a, b], [a, b])
})

t.test('health that is switched off asks nobody and leaves nobody out', async (t) => {
  const scene = await Scene.open()
  t.teardown(() => scene[Symbol.asyncDispose]())
  const loopback = await LoopbackCluster.start(scene, { nodes: 2, apex: APEX, health: { enabled: false } })
  t.teardown(() => loopback[Symbol.asyncDispose]())
  const [a, b] = loopback.daemons as [Daemon, Daemon]
  await b.kill()
  await eventually('the silence of node2', async () => {
    const { nodes } = await a.client.status()
    return nodes.some(({ name, up }) => name === b.name && !up) || undefined
  })
  t.strictSame(await loopback.given(a, APEX), [loopback.addressOf(a), loopback.addressOf(b)])
  t.strictSame(await verdictsAt(a, b), [])
})
