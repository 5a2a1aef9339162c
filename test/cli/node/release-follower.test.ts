import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { ReleaseFollower } from '../../../cli/node/release-follower.ts'
import {
  type Change,
  Emitter,
  type Hostname,
  type MergedRelease,
  type Operation,
  type Release,
  silentLog,
} from '../../../core/index.ts'
import {
  type ActivationEvents,
  createMemoryStore,
  type ReleaseTarget,
  Replica,
  type StoreDamage,
} from '../../../replication/index.ts'
import { cluster, follow } from '../../replication/chain.ts'
import { FakeRuntime, recordLog } from '../../replication/fake-runtime.ts'
import { buildSite, domainChange, publishChange, releaseOf } from '../../replication/releases/release-support.ts'
import { ManualRuntime } from '../../sim/manual-runtime.ts'
import { eventually } from '../../support/eventually.ts'

const domain = 'example.com' as Hostname
const release = (id: string) => ({ id, domain }) as Release

/** A replica whose store was damaged holds what it is given; `heal` ends that. */
async function openDamaged(operations: readonly Operation[]) {
  const runtime = new FakeRuntime(1, 4_000_000_000_000)
  const store = createMemoryStore(runtime)
  let damaged: StoreDamage | undefined = { readable: 1, lost: 1 }
  Object.defineProperty(store, 'damaged', { get: () => damaged })
  const replica = await Replica.open({ store, cluster: cluster.id, runtime, log: silentLog })
  const merge = (list: readonly Operation[]) => replica.merge(list.map(({ bytes }) => bytes))
  await merge(operations)
  const heal = () => {
    damaged = undefined
  }
  return { replica, merge, heal }
}

/** A follower of that replica on a node that serves `active`, and what it asked the activation for. */
function followDamaged(active: Release, replica: Replica) {
  const asked: (string | null)[] = []
  const activation = {
    active: () => new Map([[domain, active]]),
    winner: (_: Hostname, target: ReleaseTarget | null) =>
      asked.push(target === null ? null : 'sides' in target ? 'merge' : target.id),
    events: new Emitter<ActivationEvents>(),
  }
  const log = recordLog()
  const edge = { activate: async () => {} }
  const follower = new ReleaseFollower({ activation, edge, log, runtime: new ManualRuntime(1), changed() {} })
  replica.events.on('change', ({ delta }) => follower.follow(replica, delta))
  return { follower, asked, log }
}

/** An activation that says what it is told to, and an edge that fails as often as `failures` says. */
function setUp() {
  const active = new Map<Hostname, Release>()
  const events = new Emitter<ActivationEvents>()
  const runtime = new ManualRuntime(1)
  const asked: (string | null)[] = []
  const edge = {
    failures: 0,
    async activate(_domain: Hostname, next: Release | null) {
      asked.push(next?.id ?? null)
      if (edge.failures-- > 0) throw new Error('the disk was busy')
    },
  }
  let changes = 0
  const activation = { active: () => active, winner() {}, winners() {}, events }
  const changed = () => changes++
  const follower = new ReleaseFollower({ activation, edge, runtime, log: silentLog, changed })
  const say = async (next: Release | null) => {
    if (next === null) active.delete(domain)
    else active.set(domain, next)
    events.emit('active', { domain, release: next })
    await nextTurn()
  }
  const pass = async (delayMs: number) => {
    runtime.advance(delayMs)
    await nextTurn()
  }
  return { follower, edge, asked, say, pass, changes: () => changes }
}

