import type { Rrset } from '../rdata/index.ts'
import { encodeWireName, type NameKey, OPT, parentName, RCODES } from '../wire/index.ts'
import type { ClientSubnet, Transport } from './asker.ts'
import { EDNS_OPTIONS, FAMILY_CODES, OPTION_HEADER_OCTETS, prefixOctets, SUBNET_FIXED_OCTETS } from './edns-options.ts'
import { HEADER_OCTETS, RECURSION_DESIRED_BIT, type Response } from './message.ts'

/** RFC 1035 section 4.2.1: what every asker can receive. */
const PLAIN_UDP_OCTETS = 512
/** What passes every path on the internet unfragmented (DNS flag day 2020); also what we say that we can receive. */
export const EDNS_UDP_OCTETS = 1232
const TCP_OCTETS = 65_535
const OPT_OCTETS = 11
/** As the configuration allows it. */
const MAX_NSID_OCTETS = 128

const QR_BIT = 0x8000
const AA_BIT = 0x0400
const TC_BIT = 0x0200
/** Offsets that a compression pointer can name (RFC 1035 section 4.1.4). */
const MAX_POINTER = 0x3fff

/** How many octets a response may have: over UDP what the asker and the path can take. */
export function limitOf(response: Pick<Response, 'edns'>, transport: Transport): number {
  if (transport === 'tcp') return TCP_OCTETS
  if (response.edns === undefined) return PLAIN_UDP_OCTETS
  return Math.min(Math.max(response.edns.udpSize, PLAIN_UDP_OCTETS), EDNS_UDP_OCTETS)
}

/**
 * The one place where a response becomes bytes: header, question as it was asked, records with compressed owner names
 * (names inside their data are not: only the types of RFC 1035 could, RFC 3597 section 4), OPT and its options when the
 * query had one. Never longer than `limitOf`: additional records are left out where they do not fit; when an answer or
 * authority does not, all records go and TC asks for TCP (RFC 2181 section 9); and so does TC when glue is left out.
 */
export function finishResponse(response: Response, transport: Transport): Uint8Array {
  const limit = limitOf(response, transport)
  const options = listOptions(response)
  const reserved = response.edns === undefined ? 0 : OPT_OCTETS + options.length
  const writer = new Writer(Math.min(limit - reserved, largestSize(response)), reserved)
  const { question } = response
  if (question !== undefined) writer.putQuestion(question.name, question.wireName, question.type, question.class)
  const start = writer.position
  let truncated = false
  let answers = 0
  let authorities = 0
  let additionals = 0
  if (putAll(writer, response.answers) && putAll(writer, response.authorities)) {
    answers = countRecords(response.answers)
    authorities = countRecords(response.authorities)
    for (const rrset of response.glue) {
      if (writer.putRrset(rrset)) additionals += rrset.records.length
      else truncated = true
    }
    for (const rrset of response.additionals) {
      if (writer.putRrset(rrset)) additionals += rrset.records.length
    }
  } else {
    writer.rewind(start)
    truncated = true
  }
  const rcode = RCODES[response.rcode]
  const bytes = writer.finish(reserved)
  bytes.writeUInt16BE(response.id, 0)
  bytes.writeUInt16BE(
    QR_BIT |
      (response.opcode << 11) |
      (response.authoritative ? AA_BIT : 0) |
      (truncated ? TC_BIT : 0) |
      (response.recursionDesired ? RECURSION_DESIRED_BIT : 0) |
      (rcode & 0xf),
    2,
  )
  bytes.writeUInt16BE(question === undefined ? 0 : 1, 4)
  bytes.writeUInt16BE(answers, 6)
  bytes.writeUInt16BE(authorities, 8)
  bytes.writeUInt16BE(additionals + (reserved === 0 ? 0 : 1), 10)
  if (response.edns !== undefined) writeOpt(bytes, bytes.length - reserved, rcode, response.edns.dnssecOk, options)
  return bytes
}

