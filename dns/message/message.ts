import type { Hostname } from '../../core/index.ts'
import type { Rrset } from '../rdata/index.ts'
import { findWireName, type NameKey, OPCODE_QUERY, OPT, type Rcode, skipWireName } from '../wire/index.ts'
import { type EdnsOptions, NO_OPTIONS, readEdnsOptions } from './edns-options.ts'

/** The question as it was asked, its spelling included. */
export interface Question {
  readonly name: NameKey
  readonly wireName: Uint8Array
  readonly type: number
  readonly class: number
}

/** What the asker's OPT record says (RFC 6891 sections 6.1.2 and 6.1.3). */
export interface Edns extends EdnsOptions {
  readonly version: number
  /** Octets that the asker can receive over UDP. */
  readonly udpSize: number
  readonly dnssecOk: boolean
}

/** What every response repeats of its query. */
export interface Header {
  readonly id: number
  readonly opcode: number
  readonly recursionDesired: boolean
}

/** A query with the one question that we answer. */
export interface Query extends Header {
  readonly question: Question
  readonly edns: Edns | undefined
}

/** A response as data; `finishResponse` makes bytes of it. */
export interface Response extends Header {
  readonly rcode: Rcode
  readonly authoritative: boolean
  readonly question: Question | undefined
  readonly answers: readonly Rrset[]
  readonly authorities: readonly Rrset[]
  /** Addresses that a referral is of no use without: TC is set where they do not fit (RFC 9471). */
  readonly glue: readonly Rrset[]
  /** Left out where they do not fit. */
  readonly additionals: readonly Rrset[]
  /** Where the sets of answers and authorities come from; what is not in it belongs to the zone of its name. */
  readonly provenance: ReadonlyMap<Rrset, Provenance>
  /** The asker's; a response has an OPT record exactly when its query had one. */
  readonly edns: Edns | undefined
  /** SCOPE PREFIX-LENGTH (RFC 7871 section 7.2.1), told exactly when the query named a client subnet. */
  readonly scopePrefix: number
  /** The whole COOKIE option to send. */
  readonly cookie: Uint8Array | undefined
  /** The whole NSID option to send. */
  readonly nsid: string | undefined
}

/** Where a set comes from, as who signs it has to know (RFC 4035 sections 3.1.3.3 and 5.3.4). */
export interface Provenance {
  /** The zone's. */
  readonly apex: Hostname
  /** The set's name in the zone: other than its own where a wildcard was put in its place, then `*.` and what exists. */
  readonly owner: NameKey
}

/** What came of reading a message. */
export type ReadQuery =
  | { readonly kind: 'query'; readonly query: Query }
  /** Nothing to look up: it can be told what is wrong, or what it asks of the server alone. */
  | { readonly kind: 'fault'; readonly response: Response; readonly malformed: boolean }
  /** No header, or not a query: whoever answers responses can be made to talk to itself for ever. */
  | { readonly kind: 'drop'; readonly malformed: boolean }

export const HEADER_OCTETS = 12
const RESPONSE_BIT = 0x8000
export const RECURSION_DESIRED_BIT = 0x0100

/**
 * Reads the bytes of one message in one pass over them, following no compression pointers. An opcode other than QUERY
 * is NOTIMP (RFC 1035 section 4.1.1). FORMERR: another number of questions than one (RFC 9619), unless none asks for a
 * cookie (RFC 7873 section 5.4); records where a query has none; a broken or second OPT (RFC 6891 section 6.1.1) or
 * option; bytes missing or left over. Of all flags RD and DO are looked at.
 */
