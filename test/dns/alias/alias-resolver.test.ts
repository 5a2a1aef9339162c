import t from 'tap'
import { type Log, silentLog } from '../../../core/index.ts'
import { type AliasAddresses, type AliasEntry, type AliasOutcome, AliasResolver } from '../../../dns/index.ts'
import { ManualRuntime } from '../../sim/manual-runtime.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { bothFamilies, found } from './outcomes.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))
const failed = bothFamilies({ kind: 'failed', reason: 'SERVFAIL' })

/** Lookups are answered when the test says so. */
class HeldLookup {
  readonly asked: {
    readonly target: string
    readonly atMs: number
    answer(outcome: AliasOutcome): void
    fail(error: Error): void
  }[] = []
  readonly #runtime: ManualRuntime

  constructor(runtime: ManualRuntime) {
    this.#runtime = runtime
  }

  lookUp(target: string): Promise<AliasOutcome> {
    const atMs = this.#runtime.now()
    return new Promise((resolve, reject) => this.asked.push({ target, atMs, answer: resolve, fail: reject }))
  }
}

function setUp(seed = 1, options: { known?: readonly AliasEntry[]; maxTargets?: number } = {}) {
  const runtime = new ManualRuntime(seed)
  const lookup = new HeldLookup(runtime)
  const told: (readonly AliasAddresses[])[] = []
  const saved: (readonly AliasEntry[])[] = []
  const events: string[] = []
  const note = (event: string, data: Record<string, unknown> = {}) =>
    events.push(`${event} ${data.target ?? ''}`.trim())
  const log: Log = { ...silentLog, info: note, warn: note }
  const resolver = new AliasResolver({
    lookup,
    runtime,
    log,
    onAddresses: (addresses) => told.push(addresses),
    onEntries: (entries) => saved.push(entries),
    ...options,
  })
  const say = async (target: string, outcome: AliasOutcome) => {
    const at = lookup.asked.findIndex((one) => one.target === target)
    lookup.asked.splice(at, 1)[0]?.answer(outcome)
    await turn()
  }
  return { runtime, lookup, told, saved, events, resolver, say }
}

t.test('a new target is looked up at once, and told when it resolves', async (t) => {
  const { resolver, lookup, runtime, told, say, events } = setUp()
  resolver.watch(['a.net', 'b.net'])
  t.strictSame(
    lookup.asked.map(({ target }) => target),
    ['a.net', 'b.net'],
  )
  await say('a.net', found('1.1.1.1', 60))
  runtime.advance(100)
  t.strictSame(told, [[{ target: 'a.net', ipv4: ['1.1.1.1'], ipv6: [], ttl: 60 }]])
  t.strictSame(events, ['alias.resolved a.net'])
  runtime.advance(60_000)
  t.ok(
    lookup.asked.some(({ target }) => target === 'a.net'),
    'again before its TTL is over',
  )
  await say('a.net', found('1.1.1.1', 60))
  runtime.advance(100)
  t.equal(told.length, 1, 'the same is not told again')
  t.strictSame(resolver.counts, { targets: 2, waiting: 0, failing: 1, succeeded: 2, failed: 1 })
})

t.test('a resolver that never says anything counts as failing, and holds up nobody for long', async (t) => {
  const { resolver, lookup, runtime, events } = setUp()
  const targets = Array.from({ length: 40 }, (_, i) => `t${i}.net`)
  resolver.watch(targets)
  t.equal(lookup.asked.length, 32)
  runtime.advance(30_000)
  await turn()
  await turn()
  t.ok(lookup.asked.length >= 40)
  t.ok(events.includes('alias.failed t0.net'))
})

t.test('a lookup that throws is a failure as any other', async (t) => {
  const { resolver, lookup, runtime, told } = setUp()
  resolver.watch(['a.net'])
  lookup.asked.pop()?.fail(new Error('no socket'))
  await turn()
  runtime.advance(100)
  t.strictSame(told, [])
  t.equal(resolver.entries()[0]?.failing?.reason, 'no socket')
  runtime.advance(33_000)
  t.equal(lookup.asked.length, 1)
})

