import { type OutgoingHttpHeaders, validateHeaderValue } from 'node:http'
import { STATIC_FIELDS } from './hpack-table.ts'

/** A head, encoded. */
export interface HeadBlock {
  readonly bytes: Buffer
  /** Where the 29 bytes of Date stand in it. */
  readonly dateAt: number
}

const BY_NAME = new Map<string, number>()
const STATUSES = new Map<string, number>()
for (const [index, field] of STATIC_FIELDS.entries()) {
  if (field === undefined) continue
  if (!BY_NAME.has(field.name)) BY_NAME.set(field.name, index)
  if (field.name === ':status') STATUSES.set(field.value, index)
}

/** They speak of an HTTP/1.1 connection and make an HTTP/2 message malformed (RFC 9113 section 8.2.2). */
const OF_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'te',
])

/**
 * The head of an answer in HPACK, as literals and by the static table alone: it means the same to every client, whatever was
 * sent before. Names are in lower case. Pure. Throws a TypeError, as node:http does, for a value that cannot stand in a head.
 */
export function encodeHead(status: number, headers: OutgoingHttpHeaders, date: string): HeadBlock {
  const parts: Buffer[] = [encodeStatus(status)]
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined || OF_CONNECTION.has(name)) continue
    for (const one of Array.isArray(value) ? value : [value]) parts.push(encodeField(name, String(one)))
  }
  // Last, so that its place is known.
  parts.push(encodeField('date', date))
  const bytes = Buffer.concat(parts)
  return { bytes, dateAt: bytes.length - date.length }
}

function encodeStatus(status: number): Buffer {
  const text = String(status)
  const index = STATUSES.get(text)
  return index === undefined ? encodeField(':status', text) : Buffer.from([0x80 | index])
}

/** A literal without indexing (RFC 7541 section 6.2.2). */
function encodeField(name: string, value: string): Buffer {
  validateHeaderValue(name, value)
  const index = BY_NAME.get(name)
  const named = index === undefined ? [0, ...encodeText(name)] : encodeInteger(index, 15)
  return Buffer.from([...named, ...encodeText(value)])
}

function encodeText(text: string): number[] {
  const bytes = Buffer.from(text, 'latin1')
  return [...encodeInteger(bytes.length, 127), ...bytes]
}

/** RFC 7541 section 5.1, with no bits before the prefix; `most` is the prefix with all bits set. */
function encodeInteger(value: number, most: number): number[] {
  if (value < most) return [value]
  const bytes = [most]
  let left = value - most
  for (; left >= 128; left >>= 7) bytes.push((left & 127) | 128)
  bytes.push(left)
  return bytes
}
