import { encode } from 'dns-packet'
import {
  changedScopes,
  type Entry,
  type Hostname,
  keys,
  type NodeName,
  type OwnerName,
  type StateDelta,
  StateTable,
  silentLog,
} from '../../core/index.ts'
import { DnsProjection, nowhere, respond, Steering, type ZoneTable } from '../../dns/index.ts'
import { line, number, spread, title } from './report.ts'
import { ratios, summarize } from './stats.ts'

const ZONES = 10_000
const RECORDS = 100
const LARGE = 100_000
const NODES = 20
const ROUNDS = 7
const QUERIES = 20_000

/** What large tables cost: to build, to change, to ask. In one process, without sockets; no peer. */
export async function benchZones(): Promise<void> {
  title(`Zone tables: ${ZONES} zones of ${RECORDS} records, one of ${LARGE}, one alone`)
  const apexes = Array.from({ length: ZONES }, (_, i) => `zone${i}.example` as Hostname)
  const before = usedMb()
  const many = measureWorld(apexes, RECORDS)
  line('state, MB', number(many.stateMb))
  line('tables, MB', number(usedMb() - before - many.stateMb))
  const [ms, cpuMs, allCpuMs] = [many.buildMs, many.buildCpuMs, many.buildAllCpuMs].map((one) => number(one / 1000))
  line('build of all, s (processor of its thread, of all)', `${ms} (${cpuMs}, ${allCpuMs})`)
  line('change of a record, with the question after it, ms', spread(summarize(many.changes)))
  line('change of a node: until the next answer, ms', spread(summarize(many.nodeChanges)))
  line('change of a node: all zones again, ms', spread(summarize(many.rebuilds)))
  const large = measureWorld(['large.example' as Hostname], LARGE)
  line(`one zone of ${LARGE}: build, s`, number(large.buildMs / 1000))
  line(`one zone of ${LARGE}: change of a record, ms`, spread(summarize(large.changes)))
  const one = measureWorld([apexes[0] as Hostname], RECORDS)
  const tables = [many, one, large].map(({ table }) => table)
  const rates = tables.map((): number[] => [])
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, table] of tables.entries()) rates[i]?.push(rateOf(table, i === 2 ? large.names : one.names))
  }
  const wide = spreadNames(many.apexes)
  const deep = Array.from(wide, (_, i) => `r${i}.${large.apexes[0]}`)
  const spreads = { wide: [] as number[], deep: [] as number[] }
  for (let round = 0; round < ROUNDS; round++) {
    spreads.wide.push(rateOf(many.table, wide))
    spreads.deep.push(rateOf(large.table, deep))
  }
  for (const [i, what] of ['10,000 zones', 'one zone', 'one large zone'].entries()) {
    line(`queries a second, ${what}`, spread(summarize(rates[i] ?? [])))
  }
  line('10,000 zones : one, the same 100 names', spread(ratios(rates[0] ?? [], rates[1] ?? []), ' x'))
  line('queries a second, a name of each of 10,000 zones', spread(summarize(spreads.wide)))
  line('queries a second, 10,000 names of one large zone', spread(summarize(spreads.deep)))
  line('10,000 zones : one, 10,000 names', spread(ratios(spreads.wide, spreads.deep), ' x'))
}

interface Measured {
  readonly table: ZoneTable
  readonly names: readonly string[]
  readonly apexes: readonly Hostname[]
  readonly stateMb: number
  readonly buildMs: number
  /** Of the thread that answers. */
  readonly buildCpuMs: number
  /** With those that collect garbage. */
  readonly buildAllCpuMs: number
  readonly changes: readonly number[]
  readonly nodeChanges: readonly number[]
  readonly rebuilds: readonly number[]
}

