import type { Runtime } from '../../core/index.ts'
import type { Connect } from '../client/connect.ts'
import type { Machine } from '../config/index.ts'
import { countVisitors, readServedCounts, type ServedCounts } from './served-traffic.ts'
import { waitSpan } from './wait-span.ts'

/** Longer than two rounds of probes would say no more: who comes now comes by an address that it keeps. */
const WATCH_MS = 10_000

/** What still came to a node in a while. */
export interface VisitorsSeen {
  readonly spanMs: number
  /** HTTP requests that were surely no probes of other nodes. */
  readonly requests: number
}

/** Counts what comes to a node for a while; undefined where it cannot be asked, or was started anew meanwhile. */
export async function watchVisitors(
  machine: Machine,
  options: {
    readonly connect: Connect
    readonly otherNodes: number
    readonly addresses: number
    readonly runtime: Pick<Runtime, 'after' | 'monotonic'>
    readonly signal: AbortSignal
  },
): Promise<VisitorsSeen | undefined> {
  const { connect, runtime, signal } = options
  try {
    using control = await connect(machine)
    const read = async (): Promise<ServedCounts> => readServedCounts(await control.metrics(signal))
    const before = await read()
    await waitSpan(WATCH_MS, { runtime, signal })
    const requests = countVisitors(before, await read(), { ms: WATCH_MS, ...options })
    return requests === undefined ? undefined : { spanMs: WATCH_MS, requests }
  } catch {
    signal.throwIfAborted()
    return undefined
  }
}
