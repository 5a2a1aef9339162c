import {
  absoluteName,
  compareOperations,
  type DomainView,
  type Entry,
  findCluster,
  findDomain,
  type Hostname,
  isWithin,
  keys,
  listNodes,
  MakiError,
  type NodeView,
  type RecordValue,
  type State,
} from '../../core/index.ts'
import {
  buildLargestRrset,
  buildRrset,
  MAX_RRSET_OCTETS,
  MAX_TTL,
  parseRdata,
  type Rdata,
  type Rrset,
} from '../rdata/index.ts'
import { isExplicitType, MAX_NAME_OCTETS, type NameKey, nameOctets, type RecordType } from '../wire/index.ts'
import { type AutomaticRrset, buildAutomatic, buildSoa, NEGATIVE_TTL, TTL } from './automatic-records.ts'
import { assembleZone, type Zone } from './zone-table.ts'

/** A record that could not become part of the zone, and why; the rest of the zone is as if it were not there. */
export interface ZoneFault {
  readonly name: NameKey
  readonly type: string
  readonly fault: string
}

/** A zone with what could not go into it. */
export interface BuiltZone {
  readonly zone: Zone
  readonly faults: readonly ZoneFault[]
  /** The hosts that the zone's domain holds, inside the zone or not. */
  readonly aliases: readonly Hostname[]
}

/**
 * The zone of a domain, as the state has it; undefined when there is no such domain. Equal states give equal zones.
 * `nodes` are `listNodes(state)`, passed in by who builds many zones.
 */
export function buildZone(
  state: State,
  apex: Hostname,
  nodes: readonly NodeView[] = listNodes(state),
): BuiltZone | undefined {
  const domain = findDomain(state, apex)
  if (domain === undefined) return undefined
  const faults: ZoneFault[] = []
  const explicit = readExplicit(domain, faults)
  const serial = buildSerial(state, apex)
  const ours = buildAutomatic(domain, nodes, serial)
  const rrsets: Rrset[] = [...explicit.values()].flatMap((types) => [...types.values()])
  for (const set of ours) {
    if (nameOctets(set.name) > MAX_NAME_OCTETS) {
      faults.push({ name: set.name, type: set.type, fault: 'the name is too long' })
      continue
    }
    if (isReplaced(set, explicit.get(set.name))) continue
    const rrset = buildLargestRrset(set.name, set.type, TTL, set.rdata)
    if (rrset.rdata.length < set.rdata.length) {
      const fault = `only ${rrset.rdata.length} of ${set.rdata.length} values fit into an answer`
      faults.push({ name: set.name, type: set.type, fault })
    }
    rrsets.push(rrset)
  }
  if (!ours.some((set) => set.type === 'NS')) {
    faults.push({ name: apex, type: 'NS', fault: 'no node with an address is a name server' })
  }
  const negativeSoa = buildLargestRrset(apex, 'SOA', NEGATIVE_TTL, [buildSoa(apex, nodes, serial)])
  return { zone: assembleZone(apex, serial, negativeSoa, rrsets), faults, aliases: domain.aliases }
}

/** RFC 1982 compares serials modulo 2^32; ours starts at the cluster's birth and grows by one an operation. */
function buildSerial(state: State, apex: Hostname): number {
  const bornSeconds = Math.floor((findCluster(state)?.createdMs ?? 0) / 1000)
  return (bornSeconds + state.touches(keys.domain(apex)) + state.touches('node')) % 2 ** 32
}

/**
 * The types of our automatic records that an explicit record takes the place of; for the command that writes it.
 */
export function listReplaced(
  domain: Pick<DomainView, 'apex' | 'aliases'>,
  nodes: readonly NodeView[],
  record: Pick<RecordValue, 'name' | 'type'>,
): readonly RecordType[] {
  const name = absoluteName(record.name, domain.apex)
  return buildAutomatic(domain, nodes, 0)
    .filter((set) => set.name === name && (record.type === set.type || record.type === 'CNAME'))
    .map((set) => set.type)
}

type ByType = Map<string, Rrset>

