import { systemRuntime } from '../../../cli/system.ts'
import type { Runtime } from '../../../core/index.ts'

/** Real time, ten seconds ahead: files made by a test are old enough to be remembered. Timers fire at once. */
export const hastyRuntime: Runtime = {
  ...systemRuntime,
  now: () => systemRuntime.now() + 10_000,
  after(_delayMs, call) {
    let isOff = false
    setImmediate(() => {
      if (!isOff) call()
    })
    return () => {
      isOff = true
    }
  },
}
