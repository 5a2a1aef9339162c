import { encodeWireName, OTHER_TYPES, type UnknownType } from '../wire/index.ts'
import type { NameReader } from './name-reader.ts'
import { GENERIC } from './rdata-text.ts'
import type { Refusal } from './refusal.ts'
import type { Token } from './scan-entries.ts'

/**
 * Types that are answered as octets only (RFC 3597): files write their data in words, which become `\# 4 0a000001` here.
 * None of them is ever compressed (RFC 3597 section 4).
 */
type Field =
  | 'u8'
  | 'u16'
  /** A name, made absolute. */
  | 'name'
  /** A character-string. */
  | 'string'
  /** All that is left, with blanks inside: octets in hexadecimal, in base64, character-strings. */
  | 'hex'
  | 'base64'
  | 'strings'
  /** One string without its length: it fills the rest. */
  | 'text'
  /** A certificate's type (RFC 4398 section 2.1). */
  | 'certificate'

const FIELDS: Readonly<Record<string, readonly Field[]>> = {
  HINFO: ['string', 'string'],
  RP: ['name', 'name'],
  AFSDB: ['u16', 'name'],
  NAPTR: ['u16', 'u16', 'string', 'string', 'string', 'name'],
  KX: ['u16', 'name'],
  CERT: ['certificate', 'u16', 'u8', 'base64'],
  DHCID: ['base64'],
  SMIMEA: ['u8', 'u8', 'u8', 'hex'],
  OPENPGPKEY: ['base64'],
  SPF: ['strings'],
  URI: ['u16', 'u16', 'text'],
}

const CERTIFICATES: Readonly<Record<string, number>> = { PKIX: 1, SPKI: 2, PGP: 3, IPKIX: 4, ISPKI: 5, IPGP: 6 }

/** What a type is called that is kept as octets, though files have words for its data; undefined for every other. */
export function findGenericType(type: string): UnknownType | undefined {
  return Object.hasOwn(FIELDS, type) ? `TYPE${OTHER_TYPES.get(type) as number}` : undefined
}

/** The data of such a type in the form of RFC 3597. */
export function buildGenericText(
  type: string,
  tokens: readonly Token[],
  readName: NameReader,
): { readonly text: string } | Refusal {
  const fields = FIELDS[type] ?? []
  const parts: Uint8Array[] = []
  let used = 0
  for (const field of fields) {
    const takesRest = field === 'hex' || field === 'base64' || field === 'strings'
    const taken = takesRest ? tokens.slice(used) : tokens.slice(used, used + 1)
    if (taken.length === 0) return { fault: `it has ${tokens.length} parts, ${fields.length} are expected` }
    used += taken.length
    const octets = readField(field, taken, readName)
    if ('fault' in octets) return octets
    parts.push(octets)
  }
  if (used < tokens.length) return { fault: `it has ${tokens.length} parts, ${fields.length} are expected` }
  const data = Buffer.concat(parts)
  if (data.length > 0xffff) return { fault: `it has ${data.length} octets, 65535 are allowed` }
  return { text: `${GENERIC} ${data.length}${data.length === 0 ? '' : ` ${data.toString('hex')}`}` }
}

function readField(field: Field, tokens: readonly Token[], readName: NameReader): Uint8Array | Refusal {
  const word = tokens[0]?.text ?? ''
  switch (field) {
    case 'u8':
      return readNumber(word, 1)
    case 'u16':
      return readNumber(word, 2)
    case 'certificate':
      return readNumber(String(CERTIFICATES[word.toUpperCase()] ?? word), 2)
    case 'name': {
      const read = readName(tokens[0] as Token)
      return 'fault' in read ? read : encodeWireName(read.name)
    }
    case 'string':
      return readString(word)
    case 'strings': {
      const strings: Uint8Array[] = []
      for (const { text } of tokens) {
        const string = readString(text)
        if ('fault' in string) return string
        strings.push(string)
      }
      return Buffer.concat(strings)
    }
    case 'text':
      return readOctets(word)
    case 'hex': {
      const digits = joined(tokens)
      if (!/^([0-9a-f]{2})+$/i.test(digits)) return { fault: 'octets in hexadecimal are expected' }
      return Buffer.from(digits, 'hex')
    }
    case 'base64': {
      const digits = joined(tokens)
      const octets = Buffer.from(digits, 'base64')
      if (octets.length === 0 || octets.toString('base64') !== digits) return { fault: 'base64 is expected' }
      return octets
    }
    default:
      return field satisfies never
  }
}

const joined = (tokens: readonly Token[]): string => tokens.map(({ text }) => text).join('')

function readNumber(word: string, octets: 1 | 2): Uint8Array | Refusal {
  const max = 2 ** (8 * octets) - 1
  if (!/^[0-9]{1,5}$/.test(word) || Number(word) > max) {
    return { fault: `${JSON.stringify(word.slice(0, 40))} is not a whole number from 0 to ${max}` }
  }
  const bytes = Buffer.alloc(octets)
  bytes.writeUIntBE(Number(word), 0, octets)
  return bytes
}

function readString(word: string): Uint8Array | Refusal {
  const octets = readOctets(word)
  if ('fault' in octets) return octets
  if (octets.length > 255) return { fault: `a string in it has ${octets.length} octets, 255 are allowed` }
  return Buffer.concat([Uint8Array.of(octets.length), octets])
}

/** The octets of a word, with `\DDD` and `\X` for what they stand for. */
function readOctets(word: string): Uint8Array | Refusal {
  const octets: number[] = []
  for (const [piece] of word.matchAll(/\\[0-9]{3}|\\[^0-9]|[^\\]|\\/g)) {
    const octet = piece.length === 4 ? Number(piece.slice(1)) : piece.charCodeAt(piece.length - 1)
    if (piece === '\\' || octet > 255)
      return { fault: 'an escape in it is not three digits up to 255, nor a character' }
    octets.push(octet)
  }
  return Uint8Array.from(octets)
}
