import { buildResponse, type Query, type Response } from '../message/index.ts'
import type { Rrset } from '../rdata/index.ts'
import type { NameKey } from '../wire/index.ts'
import { ANY, AXFR, CLASS_IN, DS, IXFR, META_TYPES, OPT, type Rcode, TYPE_CODES } from '../wire/index.ts'
import { type Lookup, lookUp, type Zone, type ZoneTable } from '../zone/index.ts'
import type { AnswerContext } from './answer-context.ts'

/** How many CNAMEs are followed; a loop ends here at the latest, and MAX_RRSET_OCTETS leaves room for as many. */
const MAX_CHAIN = 8

const NS = TYPE_CODES.NS
const MX = TYPE_CODES.MX
const ADDRESS_TYPES = [TYPE_CODES.A, TYPE_CODES.AAAA] as const

/**
 * The response to a query, from the table alone (RFC 1034 section 4.3.2 for a server without recursion).
 *
 * - EDNS of a later version: BADVERS (RFC 6891 section 6.1.3).
 * - A class other than IN, a name in no zone of ours, AXFR and IXFR: REFUSED.
 * - Type 0 and OPT: FORMERR. Other meta types: NOTIMP. ANY: one of the name's RRsets (RFC 8482 section 4.1).
 * - CNAMEs are followed inside our zones, and the code is that of the last name (RFC 6604 section 3); a chain that
 *   leaves them, or does not end, is given as far as it was followed.
 * - NXDOMAIN and NODATA carry the SOA of the zone where the answer was looked for (RFC 2308 section 2).
 */
export function answer(query: Query, { table }: AnswerContext): Response {
  const { question } = query
  const refusal = findRefusal(query)
  if (refusal !== undefined) return buildResponse({ ...query, rcode: refusal })
  const zone = findZone(table, question.name, question.type)
  if (zone === undefined) return buildResponse({ ...query, rcode: 'REFUSED' })
  const found = resolve(table, zone, question.name, question.type)
  return buildResponse({
    ...query,
    ...found,
    authoritative: true,
    additionals: listAdditionals(table, found.answers),
  })
}

function findRefusal({ question, edns }: Query): Rcode | undefined {
  if (edns !== undefined && edns.version > 0) return 'BADVERS'
  if (question.class !== CLASS_IN) return 'REFUSED'
  const { type } = question
  if (type === 0 || type === OPT) return 'FORMERR'
  if (type === AXFR || type === IXFR) return 'REFUSED'
  if (type >= META_TYPES.first && type <= META_TYPES.last && type !== ANY) return 'NOTIMP'
  return undefined
}

/** A DS belongs to the side above the cut (RFC 4035 section 3.1.4.1). */
function findZone(table: ZoneTable, name: NameKey, type: number): Zone | undefined {
  const zone = table.find(name)
  if (zone === undefined || type !== DS || name !== zone.apex) return zone
  return table.findParent(zone) ?? zone
}

type Resolution = Pick<Response, 'rcode' | 'answers' | 'authorities'>

function resolve(table: ZoneTable, start: Zone, asked: NameKey, type: number): Resolution {
  const answers: Rrset[] = []
  let zone = start
  let name = asked
  for (;;) {
    const found = type === ANY ? lookUpAny(zone, name) : lookUp(zone, name, type)
    switch (found.kind) {
      case 'rrset':
        return { rcode: 'NOERROR', answers: [...answers, found.rrset], authorities: [] }
      case 'nodata':
        return { rcode: 'NOERROR', answers, authorities: [zone.negativeSoa] }
      case 'nxdomain': {
        const rcode = table.isAtOrAboveApex(name) ? 'NOERROR' : 'NXDOMAIN'
        return { rcode, answers, authorities: [zone.negativeSoa] }
      }
      case 'cname': {
        answers.push(found.rrset)
        const data = found.rrset.rdata[0]
        const next = data?.type === 'CNAME' ? data.target : undefined
        const target = next === undefined ? undefined : findZone(table, next, type)
        const isLoop = answers.length >= MAX_CHAIN || answers.some((rrset) => rrset.name === next)
        if (next === undefined || target === undefined || isLoop) return { rcode: 'NOERROR', answers, authorities: [] }
        name = next
        zone = target
        break
      }
      default:
        return found satisfies never
    }
  }
}

/** The smallest set, so that nobody gains by sending ANY from a forged address. */
function lookUpAny(zone: Zone, name: NameKey): Lookup {
  const types = zone.names.get(name)
  if (types === undefined) return { kind: 'nxdomain' }
  const [smallest] = [...types.values()].sort((a, b) => a.octets - b.octets || a.type - b.type)
  return smallest === undefined ? { kind: 'nodata' } : { kind: 'rrset', rrset: smallest }
}

/** Addresses of the name servers and mail servers in the answer, where they are ours to tell. */
function listAdditionals(table: ZoneTable, answers: readonly Rrset[]): readonly Rrset[] {
  const last = answers.at(-1)
  if (last === undefined || (last.type !== NS && last.type !== MX)) return []
  const additionals: Rrset[] = []
  const seen = new Set<NameKey>()
  for (const data of last.rdata) {
    const name = data.type === 'NS' ? data.server : data.type === 'MX' ? data.exchange : ''
    if (seen.has(name)) continue
    seen.add(name)
    const zone = table.find(name)
    if (zone === undefined) continue
    for (const type of ADDRESS_TYPES) {
      const found = lookUp(zone, name, type)
      if (found.kind === 'rrset') additionals.push(found.rrset)
    }
  }
  return additionals
}
