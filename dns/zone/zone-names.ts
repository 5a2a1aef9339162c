import type { Entry, RecordValue } from '../../core/index.ts'
import { type NameKey, parentName } from '../wire/index.ts'
import { NameMap } from './name-map.ts'
import type { ZoneSet } from './zone-set.ts'

/** A name that exists in a zone. Without sets it is an empty non-terminal (RFC 9499 section 7). */
export interface ZoneName {
  readonly sets: readonly ZoneSet[]
  /** What of the state its sets were read from; none for sets of ours. */
  readonly entries: readonly Entry<RecordValue>[]
  /** How many names one label longer exist. */
  readonly children: number
}

const NONE: readonly never[] = []

/** A name that is there for those below it. */
export const EMPTY_NAME: ZoneName = { sets: NONE, entries: NONE, children: 0 }

/** Every name of a zone that exists, the apex always among them. */
export type ZoneNames = NameMap<ZoneName>

/** A zone that has nothing but its apex. */
export const noNames = (apex: NameKey): ZoneNames => {
  const edit = NameMap.empty<ZoneName>().edit()
  edit.set(apex, EMPTY_NAME)
  return edit.done()
}

/**
 * The names with these sets put in the place of what was there. A name without sets ceases to exist unless there is one
 * below it; names above one that exists come into being and go with it (RFC 8020).
 */
export function changeNames(
  names: ZoneNames,
  apex: NameKey,
  changes: Iterable<readonly [NameKey, Pick<ZoneName, 'sets' | 'entries'>]>,
): ZoneNames {
  const edit = names.edit()
  for (const [name, { sets, entries }] of changes) {
    const before = edit.get(name)
    const children = before?.children ?? 0
    if (sets.length > 0 || children > 0 || name === apex) edit.set(name, { sets, entries, children })
    else edit.delete(name)
    const isThere = sets.length > 0 || children > 0
    if (name !== apex && isThere !== (before !== undefined)) countChild(parentName(name), isThere ? 1 : -1)
  }
  return edit.done()

  function countChild(parent: NameKey | undefined, step: 1 | -1): void {
    for (let name = parent; name !== undefined; name = parentName(name)) {
      const before = edit.get(name)
      const { sets, entries, children } = before ?? EMPTY_NAME
      const isThere = name === apex || sets.length > 0 || children + step > 0
      if (isThere) edit.set(name, { sets, entries, children: children + step })
      else edit.delete(name)
      if (name === apex || isThere === (before !== undefined)) return
    }
  }
}
