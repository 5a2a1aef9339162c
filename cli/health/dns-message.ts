import { CLASS_IN, encodeWireName, spellOctet, TYPE_CODES } from '../../dns/index.ts'

/** One record of a response. */
export interface ReceivedRecord {
  /** Lower case, without the final dot, with octets that no host name has as `\DDD`. */
  readonly name: string
  readonly type: number
  readonly class: number
  /** Seconds. */
  readonly ttl: number
  /** RDATA with names written out in lower case, so that equal data have equal bytes. */
  readonly data: Uint8Array
}

export interface ReceivedResponse {
  readonly rcode: number
  readonly authoritative: boolean
  readonly truncated: boolean
  readonly answers: readonly ReceivedRecord[]
  readonly authorities: readonly ReceivedRecord[]
  /** Glue of a referral, among others. */
  readonly additionals: readonly ReceivedRecord[]
}

/** Why bytes are no answer to a question. */
export type Unfit = 'malformed' | 'another'

const HEADER_OCTETS = 12
const RESPONSE = 0x8000
const AUTHORITATIVE = 0x0400
const TRUNCATED = 0x0200
const RECURSION_DESIRED = 0x0100

/** A type that nobody writes here; other servers may send it. */
const DNAME = 39

/**
 * Where names stand in RDATA: octets before them, and how many follow each other. Some may be compressed (RFC 3597 section
 * 4), and the case of none counts.
 */
const NAMES_IN: ReadonlyMap<number, { readonly before: number; readonly names: number }> = new Map([
  [TYPE_CODES.NS, { before: 0, names: 1 }],
  [TYPE_CODES.CNAME, { before: 0, names: 1 }],
  [TYPE_CODES.SOA, { before: 0, names: 2 }],
  [TYPE_CODES.PTR, { before: 0, names: 1 }],
  [TYPE_CODES.MX, { before: 2, names: 1 }],
  [TYPE_CODES.SRV, { before: 6, names: 1 }],
  [DNAME, { before: 0, names: 1 }],
])

/**
 * A query for one name and type, without EDNS. `name` is a key as in zones: `\DDD` for octets that no host name has.
 * `recursive`: for a resolver, which is to find the answer elsewhere.
 */
export function encodeQuestion(id: number, name: string, type: number, recursive = false): Uint8Array {
  const header = Buffer.alloc(HEADER_OCTETS)
  header.writeUInt16BE(id, 0)
  if (recursive) header.writeUInt16BE(RECURSION_DESIRED, 2)
  header.writeUInt16BE(1, 4)
  const end = Buffer.alloc(4)
  end.writeUInt16BE(type, 0)
  end.writeUInt16BE(CLASS_IN, 2)
  return Buffer.concat([header, encodeWireName(name), end])
}

/**
 * Reads the answer to a query made by `encodeQuestion`. `another`: of another id or question, or no response, which
 * anybody on the way may have sent; `malformed`: the id is ours and the rest is no DNS message.
 */
export function readAnswer(bytes: Uint8Array, query: Uint8Array): ReceivedResponse | Unfit {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const asked = new DataView(query.buffer, query.byteOffset, query.byteLength)
  if (bytes.length < 4 || view.getUint16(0) !== asked.getUint16(0)) return 'another'
  const flags = view.getUint16(2)
  if ((flags & RESPONSE) === 0) return 'another'
  if (bytes.length < HEADER_OCTETS) return 'malformed'
  const found = {
    rcode: flags & 0xf,
    authoritative: (flags & AUTHORITATIVE) !== 0,
    truncated: (flags & TRUNCATED) !== 0,
  }
  const counts = [6, 8, 10].map((offset) => view.getUint16(offset))
  if (view.getUint16(4) !== 1) return 'malformed'
  try {
    const name = readName(bytes, HEADER_OCTETS)
    const question = readName(query, HEADER_OCTETS)
    if (name.key !== question.key) return 'another'
    if (view.getUint32(name.end) !== asked.getUint32(question.end)) return 'another'
    let offset = name.end + 4
    const sections = counts.map((count) => {
      const records: ReceivedRecord[] = []
      for (let i = 0; i < count; i++) {
        const read = readRecord(bytes, view, offset)
        records.push(read.record)
        offset = read.end
      }
      return records
    })
    if (offset !== bytes.length) return 'malformed'
    const [answers = [], authorities = [], additionals = []] = sections
    return { ...found, answers, authorities, additionals }
  } catch (error) {
    if (error instanceof RangeError) return 'malformed'
    throw error
  }
}

function readRecord(bytes: Uint8Array, view: DataView, start: number): { record: ReceivedRecord; end: number } {
  const { key: name, end: fixed } = readName(bytes, start)
  const type = view.getUint16(fixed)
  const from = fixed + 10
  const end = from + view.getUint16(fixed + 8)
  if (end > bytes.length) throw new RangeError('the data ends behind the message')
  const fields = { name, type, class: view.getUint16(fixed + 2), ttl: view.getUint32(fixed + 4) }
  return { record: { ...fields, data: readData(bytes, type, from, end) }, end }
}

function readData(bytes: Uint8Array, type: number, from: number, end: number): Uint8Array {
  const shape = NAMES_IN.get(type)
  if (shape === undefined) return bytes.slice(from, end)
  const parts: Uint8Array[] = [bytes.subarray(from, from + shape.before)]
  let offset = from + shape.before
  for (let i = 0; i < shape.names; i++) {
    const name = readName(bytes, offset)
    parts.push(encodeWireName(name.key))
    offset = name.end
  }
  if (offset > end) throw new RangeError('a name ends behind its data')
  parts.push(bytes.subarray(offset, end))
  return new Uint8Array(Buffer.concat(parts))
}

/** Pointers lead backwards only, so that every name ends. Throws RangeError. */
function readName(bytes: Uint8Array, start: number): { key: string; end: number } {
  const labels: string[] = []
  let offset = start
  let before = start
  let end: number | undefined
  let octets = 1
  for (;;) {
    const length = octetAt(bytes, offset)
    if (length >= 0xc0) {
      const target = ((length & 0x3f) << 8) | octetAt(bytes, offset + 1)
      if (target >= before) throw new RangeError('a pointer leads forward')
      end ??= offset + 2
      before = target
      offset = target
    } else if (length > 63) throw new RangeError('a label of an unknown kind')
    else if (length === 0) return { key: labels.join('.'), end: end ?? offset + 1 }
    else {
      octets += length + 1
      if (octets > 255 || offset + 1 + length > bytes.length) throw new RangeError('a name is too long')
      labels.push(Array.from(bytes.subarray(offset + 1, offset + 1 + length), spellOctet).join(''))
      offset += 1 + length
    }
  }
}

function octetAt(bytes: Uint8Array, offset: number): number {
  const octet = bytes[offset]
  if (octet === undefined) throw new RangeError('the message ends in a name')
  return octet
}
