import t from 'tap'
import { HealthMonitor, type ProbeTarget, type WatchedNode } from '../../../core/index.ts'
import { INTERVAL_MS, keyOf, THRESHOLDS } from './world.ts'

const node = (index: number, more: Partial<WatchedNode> = {}): WatchedNode => ({
  key: keyOf(index),
  ipv4: `192.0.2.${index + 1}`,
  ipv6: null,
  nameserver: false,
  ...more,
})

function create(size: number): HealthMonitor {
  const monitor = new HealthMonitor({ self: keyOf(0), thresholds: THRESHOLDS, intervalMs: INTERVAL_MS })
  monitor.setNodes(Array.from({ length: size }, (_, i) => node(i)))
  return monitor
}

const names = (targets: readonly ProbeTarget[]) =>
  targets.map(({ key, service, address }) => `${key.at(-1)} ${service} ${address}`)
const down = (reason: string) => ({ w4: reason })
const NONE = new Set<never>()

t.test('every public address of the others is probed, dns where it is served, and our own web server', async (t) => {
  const monitor = create(1)
  monitor.setNodes([
    node(0, { nameserver: true }),
    node(1, { nameserver: true, ipv6: '2001:db8::1' }),
    node(2, { ipv4: null }),
    node(3),
  ])
  t.same(names(monitor.targets()), [
    '0 web 192.0.2.1',
    '1 web 192.0.2.2',
    '1 web 2001:db8::1',
    '1 dns 192.0.2.2',
    '1 dns 2001:db8::1',
    '3 web 192.0.2.4',
  ])
})

t.test('dns that fails is a finding, and takes no visitors away', async (t) => {
  const monitor = create(2)
  monitor.setNodes([node(0), node(1, { nameserver: true })])
  for (let atMs = 0; atMs < 3; atMs++)
    for (const target of monitor.targets())
      monitor.record({ ...target, outcome: target.service === 'dns' ? 'down' : 'up', reason: 'SERVFAIL' }, atMs)
  t.match(
    monitor.verdicts(5).filter(({ key }) => key === keyOf(1)),
    [
      { service: 'web', standing: 'up', reason: undefined, basis: 'own eyes', votes: { up: 1, down: 0 } },
      { service: 'dns', standing: 'down', reason: 'SERVFAIL', basis: 'own eyes', votes: { up: 0, down: 1 } },
    ],
  )
  t.equal(monitor.standings(5, NONE).get(keyOf(1))?.ipv4, 'up')
})

t.test('verdicts tell their votes, reasons and times', async (t) => {
  const monitor = create(4)
  const of = (nowMs: number, index = 3) => monitor.verdicts(nowMs).find(({ key }) => key === keyOf(index))
  t.match(of(0), { standing: 'up', basis: 'nobody', votes: { up: 0, down: 0 } })
  monitor.hear(keyOf(1), { [keyOf(3)]: down('refused'), [keyOf(0)]: { w4: true } }, true)
  t.match(of(0), { standing: 'up', basis: 'nobody' }, 'one of four is no majority')
  monitor.hear(keyOf(2), { [keyOf(3)]: down('timed out') }, true)
  t.match(of(1000), {
    standing: 'down',
    basis: 'majority',
    votes: { up: 0, down: 2 },
    reason: 'refused',
    sinceMs: 1000,
  })
  t.match(of(1000, 0), { standing: 'up', basis: 'majority', votes: { up: 1, down: 0 } }, 'of ourselves the others tell')
  const [target] = monitor.targets().filter(({ key }) => key === keyOf(3))
  monitor.record({ ...(target as ProbeTarget), outcome: 'up' }, 2000)
  t.match(of(2000), { standing: 'down', votes: { up: 1, down: 2 }, sinceMs: 1000 })
  monitor.hear(keyOf(2), { [keyOf(3)]: { w4: true } }, true)
  t.match(of(3000), { standing: 'held', reason: 'answers again, but lately: refused', sinceMs: 3000 })
  t.match(of(31_000), { standing: 'up', reason: undefined, sinceMs: 31_000 })
  monitor.hear(keyOf(2), undefined, false)
  t.match(of(32_000), { basis: 'own eyes', votes: { up: 1, down: 0 } })
})

t.test('what is said is stable, and nothing without a majority', async (t) => {
  const monitor = create(3)
  t.equal(monitor.say(0), undefined)
  monitor.hear(keyOf(1), undefined, true)
  t.same(monitor.say(0), {})
  const record = (outcome: 'up' | 'down', atMs: number) => {
    for (const target of monitor.targets()) monitor.record({ ...target, outcome, reason: `failure ${atMs}` }, atMs)
  }
  for (let at = 0; at < 3; at++) record('down', at)
  const said = monitor.say(3)
  t.same(said, { [keyOf(1)]: { w4: 'failure 2' }, [keyOf(2)]: { w4: 'failure 2' } })
  record('down', 4)
  t.same(monitor.say(5), said, 'another failure is no news')
  t.same(monitor.say(1_000_000), {}, 'what was long ago is not said')
  monitor.hear(keyOf(1), undefined, false)
  t.equal(monitor.say(6), undefined)
})

