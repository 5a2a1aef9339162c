import t from 'tap'
import { Damper, type HoldTimes, holdTimes } from '../../../core/health/damper.ts'

/** Of the default check interval. */
const TIMES = holdTimes(10_000)
const { firstMs: FIRST_HOLD_MS, maxMs: MAX_HOLD_MS, quietMs: QUIET_MS } = TIMES

/** How long an outage of a moment is held, for falls that come `apartMs` after the last return. */
function holds(falls: number, apartMs: number, times: HoldTimes = TIMES): number[] {
  let nowMs = 5
  const damper = new Damper(nowMs, times)
  return Array.from({ length: falls }, () => {
    nowMs += apartMs
    damper.judge(true, nowMs)
    const fellMs = nowMs
    while (damper.judge(false, nowMs) !== 'up') nowMs += 1000
    return (nowMs - fellMs) / 1000
  })
}

t.test('a hold doubles up to ten minutes, and is forgotten after a quiet time', async (t) => {
  t.same(holds(8, 1000), [30, 60, 120, 240, 480, 600, 600, 600])
  t.same(holds(3, QUIET_MS), [30, 30, 30])
  t.same(holds(3, QUIET_MS - 1), [30, 60, 120])
})

t.test('holds are as long as the probes are apart', async (t) => {
  t.same(TIMES, { firstMs: 30_000, maxMs: 600_000, quietMs: 600_000 })
  t.same(holds(8, 1000, holdTimes(1000)), [3, 6, 12, 24, 48, 60, 60, 60])
  t.same(holds(3, 1000, holdTimes(60_000)), [180, 360, 720])
})

t.test('down is believed at once, also while it is held', async (t) => {
  const damper = new Damper(0, TIMES)
  t.equal(damper.judge(false, 0), 'up')
  t.equal(damper.judge(true, 1000), 'down')
  t.equal(damper.judge(false, 2000), 'held')
  t.equal(damper.judge(true, 3000), 'down')
  t.equal(damper.sinceMs, 3000)
  t.equal(damper.judge(false, 3000 + 2 * FIRST_HOLD_MS - 1), 'held', 'the relapse began a hold of twice the length')
  t.equal(damper.judge(false, 3000 + 2 * FIRST_HOLD_MS), 'up')
})

t.test('who was down longer than the hold is up at once', async (t) => {
  const damper = new Damper(0, TIMES)
  damper.judge(true, 0)
  t.equal(damper.judge(true, MAX_HOLD_MS), 'down')
  t.equal(damper.judge(false, MAX_HOLD_MS + 1), 'up')
})
