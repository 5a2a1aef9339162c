import { type Cancel, type Runtime, silentLog } from '../../../core/index.ts'
import { type DnsServer, type DnsServerOptions, startDnsServer } from '../../../dns/server/server.ts'
import { buildZone } from '../../../dns/zone/build-zone.ts'
import { ZoneTable } from '../../../dns/zone/zone-table.ts'
import { serviceOf } from '../answering.ts'
import { aliasSet, ClusterState, domainSet, host, nodeJoin, recordSet } from '../cluster-state.ts'

/** The zone that the socket tests ask about. */
export function servedTable(): ZoneTable {
  const cluster = new ClusterState()
  const record = (name: string, type: string, ...values: string[]) => recordSet('example.com', name, type, values)
  cluster.commit(domainSet('example.com'), aliasSet('example.com', 'www.example.com'))
  cluster.commit(nodeJoin(1, 'tokyo'), nodeJoin(2, 'berlin'))
  cluster.commit(
    record('@', 'MX', '10 mail.example.com.', '20 mail.example.net.'),
    record('mail', 'A', '198.51.100.25'),
    record('alias', 'CNAME', 'www.example.com.'),
    record('text', 'TXT', '"two \\"words\\"" "\\195\\169"'),
    // Nearly as much as an answer over UDP can be.
    record('wide', 'TXT', ...Array.from({ length: 5 }, (_, i) => `"${'y'.repeat(210)}${i}"`)),
    record('big', 'TXT', ...Array.from({ length: 250 }, (_, i) => `"${'x'.repeat(200)}${i}"`)),
  )
  const zone = buildZone(cluster.state, host('example.com'))?.zone
  return ZoneTable.of(zone === undefined ? [] : [zone])
}

/** Timers that fire when the test says so. */
export class ManualTimers implements Pick<Runtime, 'after' | 'monotonic' | 'randomBytes'> {
  nowMs = 0
  readonly #timers = new Set<{ delayMs: number; call: () => void }>()

  after(delayMs: number, call: () => void): Cancel {
    const timer = { delayMs, call }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  monotonic(): number {
    return this.nowMs
  }

  randomBytes(length: number): Uint8Array {
    return new Uint8Array(length).fill(7)
  }

  get pending(): number {
    return this.#timers.size
  }

  /** Fires all that were set for exactly this long. */
  fire(delayMs: number): void {
    for (const timer of [...this.#timers]) {
      if (timer.delayMs === delayMs && this.#timers.delete(timer)) timer.call()
    }
  }
}

export function serve(options: Partial<DnsServerOptions> = {}): Promise<DnsServer> {
  const table = servedTable()
  return startDnsServer({
    service: serviceOf(() => table),
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    runtime: new ManualTimers(),
    ...options,
  })
}
