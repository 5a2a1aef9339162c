import { decode } from 'dns-packet'
import { type RawOption, type ReadMessage, readMessage } from '../wire-message.ts'

/** What holds of every reply, whatever the message was. */

const RCODES = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
  BADCOOKIE: 23,
} as const
const NS = 2
const SOA = 6
const ANY = 255
const NSID = 3
const SUBNET = 8
const COOKIE = 10
/** What no header flag of ours is: RA, Z, AD, CD. */
const FOREIGN_FLAGS = 0x00f0
/** A server cookie of RFC 9018, in the place of nothing. */
export const COOKIE_GROWTH = 16

export interface Exchange {
  readonly message: Buffer
  /** Undefined: there was none. */
  readonly reply: Buffer | undefined
  readonly transport: 'udp' | 'tcp'
  readonly nsid: string
}

/** What the independent readers make of a message; undefined when one of them does not take it. */
function readQuery(message: Buffer): ReadMessage | undefined {
  try {
    decode(message)
    return readMessage(message)
  } catch {
    return undefined
  }
}

/** The first of our promises that an exchange breaks. */
export function findBroken({ message, reply, transport, nsid }: Exchange): string | undefined {
  const isQuery = message.length >= 12 && (message.readUInt8(2) & 0x80) === 0
  if (reply === undefined) return isQuery ? 'a query got no answer' : undefined
  if (!isQuery) return 'what is no query was answered'
  let got: ReadMessage
  try {
    got = readMessage(reply)
    decode(reply)
  } catch (error) {
    return `the reply does not parse: ${String(error)}`
  }
  return (
    findBrokenHeader(message, got) ??
    findBrokenContent(got) ??
    findBrokenEdns(message, got, nsid) ??
    findBrokenSize(message, reply, got, transport)
  )
}

function findBrokenHeader(message: Buffer, got: ReadMessage): string | undefined {
  const asked = message.readUInt16BE(2)
  if (got.id !== message.readUInt16BE(0)) return 'another id'
  if ((got.flags & 0x8000) === 0) return 'QR is clear'
  if (got.opcode !== ((asked >> 11) & 15)) return 'another opcode'
  if ((got.flags & 0x0100) !== (asked & 0x0100)) return 'RD is not copied'
  if ((got.flags & FOREIGN_FLAGS) !== 0) return 'RA, Z, AD or CD is set'
  if (got.question !== undefined && !message.subarray(12, 12 + got.question.length).equals(got.question))
    return 'another question'
  if (!Object.values<number>(RCODES).includes(got.rcode)) return `the code ${got.rcode}`
  const mayLackQuestion: number[] = [RCODES.FORMERR, RCODES.NOTIMP]
  // Who asks nothing gets a cookie (RFC 7873 section 5.4).
  if (message.readUInt16BE(4) === 0) mayLackQuestion.push(RCODES.NOERROR, RCODES.BADCOOKIE)
  if (got.question === undefined && !mayLackQuestion.includes(got.rcode)) return 'no question'
  return undefined
}

function findBrokenContent(got: ReadMessage): string | undefined {
  const records = got.answers.length + got.authorities.length + got.additionals.length
  const isPositive = got.rcode === RCODES.NOERROR || got.rcode === RCODES.NXDOMAIN
  const isAuthoritative = (got.flags & 0x0400) !== 0
  if (!isPositive && (records > 0 || isAuthoritative)) return 'a refusal with records or AA'
  if (got.truncated) return records > 0 ? 'truncated, and yet with records' : undefined
  const hasSoa = got.authorities.some(({ type }) => type === SOA)
  if (got.rcode === RCODES.NXDOMAIN && !hasSoa) return 'NXDOMAIN without SOA'
  const isEmpty = got.question !== undefined && got.rcode === RCODES.NOERROR && got.answers.length === 0
  const isReferral = !isAuthoritative && got.authorities.length > 0 && got.authorities.every(({ type }) => type === NS)
  if (isEmpty && !isReferral && !(hasSoa && isAuthoritative))
    return 'neither an answer, nor a referral, nor NODATA with SOA'
  const types = new Set(got.answers.map(({ type }) => type))
  if (got.question?.readUInt16BE(got.question.length - 4) === ANY && types.size > 1) return 'ANY with more than one set'
  return undefined
}

function findBrokenEdns(message: Buffer, got: ReadMessage, nsid: string): string | undefined {
  const query = readQuery(message)
  const { opt } = got
  if (query !== undefined && (query.opt === undefined) !== (opt === undefined)) {
    // Who puts OPT where none belongs, or twice, gets FORMERR, and what OPT was found is answered.
    return 'an OPT for none, or none for an OPT'
  }
  if (opt === undefined) return undefined
  if (opt.version !== 0) return `EDNS version ${opt.version}`
  if ((opt.flags & 0x7fff) !== 0) return 'a flag of EDNS other than DO'
  if (query?.opt !== undefined && query.opt.flags >> 15 !== opt.flags >> 15) return 'DO is not copied'
  const codes = opt.options.map(([code]) => code)
  if (new Set(codes).size !== codes.length) return 'an option twice'
  if (codes.some((code) => ![NSID, SUBNET, COOKIE].includes(code))) return `the options ${codes.join()}`
  if (query?.opt === undefined) return undefined
  return findBrokenOptions(query.opt.options, opt.options, nsid)
}

function findBrokenOptions(asked: readonly RawOption[], told: readonly RawOption[], nsid: string): string | undefined {
  for (const [code, data] of told) {
    const of = asked.find((option) => option[0] === code)?.[1]
    if (of === undefined) return `the option ${code} that nobody sent`
    if (code === NSID && Buffer.from(data).toString() !== nsid) return 'another NSID'
    if (code === COOKIE && (data.length !== 24 || !Buffer.from(data.subarray(0, 8)).equals(of.subarray(0, 8))))
      return 'another cookie'
    if (code === SUBNET) {
      const without = (bytes: Uint8Array) => Buffer.from([...bytes.subarray(0, 3), 0, ...bytes.subarray(4)])
      if (!without(data).equals(without(of))) return 'another subnet'
    }
  }
  return undefined
}

function findBrokenSize(
  message: Buffer,
  reply: Buffer,
  got: ReadMessage,
  transport: 'udp' | 'tcp',
): string | undefined {
  if (transport === 'udp') {
    const limit = got.opt === undefined ? 512 : Math.min(1232, Math.max(512, readQuery(message)?.opt?.size ?? 512))
    if (reply.length > limit) return `${reply.length} octets of ${limit}`
  }
  const isPositive = got.rcode === RCODES.NOERROR || got.rcode === RCODES.NXDOMAIN
  const nsidOctets = got.opt?.options.find(([code]) => code === NSID)?.[1].length ?? 0
  if (!isPositive && reply.length > message.length + COOKIE_GROWTH + nsidOctets)
    return `a refusal of ${reply.length} octets for ${message.length}`
  return undefined
}

/** For whom amplification is worth counting: by code, and by type where there is an answer. */
export function kindOf(reply: Buffer): string {
  const { rcode, truncated, question, answers } = readMessage(reply)
  const code = Object.entries(RCODES).find(([, value]) => value === rcode)?.[0] ?? String(rcode)
  if (truncated) return 'truncated'
  const type = question?.readUInt16BE(question.length - 4)
  if (type === ANY && rcode === RCODES.NOERROR) return 'ANY'
  return code === 'NOERROR' ? (answers.length === 0 ? 'NODATA' : 'answer') : code
}
