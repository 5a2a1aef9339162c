import t from 'tap'
import { systemRuntime } from '../../cli/system.ts'

t.test('a timer waits for as long as it should, also where Node cannot wait so long', async (t) => {
  t.intercept(globalThis, 'setTimeout', {
    value: (call: () => void, delayMs: number) => {
      t.ok(delayMs <= 2 ** 31 - 1, `${delayMs} ms are what a timer can wait`)
      waits.push(delayMs)
      calls.push(call)
      return { unref() {} }
    },
  })
  const waits: number[] = []
  const calls: (() => void)[] = []
  const delayMs = 33 * 86_400_000
  let called = 0
  systemRuntime.after(delayMs, () => called++)
  while (calls.length > 0) {
    t.equal(called, 0)
    calls.shift()?.()
  }
  t.equal(called, 1)
  t.equal(
    waits.reduce((sum, ms) => sum + ms, 0),
    delayMs,
  )
})
