import {
  absoluteName,
  type BlobHash,
  type Change,
  type Entry,
  encodeCanonical,
  type FunctionValue,
  findMember,
  type Hostname,
  type Key,
  keys,
  type MemberKey,
  type RecordValue,
  type ReleaseValue,
  type State,
  shortId,
  type TransformValue,
} from '../../core/index.ts'
import type { DomainConfig } from '../config/index.ts'
import { BEST_NODE } from '../output/text.ts'

/** A site as its release names it; made of the scanned files. */
export interface BuiltSite {
  /** The blob that holds the manifest. */
  readonly manifest: BlobHash
  /** Equal trees are equal sites. */
  readonly tree: BlobHash
  readonly files: number
  readonly bytes: number
  /** Components with their sealed environment. */
  readonly functions?: readonly FunctionValue[] | undefined
  readonly transforms?: readonly TransformValue[] | undefined
}

/** A key that the project file asks for. */
export interface Wanted {
  readonly key: Key
  /** As the state holds it. */
  readonly value: unknown
  readonly change: Change
  /** What the key is to people: `A record of www.example.com`. */
  readonly name: string
  /** Its value in a few words; empty where the name says it all. */
  readonly shown: string
}

/** Every key of a domain but its release, in the order in which they are written: settings, aliases, records. */
export function listWanted(domain: DomainConfig, project: string): readonly Wanted[] {
  const apex = domain.name
  const settings: Wanted = {
    key: keys.domain(apex),
    value: domain.settings,
    change: { kind: 'domain.set', domain: apex, ...domain.settings, via: project },
    name: `settings of ${apex}`,
    shown: showSettings(domain.settings),
  }
  const aliases = domain.aliases.map((host): Wanted => {
    const change: Change = { kind: 'alias.set', domain: apex, host, via: project }
    return { key: keys.alias(apex, host), value: true, change, name: `alias ${host}`, shown: '' }
  })
  const records = domain.records.map(({ line: _line, ...value }): Wanted => {
    const { name, type } = value
    const change: Change = { kind: 'record.set', domain: apex, ...value, values: [...value.values], via: project }
    return {
      key: keys.record(apex, name, type),
      value,
      change,
      name: nameOfRecord(apex, value),
      shown: showRecord(value),
    }
  })
  return [settings, ...aliases, ...records]
}

/** The release of a domain. `aliases` are those that the domain has once the plan is done. */
export function wantRelease(
  domain: Hostname,
  site: BuiltSite,
  about: { project: string; aliases: readonly Hostname[]; commit: string | undefined },
): Wanted {
  const value: ReleaseValue = {
    manifest: site.manifest,
    tree: site.tree,
    files: site.files,
    bytes: site.bytes,
    aliases: [...about.aliases].sort(),
    ...(site.functions === undefined || site.functions.length === 0 ? {} : { functions: site.functions }),
    ...(site.transforms === undefined || site.transforms.length === 0 ? {} : { transforms: site.transforms }),
    ...(about.commit === undefined ? {} : { commit: about.commit }),
  }
  return {
    key: keys.release(domain),
    value,
    change: { kind: 'release.publish', domain, ...value, via: about.project },
    name: `release of ${domain}`,
    shown: showRelease(value),
  }
}

/**
 * Releases are equal when their trees and components are: who compressed the manifest, and when, changes nothing that is served.
 * Sealed values are equal when they are the same box.
 */
export function isSameValue(a: unknown, b: unknown): boolean {
  if (isRelease(a) && isRelease(b)) return a.tree === b.tree && isSameValue(componentsOf(a), componentsOf(b))
  return Buffer.compare(encodeCanonical(a), encodeCanonical(b)) === 0
}

const componentsOf = ({ functions = [], transforms = [] }: ReleaseValue) => [functions, transforms]

export const isRelease = (value: unknown): value is ReleaseValue =>
  typeof value === 'object' && value !== null && 'tree' in value && 'manifest' in value

/** A state's entry in a few words. */
export function showValue(value: unknown): string {
  if (isRelease(value)) return showRelease(value)
  if (isRecord(value)) return showRecord(value)
  if (isSettings(value)) return showSettings(value)
  return value === true ? '' : JSON.stringify(value)
}

const isRecord = (value: unknown): value is RecordValue =>
  typeof value === 'object' && value !== null && 'values' in value && Array.isArray(value.values)

const isSettings = (value: unknown): value is DomainConfig['settings'] =>
  typeof value === 'object' && value !== null && 'onConcurrent' in value && 'spa' in value

/** In the words of the project file. */
function showSettings({ spa, onConcurrent, previews, redirect }: DomainConfig['settings']): string {
  const settings = [`spa = ${spa}`, `on_concurrent = "${onConcurrent}"`, `previews = ${previews}`]
  return [...settings, ...(redirect === undefined ? [] : [`redirect = "${redirect}"`])].join(', ')
}

export function nameOfRecord(apex: Hostname, record: { name: string; type: string }): string {
  return `${record.type} record of ${absoluteName(record.name as Parameters<typeof absoluteName>[0], apex)}`
}

/** Who wrote an entry: the project or the person, and the operation that says more. */
export function nameOfWriter(state: State, entry: Entry): string {
  const who = entry.via === undefined ? nameOfMember(state, entry.author) : `project ${JSON.stringify(entry.via)}`
  return `${who} (operation ${shortId(entry.operation)})`
}

const nameOfMember = (state: State, key: MemberKey): string => findMember(state, key)?.name ?? shortId(key)

function showRecord({ ttl, values, geo }: Pick<RecordValue, 'ttl' | 'values' | 'geo'>): string {
  return `${geo === true ? BEST_NODE : values.map(shorten).join(', ')} (ttl ${ttl})`
}

function showRelease({ files, bytes, functions = [], transforms = [] }: ReleaseValue): string {
  const components = [describeCount(functions.length, 'function'), describeCount(transforms.length, 'transform')]
  return [describeCount(files, 'file') || 'no files', formatBytes(bytes), ...components].filter(Boolean).join(', ')
}

const describeCount = (count: number, what: string): string =>
  count === 0 ? '' : `${count} ${what}${count === 1 ? '' : 's'}`

const shorten = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}…` : text)

/** Decimal units, as in `1.2 MB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`
}
