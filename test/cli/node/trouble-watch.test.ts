import t from 'tap'
import type { ComponentTrouble } from '../../../cli/node/components/index.ts'
import { countLately, type TroubleSample, TroubleWatch } from '../../../cli/node/trouble-watch.ts'
import { type Hostname, silentLog } from '../../../core/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { ManualTimer } from './manual-timer.ts'

const MINUTE_MS = 60_000

for (const seed of seeds(30)) {
  t.test(`what is lately is what came within the span, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const events: { atMs: number; refused: number; died: number }[] = []
    const samples: TroubleSample[] = [{ atMs: 0, refused: 0, died: 0 }]
    const most = random.pick([1, 3, 9])
    for (let i = 1; i < 300; i++) {
      const event = { atMs: i * MINUTE_MS, refused: random.integer(most) % 2, died: random.chance(0.1) ? 1 : 0 }
      events.push(event)
      const last = samples.at(-1) as TroubleSample
      samples.push({ atMs: event.atMs, refused: last.refused + event.refused, died: last.died + event.died })
      const within = (spanMs: number) => events.filter(({ atMs }) => atMs > event.atMs - spanMs)
      const expected = {
        refused: within(5 * MINUTE_MS).reduce((sum, { refused }) => sum + refused, 0),
        workersDied: within(60 * MINUTE_MS).reduce((sum, { died }) => sum + died, 0),
      }
      const counted = countLately(samples)
      if (JSON.stringify(counted) !== JSON.stringify(expected)) t.strictSame(counted, expected, `minute ${i}`)
    }
    t.pass('at every moment')
  })
}

t.test('it tells when it is another, and that it is over', async (t) => {
  const timer = new ManualTimer()
  let nowMs = 0
  let told = 0
  const counted = { overloaded: 0, died: 0, unusable: 0, fails: false }
  const edge = {
    counters: async () => {
      if (counted.fails) throw new Error('the edge is gone')
      return { http: { overloaded: counted.overloaded }, workers: { running: 2, died: counted.died } } as never
    },
  }
  const certificates = {
    get counts() {
      return counted
    },
  }
  const runtime = { monotonic: () => nowMs, after: timer.after }
  const unfit: ComponentTrouble[] = []
  const components = { troubles: () => unfit }
  await using watch = new TroubleWatch({
    edge,
    certificates,
    components,
    runtime,
    log: silentLog,
    changed: () => told++,
  })
  const look = async (afterMs = 30_000) => {
    nowMs += afterMs
    await timer.fire()
    return watch.trouble
  }
  t.strictSame(await look(), { refused: 0, workersDied: 0, certificates: 0, components: [] })
  t.equal(told, 0)
  Object.assign(counted, { overloaded: 1234, died: 1, unusable: 2 })
  t.strictSame(await look(), { refused: 1000, workersDied: 1, certificates: 2, components: [] })
  t.equal(told, 1)
  counted.overloaded = 1240
  await look()
  t.equal(told, 1, 'a few more are no news')
  counted.fails = true
  t.strictSame(await look(), { refused: 1000, workersDied: 1, certificates: 2, components: [] }, 'as it was known last')
  counted.fails = false
  counted.unusable = 0
  t.strictSame(await look(6 * MINUTE_MS), { refused: 0, workersDied: 1, certificates: 0, components: [] })
  t.strictSame(await look(60 * MINUTE_MS), { refused: 0, workersDied: 0, certificates: 0, components: [] })
  t.equal(told, 3)
  for (const path of ['a', 'b', 'c', 'd', 'e', 'f'])
    unfit.push({ domain: 'x.test' as Hostname, path: `${path}.wasm`, message: 'm'.repeat(1000) })
  const { components: said } = await look()
  t.equal(said.length, 5, 'a few of many')
  t.match(said[0], /^x\.test a\.wasm: m{182,188}$/, 'and short')
  unfit.length = 0
  t.strictSame((await look()).components, [])
  t.equal(told, 5)
})