t.test('an address that is another is watched anew; who is no member any more says nothing', async (t) => {
  const monitor = create(4)
  monitor.hear(keyOf(1), { [keyOf(3)]: down('refused') }, true)
  monitor.hear(keyOf(2), { [keyOf(3)]: down('refused') }, true)
  monitor.hear(keyOf(9), { [keyOf(3)]: { w4: true } }, true)
  const at = (nowMs: number) => monitor.standings(nowMs, NONE).get(keyOf(3))?.ipv4
  t.equal(at(0), 'down')
  const old = monitor.targets().find(({ key }) => key === keyOf(3)) as ProbeTarget
  monitor.setNodes([node(0), node(1), node(3, { ipv4: '198.51.100.7' })])
  t.equal(monitor.verdicts(1).length, 3)
  monitor.record({ ...old, outcome: 'up' }, 1)
  t.match(monitor.verdicts(1).at(-1), { address: '198.51.100.7', votes: { up: 0, down: 1 } })
  monitor.hear(keyOf(1), { [keyOf(3)]: { w4: true } }, true)
  monitor.setNodes([node(0), node(1), node(3, { ipv4: '198.51.100.8' })])
  t.equal(at(2), 'up', 'no hold of the old address')
})

t.test('standings are the same object while nothing changes', async (t) => {
  const monitor = create(3)
  const first = monitor.standings(0, NONE)
  t.equal(monitor.standings(1000, NONE), first)
  const behind = monitor.standings(2000, new Set([keyOf(1)]))
  t.not(behind, first)
  t.match(behind.get(keyOf(1)), { ipv4: 'up', ipv6: 'up', behind: true })
  t.match(first.get(keyOf(1)), { behind: false })
})

t.test('a node without a majority notices that its own web server is dead; it has no vote about itself', async (t) => {
  const monitor = create(3)
  const record = (outcome: 'up' | 'down', atMs: number) => {
    for (const target of monitor.targets())
      monitor.record({ ...target, outcome: target.key === keyOf(0) ? outcome : 'up', reason: 'hangs' }, atMs)
  }
  const own = (atMs: number) => monitor.verdicts(atMs).find(({ key }) => key === keyOf(0))
  t.match(own(0), { standing: 'up', basis: 'nobody' })
  for (let atMs = 0; atMs < 3; atMs++) record('down', atMs)
  t.match(own(3), { standing: 'down', basis: 'own eyes', reason: 'hangs' })
  monitor.hear(keyOf(1), { [keyOf(0)]: { w4: true } }, true)
  t.match(own(4), { standing: 'held', basis: 'majority', votes: { up: 1, down: 0 } })
  t.notOk(Object.hasOwn(monitor.say(4) ?? {}, keyOf(0)), 'and says nothing of itself')
})

t.test('where votes leave no address of a family, those that the node itself sees are held', async (t) => {
  const monitor = create(4)
  monitor.setNodes([0, 1, 2, 3].map((i) => node(i, { ipv6: `2001:db8::${i + 1}` })))
  const bad = { w4: 'cut off', w6: true }
  for (const by of [1, 2, 3]) {
    const said = Object.fromEntries([0, 1, 2, 3].filter((i) => i !== by).map((i) => [keyOf(i), bad]))
    monitor.hear(keyOf(by), said, true)
  }
  for (let atMs = 0; atMs < 3; atMs++)
    for (const target of monitor.targets())
      monitor.record({ ...target, outcome: [keyOf(0), keyOf(1)].includes(target.key) ? 'up' : 'down' }, atMs)
  const of = (family: 'ipv4' | 'ipv6') => [...monitor.standings(5, NONE).values()].map((one) => one[family])
  t.same(of('ipv4'), ['held', 'held', 'down', 'down'])
  t.same(of('ipv6'), ['up', 'up', 'up', 'up'], 'each family by itself')
  t.ok(
    monitor.verdicts(5).every(({ family, standing }) => standing === (family === 'ipv4' ? 'down' : 'up')),
    'verdicts are those of the votes',
  )
  monitor.hear(keyOf(2), {}, true)
  monitor.hear(keyOf(3), {}, true)
  t.equal(monitor.standings(6, NONE).get(keyOf(3))?.ipv4, 'down')
  t.equal(monitor.standings(6, NONE).get(keyOf(1))?.ipv4, 'held', 'and is damped by the verdict, as before')
})

t.test('in a large cluster a node probes its sample, and everybody when it hears no majority', async (t) => {
  const monitor = create(40)
  t.equal(monitor.targets().length, 40)
  for (let i = 1; i < 40; i++) monitor.hear(keyOf(i), {}, true)
  const sample = monitor.targets().length
  t.ok(sample > 0 && sample < 20, `${sample}`)
  const unwatched = Array.from({ length: 39 }, (_, i) => keyOf(i + 1)).find(
    (key) => !monitor.targets().some((target) => target.key === key),
  )
  for (let i = 1; i < 40; i++) monitor.hear(keyOf(i), { [`${unwatched}`]: down('refused') }, true)
  const verdict = monitor.verdicts(0).find(({ key }) => key === unwatched)
  t.match(verdict, { votes: { up: 0, down: 7 } }, 'words of others than its observers do not count')
  for (let i = 1; i < 25; i++) monitor.hear(keyOf(i), {}, false)
  t.equal(monitor.targets().length, 40)
})

t.test('an observation lasts three intervals and two time-outs', async (t) => {
  for (const [timeoutMs, lastsMs] of [
    [undefined, 40_000],
    [30_000, 90_000],
  ] as const) {
    const told = timeoutMs === undefined ? {} : { timeoutMs }
    const monitor = new HealthMonitor({ self: keyOf(0), thresholds: THRESHOLDS, intervalMs: INTERVAL_MS, ...told })
    monitor.setNodes([node(0), node(1)])
    for (const target of monitor.targets()) monitor.record({ ...target, outcome: 'up' }, 0)
    t.match(monitor.verdicts(lastsMs).at(-1), { basis: 'own eyes', votes: { up: 1, down: 0 } })
    t.match(monitor.verdicts(lastsMs + 1).at(-1), { basis: 'nobody', standing: 'up' })
  }
})
