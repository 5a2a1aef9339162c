import { isIPv4, isIPv6 } from 'node:net'
import type { Hostname } from '../../core/index.ts'
import { MAX_LABEL_OCTETS, MAX_NAME_OCTETS, type NameKey, spellOctet } from '../wire/index.ts'
import type { Refuse } from './octets.ts'

/** What most names look like; a target may have an underscore, and a name server may start with a hyphen. */
const SIMPLE = /^(?:[a-z0-9_-]{1,63}\.)+[a-z0-9_-]{1,63}\.?$/
/** Four characters an octet, and a dot for every label: nothing longer can be a name. */
const MAX_TEXT = 5 * MAX_NAME_OCTETS
const SHOWN = 80
/** Asking Node whether a name is an address takes longer than reading the name. */
const ADDRESS_LIKE = /[0-9]$|:/

/**
 * A name in the data of a record: absolute with or without the final dot; `@` is `origin`, where one is given, `.` the
 * root, `\DDD` an octet and `\x` the character x (RFC 1035 section 5.1).
 * A single label without the final dot is refused: who writes `mail` means `mail.<apex>`, which is not what it says.
 */
export function parseName(field: string, origin: Hostname | undefined, refuse: Refuse): NameKey {
  if (field === '@' && origin !== undefined) return origin
  if (field === '.') return ''
  if (field.length > MAX_TEXT) throw refuse('the name is too long')
  const lower = field.toLowerCase()
  const text = lower.endsWith('.') ? lower.slice(0, -1) : lower
  if (ADDRESS_LIKE.test(text) && (isIPv4(text) || isIPv6(text))) {
    throw refuse(
      'a name is expected there, not an address',
      'Point a name of type A or AAAA at the address, and this record at that name.',
    )
  }
  if (SIMPLE.test(lower) && text.length + 2 <= MAX_NAME_OCTETS) return text
  const { labels, octets, isAbsolute } = readLabels(field, refuse)
  if (octets > MAX_NAME_OCTETS) throw refuse('the name is too long')
  if (labels.length === 1 && !isAbsolute) {
    throw refuse(
      'names in values are full names',
      `Write ${labels[0]}.${origin ?? 'example.com'}, or ${labels[0]}. with a final dot if that is the whole name.`,
    )
  }
  return labels.join('.')
}

/** With the final dot, as keys spell it otherwise. */
export const formatName = (key: NameKey): string => `${key}.`

interface Labels {
  readonly labels: readonly string[]
  readonly octets: number
  readonly isAbsolute: boolean
}

function readLabels(field: string, refuse: Refuse): Labels {
  const labels: string[] = []
  let label = ''
  let count = 0
  let octets = 1
  const end = (): void => {
    if (count === 0) throw refuse('the name has an empty label (two dots in a row)')
    if (count > MAX_LABEL_OCTETS)
      throw refuse(
        `${JSON.stringify(label.slice(0, SHOWN))} is no label of a name: it has ${count} octets, ${MAX_LABEL_OCTETS} are allowed`,
      )
    labels.push(label)
    octets += 1 + count
    label = ''
    count = 0
  }
  // RFC 2317: reverse zones of less than 256 addresses are named by a slash.
  const isReverse = /\.arpa\.?$/i.test(field)
  for (let i = 0; i < field.length; i++) {
    const character = field[i] as string
    if (character === '.') {
      end()
      if (i === field.length - 1) return { labels, octets, isAbsolute: true }
      continue
    }
    if (character === '\\') {
      const escaped = readEscape(field, i, refuse)
      label += spellOctet(escaped.octet)
      i = escaped.last
    } else if (/[A-Za-z0-9_*-]/.test(character) || (character === '/' && isReverse)) {
      label += spellOctet(character.charCodeAt(0))
    } else {
      const whole = field.slice(field.lastIndexOf('.', i) + 1).split('.', 1)[0] ?? ''
      throw refuse(
        `${JSON.stringify(whole.slice(0, SHOWN))} is no label of a name`,
        'Names in other scripts are written in their xn-- form, other characters as \\ and three digits.',
      )
    }
    count += 1
  }
  end()
  return { labels, octets, isAbsolute: false }
}

function readEscape(field: string, start: number, refuse: Refuse): { octet: number; last: number } {
  const next = field[start + 1]
  if (next === undefined) throw refuse('the name ends in the middle of an escape')
  if (!/[0-9]/.test(next)) {
    if (next < ' ' || next > '~') throw refuse('only printable characters of ASCII stand behind a \\')
    return { octet: next.charCodeAt(0), last: start + 1 }
  }
  const digits = field.slice(start + 1, start + 4)
  if (!/^[0-9]{3}$/.test(digits) || Number(digits) > 255)
    throw refuse(`\\${digits} is not the number of a byte; three digits up to 255 are expected`)
  return { octet: Number(digits), last: start + 3 }
}
