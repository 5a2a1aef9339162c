import type { Hostname } from '../../core/index.ts'
import type { Rrset } from '../rdata/index.ts'
import { type NameKey, parentName, TYPE_CODES } from '../wire/index.ts'

/** One zone's whole content (RFC 9499 section 7). Immutable. */
export interface Zone {
  readonly apex: Hostname
  readonly serial: number
  /** Every name that exists, by type number; an empty non-terminal (RFC 9499 section 7) has no types. */
  readonly names: ReadonlyMap<NameKey, ReadonlyMap<number, Rrset>>
  /** The SOA as negative answers carry it: its TTL is how long a resolver may remember the no (RFC 2308 section 3). */
  readonly negativeSoa: Rrset
}

/** What a zone has for a name and a type. */
export type Lookup =
  | { readonly kind: 'rrset'; readonly rrset: Rrset }
  /** The name is an alias; asked for CNAME itself it is an `rrset`. */
  | { readonly kind: 'cname'; readonly rrset: Rrset }
  /** The name exists, the type does not. */
  | { readonly kind: 'nodata' }
  | { readonly kind: 'nxdomain' }

/** What the zone has at a name inside it. */
export function lookUp(zone: Zone, name: NameKey, type: number): Lookup {
  const types = zone.names.get(name)
  if (types === undefined) return { kind: 'nxdomain' }
  const rrset = types.get(type)
  if (rrset !== undefined) return { kind: 'rrset', rrset }
  const cname = types.get(TYPE_CODES.CNAME)
  return cname === undefined ? { kind: 'nodata' } : { kind: 'cname', rrset: cname }
}

/** Zones from their RRsets: adds the empty non-terminals. `rrsets` hold the SOA at the apex, and one set a name and type. */
export function assembleZone(apex: Hostname, serial: number, negativeSoa: Rrset, rrsets: Iterable<Rrset>): Zone {
  const names = new Map<NameKey, Map<number, Rrset>>()
  for (const rrset of rrsets) {
    const types = names.get(rrset.name)
    if (types === undefined) names.set(rrset.name, new Map([[rrset.type, rrset]]))
    else types.set(rrset.type, rrset)
  }
  for (const name of [...names.keys()]) {
    if (name === apex) continue
    for (let parent = parentName(name); parent !== undefined && parent !== apex; parent = parentName(parent)) {
      if (names.has(parent)) break
      names.set(parent, new Map())
    }
  }
  return { apex, serial, names, negativeSoa }
}

/** All zones that this node answers for. Immutable: a change makes a new table, which is swapped in whole. */
export class ZoneTable {
  static readonly empty = new ZoneTable(new Map(), new Map())

  readonly #zones: ReadonlyMap<string, Zone>
  /** How many apexes lie below a name: such a name exists in the zone around it, though that zone has nothing there. */
  readonly #above: ReadonlyMap<NameKey, number>

  private constructor(zones: ReadonlyMap<string, Zone>, above: ReadonlyMap<NameKey, number>) {
    this.#zones = zones
    this.#above = above
  }

  static of(zones: Iterable<Zone>): ZoneTable {
    return ZoneTable.empty.with(Array.from(zones, (zone) => [zone.apex, zone]))
  }

  /** A table with these zones put in, or taken out where undefined. Copies references only: no zone is looked into. */
  with(changes: Iterable<readonly [apex: Hostname, zone: Zone | undefined]>): ZoneTable {
    const zones = new Map(this.#zones)
    const above = new Map(this.#above)
    for (const [apex, zone] of changes) {
      const step = (zone === undefined ? 0 : 1) - (zones.has(apex) ? 1 : 0)
      if (zone === undefined) zones.delete(apex)
      else zones.set(apex, zone)
      if (step === 0) continue
      for (let name = parentName(apex); name !== undefined && name !== ''; name = parentName(name)) {
        const count = (above.get(name) ?? 0) + step
        if (count === 0) above.delete(name)
        else above.set(name, count)
      }
    }
    return new ZoneTable(zones, above)
  }

  get size(): number {
    return this.#zones.size
  }

  zones(): IterableIterator<Zone> {
    return this.#zones.values()
  }

  get(apex: Hostname): Zone | undefined {
    return this.#zones.get(apex)
  }

  /** The zone that a name lies in: the longest apex that is the name itself or above it. */
  find(name: NameKey): Zone | undefined {
    for (let suffix: NameKey | undefined = name; suffix !== undefined; suffix = parentName(suffix)) {
      const zone = this.#zones.get(suffix)
      if (zone !== undefined) return zone
    }
    return undefined
  }

  /** The zone that a zone's apex is cut out of, when it is ours too. */
  findParent(zone: Zone): Zone | undefined {
    const above = parentName(zone.apex)
    return above === undefined ? undefined : this.find(above)
  }

  /** True for the apex of a zone here and for every name above one. */
  isAtOrAboveApex(name: NameKey): boolean {
    return this.#zones.has(name) || this.#above.has(name)
  }
}
