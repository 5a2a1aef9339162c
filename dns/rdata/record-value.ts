import { absoluteName, type Hostname, MakiError, type RecordValue } from '../../core/index.ts'
import { EXPLICIT_TYPES, type ExplicitType, isExplicitType } from '../wire/index.ts'
import { formatStrings, splitText } from './character-string.ts'
import { formatRdata, parseRdata } from './rdata.ts'
import { buildRrset, MAX_RRSET_OCTETS } from './rrset.ts'

/** Bounds of a TTL in seconds (RFC 2181 section 8). */
export const MAX_TTL = 0x7fff_ffff

/** Any case of a type that an owner can write. Throws MAKI_UNSUPPORTED, naming those, for every other. */
export function parseExplicitType(text: string): ExplicitType {
  const type = text.toUpperCase()
  if (isExplicitType(type)) return type
  throw new MakiError('MAKI_UNSUPPORTED', `records of type ${JSON.stringify(text)} cannot be written yet`, {
    hint: `These can: ${EXPLICIT_TYPES.join(', ')}.`,
  })
}

/**
 * One value as people write it, in the form that operations keep (`RecordValue.values`). A TXT value is plain text
 * unless it starts with a quote, and is cut into strings of 255 bytes; an MX value takes its priority from the option
 * or from its first word. `apex` is what `@` stands for. Throws MAKI_INVALID or MAKI_UNSUPPORTED.
 */
export function canonicalRecordValue(
  type: string,
  text: string,
  options: { readonly priority?: number | undefined; readonly apex?: Hostname | undefined } = {},
): string {
  const known = parseExplicitType(type)
  const { priority, apex } = options
  if (known === 'MX') return formatRdata(parseRdata('MX', withPriority(text, priority), apex))
  if (priority !== undefined) {
    throw new MakiError('MAKI_INVALID', `a record of type ${known} has no priority`, {
      hint: 'Leave the priority out; only MX records have one.',
    })
  }
  if (known === 'TXT' && !text.startsWith('"')) return formatStrings(splitText(text))
  return formatRdata(parseRdata(known, text, apex))
}

/** The mail server alone needs the option; a priority in both places has to be the same. */
function withPriority(text: string, priority: number | undefined): string {
  const words = text.trim().split(/[ \t]+/)
  if (words.length !== 1) {
    if (priority === undefined || words[0] === String(priority)) return text
    throw new MakiError('MAKI_INVALID', `${JSON.stringify(text)} names another priority than ${priority}`, {
      hint: 'Write the priority once.',
    })
  }
  if (priority === undefined) {
    throw new MakiError('MAKI_INVALID', `the MX record ${JSON.stringify(text)} has no priority`, {
      hint: `Write "10 ${text.trim() || 'mail.example.com'}", or give the priority beside the value.`,
    })
  }
  return `${priority} ${text}`
}

/**
 * What no single value shows: throws MAKI_INVALID for a TTL out of bounds, a CNAME at the apex, beside other records of
 * the domain, with several values or to itself (RFC 1034 section 3.6.2), and for more data than one message can carry;
 * MAKI_UNSUPPORTED for a type or a wildcard that would not be answered. `others` are the domain's records, of which
 * one of the same name and type is replaced and not looked at.
 */
export function checkRrset(
  apex: Hostname,
  record: RecordValue,
  others: Iterable<Pick<RecordValue, 'name' | 'type'>>,
): void {
  const type = parseExplicitType(record.type)
  const name = absoluteName(record.name, apex)
  const refuse = (why: string, hint: string) =>
    new MakiError('MAKI_INVALID', `the ${type} record of ${name} is not possible: ${why}`, { hint })
  if (record.name.startsWith('*')) {
    throw new MakiError('MAKI_UNSUPPORTED', `wildcards like ${name} are not answered yet`, {
      hint: 'Write a record for each name.',
    })
  }
  if (!Number.isSafeInteger(record.ttl) || record.ttl < 0 || record.ttl > MAX_TTL) {
    throw refuse(`its TTL is ${record.ttl}`, `Use whole seconds from 0 to ${MAX_TTL}; 300 is a good start.`)
  }
  if (record.values.length === 0) throw refuse('it has no value', 'Give a value, or remove the record.')
  const rdata = record.values.map((value) => parseRdata(type, value, apex))
  if (type === 'CNAME') {
    if (record.name === '@') {
      throw refuse(
        'the apex of a domain cannot be a CNAME',
        'Use A and AAAA there, or put the CNAME at a name like www.',
      )
    }
    if (rdata.length > 1) throw refuse(`it has ${rdata.length} values`, 'A CNAME has exactly one target; keep one.')
    if (rdata.some((data) => data.type === 'CNAME' && data.target === name)) {
      throw refuse('it points at itself', 'Name another target.')
    }
  }
  for (const other of others) {
    if (other.name !== record.name || other.type === type) continue
    if (type === 'CNAME' || other.type === 'CNAME') {
      throw refuse(
        `there is a record of type ${other.type} at that name, and a CNAME stands alone`,
        `Remove the ${other.type} record first, or use another name.`,
      )
    }
  }
  if (buildRrset(name, type, record.ttl, rdata) === undefined) {
    throw refuse(
      `all its values together have more than ${MAX_RRSET_OCTETS} bytes, which no answer can carry`,
      'Use fewer or shorter values.',
    )
  }
}