/** With no records, which asks a client to come over TCP: as small as an answer can be. */
export function cutResponse(response: Response): Uint8Array {
  const { answers, authorities, glue, additionals, nsid, ...head } = response
  const bytes = finishResponse(
    { ...head, answers: [], authorities: [], glue: [], additionals: [], nsid: undefined },
    'udp',
  )
  bytes[2] = (bytes[2] as number) | (TC_BIT >> 8)
  return bytes
}

const NO_OCTETS = Buffer.alloc(0)

/** The options of the OPT record, as it carries them. All together leave room for the longest question in 512 octets. */
function listOptions({ edns, scopePrefix, cookie, nsid }: Response): Uint8Array {
  if (edns === undefined || (edns.clientSubnet === undefined && cookie === undefined && nsid === undefined)) {
    return NO_OCTETS
  }
  const options: Uint8Array[] = []
  const put = (code: number, data: Uint8Array) => {
    const header = Buffer.alloc(OPTION_HEADER_OCTETS)
    header.writeUInt16BE(code, 0)
    header.writeUInt16BE(data.length, 2)
    options.push(header, data)
  }
  if (edns.clientSubnet !== undefined) put(EDNS_OPTIONS.CLIENT_SUBNET, subnetOption(edns.clientSubnet, scopePrefix))
  if (cookie !== undefined) put(EDNS_OPTIONS.COOKIE, cookie)
  if (nsid !== undefined) put(EDNS_OPTIONS.NSID, Buffer.from(nsid).subarray(0, MAX_NSID_OCTETS))
  return Buffer.concat(options)
}

/** As it was asked, with how far the answer holds (RFC 7871 section 7.2.1); who asked not to be looked at hears 0. */
function subnetOption({ family, sourcePrefix, address, withoutFamily }: ClientSubnet, scopePrefix: number): Uint8Array {
  const octets = prefixOctets(sourcePrefix)
  const data = Buffer.alloc(SUBNET_FIXED_OCTETS + octets)
  data.writeUInt16BE(withoutFamily === true ? 0 : FAMILY_CODES[family], 0)
  data.writeUInt8(sourcePrefix, 2)
  data.writeUInt8(sourcePrefix === 0 ? 0 : Math.min(scopePrefix, address.length * 8), 3)
  data.set(address.subarray(0, octets), SUBNET_FIXED_OCTETS)
  return data
}

/** RFC 6891 section 6.1.2; the DO bit is copied (RFC 3225 section 3). */
function writeOpt(bytes: Buffer, offset: number, rcode: number, dnssecOk: boolean, options: Uint8Array): void {
  bytes.writeUInt8(0, offset)
  bytes.writeUInt16BE(OPT, offset + 1)
  bytes.writeUInt16BE(EDNS_UDP_OCTETS, offset + 3)
  bytes.writeUInt8(rcode >> 4, offset + 5)
  bytes.writeUInt8(0, offset + 6)
  bytes.writeUInt16BE(dnssecOk ? 0x8000 : 0, offset + 7)
  bytes.writeUInt16BE(options.length, offset + 9)
  bytes.set(options, offset + OPT_OCTETS)
}

function putAll(writer: Writer, rrsets: readonly Rrset[]): boolean {
  for (const rrset of rrsets) if (!writer.putRrset(rrset)) return false
  return true
}

function countRecords(rrsets: readonly Rrset[]): number {
  let count = 0
  for (const rrset of rrsets) count += rrset.records.length
  return count
}

/** As if nothing but repeated owner names were compressed. */
function largestSize(response: Response): number {
  let octets = HEADER_OCTETS
  if (response.question !== undefined) octets += response.question.wireName.length + 4
  for (const section of [response.answers, response.authorities, response.glue, response.additionals]) {
    // A set that starts beyond the reach of pointers repeats its name in every record.
    for (const rrset of section) octets += rrset.octets + rrset.records.length * (rrset.name.length + 2)
  }
  return octets
}

