import t from 'tap'
import { Damper, FIRST_HOLD_MS, MAX_HOLD_MS, QUIET_MS } from '../../../core/health/damper.ts'

/** How long an outage of a moment is held, for falls that come `apartMs` after the last return. */
function holds(falls: number, apartMs: number): number[] {
  let nowMs = 5
  const damper = new Damper(nowMs)
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

t.test('down is believed at once, also while it is held', async (t) => {
  const damper = new Damper(0)
  t.equal(damper.judge(false, 0), 'up')
  t.equal(damper.judge(true, 1000), 'down')
  t.equal(damper.judge(false, 2000), 'held')
  t.equal(damper.judge(true, 3000), 'down')
  t.equal(damper.sinceMs, 3000)
  t.equal(damper.judge(false, 3000 + 2 * FIRST_HOLD_MS - 1), 'held', 'the relapse began a hold of twice the length')
  t.equal(damper.judge(false, 3000 + 2 * FIRST_HOLD_MS), 'up')
})

t.test('who was down longer than the hold is up at once', async (t) => {
  const damper = new Damper(0)
  damper.judge(true, 0)
  t.equal(damper.judge(true, MAX_HOLD_MS), 'down')
  t.equal(damper.judge(false, MAX_HOLD_MS + 1), 'up')
})