function measureWorld(apexes: readonly Hostname[], records: number): Measured {
  const before = usedMb()
  const state = new StateTable()
  const projection = new DnsProjection(silentLog)
  const apply = (delta: StateDelta) => {
    state.apply(delta)
    projection.refresh(
      state,
      changedScopes(delta),
      delta.entries.map(([key]) => key),
    )
  }
  const buildAll = () => {
    while (projection.waiting > 0) projection.buildSome(() => false)
  }
  state.apply({ entries: Array.from({ length: NODES }, (_, i) => nodeEntries(i)).flat(), touches: [] })
  for (const apex of apexes) {
    const entries = [
      entry(keys.domain(apex), {}),
      ...Array.from({ length: records }, (_, i) => recordEntry(apex, i, 0)),
    ]
    state.apply({ entries, touches: [[keys.domain(apex), records]] })
  }
  const stateMb = usedMb() - before
  const scopes = new Set(['cluster', 'node', ...apexes.map((apex) => keys.domain(apex))])
  const cpu = process.threadCpuUsage()
  const all = process.cpuUsage()
  const buildMs = time(() => {
    projection.refresh(state, scopes)
    buildAll()
  })
  const { user, system } = process.threadCpuUsage(cpu)
  const buildCpuMs = (user + system) / 1000
  const { user: allUser, system: allSystem } = process.cpuUsage(all)
  const buildAllCpuMs = (allUser + allSystem) / 1000
  const apex = apexes[apexes.length >> 1] as Hostname
  const changes = Array.from({ length: 50 }, (_, i) =>
    time(() => {
      apply({ entries: [recordEntry(apex, i * 7, 1 + i)], touches: [[keys.domain(apex), records + i]] })
      projection.table.find(apex)
    }),
  )
  const changeNode = (i: number) => apply({ entries: nodeEntries(NODES + i), touches: [['node', NODES + i]] })
  const nodeChanges: number[] = []
  const rebuilds: number[] = []
  for (let i = 0; i < 5; i++) {
    nodeChanges.push(
      time(() => {
        changeNode(i)
        projection.table.find(apex)
      }),
    )
    rebuilds.push(time(buildAll))
  }
  const names = Array.from({ length: 100 }, (_, i) => `r${i}.${apexes[0]}`)
  return {
    table: projection.table,
    names,
    apexes,
    stateMb,
    buildMs,
    buildCpuMs,
    buildAllCpuMs,
    changes,
    nodeChanges,
    rebuilds,
  }
}

/** Queries a second of processor time, of fixed sets at these names: other work on the machine does not count. */
function rateOf(table: ZoneTable, names: readonly string[]): number {
  const queries = names.map((name) => encode({ id: 1, questions: [{ name, type: 'A' }] }))
  const context = {
    table,
    steering: Steering.empty,
    aliases: new Map(),
    locator: nowhere,
    asker: { address: '127.0.0.1', transport: 'udp' },
  } as const
  for (const query of queries) respond(query, context)
  const before = process.threadCpuUsage()
  for (let i = 0; i < QUERIES; i++) respond(queries[i % queries.length] as Buffer, context)
  const { user, system } = process.threadCpuUsage(before)
  return (QUERIES / (user + system)) * 1e6
}

/** Every one in another zone: what caches do not help with. */
const spreadNames = (apexes: readonly Hostname[]): string[] => apexes.map((apex, i) => `r${i % RECORDS}.${apex}`)

function time(run: () => void): number {
  const startMs = performance.now()
  run()
  return performance.now() - startMs
}

/** After a collection, where the process may ask for one. */
function usedMb(): number {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 2 ** 20
}

function entry(key: string, value: unknown): [string, Entry] {
  const id = 'a'.repeat(52)
  return [key, { key, value, operation: id, author: id, stamp: { wallMs: 1, counter: 0 } } as Entry]
}

function recordEntry(apex: Hostname, i: number, version: number): [string, Entry] {
  const name = `r${i}` as OwnerName
  const [type, value] =
    i % 10 === 9 ? ['TXT', `"text ${version}"`] : ['A', `10.${version % 256}.${(i >> 8) % 256}.${i % 256}`]
  return entry(keys.record(apex, name, type as string), { name, type, ttl: 300, values: [value] })
}

function nodeEntries(i: number): [string, Entry][] {
  const key = String.fromCharCode(97 + (i % 26)).repeat(52)
  return [
    entry(`node/${key}`, { name: `node${i}` as NodeName }),
    entry(`node/${key}/addresses`, { ipv4: `192.0.2.${i}`, ipv6: `2001:db8::${i}` }),
    entry(`node/${key}/nameserver`, i % 26 < 4),
  ]
}