t.test('while operations are lost, what is served gives way only to what follows it', async (t) => {
  const [one, two, three, aside] = ['1', '2', '3', 'x'].map((text) =>
    publishChange(domain, buildSite({ 'index.html': text })),
  ) as [Change, Change, Change, Change]
  const set = follow([cluster.creation], [domainChange(domain)])
  const first = follow([set], [one])
  const lost = follow([first], [two])
  const next = follow([lost], [three])
  const beside = follow([first], [aside], { wallMs: lost.stamp.wallMs + 5000 })
  const served = releaseOf(lost, domain)

  const { replica, merge, heal } = await openDamaged([cluster.creation, set, first])
  const { follower, asked, log } = followDamaged(served, replica)
  await follower.begin(replica)
  t.strictSame(asked, [], 'not the one before, which is the winner of what is left')
  await merge([beside])
  t.strictSame(asked, [], 'nor one of which nobody here knows whether it is newer')
  t.strictSame(
    log.events.filter(([event]) => event === 'release.kept').map(([, data]) => data),
    [{ domain, release: lost.id }],
    'said once',
  )
  heal()
  follower.recovered(replica)
  t.strictSame(asked, [beside.id], 'whole again, what wins is served')

  const back = await openDamaged([cluster.creation, set, first])
  const same = followDamaged(served, back.replica)
  await same.follower.begin(back.replica)
  await back.merge([lost])
  t.strictSame(same.asked, [lost.id], 'the lost one is here again')
  await back.merge([next])
  t.strictSame(same.asked, [lost.id, next.id], 'what follows it is taken, though more may be lost')
  back.heal()
  same.follower.recovered(back.replica)
  t.strictSame(same.asked, [lost.id, next.id], 'nothing is left to decide')

  const gone = await openDamaged([cluster.creation])
  const empty = followDamaged(served, gone.replica)
  await empty.follower.begin(gone.replica)
  t.strictSame(empty.asked, [], 'a domain that is not known here is served on')
  gone.heal()
  empty.follower.recovered(gone.replica)
  t.strictSame(empty.asked, [null], 'unless that is how it is')
})

t.test('while operations are lost, a merge stays until all its sides are followed', async (t) => {
  const [one, two, three] = ['1', '2', '3'].map((text) =>
    publishChange(domain, buildSite({ [text]: text })),
  ) as Change[]
  const set = follow([cluster.creation], [domainChange(domain, 'merge')])
  const base = follow([set], [one as Change])
  const left = follow([base], [two as Change])
  const right = follow([base], [three as Change])
  const sides = [left.id, right.id]
  const served: MergedRelease = { ...releaseOf(left, domain), merge: { base: base.id, sides } }
  const { replica, merge, heal } = await openDamaged([cluster.creation, set, base, left])
  const { follower, asked } = followDamaged(served, replica)
  await follower.begin(replica)
  t.strictSame(asked, [])
  await merge([right])
  await eventually('the merge', async () => (asked.length > 0 ? true : undefined))
  t.strictSame(asked, ['merge'])
  heal()
  follower.recovered(replica)
  t.strictSame(asked, ['merge'])
})

t.test('what failed to switch is tried again until it has', async (t) => {
  const { follower, edge, asked, say, pass, changes } = setUp()
  edge.failures = 2
  await say(release('a'))
  t.strictSame([...follower.served], [], 'nothing is said to be served that is not')
  t.equal(changes(), 0)
  await pass(5000)
  await pass(5000)
  t.strictSame(asked, ['a', 'a', 'a'])
  t.strictSame([...follower.served], [[domain, 'a']])
  t.equal(changes(), 1)
  await pass(60_000)
  t.equal(asked.length, 3, 'and not once more')
})

t.test('a retry means what is active by then', async (t) => {
  const { follower, edge, asked, say, pass } = setUp()
  edge.failures = 1
  await say(release('a'))
  await say(release('b'))
  await pass(5000)
  t.equal(asked.at(-1), 'b', 'never the one that failed before')
  t.strictSame([...follower.served], [[domain, 'b']])
  await say(null)
  t.strictSame([...follower.served], [])
})

t.test('nothing is tried again after the end', async (t) => {
  const { follower, edge, asked, say, pass } = setUp()
  edge.failures = 2
  await say(release('a'))
  follower[Symbol.dispose]()
  await pass(60_000)
  t.strictSame(asked, ['a'])
  const late = setUp()
  late.edge.failures = 1
  const said = late.say(release('a'))
  late.follower[Symbol.dispose]()
  await said
  await late.pass(60_000)
  t.strictSame(late.asked, ['a'], 'also of a switch that was under way')
})
