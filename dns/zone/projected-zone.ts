import { type Hostname, type Key, keys, type State } from '../../core/index.ts'
import type { ZoneSetting } from './automatic-records.ts'
import { type BuiltZone, composeZone } from './build-zone.ts'
import type { Zone } from './zone.ts'
import { changeContent, readContent } from './zone-content.ts'
import type { ZoneSource } from './zone-table.ts'

/** What a zone is built from when it is asked for: the state and the setting of that moment, which are always right. */
export interface Builder {
  state(): State
  setting(): ZoneSetting
  /** The hosts of a zone that authorities are shown something for. */
  challenges(apex: Hostname): Iterable<Hostname>
  /** Told of every zone that was built; `before` is what took its place. */
  built(zone: BuiltZone, before: BuiltZone | undefined): void
  failed(apex: Hostname, error: unknown): void
}

/** What has changed under a domain since its zone was built; undefined: that is not known, all is read again. */
export type ChangedKeys = ReadonlySet<Key> | undefined

/** A zone that is built when it is first read, from the one before it and what has changed since. */
export class ProjectedZone implements ZoneSource {
  readonly apex: Hostname
  readonly #builder: Builder
  readonly #changed: ChangedKeys
  #before: BuiltZone | undefined
  #built: BuiltZone | undefined
  #isRead = false

  private constructor(apex: Hostname, builder: Builder, before: BuiltZone | undefined, changed: ChangedKeys) {
    this.apex = apex
    this.#builder = builder
    this.#before = before
    this.#changed = changed
  }

  static of(apex: Hostname, builder: Builder): ProjectedZone {
    return new ProjectedZone(apex, builder, undefined, undefined)
  }

  /** The zone after a further change; undefined keys say that anything may have changed. */
  changed(keys: ChangedKeys): ProjectedZone {
    if (this.#isRead) return new ProjectedZone(this.apex, this.#builder, this.#built, keys)
    // It will read the state of then.
    if (keys?.size === 0) return this
    const all = this.#changed === undefined || keys === undefined ? undefined : new Set([...this.#changed, ...keys])
    return new ProjectedZone(this.apex, this.#builder, this.#before, all)
  }

  /** A zone that cannot be built is our mistake, and stays as it was: the others must not suffer from it. */
  read(): Zone | undefined {
    if (this.#isRead) return this.#built?.zone
    const before = this.#before
    this.#isRead = true
    this.#before = undefined
    try {
      this.#built = this.#build(before)
    } catch (error) {
      this.#built = before
      this.#builder.failed(this.apex, error)
    }
    return this.#built?.zone
  }

  #build(before: BuiltZone | undefined): BuiltZone | undefined {
    const state = this.#builder.state()
    // The table that it stands in is older than the domain's removal.
    if (state.get(keys.domain(this.apex)) === undefined) return before
    const content =
      before === undefined || this.#changed === undefined
        ? readContent(state, this.apex)
        : changeContent(before.content, state, this.#changed)
    const challenges = this.#builder.challenges(this.apex)
    const built = composeZone(state, content, this.#builder.setting(), { before, challenges })
    this.#builder.built(built, before)
    return built
  }
}
