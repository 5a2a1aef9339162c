import { buildResponse, type Query, type Response, type ServerCookies } from '../message/index.ts'
import { ANY, CLASS_CH, TYPE_CODES } from '../wire/index.ts'

/** What a server tells of itself, and how it knows who was here before; nothing of it depends on zones. */
export interface Identity {
  /** Undefined: cookies are ignored. */
  readonly cookies: ServerCookies | undefined
  /** Told to whoever asks which server this is (RFC 5001, RFC 4892); undefined: to nobody. */
  readonly nsid: string | undefined
  /** Told to whoever asks which program this is; undefined: to nobody. */
  readonly version: string | undefined
  /** Seconds since 1970. */
  readonly nowSeconds: () => number
}

/** Tells nothing and knows nobody. */
export const anonymous: Identity = {
  cookies: undefined,
  nsid: undefined,
  version: undefined,
  nowSeconds: () => 0,
}

/** Undefined for a question that is not of class CH: those are for the zones. What is not configured is REFUSED. */
export function findChaosResponse(query: Query, { version, nsid }: Identity): Response | undefined {
  const { question, edns } = query
  if (question.class !== CLASS_CH || (edns !== undefined && edns.version > 0)) return undefined
  const isText = question.type === TYPE_CODES.TXT || question.type === ANY
  const text = isText ? findText(question.name, version, nsid) : undefined
  if (text === undefined) return buildResponse({ ...query, rcode: 'REFUSED' })
  const record = encodeChaosText(text)
  const answers = [
    {
      name: question.name,
      type: TYPE_CODES.TXT,
      ttl: 0,
      rdata: [],
      records: [record],
      octets: POINTER_OCTETS + record.length,
    },
  ]
  return buildResponse({ ...query, rcode: 'NOERROR', authoritative: true, answers })
}

function findText(name: string, version: string | undefined, nsid: string | undefined): string | undefined {
  switch (name) {
    case 'version.bind':
    case 'version.server':
      return version
    case 'hostname.bind':
    case 'id.server':
      return nsid
    default:
      return undefined
  }
}

const POINTER_OCTETS = 2
const FIXED_OCTETS = 10
const MAX_STRING_OCTETS = 255

/** Type, class, TTL 0, length and one character-string; what a string cannot hold is cut off. */
function encodeChaosText(text: string): Uint8Array {
  const string = Buffer.from(text).subarray(0, MAX_STRING_OCTETS)
  const record = Buffer.alloc(FIXED_OCTETS + 1 + string.length)
  record.writeUInt16BE(TYPE_CODES.TXT, 0)
  record.writeUInt16BE(CLASS_CH, 2)
  record.writeUInt16BE(1 + string.length, 8)
  record.writeUInt8(string.length, FIXED_OCTETS)
  record.set(string, FIXED_OCTETS + 1)
  return record
}
