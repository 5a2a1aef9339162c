import {
  type AddressFamily,
  absoluteName,
  type DomainValue,
  type DomainView,
  findCluster,
  type Hostname,
  hostOwner,
  keys,
  listNodes,
  type NodeView,
  type RecordValue,
  type State,
} from '../../core/index.ts'
import { buildLargestRrset } from '../rdata/index.ts'
import { type NameKey, parentName, type RecordType, TYPE_CODES } from '../wire/index.ts'
import {
  buildAutomatic,
  buildSoa,
  DEFAULT_AUTHORITIES,
  familiesOf,
  findAuthorities,
  listNodeHosts,
  NEGATIVE_TTL,
  TTL,
  type ZoneSetting,
} from './automatic-records.ts'
import { addChallenges, listChallengeHosts } from './challenge-records.ts'
import type { ZoneFault } from './read-name.ts'
import { Zone } from './zone.ts'
import { entriesOf, readContent, type ZoneContent } from './zone-content.ts'
import { EMPTY_NAME, type ZoneName } from './zone-names.ts'
import { buildFixedSet, buildNodeSets, type ZoneSet } from './zone-set.ts'

/** A zone with what could not go into it, and what it was built from. */
export interface BuiltZone {
  readonly zone: Zone
  readonly faults: readonly ZoneFault[]
  /** The hosts that the zone's domain holds, inside the zone or not. Sorted. */
  readonly aliases: readonly Hostname[]
  readonly content: ZoneContent
  readonly setting: ZoneSetting
  readonly families: Readonly<Record<AddressFamily, boolean>>
  /** The sets of ours without the SOA, which changes with the serial, and without challenges. */
  readonly automatic: ReadonlyMap<NameKey, ZoneName>
}

/**
 * The zone of a domain, as the state has it; undefined when there is no such domain. Equal states give equal zones.
 * `nodes` are `listNodes(state)`, passed in by who builds many zones; `authorities` those that count while the cluster has no account
 * at any.
 */
export function buildZone(
  state: State,
  apex: Hostname,
  nodes: readonly NodeView[] = listNodes(state),
  authorities: readonly string[] = DEFAULT_AUTHORITIES,
): BuiltZone | undefined {
  if (state.get(keys.domain(apex)) === undefined) return undefined
  const setting = { nodes, authorities: findAuthorities(state, authorities) }
  return composeZone(state, readContent(state, apex), setting, { challenges: listChallengeHosts(state, apex) })
}

/**
 * The zone of what was written and of what is ours. `challenges` are the hosts in it that authorities are shown something for.
 * `before` is the zone as it was built last: where nothing but the serial and the challenges is new, no other set is made.
 */
export function composeZone(
  state: State,
  content: ZoneContent,
  setting: ZoneSetting,
  { before, challenges = [] }: { readonly before?: BuiltZone | undefined; readonly challenges?: Iterable<Hostname> },
): BuiltZone {
  const { apex, hosts } = content
  const aliases = [...hosts].filter((host) => hostOwner(state, host) === apex).sort()
  const isSame =
    before !== undefined &&
    before.content === content &&
    before.setting === setting &&
    before.aliases.join() === aliases.join()
  const { automatic, faults } = isSame ? before : buildOurs(content, setting, aliases)
  const families = isSame ? before.families : familiesOf(setting.nodes)
  const serial = buildSerial(state, apex)
  const soa = buildSoa(apex, setting.nodes, serial)
  const top = automatic.get(apex) ?? EMPTY_NAME
  const soaSet = buildFixedSet(buildLargestRrset(apex, 'SOA', TTL, [soa]))
  const ours = new Map(automatic).set(apex, { ...top, sets: [soaSet, ...top.sets] })
  addChallenges(state, content, challenges, ours)
  const zone = new Zone({
    apex,
    serial,
    written: content.names,
    automatic: ours,
    negativeSoa: buildLargestRrset(apex, 'SOA', NEGATIVE_TTL, [soa]),
    hasPreviews: (state.get(keys.domain(apex))?.value as DomainValue | undefined)?.previews === true,
    hasCuts: content.cuts > 0,
    families,
    findEntries: (name) => entriesOf(content, name),
  })
  return { zone, faults, aliases, content, setting, families, automatic }
}

