import { quote } from '../rdata/index.ts'
import { MAX_LABEL_OCTETS, MAX_NAME_OCTETS, type NameKey, nameOctets, spellOctet } from '../wire/index.ts'
import type { Refusal } from './refusal.ts'
import type { Token } from './scan-entries.ts'

/** Makes a name of the file absolute. */
export type NameReader = (token: Token) => { readonly name: NameKey } | Refusal

/** How names are read below an origin; `relocate` puts each elsewhere. */
export function createNameReader(origin: NameKey, relocate: (name: NameKey) => NameKey): NameReader {
  return ({ text, foreign }) => {
    if (foreign) return { fault: `${quote(text)} is no name: it is not ASCII`, hint: 'Write it in its xn-- form.' }
    const read = resolveName(text, origin)
    return 'fault' in read ? { fault: `${quote(text)} is no name: ${read.fault}` } : { name: relocate(read.name) }
  }
}

const PLAIN_NAME = /^[A-Za-z0-9_*-]+(\.[A-Za-z0-9_*-]+)*\.?$/

/**
 * The name that a word of a master file stands for (RFC 1035 section 5.1): `@` is the origin, a final dot makes a name
 * absolute, `\DDD` is an octet and `\X` is X without what it means otherwise.
 */
function resolveName(text: string, origin: NameKey): { readonly name: NameKey } | Refusal {
  if (text === '@') return { name: origin }
  if (text === '.') return { name: '' }
  const labels = PLAIN_NAME.test(text) ? splitPlain(text) : splitEscaped(text)
  if ('fault' in labels) return labels
  const { absolute, keys, octets } = labels
  const relative = !absolute && origin !== ''
  const total = octets.reduce((sum, length) => sum + 1 + length, 1) + (relative ? nameOctets(origin) - 1 : 0)
  if (octets.some((length) => length > MAX_LABEL_OCTETS))
    return { fault: `a label has more than ${MAX_LABEL_OCTETS} octets` }
  if (total > MAX_NAME_OCTETS) return { fault: `the name has more than ${MAX_NAME_OCTETS} octets` }
  const name = keys.join('.')
  return { name: relative ? `${name}.${origin}` : name }
}

interface Labels {
  readonly absolute: boolean
  readonly keys: readonly string[]
  /** Of each label. */
  readonly octets: readonly number[]
}

function splitPlain(text: string): Labels {
  const absolute = text.endsWith('.')
  const keys = (absolute ? text.slice(0, -1) : text).toLowerCase().split('.')
  return { absolute, keys, octets: keys.map((label) => label.length) }
}

/** What stands between two dots that separate: `\DDD`, `\X`, or a character. */
const PIECE = /\\[0-9]{3}|\\[^0-9]|[^\\]/y

function splitEscaped(text: string): Labels | Refusal {
  const keys: string[] = []
  const octets: number[] = []
  let label = ''
  let length = 0
  let at = 0
  while (at < text.length) {
    PIECE.lastIndex = at
    const piece = PIECE.exec(text)?.[0]
    if (piece === undefined) return { fault: 'an escape in it is not three digits, nor a character' }
    at += piece.length
    if (piece !== '.') {
      const octet = piece.length === 4 ? Number(piece.slice(1)) : piece.charCodeAt(piece.length - 1)
      if (octet > 255) return { fault: `${piece} is not the number of an octet` }
      label += spellOctet(octet)
      length += 1
    }
    if (piece !== '.' && at < text.length) continue
    if (length === 0) return { fault: 'the name has an empty label (two dots in a row)' }
    keys.push(label)
    octets.push(length)
    label = ''
    length = 0
  }
  if (keys.length === 0) return { fault: 'it is empty' }
  return { absolute: endsWithDot(text), keys, octets }
}

/** The last dot separates unless a backslash that is not escaped itself stands before it. */
function endsWithDot(text: string): boolean {
  if (!text.endsWith('.')) return false
  let slashes = 0
  while (text[text.length - 2 - slashes] === '\\') slashes += 1
  return slashes % 2 === 0
}
