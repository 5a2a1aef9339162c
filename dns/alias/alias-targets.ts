import {
  absoluteName,
  type Hostname,
  hostOwner,
  isWithin,
  type Key,
  keys,
  MakiError,
  type OwnerName,
  type RecordValue,
  type State,
  type StateDelta,
} from '../../core/index.ts'
import { parseAlias } from '../rdata/index.ts'
import { type NameKey, parentName } from '../wire/index.ts'

/** As many CNAMEs are followed as an answer follows. */
const MAX_CHAIN = 8
const ALIAS_KEY = /^domain\/([^/]+)\/rrset\/[^/]+\/ALIAS$/
const DOMAIN_KEY = /^domain\/([^/]+)$/

/**
 * What has to be resolved for the ALIAS records of the state, kept in step with it at the cost of what changes. A target
 * in a zone of ours is answered from the table; listed is what its CNAMEs lead to outside, and what we have delegated.
 */
export class AliasTargets {
  readonly #aliases = new Map<Key, { readonly apex: Hostname; readonly target: NameKey }>()
  readonly #domains = new Set<Hostname>()

  /** Takes in what changed since the last call; all of it the first time. True when something may be listed otherwise. */
  refresh({ entries }: Pick<StateDelta, 'entries'>): boolean {
    let isTouched = false
    for (const [key, entry] of entries) {
      const alias = ALIAS_KEY.exec(key)
      const domain = DOMAIN_KEY.exec(key)
      if (domain !== null) {
        if (entry === null) this.#domains.delete(domain[1] as Hostname)
        else this.#domains.add(domain[1] as Hostname)
        isTouched = true
      } else if (alias !== null) {
        const apex = alias[1] as Hostname
        const target = entry === null ? undefined : findTarget(entry.value as RecordValue, apex)
        if (target === undefined) this.#aliases.delete(key)
        else this.#aliases.set(key, { apex, target })
        isTouched = true
      }
    }
    return isTouched || (this.#aliases.size > 0 && entries.some(([key]) => /^(domain|host)\//.test(key)))
  }

  /**
   * Each name once: the first of every domain, then the second of every domain, and so on, so that whoever takes only so
   * many takes equal shares. Domains, and the names of one, by name. `state` is the one that the last call of `refresh`
   * has led to.
   */
  list(state: State): readonly NameKey[] {
    const byDomain = new Map<Hostname, Set<NameKey>>()
    for (const { apex, target } of this.#aliases.values()) {
      const end = this.#domains.has(apex) ? this.#follow(state, target) : undefined
      if (end === undefined) continue
      const ends = byDomain.get(apex)
      if (ends === undefined) byDomain.set(apex, new Set([end]))
      else ends.add(end)
    }
    const domains = [...byDomain].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, ends]) => [...ends].sort())
    return takeTurns(domains)
  }

  /** Undefined where our zones have the answer, if only that there is none. */
  #follow(state: State, target: NameKey): NameKey | undefined {
    let name = target
    for (let steps = 0; steps <= MAX_CHAIN; steps++) {
      const apex = this.#findZone(name)
      if (apex === undefined || isDelegated(state, apex, name)) return name
      const next = findCname(state, apex, name)
      if (next === undefined) return undefined
      name = next
    }
    return undefined
  }

  #findZone(name: NameKey): Hostname | undefined {
    for (let above: NameKey | undefined = name; above !== undefined; above = parentName(above)) {
      if (this.#domains.has(above as Hostname)) return above as Hostname
    }
    return undefined
  }
}

/** The first of each list, the second of each, ...; each name once. A list that has ended costs no more turns. */
function takeTurns(lists: readonly (readonly NameKey[])[]): readonly NameKey[] {
  const taken = new Set<NameKey>()
  let waiting = lists
  for (let turn = 0; waiting.length > 0; turn++) {
    for (const names of waiting) taken.add(names[turn] as NameKey)
    waiting = waiting.filter((names) => names.length > turn + 1)
  }
  return [...taken]
}

/** Undefined for what is no name: the zone has a fault there, and no answer. */
function findTarget({ values: [text = ''] }: RecordValue, apex: Hostname): NameKey | undefined {
  try {
    return parseAlias(text, apex).target
  } catch (error) {
    if (error instanceof MakiError) return undefined
    throw error
  }
}

const findRecord = (state: State, apex: Hostname, name: NameKey, type: string): RecordValue | undefined => {
  const owner = (name === apex ? '@' : name.slice(0, -apex.length - 1)) as OwnerName
  return state.get(keys.record(apex, owner, type))?.value as RecordValue | undefined
}

function isDelegated(state: State, apex: Hostname, name: NameKey): boolean {
  for (let above: NameKey | undefined = name; above !== undefined && above !== apex; above = parentName(above)) {
    if (findRecord(state, apex, above, 'NS') !== undefined) return true
  }
  return false
}

/** The target of the CNAME at a name, or of a wildcard's for it; none where there are addresses. */
function findCname(state: State, apex: Hostname, name: NameKey): NameKey | undefined {
  if (name === apex || hostOwner(state, name as Hostname) === apex) return undefined
  for (let owner: NameKey | undefined = name; owner !== undefined && isWithin(owner, apex); ) {
    if (['A', 'AAAA', 'ALIAS'].some((type) => findRecord(state, apex, owner as NameKey, type) !== undefined))
      return undefined
    const cname = findRecord(state, apex, owner, 'CNAME')
    if (cname !== undefined) return findTarget(cname, apex)
    const above: NameKey | undefined = parentName(owner.startsWith('*.') ? owner.slice(2) : owner)
    owner = above === undefined ? undefined : absoluteName('*' as OwnerName, above as Hostname)
  }
  return undefined
}
