import { type AddressFamily, type Entry, findPreviewHost, type Hostname, type RecordValue } from '../../core/index.ts'
import type { Rrset } from '../rdata/index.ts'
import { type NameKey, TYPE_CODES } from '../wire/index.ts'
import { TTL } from './automatic-records.ts'
import { EMPTY_NAME, type ZoneName, type ZoneNames } from './zone-names.ts'
import { buildNodeSets, type FixedSet, type ZoneSet } from './zone-set.ts'

/** What a zone is made of. */
export interface ZoneParts {
  readonly apex: Hostname
  readonly serial: number
  /** The names with what was written. */
  readonly written: ZoneNames
  /** The names that have something of ours, with all that they have; and the empty non-terminals above them. */
  readonly automatic: ReadonlyMap<NameKey, ZoneName>
  /** The SOA as negative answers carry it: its TTL is how long a resolver may remember the no (RFC 2308 section 3). */
  readonly negativeSoa: Rrset
  /** The hosts of previews answer as the apex does: they exist by their form, whatever releases there are. */
  readonly hasPreviews: boolean
  /** Whether a name below the apex has NS. */
  readonly hasCuts: boolean
  /** Whether any node has an address of the family. */
  readonly families: Readonly<Record<AddressFamily, boolean>>
  /** What was written at a name, whether or not it could be taken. */
  readonly findEntries: (name: NameKey) => readonly Entry<RecordValue>[]
}

/** One zone's whole content (RFC 9499 section 7). Immutable. */
export class Zone {
  readonly apex: Hostname
  readonly serial: number
  readonly negativeSoa: Rrset
  readonly hasCuts: boolean
  readonly #parts: ZoneParts

  constructor(parts: ZoneParts) {
    this.#parts = parts
    this.apex = parts.apex
    this.serial = parts.serial
    this.negativeSoa = parts.negativeSoa
    this.hasCuts = parts.hasCuts
  }

  /** Undefined for a name that does not exist; also names below a cut are in it, which are not answered for. */
  findName(name: NameKey): ZoneName | undefined {
    const known = this.#findListed(name)
    if (known !== undefined && known.sets.length > 0) return known
    return this.#findPreview(name) ?? known
  }

  /** True for a name that the zone lists; not for those that exist by their form, of which anybody can make up many. */
  lists(name: NameKey): boolean {
    return this.#findListed(name) !== undefined
  }

  #findListed(name: NameKey): ZoneName | undefined {
    return this.#parts.automatic.get(name) ?? this.#parts.written.get(name)
  }

  /** What was written at the very name goes before, a wildcard does not: the name exists. */
  #findPreview(name: NameKey): ZoneName | undefined {
    if (!this.#parts.hasPreviews || findPreviewHost(name)?.apex !== this.apex) return undefined
    return { ...EMPTY_NAME, sets: buildNodeSets(name, TTL) }
  }

  /** The set of a type at exactly this name. */
  findSet(name: NameKey, type: number): ZoneSet | undefined {
    const found = this.findName(name)
    return found === undefined ? undefined : this.findSetOf(found, type)
  }

  /** A set of the nodes is there only while they have such addresses. */
  findSetOf({ sets }: Pick<ZoneName, 'sets'>, type: number): ZoneSet | undefined {
    for (const set of sets) if (set.type === type) return this.#isThere(set) ? set : undefined
    return undefined
  }

  /** All sets of a name that are there now. */
  listSets(name: NameKey): readonly ZoneSet[] {
    return this.findName(name)?.sets.filter((set) => this.#isThere(set)) ?? []
  }

  /** The NS of a name below the apex: from there on somebody else answers (RFC 1034 section 4.2.1). */
  findCut(name: NameKey): FixedSet | undefined {
    const set = name === this.apex ? undefined : this.findSet(name, TYPE_CODES.NS)
    return set?.kind === 'fixed' ? set : undefined
  }

  /** Every name that the zone lists, each once, in no order. */
  *names(): Generator<NameKey> {
    const { automatic, written } = this.#parts
    yield* automatic.keys()
    for (const [name] of written) if (!automatic.has(name)) yield name
  }

  /** Every set of every name. */
  *sets(): Generator<ZoneSet> {
    for (const name of this.names()) yield* this.listSets(name)
  }

  /** The records of the state that were written at a name. */
  findEntries(name: NameKey): readonly Entry<RecordValue>[] {
    return this.#parts.findEntries(name)
  }

  #isThere(set: ZoneSet): boolean {
    return set.kind !== 'nodes' || this.#parts.families[set.family]
  }
}