export function readQuery(bytes: Uint8Array): ReadQuery {
  if (bytes.length < HEADER_OCTETS) return { kind: 'drop', malformed: true }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const flags = view.getUint16(2)
  if ((flags & RESPONSE_BIT) !== 0) return { kind: 'drop', malformed: false }
  const header: Header = {
    id: view.getUint16(0),
    opcode: (flags >> 11) & 0xf,
    recursionDesired: (flags & RECURSION_DESIRED_BIT) !== 0,
  }
  const counts = { answers: view.getUint16(6), authorities: view.getUint16(8), additionals: view.getUint16(10) }
  const readRest = (from: number) =>
    readBody(view, bytes, from, counts.answers + counts.authorities, counts.additionals)
  const fault = (question?: Question, edns?: Edns, rcode: Rcode = 'FORMERR'): ReadQuery => ({
    kind: 'fault',
    response: buildResponse({ ...header, rcode, question, edns }),
    malformed: rcode === 'FORMERR',
  })
  const questions = view.getUint16(4)
  if (header.opcode !== OPCODE_QUERY) {
    const end = questions === 0 ? HEADER_OCTETS : questions === 1 ? findQuestion(bytes, view)?.end : undefined
    return fault(undefined, end === undefined ? undefined : readRest(end).edns, 'NOTIMP')
  }
  if (questions === 0) {
    const { edns, isWhole } = readRest(HEADER_OCTETS)
    const isForCookie = isWhole && edns?.cookie !== undefined && counts.answers + counts.authorities === 0
    return fault(undefined, edns, isForCookie ? 'NOERROR' : 'FORMERR')
  }
  if (questions !== 1) return fault()
  const read = findQuestion(bytes, view)
  if (read === undefined) return fault()
  const { question } = read
  const body = readRest(read.end)
  if (!body.isWhole) return fault(question, body.edns)
  // An IXFR query names its serial in the authority section (RFC 1995 section 3); nothing else has a use for one.
  if (counts.answers > 0 || counts.authorities > 1) return fault(question, body.edns)
  return { kind: 'query', query: { ...header, question, edns: body.edns } }
}

const NO_PROVENANCE: Response['provenance'] = new Map()
const NONE: readonly Rrset[] = []

/** A response without records; `parts` fill in the rest. */
export function buildResponse(parts: Header & Pick<Response, 'rcode'> & Partial<Response>): Response {
  // One by one: spread out, it is the slowest step of an answer.
  return {
    id: parts.id,
    opcode: parts.opcode,
    recursionDesired: parts.recursionDesired,
    rcode: parts.rcode,
    authoritative: parts.authoritative ?? false,
    question: parts.question,
    answers: parts.answers ?? NONE,
    authorities: parts.authorities ?? NONE,
    glue: parts.glue ?? NONE,
    additionals: parts.additionals ?? NONE,
    provenance: parts.provenance ?? NO_PROVENANCE,
    edns: parts.edns,
    scopePrefix: parts.scopePrefix ?? 0,
    cookie: parts.cookie,
    nsid: parts.nsid,
  }
}

function findQuestion(bytes: Uint8Array, view: DataView): { question: Question; end: number } | undefined {
  const name = findWireName(bytes, HEADER_OCTETS)
  if (name === undefined || name.end + 4 > bytes.length) return undefined
  const question: Question = {
    name: name.key,
    wireName: bytes.slice(HEADER_OCTETS, name.end),
    type: view.getUint16(name.end),
    class: view.getUint16(name.end + 2),
  }
  return { question, end: name.end + 4 }
}

/** What the records after the question say. */
interface Body {
  /** Of the first OPT, also when something else is wrong: a query with OPT is answered with OPT (RFC 6891 section 6.1.1). */
  readonly edns: Edns | undefined
  readonly isWhole: boolean
}

/** Walks all records and reads the OPT among the additional ones; whole are they when they end where the message does. */
function readBody(view: DataView, bytes: Uint8Array, start: number, before: number, additionals: number): Body {
  let offset = start
  let edns: Edns | undefined
  for (let index = 0; index < before + additionals; index++) {
    const fixed = skipWireName(bytes, offset)
    if (fixed === undefined || fixed + 10 > bytes.length) return { edns, isWhole: false }
    const end = fixed + 10 + view.getUint16(fixed + 8)
    if (end > bytes.length) return { edns, isWhole: false }
    if (view.getUint16(fixed) === OPT) {
      const isRoot = fixed === offset + 1
      if (index < before || edns !== undefined || !isRoot) return { edns, isWhole: false }
      const version = view.getUint8(fixed + 5)
      // What a later version puts there is not ours to judge: it is told BADVERS.
      const options = version > 0 ? NO_OPTIONS : readEdnsOptions(bytes, fixed + 10, end)
      edns = {
        version,
        udpSize: view.getUint16(fixed + 2),
        dnssecOk: (view.getUint8(fixed + 6) & 0x80) !== 0,
        ...(options ?? NO_OPTIONS),
      }
      if (options === undefined) return { edns, isWhole: false }
    }
    offset = end
  }
  return { edns, isWhole: offset === bytes.length }
}
