import type { Hostname } from '../../core/index.ts'
import { countLabels, lastLabels, type NameKey, parentName } from '../wire/index.ts'
import type { Zone } from './zone.ts'

/** A zone that may be built when it is first asked for. */
export interface ZoneSource {
  /** The same zone every time; undefined when it cannot be built. */
  read(): Zone | undefined
}

/** All zones that this node answers for. Immutable: a change makes a new table, which is swapped in whole. */
export class ZoneTable {
  static readonly empty = new ZoneTable(new Map(), new Map(), 1)

  readonly #zones: ReadonlyMap<string, ZoneSource>
  /** How many apexes lie below a name: such a name exists in the zone around it, though that zone has nothing there. */
  readonly #above: ReadonlyMap<NameKey, number>
  /** No apex has more labels. */
  readonly #mostLabels: number

  private constructor(zones: ReadonlyMap<string, ZoneSource>, above: ReadonlyMap<NameKey, number>, mostLabels: number) {
    this.#zones = zones
    this.#above = above
    this.#mostLabels = mostLabels
  }

  static of(zones: Iterable<Zone>): ZoneTable {
    return ZoneTable.empty.with(Array.from(zones, (zone) => [zone.apex, { read: () => zone }]))
  }

  /** A table with these zones put in, or taken out where undefined. Copies references only: no zone is looked into. */
  with(changes: Iterable<readonly [apex: Hostname, zone: ZoneSource | undefined]>): ZoneTable {
    const zones = new Map(this.#zones)
    let above: Map<NameKey, number> | undefined
    let mostLabels = this.#mostLabels
    for (const [apex, zone] of changes) {
      const step = (zone === undefined ? 0 : 1) - (zones.has(apex) ? 1 : 0)
      if (zone === undefined) zones.delete(apex)
      else zones.set(apex, zone)
      if (step === 0) continue
      if (step > 0) mostLabels = Math.max(mostLabels, countLabels(apex))
      above ??= new Map(this.#above)
      for (let name = parentName(apex); name !== undefined && name !== ''; name = parentName(name)) {
        const count = (above.get(name) ?? 0) + step
        if (count === 0) above.delete(name)
        else above.set(name, count)
      }
    }
    return new ZoneTable(zones, above ?? this.#above, mostLabels)
  }

  get size(): number {
    return this.#zones.size
  }

  /** Of all zones, without building any. */
  apexes(): IterableIterator<string> {
    return this.#zones.keys()
  }

  *zones(): Generator<Zone> {
    for (const source of this.#zones.values()) {
      const zone = source.read()
      if (zone !== undefined) yield zone
    }
  }

  get(apex: Hostname): Zone | undefined {
    return this.#zones.get(apex)?.read()
  }

  /** The zone that a name lies in: the longest apex that is the name itself or above it. */
  find(name: NameKey): Zone | undefined {
    // Anybody can ask for a name of 127 labels.
    const longest = lastLabels(name, this.#mostLabels)
    for (let suffix: NameKey | undefined = longest; suffix !== undefined; suffix = parentName(suffix)) {
      const source = this.#zones.get(suffix)
      if (source !== undefined) return source.read()
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
