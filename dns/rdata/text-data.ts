import { formatString, formatStrings, parseString, parseStrings } from './character-string.ts'
import { type Codec, encodePacketData } from './codec.ts'
import { quote } from './fields.ts'
import type { Refuse } from './octets.ts'
import type { CertificateAuthority, TextData } from './types.ts'

/** RFC 1035 section 3.3.14. */
export const TXT: Codec<TextData> = {
  hint: 'Write the plain text, or every part of it in quotes.',
  parse: ({ text }) => ({ type: 'TXT', strings: parseStrings(text) }),
  format: ({ strings }) => formatStrings(strings),
  encode: ({ strings }) =>
    encodePacketData({ name: '.', type: 'TXT', data: strings.map((string) => Buffer.from(string)) }),
  decode(octets) {
    const strings: Uint8Array[] = []
    do strings.push(octets.readString())
    while (!octets.isAtEnd)
    return { type: 'TXT', strings }
  },
}

/** RFC 8659 section 4.1.1: letters and digits, whose case does not count. */
const TAG = /^[a-z0-9]+$/
const MAX_TAG_OCTETS = 255

/** RFC 8659. */
export const CAA: Codec<CertificateAuthority> = {
  hint: 'Write it like 0 issue "letsencrypt.org", or 0 iodef "mailto:admin@example.com".',
  parse(fields) {
    const [flags, word = '', text, ...more] = fields.readParts()
    if (text === undefined || more.length > 0) throw fields.refuse('it is not a number, a tag and a quoted value')
    const tag = word.toLowerCase()
    if (!TAG.test(tag) || tag.length > MAX_TAG_OCTETS)
      throw fields.refuse(`a tag is made of letters and digits, which ${quote(word)} is not`)
    const value = Buffer.from(parseString(text, fields.refuse)).toString('latin1')
    checkCaaValue(tag, value, fields.refuse)
    return { type: 'CAA', flags: fields.readNumber(flags, 'the flags', 255), tag, value }
  },
  format: ({ flags, tag, value }) => `${flags} ${tag} ${formatString(Buffer.from(value, 'latin1'))}`,
  encode: ({ flags, tag, value }) =>
    Buffer.concat([Uint8Array.of(flags, tag.length), Buffer.from(tag, 'latin1'), Buffer.from(value, 'latin1')]),
  decode: (octets) => ({
    type: 'CAA',
    flags: octets.readUint8(),
    tag: octets.readString().toString('latin1').toLowerCase(),
    value: octets.rest().toString('latin1'),
  }),
}

/** RFC 8659 section 4.2: an issuer's domain or none, then parameters behind semicolons. */
const DOMAIN = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i
const PARAMETER = /^[a-z0-9]+(?:-+[a-z0-9]+)*[ \t]*=[ \t]*[!-:<-~]*$/i
const ISSUERS: ReadonlySet<string> = new Set(['issue', 'issuewild', 'issuemail', 'issuevmc'])
/** No such value is longer: the pattern of a domain is not tried on 200,000 characters. */
const MAX_ISSUER = 4096

/** A value that authorities cannot read forbids them to issue at all, so it is refused here. */
function checkCaaValue(tag: string, value: string, refuse: Refuse): void {
  if (tag === 'iodef') {
    if (/^(?:mailto:.|https?:\/\/.)/i.test(value) && URL.canParse(value)) return
    throw refuse('iodef names where to report: a mailto:, http: or https: address')
  }
  if (!ISSUERS.has(tag)) return
  const [domain = '', ...parameters] = value.length > MAX_ISSUER ? ['?'] : value.split(';').map((part) => part.trim())
  if (domain !== '' && !DOMAIN.test(domain))
    throw refuse(`an authority is named by its domain, which ${quote(domain)} is not`)
  // A single semicolon, and one at the end, stand before nothing.
  const wrong = parameters.filter((part) => part !== '').find((part) => !PARAMETER.test(part))
  if (wrong !== undefined)
    throw refuse(`behind the semicolon a parameter is expected, like name=value, not ${quote(wrong)}`)
}
