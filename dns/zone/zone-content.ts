import { type Entry, type Hostname, type Key, keys, type RecordValue, type State } from '../../core/index.ts'
import { type NameKey, TYPE_CODES } from '../wire/index.ts'
import { ownerOf, readName, type ZoneFault } from './read-name.ts'
import { changeNames, noNames, type ZoneName, type ZoneNames } from './zone-names.ts'

/** What the state holds under a domain, as far as its zone goes. Immutable; equal states give equal content. */
export interface ZoneContent {
  readonly apex: Hostname
  /** Every host that the domain names as an alias, whether or not another domain has it. */
  readonly hosts: ReadonlySet<Hostname>
  readonly names: ZoneNames
  /** Names with records that could not be taken. */
  readonly refused: ReadonlyMap<NameKey, RefusedName>
  /** How many names below the apex have NS. */
  readonly cuts: number
}

/** All that was written at a name, and what is wrong with some of it. */
export interface RefusedName {
  readonly entries: readonly Entry<RecordValue>[]
  readonly faults: readonly ZoneFault[]
}

/** Everything that the state holds under a domain. */
export function readContent(state: State, apex: Hostname): ZoneContent {
  const nothing: ZoneContent = { apex, hosts: new Set(), names: noNames(apex), refused: new Map(), cuts: 0 }
  const { alias, rrset } = prefixesOf(apex)
  const hosts = new Set<Hostname>()
  const records = new Map<NameKey, Entry<RecordValue>[]>()
  for (const entry of state.scope(keys.domain(apex))) {
    if (entry.key.startsWith(alias)) hosts.add(entry.key.slice(alias.length) as Hostname)
    if (!entry.key.startsWith(rrset)) continue
    const record = entry as Entry<RecordValue>
    const name = ownerOf(record.value, apex)
    const known = records.get(name)
    if (known === undefined) records.set(name, [record])
    else known.push(record)
  }
  return { ...withRecords(nothing, records), hosts }
}

/** The content after these keys have changed, and no others of the domain: what `readContent` gives, at their cost. */
export function changeContent(content: ZoneContent, state: State, changed: Iterable<Key>): ZoneContent {
  const { apex } = content
  const { alias, rrset } = prefixesOf(apex)
  let hosts: Set<Hostname> | undefined
  const records = new Map<NameKey, Entry<RecordValue>[]>()
  for (const key of changed) {
    const entry = state.get(key)
    if (key.startsWith(alias)) {
      hosts ??= new Set(content.hosts)
      const host = key.slice(alias.length) as Hostname
      if (entry === undefined) hosts.delete(host)
      else hosts.add(host)
    } else if (key.startsWith(rrset)) {
      const owner = key.slice(rrset.length, key.lastIndexOf('/'))
      const name = owner === '@' ? apex : `${owner}.${apex}`
      const others = (records.get(name) ?? entriesOf(content, name)).filter((other) => other.key !== key)
      records.set(name, entry === undefined ? others : [...others, entry as Entry<RecordValue>].sort(byKey))
    }
  }
  const next = records.size === 0 ? content : withRecords(content, records)
  return hosts === undefined ? next : { ...next, hosts }
}

/** What was written at a name, whether or not it could be taken. */
export const entriesOf = ({ refused, names }: ZoneContent, name: NameKey): readonly Entry<RecordValue>[] =>
  refused.get(name)?.entries ?? names.get(name)?.entries ?? []

function withRecords(content: ZoneContent, records: ReadonlyMap<NameKey, readonly Entry<RecordValue>[]>): ZoneContent {
  const { apex } = content
  let refused: Map<NameKey, RefusedName> | undefined
  let { cuts } = content
  const changes: [NameKey, Pick<ZoneName, 'sets' | 'entries'>][] = []
  for (const [name, entries] of records) {
    const { sets, faults } = readName(name, apex, entries)
    changes.push([name, { sets, entries: sets.length === 0 ? [] : entries }])
    if (name !== apex) cuts += Number(hasNs(sets)) - Number(hasNs(content.names.get(name)?.sets ?? []))
    if (faults.length === 0 && !content.refused.has(name)) continue
    refused ??= new Map(content.refused)
    if (faults.length === 0) refused.delete(name)
    else refused.set(name, { entries, faults })
  }
  return { ...content, names: changeNames(content.names, apex, changes), refused: refused ?? content.refused, cuts }
}

const hasNs = (sets: ZoneName['sets']): boolean => sets.some(({ type }) => type === TYPE_CODES.NS)

const byKey = (a: Entry, b: Entry): number => (a.key < b.key ? -1 : 1)

function prefixesOf(apex: Hostname): { readonly alias: string; readonly rrset: string } {
  const domain = keys.domain(apex)
  return { alias: `${domain}/alias/`, rrset: `${domain}/rrset/` }
}
