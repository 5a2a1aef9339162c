import t from 'tap'
import { type ProbeReport, Prober } from '../../../cli/health/index.ts'
import type { MemberKey, ProbeTarget } from '../../../core/index.ts'
import { FakeRuntime } from '../../replication/fake-runtime.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const INTERVAL_MS = 10_000
const TIMEOUT_MS = 5_000

const targetAt = (i: number): ProbeTarget => ({
  key: `key${i}` as MemberKey,
  family: 'ipv4',
  service: i % 2 === 0 ? 'web' : 'dns',
  address: `192.0.2.${i}`,
})

/** All that follows from what has happened already. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

interface Started {
  readonly target: ProbeTarget
  readonly atMs: number
  readonly signal: AbortSignal
  end(outcome?: ProbeReport): void
}

function open(seed: number, atOnce: number | undefined = 16) {
  const runtime = new FakeRuntime(seed)
  const started: Started[] = []
  const outcomes: { readonly target: ProbeTarget; readonly outcome: ProbeReport }[] = []
  let running = 0
  let most = 0
  const prober = new Prober({
    runtime,
    intervalMs: INTERVAL_MS,
    timeoutMs: TIMEOUT_MS,
    atOnce,
    probe(target, signal) {
      most = Math.max(most, ++running)
      const { promise, resolve } = Promise.withResolvers<ProbeReport>()
      const end = (outcome: ProbeReport = { kind: 'up', tookMs: 1 }) => resolve(outcome)
      signal.addEventListener('abort', () => end({ kind: 'unknown', reason: 'it was cancelled' }))
      started.push({ target, atMs: runtime.monotonic(), signal, end })
      return promise.finally(() => running--)
    },
    onOutcome: (target, outcome) => outcomes.push({ target, outcome }),
  })
  return { runtime, started, outcomes, prober, most: () => most, running: () => running }
}

t.test('each target at once, then at each interval, never more than allowed', async (t) => {
  for (const seed of seeds(30)) {
    const random = createRandom(seed)
    const atOnce = 1 + random.integer(5)
    const count = 1 + random.integer(12)
    const { runtime, started, outcomes, prober, most } = open(seed, atOnce)
    await using _prober = prober
    const targets = Array.from({ length: count }, (_, i) => targetAt(i))
    prober.setTargets(targets)
    for (let ended = 0, step = 0; step < 400; step++) {
      await settle()
      while (ended < started.length) {
        started[ended++]?.end()
        await settle()
      }
      runtime.advance(500)
      if (random.chance(0.1)) prober.setTargets(random.shuffle(targets))
    }
    t.ok(most() <= atOnce, `seed ${seed}: ${most()} of ${atOnce} at once`)
    for (const target of targets) {
      const times = started.filter((one) => one.target === target).map(({ atMs }) => atMs)
      t.ok((times[0] ?? Number.NaN) <= runtime.monotonic() - 200_000, `seed ${seed}: the first at once`)
      const gaps = times.slice(1).map((atMs, i) => atMs - (times[i] as number))
      t.ok(
        gaps.every((gapMs) => gapMs >= INTERVAL_MS * 0.9 && gapMs <= INTERVAL_MS * 1.1 + 1_000),
        `seed ${seed}: ${gaps.join()}`,
      )
      t.ok(new Set(gaps).size > 1, `seed ${seed}: not in step`)
    }
    t.equal(outcomes.length, started.length)
  }
})

t.test('of many targets that are silent, none waits so long that what was seen of it grows old', async (t) => {
  const runtime = new FakeRuntime(1)
  const seen = new Map<string, number>()
  let worstMs = 0
  await using prober = new Prober({
    runtime,
    intervalMs: INTERVAL_MS,
    timeoutMs: TIMEOUT_MS,
    probe: (_, signal) =>
      new Promise((resolve) => {
        runtime.after(TIMEOUT_MS, () => resolve({ kind: 'down', reason: 'no answer' }))
        signal.addEventListener('abort', () => resolve({ kind: 'unknown', reason: 'it was cancelled' }))
      }),
    onOutcome({ key }) {
      worstMs = Math.max(worstMs, runtime.monotonic() - (seen.get(key) ?? 0))
      seen.set(key, runtime.monotonic())
    },
  })
  const startMs = runtime.monotonic()
  const targets = Array.from({ length: 400 }, (_, i) => targetAt(i))
  for (const { key } of targets) seen.set(key, startMs)
  prober.setTargets(targets)
  for (let step = 0; step < 120; step++) {
    await settle()
    runtime.advance(500)
  }
  t.ok(worstMs <= 3 * INTERVAL_MS + 2 * TIMEOUT_MS, `${worstMs} ms between two looks at one`)
  t.ok(worstMs > INTERVAL_MS)
})

t.test('what is no target any more is cancelled and not heard, and may come back', async (t) => {
  const { runtime, started, outcomes, prober } = open(1)
  await using _prober = prober
  prober.setTargets([targetAt(0), targetAt(1)])
  await settle()
  prober.setTargets([targetAt(1)])
  t.equal(started[0]?.signal.aborted, true)
  t.equal(started[1]?.signal.aborted, false)
  prober.setTargets([targetAt(0), targetAt(1)])
  await settle()
  t.strictSame(outcomes, [])
  t.equal(started.length, 3, 'it is probed again, once the cancelled probe has ended')
  started[1]?.end()
  started[2]?.end({ kind: 'down', reason: 'x' })
  await settle()
  t.equal(outcomes.length, 2)
  prober.setTargets([])
  runtime.advance(10 * INTERVAL_MS)
  await settle()
  t.equal(started.length, 3)
})

t.test('what a process that stood still brings back says nothing', async (t) => {
  const { runtime, started, outcomes, prober } = open(1)
  await using _prober = prober
  prober.setTargets([targetAt(0)])
  await settle()
  runtime.nowMs += 600_000
  started[0]?.end({ kind: 'down', reason: 'no answer within 5 s' })
  await settle()
  t.strictSame(outcomes, [])
  runtime.advance(INTERVAL_MS * 1.1)
  await settle()
  t.equal(started.length, 2, 'and the watch goes on')
  started[1]?.end()
  await settle()
  t.equal(outcomes.length, 1)
})

t.test('closing cancels all and leaves no timer', async (t) => {
  const { runtime, started, outcomes, prober, running } = open(1, 2)
  prober.setTargets([0, 1, 2, 3].map(targetAt))
  await settle()
  started[0]?.end()
  await settle()
  await prober[Symbol.asyncDispose]()
  t.equal(running(), 0)
  t.equal(runtime.timers, 0)
  prober.setTargets([targetAt(9)])
  runtime.advance(10 * INTERVAL_MS)
  await settle()
  t.equal(outcomes.length, 1)
  t.equal(started.length, 3)
})
