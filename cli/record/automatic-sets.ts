import { isIP } from 'node:net'
import { absoluteName, type DomainView, listNodes, type NodeView, type State } from '../../core/index.ts'
import { buildZone, formatRdata, formatType, parseRdata } from '../../dns/index.ts'

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

const VERSIONS = { ipv4: 4, ipv6: 6 } as const

/** Those that an answer is chosen from, each once. */
function listAddresses(nodes: readonly NodeView[], family: 'ipv4' | 'ipv6'): string[] {
  const found = new Set<string>()
  for (const { [family]: address } of nodes) {
    // As in the zone: no record can hold an address with a zone.
    if (address !== null && isIP(address) === VERSIONS[family] && !address.includes('%'))
      found.add(formatRdata(parseRdata(family === 'ipv4' ? 'A' : 'AAAA', address)))
  }
  return [...found]
}
