import { randomFillSync } from 'node:crypto'
import type { Log, Runtime } from '../core/index.ts'

/** What a timer of Node can wait: of more it makes a millisecond. 24.8 days. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** Real time and chance: the only place in the project that reads a clock, draws a random number or sets a timer. */
export const systemRuntime: Runtime = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random: () => Math.random(),
  randomBytes: (length) => randomFillSync(new Uint8Array(length)),
  after(delayMs, call) {
    let timer: NodeJS.Timeout
    const wait = (leftMs: number): void => {
      const nowMs = Math.min(leftMs, MAX_TIMER_MS)
      timer = setTimeout(() => (leftMs > nowMs ? wait(leftMs - nowMs) : call()), nowMs)
      timer.unref()
    }
    wait(delayMs)
    return () => clearTimeout(timer)
  },
}

type Level = 'debug' | 'info' | 'warn' | 'error'

const LEVELS: readonly Level[] = ['debug', 'info', 'warn', 'error']

/**
 * One JSON object a line: `time`, `level`, `event`, then the data. Errors become their code, message and hint. Lines below
 * the least level are left out.
 */
export function createJsonLog(
  write: (line: string) => void,
  runtime: Pick<Runtime, 'now'>,
  context: Record<string, unknown> = {},
  least: Level = 'info',
): Log {
  const at =
    (level: Level) =>
    (event: string, data: Record<string, unknown> = {}): void => {
      if (LEVELS.indexOf(level) < LEVELS.indexOf(least)) return
      const time = new Date(runtime.now()).toISOString()
      write(`${JSON.stringify({ time, level, event, ...context, ...data }, (_key, value) => plain(value))}\n`)
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (value instanceof Error && !('toJSON' in value)) return { message: value.message }
  return value
}
