import {
  type AddressFamily,
  absoluteName,
  type DomainView,
  listNodes,
  type NodeView,
  type State,
} from '../../core/index.ts'
import { buildZone, findAddress, formatRdata, formatType } from '../../dns/records/index.ts'

/** An RRset that we make ourselves and that no explicit one takes the place of. */
export interface AutomaticSet {
  /** Full, without the final dot. */
  readonly name: string
  readonly type: string
  /** Seconds. */
  readonly ttl: number
  /** In canonical presentation format, sorted. Of the nodes, the addresses of all. */
  readonly values: readonly string[]
}

/** What the zone of a domain answers with beside the records that somebody wrote. */
export function listAutomaticSets(state: State, { apex, records }: DomainView): readonly AutomaticSet[] {
  const explicit = new Set(records.map(({ value }) => `${absoluteName(value.name, apex)} ${value.type}`))
  const nodes = listNodes(state)
  const sets: AutomaticSet[] = []
  for (const set of buildZone(state, apex, nodes)?.zone.sets() ?? []) {
    const { name, ttl } = set
    const type = formatType(set.type)
    if (set.kind === 'alias' || explicit.has(`${name} ${type}`)) continue
    const values = set.kind === 'fixed' ? set.rrset.rdata.map(formatRdata) : listAddresses(nodes, set.family)
    sets.push({ name, type, ttl, values: values.sort() })
  }
  return sets
}

/** Those that an answer is chosen from, each once. */
const listAddresses = (nodes: readonly NodeView[], family: AddressFamily): string[] => [
  ...new Set(nodes.flatMap((node) => findAddress(node[family], family)?.address ?? [])),
]