t.test('what was known before serves at once, and is looked up anew', async (t) => {
  const first = setUp()
  first.resolver.watch(['a.net', 'b.net'])
  await first.say('a.net', found('1.1.1.1'))
  first.runtime.advance(1000)
  const known = first.saved.at(-1) ?? []
  t.strictSame(
    known.map(({ target, ipv4 }) => [target, ipv4.join()]),
    [
      ['a.net', '1.1.1.1'],
      ['b.net', ''],
    ],
  )
  first.resolver[Symbol.dispose]()
  const second = setUp(2, { known })
  t.strictSame(second.told, [])
  second.resolver.watch(['a.net'])
  t.strictSame(
    second.told.flat().map(({ target }) => target),
    ['a.net'],
  )
  t.equal(second.lookup.asked.length, 1)
  await second.say('a.net', failed)
  second.runtime.advance(100)
  t.strictSame(second.told.at(-1), [{ target: 'a.net', ipv4: ['1.1.1.1'], ipv6: [], ttl: 30 }])
})

t.test('the number of targets is bounded', async (t) => {
  const { resolver, events } = setUp(1, { maxTargets: 2 })
  resolver.watch(['a.net', 'b.net', 'c.net'])
  t.equal(resolver.entries().length, 2)
  t.strictSame(events, ['alias.too-many'])
})

for (const seed of seeds(40)) {
  t.test(`told is what was resolved last of what is watched (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const { resolver, lookup, runtime, told } = setUp(seed)
    const names = Array.from({ length: 60 }, (_, i) => `t${i}.net`)
    let watched: string[] = []
    const good = new Map<string, string>()
    const answerOne = async () => {
      const one = lookup.asked.splice(random.integer(lookup.asked.length), 1)[0]
      if (one === undefined) return
      const address = random.chance(0.6) ? `1.0.0.${random.integer(256)}` : undefined
      const isInTime = runtime.now() < one.atMs + 30_000
      if (address !== undefined && isInTime && watched.includes(one.target)) good.set(one.target, address)
      one.answer(address === undefined ? failed : found(address, random.integer(4000)))
      await turn()
    }
    for (let step = 0; step < 60; step++) {
      if (random.chance(0.2)) {
        // A lookup under way is for the target of its time: all are answered first, so that the model stays simple.
        while (lookup.asked.length > 0) await answerOne()
        watched = names.filter(() => random.chance(0.5))
        for (const name of good.keys()) if (!watched.includes(name)) good.delete(name)
        resolver.watch(watched)
      } else if (random.chance(0.5)) runtime.advance(random.integer(400_000))
      else await answerOne()
      await turn()
      const now = new Map((told.at(-1) ?? []).map(({ target, ipv4 }) => [target, ipv4.join()]))
      for (const target of now.keys()) if (!watched.includes(target)) t.fail(`${target} is told and not watched`)
    }
    while (lookup.asked.length > 0) await answerOne()
    runtime.advance(100)
    const last = (told.at(-1) ?? []).map(({ target, ipv4 }) => [target, ipv4.join()])
    t.strictSame(
      last,
      [...good].sort(([a], [b]) => (a < b ? -1 : 1)),
    )
    resolver[Symbol.dispose]()
    t.equal(runtime.timers, 0, 'no timer is left')
  })
}

t.test('to be told the same targets again is nothing new', async (t) => {
  const { resolver, runtime, events, saved } = setUp(1, { maxTargets: 1 })
  for (let i = 0; i < 5; i++) resolver.watch(['a.net', 'b.net'])
  t.strictSame(events, ['alias.too-many'])
  runtime.advance(1_000)
  const before = saved.length
  resolver.watch(['a.net', 'b.net'])
  runtime.advance(1_000)
  t.equal(saved.length, before)
  resolver.watch(['b.net', 'c.net'])
  t.strictSame(events, ['alias.too-many', 'alias.too-many'])
})