/** Writes into a buffer of fixed size, all of an RRset or nothing. */
class Writer {
  readonly #bytes: Buffer
  readonly #limit: number
  /** Where names of records stand, and those of the question that were looked for. */
  #names: Map<NameKey, number> | undefined
  #question: NameKey = ''
  #position = HEADER_OCTETS

  /** `limit` octets, and room for `more` after them. */
  constructor(limit: number, more: number) {
    this.#limit = limit
    this.#bytes = Buffer.allocUnsafe(limit + more)
  }

  get position(): number {
    return this.#position
  }

  putQuestion(name: NameKey, wireName: Uint8Array, type: number, klass: number): void {
    this.#question = name
    this.#bytes.set(wireName, this.#position)
    this.#position += wireName.length
    this.#position = this.#bytes.writeUInt16BE(type, this.#position)
    this.#position = this.#bytes.writeUInt16BE(klass, this.#position)
  }

  /** False, and nothing written, when the whole set does not fit. */
  putRrset(rrset: Rrset): boolean {
    const start = this.#position
    for (const record of rrset.records) {
      if (!this.#putName(rrset.name) || this.#position + record.length > this.#limit) {
        this.rewind(start)
        return false
      }
      this.#bytes.set(record, this.#position)
      this.#position += record.length
    }
    return true
  }

  rewind(position: number): void {
    this.#position = position
    for (const [name, offset] of this.#names ?? []) if (offset >= position) this.#names?.delete(name)
  }

  /** The bytes so far, with `more` octets after them that the caller fills. */
  finish(more: number): Buffer {
    return this.#bytes.subarray(0, this.#position + more)
  }

  #putName(name: NameKey): boolean {
    let rest: NameKey | undefined = name
    while (rest !== undefined && rest !== '') {
      const known = this.#findOffset(rest)
      if (known !== undefined) {
        if (this.#position + 2 > this.#limit) return false
        this.#position = this.#bytes.writeUInt16BE(0xc000 | known, this.#position)
        return true
      }
      const parent: NameKey | undefined = parentName(rest)
      const length = parent === undefined || parent === '' ? rest.length : rest.length - parent.length - 1
      const start = this.#position
      if (!this.#putLabel(rest.slice(0, length))) return false
      if (start <= MAX_POINTER) this.#note(rest, start)
      rest = parent
    }
    if (this.#position + 1 > this.#limit) return false
    this.#position = this.#bytes.writeUInt8(0, this.#position)
    return true
  }

  /** Of a name other than the root. */
  #findOffset(name: NameKey): number | undefined {
    if (name === this.#question) return HEADER_OCTETS
    const known = this.#names?.get(name)
    const before = this.#question.length - name.length
    if (known !== undefined || before <= 0 || this.#question[before - 1] !== '.' || !this.#question.endsWith(name))
      return known
    let offset = HEADER_OCTETS
    for (let at = 0; at < before; at = this.#question.indexOf('.', at) + 1) offset += 1 + (this.#bytes[offset] ?? 0)
    this.#note(name, offset)
    return offset
  }

  /** Most responses name nothing but what was asked for. */
  #note(name: NameKey, offset: number): void {
    this.#names ??= new Map()
    this.#names.set(name, offset)
  }

  #putLabel(label: string): boolean {
    // Of a key: what stands there as four characters is one octet.
    const escaped = label.includes('\\') ? encodeWireName(label).subarray(0, -1) : undefined
    const octets = escaped?.length ?? 1 + label.length
    if (this.#position + octets > this.#limit) return false
    if (escaped !== undefined) this.#bytes.set(escaped, this.#position)
    else {
      this.#bytes.writeUInt8(label.length, this.#position)
      this.#bytes.write(label, this.#position + 1, 'latin1')
    }
    this.#position += octets
    return true
  }
}
