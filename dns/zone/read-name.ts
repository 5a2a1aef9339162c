import {
  absoluteName,
  compareOperations,
  type Entry,
  type Hostname,
  isWithin,
  MakiError,
  type RecordValue,
} from '../../core/index.ts'
import { buildRrset, MAX_RRSET_OCTETS, MAX_TTL, parseAlias, parseRdata } from '../rdata/index.ts'
import { isExplicitType, MAX_NAME_OCTETS, type NameKey, nameOctets, TYPE_CODES } from '../wire/index.ts'
import { buildAliasSets, buildFixedSet, buildNodeSet, type ZoneSet } from './zone-set.ts'

/** A record that could not become part of the zone, and why; the rest of the zone is as if it were not there. */
export interface ZoneFault {
  readonly name: NameKey
  readonly type: string
  readonly fault: string
}

/** What the records of one name come to. */
export interface ReadName {
  readonly sets: readonly ZoneSet[]
  readonly faults: readonly ZoneFault[]
}

/** Reads all that the state has for one name, which decides alone what the zone has there. */
export function readName(name: NameKey, apex: Hostname, entries: readonly Entry<RecordValue>[]): ReadName {
  const sets: ZoneSet[] = []
  const aliases: ZoneSet[] = []
  const faults: ZoneFault[] = []
  for (const { value } of settleCname(name, apex, entries, faults)) {
    const read = readRecord(value, name, apex)
    if ('fault' in read) faults.push({ name, type: value.type, fault: read.fault })
    else if (value.type === 'ALIAS') aliases.push(...read.sets)
    else sets.push(...read.sets)
  }
  const written = new Set(sets.map(({ type }) => type))
  const free = aliases.filter(({ type }) => !written.has(type))
  if (free.length < aliases.length) {
    faults.push({ name, type: 'ALIAS', fault: 'addresses that are written at the name go before it' })
  }
  return { sets: free.length === 0 ? sets : [...sets, ...free], faults }
}

/**
 * A merge can leave a CNAME beside other records of its name, which no zone may have (RFC 1034 section 3.6.2). Then
 * the greatest operation decides, as it does for a key: the CNAME stays alone when it is the last word, else it goes.
 */
function settleCname(
  name: NameKey,
  apex: Hostname,
  entries: readonly Entry<RecordValue>[],
  faults: ZoneFault[],
): readonly Entry<RecordValue>[] {
  const cname = entries.find((entry) => entry.value.type === 'CNAME')
  if (cname === undefined) return entries
  const others = entries.filter((entry) => entry !== cname)
  const drop = (entry: Entry<RecordValue>, fault: string) => faults.push({ name, type: entry.value.type, fault })
  if (name === apex) drop(cname, 'the apex cannot be a CNAME')
  else if (others.some((other) => compareEntries(other, cname) > 0))
    drop(cname, 'a CNAME stands alone, and a newer record has the name')
  else {
    for (const other of others) drop(other, 'a newer CNAME has the name')
    return [cname]
  }
  return others
}

const compareEntries = (a: Entry, b: Entry): number =>
  compareOperations({ stamp: a.stamp, id: a.operation }, { stamp: b.stamp, id: b.operation })

type ReadRecord = { readonly sets: readonly ZoneSet[] } | { readonly fault: string }

function readRecord({ type, ttl, values, geo }: RecordValue, name: NameKey, apex: Hostname): ReadRecord {
  if (!isExplicitType(type)) return { fault: 'no record of this type can be written' }
  if (!isWithin(name, apex) || nameOctets(name) > MAX_NAME_OCTETS) return { fault: 'the name is too long' }
  if (!Number.isInteger(ttl) || ttl < 0 || ttl > MAX_TTL) return { fault: 'the TTL is out of bounds' }
  if (type === 'NS' && name.startsWith('*.')) return { fault: 'a wildcard cannot be a delegation' }
  if (type === 'DS' && name === apex) return { fault: 'the zone above holds the DS of a zone' }
  if (geo === true) {
    if (type !== 'A' && type !== 'AAAA') return { fault: 'nodes have addresses only' }
    return { sets: [buildNodeSet(name, TYPE_CODES[type], ttl)] }
  }
  if (values.length === 0) return { fault: 'it has no value' }
  if ((type === 'CNAME' || type === 'ALIAS') && values.length > 1) return { fault: 'it has one target only' }
  try {
    if (type === 'ALIAS') {
      return { sets: buildAliasSets(name, ttl, parseAlias(values[0] ?? '', apex).target) }
    }
    const rdata = values.map((value) => parseRdata(type, value, apex))
    const rrset = buildRrset(name, type, ttl, rdata)
    if (rrset !== undefined) return { sets: [buildFixedSet(rrset)] }
    return { fault: `its values have more than ${MAX_RRSET_OCTETS} bytes in all` }
  } catch (error) {
    if (error instanceof MakiError) return { fault: error.message }
    throw error
  }
}

/** Where a record of the state lies. */
export const ownerOf = ({ name }: RecordValue, apex: Hostname): NameKey => absoluteName(name, apex)
