import { MakiError } from '../../core/index.ts'
import { quote } from './fields.ts'
import type { Refuse } from './octets.ts'

/** Character-strings (RFC 1035 section 3.3): a length octet, then up to 255 octets; TXT data is a list of them. */
export const MAX_STRING_OCTETS = 255

/** Of the data of any record, whose length has 16 bits (RFC 1035 section 3.2.1). */
const MAX_DATA_OCTETS = 0xffff
const TOO_LONG = `it has more than ${MAX_DATA_OCTETS} bytes, which no record can hold`

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Cuts a text into character-strings of its UTF-8 bytes; the empty text is one empty string. */
export function splitText(text: string): readonly Uint8Array[] {
  if (!text.isWellFormed()) throw refuseText(text, 'it holds half of a surrogate pair, which no encoding has')
  if (text.length > MAX_DATA_OCTETS) throw refuseText(text, TOO_LONG)
  const bytes = new TextEncoder().encode(text)
  if (bytes.length + Math.ceil(bytes.length / MAX_STRING_OCTETS) > MAX_DATA_OCTETS) throw refuseText(text, TOO_LONG)
  const strings: Uint8Array[] = []
  for (let start = 0; start < bytes.length; start += MAX_STRING_OCTETS) {
    strings.push(bytes.slice(start, start + MAX_STRING_OCTETS))
  }
  return strings.length === 0 ? [bytes] : strings
}

/** Quoted, with `"` and `\` escaped and everything but printable ASCII as `\DDD`; strings separated by one space. */
export function formatStrings(strings: readonly Uint8Array[]): string {
  return strings.map(formatString).join(' ')
}

/** One string of any length, in quotes. */
export const formatString = (octets: Uint8Array): string => `"${Array.from(octets, formatOctet).join('')}"`

/** One string of any length, in quotes or without; what `formatString` writes. Throws what `refuse` makes. */
export function parseString(word: string, refuse: Refuse): Uint8Array {
  if (!word.isWellFormed()) throw refuse('it holds half of a surrogate pair, which no encoding has')
  const isQuoted = word.startsWith('"')
  const bytes = new TextEncoder().encode(isQuoted ? word : `"${word}"`)
  const { string, end } = readQuoted(bytes, 1, refuse)
  if (end === bytes.length) return string
  throw refuse(isQuoted ? 'there is text behind a closing quote' : 'there is a quote inside a word')
}

function formatOctet(octet: number): string {
  if (octet === QUOTE || octet === BACKSLASH) return `\\${String.fromCharCode(octet)}`
  if (octet >= 0x20 && octet <= 0x7e) return String.fromCharCode(octet)
  return `\\${String(octet).padStart(3, '0')}`
}

/**
 * Reads `"one" "two"`. Characters beyond ASCII stand for their UTF-8 bytes, `\DDD` for an octet, `\x` for x itself.
 * Throws MAKI_INVALID for anything that is not entirely quoted strings of at most 255 octets, 65,535 in all; longer text is
 * not read to its end.
 */
export function parseStrings(text: string): readonly Uint8Array[] {
  const refuse: Refuse = (why) => refuseText(text, why)
  if (!text.isWellFormed()) throw refuse('it holds half of a surrogate pair, which no encoding has')
  const bytes = new TextEncoder().encode(text)
  const strings: Uint8Array[] = []
  let offset = skipBlanks(bytes, 0)
  let octets = 0
  while (offset < bytes.length) {
    if (bytes[offset] !== QUOTE) throw refuse('there is text outside the quotes')
    const read = readQuoted(bytes, offset + 1, refuse)
    if (read.string.length > MAX_STRING_OCTETS) {
      throw refuse(`one of its strings has ${read.string.length} bytes, ${MAX_STRING_OCTETS} are allowed`)
    }
    octets += 1 + read.string.length
    if (octets > MAX_DATA_OCTETS) throw refuse(TOO_LONG)
    strings.push(read.string)
    offset = skipBlanks(bytes, read.end)
    if (offset === read.end && offset < bytes.length) throw refuse('there is no space between two strings')
  }
  if (strings.length === 0) throw refuse('it has no quoted string')
  return strings
}

function readQuoted(bytes: Uint8Array, start: number, refuse: Refuse): { string: Uint8Array; end: number } {
  const octets: number[] = []
  let offset = start
  for (;;) {
    const octet = bytes[offset]
    if (octets.length > MAX_DATA_OCTETS) throw refuse(TOO_LONG)
    if (octet === undefined) throw refuse('a quote is not closed')
    if (octet === QUOTE) return { string: Uint8Array.from(octets), end: offset + 1 }
    if (octet !== BACKSLASH) {
      octets.push(octet)
      offset += 1
      continue
    }
    const next = bytes[offset + 1]
    if (next === undefined) throw refuse('it ends in the middle of an escape')
    if (next < 0x30 || next > 0x39) {
      octets.push(next)
      offset += 2
      continue
    }
    const digits = String.fromCharCode(...bytes.subarray(offset + 1, offset + 4))
    if (!/^[0-9]{3}$/.test(digits) || Number(digits) > 255) {
      throw refuse(`\\${digits} is not the number of a byte; three digits up to 255 are expected`)
    }
    octets.push(Number(digits))
    offset += 4
  }
}

function skipBlanks(bytes: Uint8Array, start: number): number {
  let offset = start
  while (bytes[offset] === 0x20 || bytes[offset] === 0x09) offset += 1
  return offset
}

function refuseText(text: string, why: string): MakiError {
  return new MakiError('MAKI_INVALID', `${quote(text)} is not the data of a TXT record: ${why}`, {
    hint: 'Write the plain text without quotes around it, or every part in quotes: "one" "two", with \\" and \\\\ inside.',
  })
}
