import {
  type Hostname,
  hostOwner,
  type Key,
  type Log,
  listNodes,
  type Scope,
  type State,
  StateTable,
  scopeKind,
} from '../../core/index.ts'
import { DEFAULT_AUTHORITIES, findAuthorities, isSameSetting, type ZoneSetting } from './automatic-records.ts'
import type { BuiltZone } from './build-zone.ts'
import { ChallengeHosts } from './challenge-records.ts'
import { type ChangedKeys, ProjectedZone } from './projected-zone.ts'
import { ZoneTable } from './zone-table.ts'

/** Scopes that every zone depends on: who the nodes are, when the cluster was born, and which authorities know it. */
const SHARED_KINDS: ReadonlySet<string> = new Set(['node', 'node-name', 'cluster', 'account'])

/**
 * Keeps the zone table in step with the state, and swaps it whole: a reader takes `table` once for each question and
 * never sees half a change. A zone that a change touches is built when it is asked for next, or by `buildSome`, from
 * the state of then; at a cost that follows what changed in it.
 */
export class DnsProjection {
  readonly #log: Log
  readonly #zones = new Map<Hostname, ProjectedZone>()
  /** The zone that each alias was built into, to rebuild it when another domain takes the alias. */
  readonly #aliasZones = new Map<string, Hostname>()
  /** Zones that nobody has asked for since they changed. */
  readonly #unread = new Set<Hostname>()
  readonly #authorities: readonly string[]
  readonly #challenges = new ChallengeHosts()
  #state: State = new StateTable()
  #setting: ZoneSetting
  #table = ZoneTable.empty
  #builds = 0

  constructor(log: Log, authorities: readonly string[] = DEFAULT_AUTHORITIES) {
    this.#log = log
    this.#authorities = authorities
    this.#setting = { nodes: [], authorities }
  }

  get table(): ZoneTable {
    return this.#table
  }

  /** How many zones were built so far; one that got a new serial and nothing else was not. */
  get builds(): number {
    return this.#builds
  }

  /** How many zones `buildSome` has yet to build. */
  get waiting(): number {
    return this.#unread.size
  }

  /**
   * `scopes` are those that changed since the last call (`changedScopes`), `keys` all keys that did: without them the
   * zones of these scopes are read anew as a whole. `state` is kept, and read when zones are built.
   */
  refresh(state: State, scopes: ReadonlySet<Scope>, keys?: Iterable<Key>): void {
    this.#state = state
    this.#challenges.refresh(state, scopes)
    const shared = [...scopes].some((scope) => SHARED_KINDS.has(scopeKind(scope)))
    if (shared) this.#readSetting()
    const changed = keys === undefined ? undefined : this.#groupKeys(keys)
    const touched = shared ? this.#everyApex() : this.#touchedApexes(scopes)
    const changes: [Hostname, ProjectedZone | undefined][] = []
    for (const apex of touched) {
      const source = this.#change(apex, scopes.has(`domain/${apex}`) ? keysOf(changed, apex) : NO_KEYS)
      changes.push([apex, source])
    }
    if (changes.length === 0) return
    this.#table = this.#table.with(changes)
    this.#log.debug('zones.changed', { changed: changes.length, zones: this.#table.size })
  }

  /** Builds zones that wait until `isEnough`; true when more wait. */
  buildSome(isEnough: () => boolean): boolean {
    for (const apex of this.#unread) {
      this.#unread.delete(apex)
      this.#zones.get(apex)?.read()
      if (isEnough()) break
    }
    return this.#unread.size > 0
  }

  /** What changes of nodes leave no trace in zones, such as places and drains, keeps the setting as it was. */
  #readSetting(): void {
    const setting = { nodes: listNodes(this.#state), authorities: findAuthorities(this.#state, this.#authorities) }
    if (!isSameSetting(setting, this.#setting)) this.#setting = setting
  }

  #change(apex: Hostname, keys: ChangedKeys): ProjectedZone | undefined {
    if (this.#state.get(`domain/${apex}`) === undefined) {
      this.#zones.delete(apex)
      this.#unread.delete(apex)
      return undefined
    }
    const source = this.#zones.get(apex)?.changed(keys) ?? ProjectedZone.of(apex, this.#builder)
    this.#zones.set(apex, source)
    this.#unread.add(apex)
    return source
  }

  readonly #builder = {
    state: () => this.#state,
    setting: () => this.#setting,
    challenges: (apex: Hostname) => this.#challenges.within(apex),
    built: (zone: BuiltZone, before: BuiltZone | undefined) => this.#remember(zone, before),
    failed: (apex: Hostname, error: unknown) => this.#log.error('zone.build-failed', { apex, error }),
  }

  #remember({ zone, aliases, faults, automatic }: BuiltZone, before: BuiltZone | undefined): void {
    const { apex } = zone
    this.#unread.delete(apex)
    if (automatic === before?.automatic) return
    this.#builds += 1
    for (const alias of before?.aliases ?? []) {
      if (this.#aliasZones.get(alias) === apex) this.#aliasZones.delete(alias)
    }
    for (const alias of aliases) this.#aliasZones.set(alias, apex)
    if (JSON.stringify(faults) === JSON.stringify(before?.faults ?? [])) return
    for (const fault of faults) this.#log.warn('zone.fault', { apex, ...fault })
  }

  #everyApex(): Set<Hostname> {
    return new Set([...(this.#state.ids('domain') as readonly Hostname[]), ...this.#zones.keys()])
  }

  #touchedApexes(scopes: ReadonlySet<Scope>): Set<Hostname> {
    const apexes = new Set<Hostname>()
    for (const scope of scopes) {
      const kind = scopeKind(scope)
      const id = scope.slice(kind.length + 1) as Hostname
      if (id.length === 0) continue
      // A host name counts for every domain around it, most of which nobody has.
      if (kind === 'domain' && (this.#zones.has(id) || this.#state.get(scope) !== undefined)) apexes.add(id)
      if (kind === 'host') {
        for (const apex of [this.#aliasZones.get(id), hostOwner(this.#state, id)]) {
          if (apex !== undefined && this.#isOurs(apex)) apexes.add(apex)
        }
      }
    }
    return apexes
  }

  #isOurs(apex: Hostname): boolean {
    return this.#zones.has(apex) || this.#state.get(`domain/${apex}`) !== undefined
  }

  /** By zone, of those zones that can make use of them. */
  #groupKeys(keys: Iterable<Key>): Map<string, Set<Key>> {
    const groups = new Map<string, Set<Key>>()
    for (const key of keys) {
      const apex = domainOf(key)
      if (apex === undefined || !this.#zones.has(apex as Hostname)) continue
      const group = groups.get(apex)
      if (group === undefined) groups.set(apex, new Set([key]))
      else group.add(key)
    }
    return groups
  }
}

const NO_KEYS: ReadonlySet<Key> = new Set()

/** A domain whose scope alone was touched has had none of its keys changed. */
const keysOf = (groups: ReadonlyMap<string, ReadonlySet<Key>> | undefined, apex: Hostname): ChangedKeys =>
  groups === undefined ? undefined : (groups.get(apex) ?? NO_KEYS)

function domainOf(key: Key): string | undefined {
  if (!key.startsWith('domain/')) return undefined
  const end = key.indexOf('/', 'domain/'.length)
  return key.slice('domain/'.length, end === -1 ? undefined : end)
}
