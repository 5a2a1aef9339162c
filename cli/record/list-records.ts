import { absoluteName, type DomainView, listNodes, type NodeView, type State } from '../../core/index.ts'
import { buildZone, formatRdata, formatType } from '../../dns/records/index.ts'
import type { Style } from '../output/style.ts'
import { formatTable } from '../output/table.ts'
import { plainLine } from '../output/text.ts'

/** An RRset as the cluster answers it. */
export interface RecordRow {
  readonly domain: string
  /** Full, without the final dot. */
  readonly name: string
  readonly type: string
  readonly ttl: number
  /** Of a geographic set, the addresses of the nodes. */
  readonly values: readonly string[]
  /** True where an answer has the best of the values, not all. */
  readonly geo: boolean
  /** Who wrote it: nobody (`automatic`), a person (`explicit`), or the sync of a project. */
  readonly source: 'automatic' | 'explicit' | `project ${string}`
}

/** Records of a domain as they are answered, those that we make ourselves among them; by name, from the apex on. */
export function listRecords(state: State, domain: DomainView): RecordRow[] {
  const explicit = new Map<string, RecordRow>()
  const nodes = listNodes(state)
  for (const { value, via } of domain.records) {
    const { ttl, type } = value
    const geo = value.geo === true
    const name = absoluteName(value.name, domain.apex)
    explicit.set(`${name} ${type}`, {
      domain: domain.apex,
      name,
      type,
      ttl,
      values: geo ? listAddresses(nodes, type === 'A' ? 'ipv4' : 'ipv6') : value.values,
      geo,
      source: via === undefined ? 'explicit' : `project ${via}`,
    })
  }
  const rows = [...explicit.values()]
  for (const set of buildZone(state, domain.apex, nodes)?.zone.sets() ?? []) {
    const { name, ttl } = set
    const type = formatType(set.type)
    if (set.kind === 'alias' || explicit.has(`${name} ${type}`)) continue
    const values = set.kind === 'fixed' ? set.rrset.rdata.map(formatRdata) : listAddresses(nodes, set.family)
    rows.push({ domain: domain.apex, name, type, ttl, values, geo: set.kind === 'nodes', source: 'automatic' })
  }
  return rows.sort((a, b) => compareNames(a.name, b.name) || (a.type < b.type ? -1 : 1))
}

/** Those that an answer is chosen from, each once. */
const listAddresses = (nodes: readonly NodeView[], family: 'ipv4' | 'ipv6'): readonly string[] => [
  ...new Set(nodes.flatMap((node) => node[family] ?? [])),
]

/** By label from the right: a zone's names stand together (RFC 4034 section 6.1). */
function compareNames(a: string, b: string): number {
  const [left, right] = [a.split('.').reverse().join('\0'), b.split('.').reverse().join('\0')]
  return left < right ? -1 : left > right ? 1 : 0
}

/** A table of them. */
export function formatRecords(rows: readonly RecordRow[], style: Style): string {
  const lines = rows.flatMap(({ name, type, ttl, values, geo, source }) =>
    (values.length === 0 ? ['no node has such an address'] : values).map((value, i) => [
      i === 0 ? name : '',
      i === 0 ? type : '',
      i === 0 ? String(ttl) : '',
      plainLine(value),
      i === 0 ? mark(source, geo, style) : '',
    ]),
  )
  return formatTable(lines, ['NAME', 'TYPE', 'TTL', 'VALUE', 'FROM'].map(style.bold), style.columns)
}

function mark(source: RecordRow['source'], geo: boolean, style: Style): string {
  const words = geo ? `${plainLine(source)}, the nearest` : plainLine(source)
  return source === 'automatic' ? style.dim(words) : words
}
