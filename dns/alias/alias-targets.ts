import {
  type Hostname,
  keys,
  MakiError,
  type RecordValue,
  type Scope,
  type State,
  scopeKind,
} from '../../core/index.ts'
import { parseRdata } from '../rdata/index.ts'
import { type NameKey, parentName } from '../wire/index.ts'

/**
 * What the ALIAS records of the state point at, kept in step with it: a change costs as much as the zones that it
 * touches. Targets in zones of ours are answered from the table, and are not listed.
 */
export class AliasTargets {
  /** Every zone of ours, with the targets of its ALIAS records. */
  readonly #zones = new Map<Hostname, readonly NameKey[]>()

  /** `scopes` are those that changed since the last call (`changedScopes`). True when something may be listed otherwise. */
  refresh(state: State, scopes: ReadonlySet<Scope>): boolean {
    let isChanged = false
    for (const scope of scopes) {
      if (scopeKind(scope) !== 'domain') continue
      const apex = scope.slice('domain/'.length) as Hostname
      const before = this.#zones.get(apex)
      const after = state.get(keys.domain(apex)) === undefined ? undefined : listTargets(state, apex)
      if (after === undefined) this.#zones.delete(apex)
      else this.#zones.set(apex, after)
      isChanged ||= before?.join() !== after?.join()
    }
    return isChanged
  }

  /** Each target once, sorted. */
  list(): readonly NameKey[] {
    const targets = new Set<NameKey>()
    for (const own of this.#zones.values()) for (const target of own) if (!this.#isOurs(target)) targets.add(target)
    return [...targets].sort()
  }

  #isOurs(target: NameKey): boolean {
    for (let name: NameKey | undefined = target; name !== undefined; name = parentName(name)) {
      if (this.#zones.has(name as Hostname)) return true
    }
    return false
  }
}

function listTargets(state: State, apex: Hostname): readonly NameKey[] {
  const prefix = `${keys.domain(apex)}/rrset/`
  return state.scope(keys.domain(apex)).flatMap(({ key, value }) => {
    if (!key.startsWith(prefix)) return []
    const { type, values } = value as RecordValue
    return type === 'ALIAS' ? values.flatMap((text) => findTarget(text, apex)) : []
  })
}

/** Nothing for what is no name: the zone has a fault there, and no answer. */
function findTarget(text: string, apex: Hostname): NameKey[] {
  try {
    const data = parseRdata('CNAME', text, apex)
    return data.type === 'CNAME' ? [data.target] : []
  } catch (error) {
    if (error instanceof MakiError) return []
    throw error
  }
}
