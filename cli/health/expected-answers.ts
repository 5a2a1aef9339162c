import { type Hostname, listNodes, type NodeView, type State } from '../../core/index.ts'
import { buildZone, encodeRdata, findAddress, formatType, RCODES, TYPE_CODES, type Zone } from '../../dns/index.ts'
import type { ReceivedRecord, ReceivedResponse } from './dns-message.ts'

/** What every name server should answer to one question, as far as that can be known without asking. */
export interface ExpectedAnswer {
  readonly apex: Hostname
  readonly name: string
  readonly type: number
  /**
   * `exact`: these data; `referral`: these NS, as an answer that leads elsewhere; `some-of`: one or more of these;
   * `any`: whatever, for it depends on the server (an ALIAS, which each resolves itself, and the CAs of its configuration).
   */
  readonly kind: 'exact' | 'referral' | 'some-of' | 'any'
  /** In hexadecimal, as `readAnswer` gives data. */
  readonly data: ReadonlySet<string>
}

export interface ExpectedAnswers {
  readonly expected: readonly ExpectedAnswer[]
  /** Whether the limit left sets out. */
  readonly isCut: boolean
}

type ZoneSet = ReturnType<Zone['listSets']>[number]

/** What the zones of a state hold, up to `limit` sets of records; the first zones by name. */
export function listExpected(state: State, limit: number): ExpectedAnswers {
  const apexes = new Set(state.ids('domain') as readonly Hostname[])
  const nodes = listNodes(state)
  const expected: ExpectedAnswer[] = []
  for (const apex of [...apexes].sort()) {
    const zone = buildZone(state, apex, nodes)?.zone
    for (const set of zone?.sets() ?? []) {
      const found = zone === undefined ? undefined : expect(zone, set, nodes, apexes)
      if (found === undefined) continue
      if (expected.length >= limit) return { expected, isCut: true }
      expected.push(found)
    }
  }
  return { expected, isCut: false }
}

/** Undefined for what is not this zone's to answer. */
function expect(
  zone: Zone,
  set: ZoneSet,
  nodes: readonly NodeView[],
  apexes: ReadonlySet<string>,
): ExpectedAnswer | undefined {
  const { apex } = zone
  const { name, type } = set
  const at = { apex, name, type }
  for (let above = name; above !== apex; above = above.slice(above.indexOf('.') + 1)) {
    // Another zone of ours, or a server of somebody else, answers from there on.
    if (apexes.has(above) || (above !== name && zone.findCut(above) !== undefined)) return undefined
  }
  const isCut = zone.findCut(name) !== undefined
  if (isCut && type !== TYPE_CODES.NS) return undefined
  switch (set.kind) {
    case 'fixed': {
      const data = new Set(set.rrset.rdata.map((rdata) => toHex(encodeRdata(rdata))))
      if (isCut) return { ...at, kind: 'referral', data }
      const isOurs = (zone.findName(name)?.entries ?? []).every(({ value }) => value.type !== 'CAA')
      return { ...at, kind: type === TYPE_CODES.CAA && isOurs ? 'any' : 'exact', data }
    }
    case 'nodes': {
      const addresses = nodes.flatMap((node) => findAddress(node[set.family], set.family) ?? [])
      return { ...at, kind: 'some-of', data: new Set(addresses.map((address) => toHex(encodeRdata(address)))) }
    }
    case 'alias':
      return { ...at, kind: 'any', data: new Set() }
    default:
      return set satisfies never
  }
}

/** What differs from what was expected, in a few words; undefined when nothing does. */
export function compareAnswer(expected: ExpectedAnswer, response: ReceivedResponse): string | undefined {
  const { kind, data, name, type } = expected
  if (response.rcode !== RCODES.NOERROR)
    return `it answers ${RCODE_NAMES.get(response.rcode) ?? `RCODE ${response.rcode}`}`
  if (kind === 'any') return undefined
  const records = (kind === 'referral' ? response.authorities : response.answers).filter(
    (record) => record.name === name && record.type === type,
  )
  const received = new Set(records.map((record) => toHex(record.data)))
  if (received.size === 0) return 'it has none'
  if (kind === 'some-of') return received.isSubsetOf(data) ? undefined : 'it names an address that no node has'
  if (received.size === data.size && received.isSubsetOf(data)) return undefined
  return type === TYPE_CODES.SOA ? describeSoa(data, records) : describeDifference(data, received)
}

/** `www.example.com A`, as it stands in a finding. */
export const nameQuestion = ({ name, type }: Pick<ExpectedAnswer, 'name' | 'type'>): string =>
  `${name} ${formatType(type)}`

const RCODE_NAMES: ReadonlyMap<number, string> = new Map(Object.entries(RCODES).map(([name, code]) => [code, name]))

function describeDifference(expected: ReadonlySet<string>, received: ReadonlySet<string>): string {
  const missing = expected.difference(received).size
  const strange = received.difference(expected).size
  return [missing > 0 ? `${missing} missing` : '', strange > 0 ? `${strange} others` : ''].filter(Boolean).join(', ')
}

function describeSoa(expected: ReadonlySet<string>, records: readonly ReceivedRecord[]): string {
  const serial = (hex: string): number => Number.parseInt(hex.slice(-40, -32), 16)
  const [ours, theirs] = [[...expected][0], records[0] && toHex(records[0].data)]
  if (ours === undefined || theirs === undefined) return 'another SOA'
  return serial(ours) === serial(theirs) ? 'another SOA' : `serial ${serial(theirs)}, not ${serial(ours)}`
}

const toHex = (data: Uint8Array): string => Buffer.from(data).toString('hex')
