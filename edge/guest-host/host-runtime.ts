import { randomFillSync } from 'node:crypto'
import type { Runtime } from '../../core/index.ts'

/** The clock and the chance of a guest's process, which loads nothing of what `cli/system.ts` stands among. */
export const hostRuntime: Pick<Runtime, 'now' | 'monotonic' | 'randomBytes'> = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  randomBytes: (length) => randomFillSync(new Uint8Array(length)),
}
