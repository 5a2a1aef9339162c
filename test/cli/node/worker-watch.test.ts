import t from 'tap'
import type { WorkerHandle } from '../../../cli/node/worker-handle.ts'
import { WorkerWatch } from '../../../cli/node/worker-watch.ts'
import { FakeRuntime, recordLog } from '../../replication/fake-runtime.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const LIMITS = { wedgedMs: 30_000, lookMs: 5_000, memoryBytes: 1000, renewalMs: 600_000 }

function setUp(seed: number) {
  const runtime = new FakeRuntime(seed)
  const log = recordLog()
  const killed: number[] = []
  const outgrown: number[] = []
  const watch = new WorkerWatch({ runtime, log, limits: LIMITS, outgrown: ({ pid }) => void outgrown.push(pid) })
  const start = (pid: number): WorkerHandle => {
    const worker = { pid, kill: () => void killed.push(pid) } as unknown as WorkerHandle
    watch.begin(worker)
    return worker
  }
  return { runtime, log, killed, outgrown, watch, start }
}

for (const seed of seeds(10)) {
  t.test(`who speaks lives, who does not is killed soon after the bound, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const { runtime, killed, watch, start } = setUp(seed)
    const [alive, silent] = [start(1), start(2)]
    let silentMs = 0
    while (killed.length === 0) {
      const stepMs = 1 + random.integer(LIMITS.wedgedMs / 3)
      for (let left = stepMs; left > 0; left -= 1000) runtime.advance(Math.min(left, 1000))
      silentMs += stepMs
      watch.hear(alive, 1)
      if (silentMs > 10 * LIMITS.wedgedMs) break
    }
    t.equal(killed[0], 2)
    t.notOk(killed.includes(1))
    t.ok(silentMs > LIMITS.wedgedMs && silentMs < 2 * LIMITS.wedgedMs, `${silentMs} ms`)
    watch.end(silent)
    watch[Symbol.dispose]()
    t.equal(runtime.timers, 0)
  })
}

t.test('a control process that was away kills nobody for its own silence', async (t) => {
  const { runtime, killed, start } = setUp(1)
  start(1)
  runtime.nowMs += 10 * LIMITS.wedgedMs
  runtime.advance(LIMITS.lookMs)
  t.strictSame(killed, [])
})

t.test('one that is too large for a while is replaced, a peak is not, and not again and again', async (t) => {
  const { runtime, outgrown, watch, start } = setUp(1)
  const worker = start(1)
  for (const rss of [2000, 2000, 10, 2000, 2000]) watch.hear(worker, rss)
  t.strictSame(outgrown, [])
  watch.hear(worker, 2000)
  t.strictSame(outgrown, [1])
  const next = start(2)
  for (let i = 0; i < 10; i++) watch.hear(next, 2000)
  t.strictSame(outgrown, [1])
  runtime.nowMs += LIMITS.renewalMs
  watch.hear(next, 2000)
  t.strictSame(outgrown, [1, 2])
})
