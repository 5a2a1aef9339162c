import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { ReleaseFollower } from '../../../cli/node/release-follower.ts'
import { Emitter, type Hostname, type Release, silentLog } from '../../../core/index.ts'
import type { ActivationEvents } from '../../../replication/index.ts'
import { ManualRuntime } from '../../sim/manual-runtime.ts'

const domain = 'example.com' as Hostname
const release = (id: string) => ({ id, domain }) as Release

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
