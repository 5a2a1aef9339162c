import { ANY, type NameKey, parentName, TYPE_CODES } from '../wire/index.ts'
import type { Zone } from './zone.ts'
import type { ZoneName } from './zone-names.ts'
import type { FixedSet, ZoneSet } from './zone-set.ts'

/** What a zone has for a name and a type. */
export type Lookup =
  | Found<'set', ZoneSet>
  /** The name is an alias; asked for CNAME itself it is a `set`. */
  | Found<'cname', FixedSet>
  /** The name exists, or a wildcard stands for it; the type does not. */
  | { readonly kind: 'nodata'; readonly wildcard: NameKey | undefined }
  /** Neither the name exists nor a wildcard for it. `encloser` is the longest name above it that does (RFC 4592). */
  | { readonly kind: 'nxdomain'; readonly encloser: NameKey }
  /** The name lies at or below a cut: `cut` says who answers. */
  | { readonly kind: 'delegation'; readonly cut: FixedSet }

interface Found<Kind extends string, Set extends ZoneSet> {
  readonly kind: Kind
  readonly set: Set
  /** The wildcard that stood for the name; then the set's name is not the one that was asked for. */
  readonly wildcard: NameKey | undefined
}

/**
 * RFC 1034 section 4.3.2 step 3 inside one zone, with wildcards as RFC 4592 has them: a name that exists, if only for
 * those below it, is never made up. The DS at a cut is the zone's own (RFC 4035 section 3.1.4.1). ANY is one of the
 * name's sets (RFC 8482 section 4.1). `exists` says of further names that they exist: those above the apexes of other
 * zones of ours.
 */
export function lookUp(zone: Zone, name: NameKey, type: number, exists: (name: NameKey) => boolean = never): Lookup {
  const found = zone.findName(name)
  const encloser = found === undefined ? findEncloser(zone, name, exists) : name
  const cut = zone.hasCuts ? findCutAbove(zone, encloser) : undefined
  if (cut !== undefined && !(type === TYPE_CODES.DS && cut.name === name)) return { kind: 'delegation', cut }
  if (found !== undefined) return lookInto(zone, found, type, undefined)
  if (encloser === name) return { kind: 'nodata', wildcard: undefined }
  const wildcard = `*.${encloser}`
  const source = zone.findName(wildcard)
  return source === undefined ? { kind: 'nxdomain', encloser } : lookInto(zone, source, type, wildcard)
}

const never = (): boolean => false

function lookInto(zone: Zone, found: ZoneName, type: number, wildcard: NameKey | undefined): Lookup {
  const set = type === ANY ? findSmallest(zone, found) : zone.findSetOf(found, type)
  if (set !== undefined) return { kind: 'set', set, wildcard }
  const cname = zone.findSetOf(found, TYPE_CODES.CNAME)
  return cname?.kind === 'fixed' ? { kind: 'cname', set: cname, wildcard } : { kind: 'nodata', wildcard }
}

/** The highest one: what lies below a cut may say anything, and does not count. */
function findCutAbove(zone: Zone, name: NameKey): FixedSet | undefined {
  let highest: FixedSet | undefined
  for (let above: NameKey | undefined = name; above !== undefined && above !== zone.apex; above = parentName(above)) {
    highest = zone.findCut(above) ?? highest
  }
  return highest
}

/**
 * The longest name that exists, of the name and those above it. Whatever is above one that exists does too (RFC 8020), so
 * halves are tried: a question of 127 labels, which anybody can ask, costs little more than one of three.
 */
function findEncloser(zone: Zone, name: NameKey, exists: (name: NameKey) => boolean): NameKey {
  if (exists(name)) return name
  const starts: number[] = []
  const end = name.length - zone.apex.length
  for (let at = name.indexOf('.') + 1; at > 0 && at < end; at = name.indexOf('.', at) + 1) starts.push(at)
  let low = 0
  let high = starts.length
  while (low < high) {
    const middle = (low + high) >> 1
    const above = name.slice(starts[middle])
    if (zone.findName(above) !== undefined || exists(above)) high = middle
    else low = middle + 1
  }
  const start = starts[high]
  return start === undefined ? zone.apex : name.slice(start)
}

/** So that nobody gains by sending ANY from a forged address. */
function findSmallest(zone: Zone, { sets }: ZoneName): ZoneSet | undefined {
  let smallest: ZoneSet | undefined
  for (const set of sets) {
    if (zone.findSetOf({ sets: [set] }, set.type) === undefined) continue
    if (smallest === undefined || sizeOf(set) < sizeOf(smallest)) smallest = set
  }
  return smallest
}

/** What is made for who asks comes last: it has no size of its own. */
const sizeOf = (set: ZoneSet): number => (set.kind === 'fixed' ? set.rrset.octets : Number.MAX_SAFE_INTEGER)
