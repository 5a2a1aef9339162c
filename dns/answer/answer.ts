import { buildResponse, type Query, type Response } from '../message/index.ts'
import { ANY, AXFR, CLASS_IN, IXFR, META_TYPES, NXNAME, OPT, type Rcode } from '../wire/index.ts'
import { listAdditionals, listGlue } from './additionals.ts'
import type { AnswerContext } from './answer-context.ts'
import { Client } from './choosing.ts'
import { findZone, resolve, type Step } from './resolve.ts'

/**
 * The response to a query, from the tables alone (RFC 1034 section 4.3.2 for a server without recursion).
 *
 * - EDNS of a later version: BADVERS (RFC 6891 section 6.1.3).
 * - A class other than IN, a name in no zone of ours, AXFR and IXFR: REFUSED.
 * - Type 0, OPT and NXNAME (RFC 9824 section 3.5): FORMERR. Other meta types: NOTIMP. ANY: one of the name's RRsets
 *   (RFC 8482 section 4.1).
 * - A name at or below a delegation: a referral without AA, with the glue that we have. Its DS is answered by the side above.
 * - CNAMEs are followed inside our zones, and the code is that of the last name (RFC 6604 section 3); a chain that
 *   leaves them, or does not end, is given as far as it was followed.
 * - NXDOMAIN and NODATA carry the SOA of the zone where the answer was looked for (RFC 2308 section 2).
 * - An ALIAS whose target never resolved: SERVFAIL.
 *
 * `trace` is told of every step of the way.
 */
export function answer(query: Query, context: AnswerContext, trace?: (step: Step) => void): Response {
  const { question, edns } = query
  const refusal = findRefusal(query)
  if (refusal !== undefined) return buildResponse({ ...query, rcode: refusal })
  const { table, steering, aliases, locator, asker } = context
  const zone = findZone(table, question.name, question.type)
  if (zone === undefined) return buildResponse({ ...query, rcode: 'REFUSED' })
  const client = new Client(locator, asker, edns?.clientSubnet)
  const resolving = { table, steering, aliases, client, trace }
  const found = resolve(resolving, zone, question.name, question.type)
  const quiet = { ...resolving, trace: undefined }
  const { referral } = found
  const additional =
    referral === undefined
      ? { glue: NONE, additionals: listAdditionals(quiet, found.answers) }
      : listGlue(quiet, referral.zone, referral.cut)
  return buildResponse({
    id: query.id,
    opcode: query.opcode,
    recursionDesired: query.recursionDesired,
    question,
    edns,
    rcode: found.rcode,
    authoritative: found.authoritative,
    answers: found.answers,
    authorities: found.authorities,
    provenance: found.provenance,
    glue: additional.glue,
    additionals: additional.additionals,
    scopePrefix: client.found?.scopePrefix ?? 0,
  })
}

const NONE: readonly never[] = []

function findRefusal({ question, edns }: Query): Rcode | undefined {
  if (edns !== undefined && edns.version > 0) return 'BADVERS'
  if (question.class !== CLASS_IN) return 'REFUSED'
  const { type } = question
  if (type === 0 || type === OPT || type === NXNAME) return 'FORMERR'
  if (type === AXFR || type === IXFR) return 'REFUSED'
  if (type >= META_TYPES.first && type <= META_TYPES.last && type !== ANY) return 'NOTIMP'
  return undefined
}
