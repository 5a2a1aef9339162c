import { totalmem } from 'node:os'
import type { GuestsOptions } from '../../edge/index.ts'
import { type DaemonConfig, formatListenAddress } from '../config/index.ts'

/** How a worker runs components. Crosses a process boundary: plain data only. */
export interface EdgeGuestOptions extends GuestsOptions {
  /** Who is asked for names that guests look up; those of the system where none is given. */
  readonly resolvers: readonly string[]
}

const MIB = 1024 * 1024
/** Of the machine's memory, what processes of guests may come to; each takes about as much at rest. */
const MEMORY_SHARE = 1 / 3
const PROCESS_BYTES = 96 * MIB
/** More than that do not make anything faster: most of them wait for the network. */
const MOST_PROCESSES = 32

/** What a worker runs components with; undefined where the configuration says that none are run. */
export function buildGuestOptions(
  { wasm, dns }: Pick<DaemonConfig, 'wasm' | 'dns'>,
  workers: number,
): EdgeGuestOptions | undefined {
  if (!wasm.enabled) return undefined
  const processes = wasm.max_processes ?? Math.min(MOST_PROCESSES, (totalmem() * MEMORY_SHARE) / PROCESS_BYTES)
  return {
    limits: {
      defaultTimeoutMs: wasm.default_timeout_ms,
      maxTimeoutMs: wasm.max_timeout_ms,
      defaultMemoryBytes: wasm.default_max_memory_mb * MIB,
      maxMemoryBytes: wasm.max_memory_mb * MIB,
    },
    // Two at least, so that one domain never has them all.
    pool: { maxProcesses: Math.max(2, Math.floor(processes / Math.max(1, workers))), spares: 1 },
    resolvers: dns.resolvers.map(formatListenAddress),
  }
}