/** RFC 1982 compares serials modulo 2^32; ours starts at the cluster's birth and grows by one an operation. */
function buildSerial(state: State, apex: Hostname): number {
  const bornSeconds = Math.floor((findCluster(state)?.createdMs ?? 0) / 1000)
  const touches = state.touches(keys.domain(apex)) + state.touches('node') + state.touches('account')
  return (bornSeconds + touches) % 2 ** 32
}

/**
 * The types of our automatic records that an explicit record takes the place of; for the command that writes it.
 */
export function listReplaced(
  { apex, aliases }: Pick<DomainView, 'apex' | 'aliases'>,
  nodes: readonly NodeView[],
  record: Pick<RecordValue, 'name' | 'type'>,
): readonly RecordType[] {
  const name = absoluteName(record.name, apex)
  const types: RecordType[] = buildAutomatic(apex, { nodes, authorities: DEFAULT_AUTHORITIES })
    .filter((set) => set.name === name)
    .map(({ type }) => type)
  if ((listNodeHosts(apex, aliases) as ReadonlySet<string>).has(name)) {
    const families = familiesOf(nodes)
    if (families.ipv4) types.push('A')
    if (families.ipv6) types.push('AAAA')
  }
  return types.filter((type) => isReplacedBy(type, record.type))
}

/** Whether a record of ours makes way for a written one at its name; the SOA never does. */
export function isReplacedBy(type: string, written: string): boolean {
  if (type === 'SOA') return false
  if (written === 'CNAME' || written === type) return true
  return written === 'ALIAS' && (type === 'A' || type === 'AAAA')
}

function buildOurs(
  content: ZoneContent,
  setting: ZoneSetting,
  aliases: readonly Hostname[],
): Pick<BuiltZone, 'automatic' | 'faults'> {
  const { apex, names } = content
  const faults = [...content.refused.values()].flatMap(({ faults }) => faults).sort(byName)
  const sets = new Map<NameKey, ZoneSet[]>([[apex, []]])
  /** An explicit record replaces ours at that name and type, an explicit CNAME everything of ours at its name. */
  const add = (set: ZoneSet) => {
    const written = names.get(set.name)?.sets ?? []
    if (written.some(({ type }) => type === set.type || type === TYPE_CODES.CNAME)) return
    const known = sets.get(set.name)
    if (known === undefined) sets.set(set.name, [set])
    else known.push(set)
  }
  const records = buildAutomatic(apex, setting)
  for (const { name, type, rdata } of records) {
    const rrset = buildLargestRrset(name, type, TTL, rdata)
    if (rrset.rdata.length < rdata.length) {
      faults.push({ name, type, fault: `only ${rrset.rdata.length} of ${rdata.length} values fit into an answer` })
    }
    add(buildFixedSet(rrset))
  }
  if (!records.some(({ type }) => type === 'NS')) {
    faults.push({ name: apex, type: 'NS', fault: 'no node with an address is a name server' })
  }
  for (const host of listNodeHosts(apex, aliases)) for (const set of buildNodeSets(host, TTL)) add(set)
  const automatic = new Map<NameKey, ZoneName>()
  for (const [name, ours] of sets) {
    const written = names.get(name) ?? EMPTY_NAME
    automatic.set(name, { ...written, sets: [...written.sets, ...ours] })
  }
  for (const name of sets.keys()) addNamesAbove(name, content, automatic)
  return { automatic, faults }
}

function addNamesAbove(name: NameKey, { apex, names }: ZoneContent, automatic: Map<NameKey, ZoneName>): void {
  if (name === apex) return
  for (let above = parentName(name); above !== undefined && above !== apex; above = parentName(above)) {
    if (automatic.has(above) || names.get(above) !== undefined) return
    automatic.set(above, EMPTY_NAME)
  }
}

const byName = (a: ZoneFault, b: ZoneFault): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
