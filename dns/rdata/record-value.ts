import { type Hostname, MakiError } from '../../core/index.ts'
import type { ExplicitType } from '../wire/index.ts'
import { formatAlias, parseAlias } from './alias-data.ts'
import { formatStrings, splitText } from './character-string.ts'
import { parseExplicitType } from './explicit-type.ts'
import { quote } from './fields.ts'
import { isGeneric } from './generic-data.ts'
import { formatRdata, parseRdata } from './rdata.ts'

/** Bounds of a TTL in seconds (RFC 2181 section 8). */
export const MAX_TTL = 0x7fff_ffff

/** Types whose data starts with a priority that people give beside the value too, and an example without it. */
const WITH_PRIORITY: ReadonlyMap<ExplicitType, { readonly words: number; readonly example: string }> = new Map([
  ['MX', { words: 1, example: 'mail.example.com' }],
  ['SRV', { words: 3, example: '5 5060 sip.example.com' }],
])

/**
 * One value as people write it, in the form that operations keep (`RecordValue.values`). A TXT value is plain text
 * unless it starts with a quote or with `\#`, and is cut into strings of 255 bytes; a value of MX or SRV takes its
 * priority from the option or from its first word. `apex` is what `@` stands for. Throws MAKI_INVALID.
 */
export function canonicalRecordValue(
  type: string,
  text: string,
  options: { readonly priority?: number | undefined; readonly apex?: Hostname | undefined } = {},
): string {
  const known = parseExplicitType(type)
  const { priority, apex } = options
  const shape = WITH_PRIORITY.get(known)
  if (priority !== undefined && (shape === undefined || isGeneric(text))) {
    throw new MakiError('MAKI_INVALID', `a record of type ${known} has no priority beside its value`, {
      hint: 'Leave the priority out; only MX and SRV records have one there.',
    })
  }
  if (known === 'ALIAS') return formatAlias(parseAlias(text, apex))
  if (known === 'TXT' && !text.startsWith('"') && !isGeneric(text)) return formatStrings(splitText(text))
  const whole = shape === undefined || isGeneric(text) ? text : withPriority(known, text, priority, shape)
  return formatRdata(parseRdata(known, whole, apex))
}

/** The value without its first word needs the option; a priority in both places has to be the same. */
function withPriority(
  type: ExplicitType,
  text: string,
  priority: number | undefined,
  { words, example }: { readonly words: number; readonly example: string },
): string {
  const trimmed = text.trim()
  const found = trimmed.split(/[ \t]+/)
  // Numbers alone are the words before a host that is missing: what reads them says so.
  const lacksHost = priority === undefined && found.every((word) => /^[0-9]+$/.test(word))
  if (found.length !== words || lacksHost) {
    if (priority === undefined || found[0] === String(priority)) return text
    throw new MakiError('MAKI_INVALID', `${quote(text)} names another priority than ${priority}`, {
      hint: 'Write the priority once.',
    })
  }
  if (priority === undefined) {
    throw new MakiError('MAKI_INVALID', `the ${type} record ${quote(text)} has no priority`, {
      hint: `Write "10 ${trimmed.slice(0, 100) || example}", or give the priority beside the value.`,
    })
  }
  return `${priority} ${text}`
}
