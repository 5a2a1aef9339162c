import {
  type Hostname,
  hostOwner,
  type Log,
  listNodes,
  type NodeView,
  type Scope,
  type State,
  scopeKind,
} from '../../core/index.ts'
import { type BuiltZone, buildZone } from './build-zone.ts'
import { type Zone, ZoneTable } from './zone-table.ts'

/** Scopes that every zone depends on: who the nodes are, and when the cluster was born. */
const SHARED_KINDS: ReadonlySet<string> = new Set(['node', 'node-name', 'cluster'])

interface Built {
  readonly aliases: readonly Hostname[]
  readonly faults: string
}

/**
 * Keeps the zone table in step with the state: rebuilds the zones that a change touches and swaps the table whole. A
 * reader takes `table` once for each question and never sees half a change.
 */
export class DnsProjection {
  readonly #log: Log
  readonly #built = new Map<Hostname, Built>()
  /** The zone that each alias was built into, to rebuild it when another domain takes the alias. */
  readonly #aliasZones = new Map<string, Hostname>()
  #nodes: readonly NodeView[] | undefined
  #table = ZoneTable.empty
  #builds = 0

  constructor(log: Log) {
    this.#log = log
  }

  get table(): ZoneTable {
    return this.#table
  }

  /** How many zones were built so far. */
  get builds(): number {
    return this.#builds
  }

  /** `scopes` are those that changed since the last call (`changedScopes`). */
  refresh(state: State, scopes: ReadonlySet<Scope>): void {
    const shared = [...scopes].some((scope) => SHARED_KINDS.has(scopeKind(scope)))
    if (shared) this.#nodes = undefined
    const apexes = shared ? this.#everyApex(state) : this.#touchedApexes(state, scopes)
    if (apexes.size === 0) return
    this.#nodes ??= listNodes(state)
    const changes: [Hostname, Zone | undefined][] = []
    for (const apex of apexes) {
      const built = this.#build(state, apex, this.#nodes)
      if (built === 'failed') continue
      this.#remember(apex, built)
      changes.push([apex, built?.zone])
    }
    this.#table = this.#table.with(changes)
    this.#log.debug('zones.rebuilt', { rebuilt: changes.length, zones: this.#table.size })
  }

  /** A zone that cannot be built is our mistake, and stays as it was: the others must not suffer from it. */
  #build(state: State, apex: Hostname, nodes: readonly NodeView[]): BuiltZone | undefined | 'failed' {
    this.#builds += 1
    try {
      return buildZone(state, apex, nodes)
    } catch (error) {
      this.#log.error('zone.build-failed', { apex, error })
      return 'failed'
    }
  }

  #everyApex(state: State): Set<Hostname> {
    return new Set([...(state.ids('domain') as readonly Hostname[]), ...this.#built.keys()])
  }

  #touchedApexes(state: State, scopes: ReadonlySet<Scope>): Set<Hostname> {
    const apexes = new Set<Hostname>()
    for (const scope of scopes) {
      const kind = scopeKind(scope)
      const id = scope.slice(kind.length + 1) as Hostname
      if (id.length === 0) continue
      // A host name counts for every domain around it, most of which nobody has.
      if (kind === 'domain' && (this.#built.has(id) || state.get(scope) !== undefined)) apexes.add(id)
      if (kind === 'host') {
        for (const apex of [this.#aliasZones.get(id), hostOwner(state, id)]) if (apex !== undefined) apexes.add(apex)
      }
    }
    return apexes
  }

  #remember(apex: Hostname, built: BuiltZone | undefined): void {
    const before = this.#built.get(apex)
    for (const alias of before?.aliases ?? []) {
      if (this.#aliasZones.get(alias) === apex) this.#aliasZones.delete(alias)
    }
    if (built === undefined) {
      this.#built.delete(apex)
      return
    }
    for (const alias of built.aliases) this.#aliasZones.set(alias, apex)
    const faults = JSON.stringify(built.faults)
    this.#built.set(apex, { aliases: built.aliases, faults })
    if (faults === (before?.faults ?? '[]')) return
    for (const fault of built.faults) this.#log.warn('zone.fault', { apex, ...fault })
  }
}
