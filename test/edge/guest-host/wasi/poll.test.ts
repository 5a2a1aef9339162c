import t from 'tap'
import { buildClocks } from '../../../../edge/guest-host/wasi/clocks.ts'
import { CLOCK_STEP_NS, GuestTrap, Instance } from '../../../../edge/guest-host/wasi/instance.ts'
import { MAX_POLLED, Pollable, poll, type Readiness } from '../../../../edge/guest-host/wasi/poll.ts'
import { FakeOwner } from '../../../support/fake-owner.ts'
import { createRandom, seeds } from '../../../support/seeds.ts'

type Clocks = {
  'wasi:clocks/monotonic-clock': {
    now(): bigint
    resolution(): bigint
    subscribeInstant(when: bigint): Pollable
    subscribeDuration(duration: bigint): Pollable
  }
  'wasi:clocks/wall-clock': { now(): { seconds: bigint; nanoseconds: number }; resolution(): object }
}

for (const seed of seeds(200)) {
  t.test(
    `a poll returns all that is ready, something at least, and no timer before its time (SEED=${seed})`,
    async (t) => {
      const random = createRandom(seed)
      /** When each id becomes ready, in milliseconds of the fake clock. */
      const due = Array.from({ length: 5 }, () => random.integer(300))
      const owner = new FakeOwner({}, (ask) => {
        if (ask.ask !== 'wait') return undefined
        const start = owner.monotonicMs
        const next = Math.min(start + ask.mostMs, ...ask.for.map(({ id }) => Math.max(start, due[id] ?? 0)))
        owner.monotonicMs = next
        return { ready: ask.for.flatMap(({ id }, i) => ((due[id] ?? 0) <= next ? [i] : [])) }
      })
      owner.monotonicMs = 0
      const instance = new Instance(owner.ports)
      const clock = (buildClocks(instance) as Clocks)['wasi:clocks/monotonic-clock']
      const made = Array.from({ length: 1 + random.integer(8) }, () => {
        const id = random.integer(due.length)
        const ns = BigInt(random.integer(300_000_000))
        const readiness: Readiness = random.pick<Readiness>([
          { kind: 'at', instantNs: ns },
          { kind: 'owner', waiting: { id, until: 'read' } },
          { kind: 'owner', waiting: { id, until: 'write' } },
        ])
        const isDue = () => (readiness.kind === 'at' ? clock.now() >= ns : owner.monotonicMs >= (due[id] ?? 0))
        return { isDue, pollable: new Pollable(instance, () => readiness) }
      })
      const ready = [
        ...poll(
          instance,
          made.map(({ pollable }) => pollable),
        ),
      ]
      t.ok(ready.length > 0)
      t.strictSame(
        ready,
        made.flatMap(({ isDue }, i) => (isDue() ? [i] : [])),
      )
      for (const { isDue, pollable } of made)
        t.equal(pollable.ready(), isDue(), 'ready says the same, and waits for nothing')
    },
  )
}

t.test('what cannot be waited for traps', async (t) => {
  const instance = new Instance(new FakeOwner().ports)
  const never = new Pollable(instance, () => ({ kind: 'never' }))
  t.throws(() => poll(instance, []), GuestTrap)
  t.throws(() => poll(instance, [never]), GuestTrap, 'for ever')
  t.throws(() => never.block(), GuestTrap)
  t.equal(never.ready(), false)
  t.throws(() => poll(instance, new Array(MAX_POLLED + 1).fill(never)), GuestTrap)
  const lying = new Instance(new FakeOwner({}, () => ({ done: true })).ports)
  t.throws(() => new Pollable(lying, () => ({ kind: 'at', instantNs: 2n ** 63n })).block(), GuestTrap)
})

t.test('the same pollable may stand in a list twice', async (t) => {
  const instance = new Instance(new FakeOwner().ports)
  const ready = new Pollable(instance, () => ({ kind: 'ready' }))
  t.strictSame([...poll(instance, [ready, ready])], [0, 1])
})

t.test('clocks are coarse, and the wall clock tells the time', async (t) => {
  const owner = new FakeOwner()
  const clocks = buildClocks(new Instance(owner.ports)) as Clocks
  const monotonic = clocks['wasi:clocks/monotonic-clock']
  owner.monotonicMs = 12.345678
  t.equal(monotonic.now(), 12_300_000n)
  t.equal(monotonic.now() % CLOCK_STEP_NS, 0n)
  t.equal(monotonic.resolution(), CLOCK_STEP_NS)
  t.strictSame(clocks['wasi:clocks/wall-clock'].now(), { seconds: 1_700_000_000n, nanoseconds: 0 })
  owner.nowMs = 1_700_000_001_234.9
  t.strictSame(clocks['wasi:clocks/wall-clock'].now(), { seconds: 1_700_000_001n, nanoseconds: 234_000_000 })
  owner.nowMs = -5
  t.strictSame(clocks['wasi:clocks/wall-clock'].now(), { seconds: 0n, nanoseconds: 0 })
  t.strictSame(clocks['wasi:clocks/wall-clock'].resolution(), { seconds: 0n, nanoseconds: 1_000_000 })
  const pollable = monotonic.subscribeDuration(1_000_000n)
  t.equal(pollable.ready(), false)
  pollable.block()
  t.ok(monotonic.now() >= 13_300_000n, 'it slept')
  t.ok(monotonic.subscribeInstant(0n).ready())
})
