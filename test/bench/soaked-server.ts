import { readdirSync } from 'node:fs'
import { systemRuntime } from '../../cli/system.ts'
import {
  changedScopes,
  type Entry,
  type Hostname,
  keys,
  listNodes,
  type NodeName,
  type OwnerName,
  type StateDelta,
  StateTable,
  silentLog,
} from '../../core/index.ts'
import { NameService, startDnsServer } from '../../dns/index.ts'

/**
 * A name server in a process of its own whose tables never rest: a hundred records a second change, every five seconds a
 * node, every ten its health, every minute the places are read anew. Nothing is added, so that memory has no reason to
 * grow. Says its port, and how it does whenever it hears something.
 */

/** What the process says of itself. */
export interface SoakReport {
  readonly port: number
  readonly residentMb: number
  readonly heapMb: number
  readonly openFiles: number
  readonly changes: number
  readonly failed: number
}

const ZONES = 1000
const RECORDS = 20
const NODES = 4
const CHANGE_MS = 10
const [, , database = ''] = process.argv

function entry(key: string, value: unknown): [string, Entry] {
  const id = 'a'.repeat(52)
  return [key, { key, value, operation: id, author: id, stamp: { wallMs: 1, counter: 0 } } as Entry]
}

const apexAt = (i: number): Hostname => `zone${i % ZONES}.example` as Hostname

function recordEntry(apex: Hostname, i: number, version: number): [string, Entry] {
  const name = `r${i}` as OwnerName
  return entry(keys.record(apex, name, 'A'), { name, type: 'A', ttl: 300, values: [`10.0.${i}.${version % 256}`] })
}

function nodeEntries(i: number, version: number): [string, Entry][] {
  const key = String.fromCharCode(97 + i).repeat(52)
  return [
    entry(`node/${key}`, { name: `node${i}` as NodeName }),
    entry(`node/${key}/addresses`, { ipv4: `192.0.2.${i * 50 + (version % 50)}`, ipv6: `2001:db8::${i}` }),
    entry(`node/${key}/nameserver`, true),
    entry(`node/${key}/place`, { latitude: 10 + i * 10, longitude: i * 60 - 120 }),
  ]
}

const state = new StateTable()
const service = new NameService({
  log: silentLog,
  runtime: systemRuntime,
  answers: 1,
  authorities: ['letsencrypt.org'],
  places: { databases: [database], overrides: undefined },
  readRules: async () => [],
  cookieSecret: '00'.repeat(16),
  rateLimit: 0,
  nsid: undefined,
  version: undefined,
})

function apply(delta: StateDelta): void {
  state.apply(delta)
  service.refresh(
    state,
    changedScopes(delta),
    delta.entries.map(([key]) => key),
  )
}

for (let i = 0; i < NODES; i++) apply({ entries: nodeEntries(i, 0), touches: [['node', i]] })
for (let i = 0; i < ZONES; i++) {
  const apex = apexAt(i)
  const records = Array.from({ length: RECORDS }, (_, n) => recordEntry(apex, n, 0))
  apply({ entries: [entry(keys.domain(apex), {}), ...records], touches: [[keys.domain(apex), RECORDS]] })
}
await service.loadPlaces()
const server = await startDnsServer({ service, host: '127.0.0.1', port: 0, log: silentLog, runtime: systemRuntime })

let changes = 0
const change = () => {
  systemRuntime.after(CHANGE_MS, change)
  changes += 1
  const apex = apexAt(changes * 7)
  apply({ entries: [recordEntry(apex, changes % RECORDS, changes)], touches: [[keys.domain(apex), changes]] })
  if (changes % 500 === 0) apply({ entries: nodeEntries(changes % NODES, changes), touches: [['node', changes]] })
  if (changes % 1000 === 0) {
    const down = new Set([(changes / 1000) % NODES])
    const standing = (i: number) => (down.has(i) ? 'down' : 'up')
    service.setStandings(
      new Map(
        listNodes(state).map(({ key }, i) => [key, { ipv4: standing(i), ipv6: standing(i), behind: false }] as const),
      ),
    )
  }
  if (changes % 6000 === 0) void service.loadPlaces()
}
change()

const report = () => {
  globalThis.gc?.()
  const { rss, heapUsed } = process.memoryUsage()
  const said: SoakReport = {
    port: server.address.port,
    residentMb: rss / 1e6,
    heapMb: heapUsed / 1e6,
    openFiles: readdirSync('/proc/self/fd').length,
    changes,
    failed: server.counters.failed,
  }
  process.send?.(said)
}
process.on('message', report)
process.on('disconnect', () => process.exit())
report()