/** An explicit record replaces ours at that name and type, an explicit CNAME everything of ours at its name. */
function isReplaced(set: AutomaticRrset, explicit: ByType | undefined): boolean {
  return explicit !== undefined && (explicit.has(set.type) || explicit.has('CNAME'))
}

function readExplicit(domain: DomainView, faults: ZoneFault[]): Map<NameKey, ByType> {
  const byName = new Map<NameKey, ByType>()
  for (const entry of settleAliases(domain, faults)) {
    const { name, type } = entry.value
    const owner = absoluteName(name, domain.apex)
    const read = readOnce(entry.value, owner, domain.apex)
    if ('fault' in read) {
      faults.push({ name: owner, type, fault: read.fault })
      continue
    }
    const types = byName.get(owner) ?? new Map<string, Rrset>()
    byName.set(owner, types.set(type, read))
  }
  return byName
}

/**
 * A merge can leave a CNAME beside other records of its name, which no zone may have (RFC 1034 section 3.6.2). Then
 * the greatest operation decides, as it does for a key: the CNAME stays alone when it is the last word, else it goes.
 */
function settleAliases(domain: DomainView, faults: ZoneFault[]): readonly Entry<RecordValue>[] {
  const byName = Map.groupBy(domain.records, (entry) => entry.value.name)
  const kept: Entry<RecordValue>[] = []
  for (const [name, entries] of byName) {
    const drop = (entry: Entry<RecordValue>, fault: string) =>
      faults.push({ name: absoluteName(name, domain.apex), type: entry.value.type, fault })
    const alias = entries.find((entry) => entry.value.type === 'CNAME')
    const others = entries.filter((entry) => entry !== alias)
    if (alias === undefined) kept.push(...others)
    else if (name === '@') {
      drop(alias, 'the apex cannot be a CNAME')
      kept.push(...others)
    } else if (others.some((other) => compareEntries(other, alias) > 0)) {
      drop(alias, 'a CNAME stands alone, and a newer record has the name')
      kept.push(...others)
    } else {
      for (const other of others) drop(other, 'a newer CNAME has the name')
      kept.push(alias)
    }
  }
  return kept
}

const compareEntries = (a: Entry, b: Entry): number =>
  compareOperations({ stamp: a.stamp, id: a.operation }, { stamp: b.stamp, id: b.operation })

type ReadRecord = Rrset | { readonly fault: string }

/**
 * Values of the state are never written to and live as long as they are in it, so each is read once: a zone of 10,000
 * records is rebuilt for a change of one. Owner and apex are
 * compared because a caller may use one value for two.
 */
const alreadyRead = new WeakMap<
  RecordValue,
  { readonly owner: NameKey; readonly apex: Hostname; readonly read: ReadRecord }
>()

function readOnce(record: RecordValue, owner: NameKey, apex: Hostname): ReadRecord {
  const known = alreadyRead.get(record)
  if (known?.owner === owner && known.apex === apex) return known.read
  const read = readRecord(record, owner, apex)
  alreadyRead.set(record, { owner, apex, read })
  return read
}

function readRecord(record: RecordValue, owner: NameKey, apex: Hostname): ReadRecord {
  const { type, values } = record
  if (!isExplicitType(type)) return { fault: 'records of this type are not answered yet' }
  if (!isWithin(owner, apex) || nameOctets(owner) > MAX_NAME_OCTETS) return { fault: 'the name is too long' }
  if (record.ttl < 0 || record.ttl > MAX_TTL) return { fault: 'the TTL is out of bounds' }
  if (type === 'CNAME' && values.length > 1) return { fault: 'a CNAME has one target only' }
  const rdata: Rdata[] = []
  for (const value of values) {
    try {
      rdata.push(parseRdata(type, value, apex))
    } catch (error) {
      if (error instanceof MakiError) return { fault: error.message }
      throw error
    }
  }
  return (
    buildRrset(owner, type, record.ttl, rdata) ?? {
      fault: `its values have more than ${MAX_RRSET_OCTETS} bytes in all`,
    }
  )
}
