import { trimBlanks } from './trim-blanks.ts'

export type Fields = readonly (readonly [name: string, value: string])[]

/** A field name (RFC 9110 section 5.1). */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/
/** Visible characters, spaces and tabs between them (RFC 9110 section 5.5); no controls, so that no value ends a head. */
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/
const MAX_FIELDS = 100
const MAX_CHARS = 16_384

/** What frames a message or belongs to the connection (RFC 9110 section 7.6.1), to the node, or to proxies. */
const OURS: ReadonlySet<string> = new Set([
  'alt-svc',
  'connection',
  'content-length',
  'date',
  'http2-settings',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** What a node says of a file that it serves, beside what is never a guest's to say. */
const OF_A_FILE: ReadonlySet<string> = new Set([
  'accept-ranges',
  'age',
  'allow',
  'content-encoding',
  'content-range',
  'etag',
  'last-modified',
  'location',
  'www-authenticate',
])

/**
 * The header fields that a guest gave for its answer, names in lower case and values without blanks around; what is not
 * a guest's to say is left out (`whole`: it answers by itself; `file`: it changed a file, which is served as others are).
 * Undefined where a name or a value is none, or where it is too much: then nothing of it is to be sent.
 */
export function findGuestFields(given: Fields, answer: 'whole' | 'file'): Fields | undefined {
  if (given.length > MAX_FIELDS) return undefined
  const fields: (readonly [string, string])[] = []
  let chars = 0
  for (const [givenName, givenValue] of given) {
    const name = givenName.toLowerCase()
    const value = trimBlanks(givenValue)
    chars += name.length + value.length
    if (!TOKEN.test(name) || !VALUE.test(value) || chars > MAX_CHARS) return undefined
    const isOurs =
      OURS.has(name) ||
      name.startsWith('makiatto-') ||
      name.startsWith('proxy-') ||
      (answer === 'file' && OF_A_FILE.has(name))
    if (!isOurs) fields.push([name, value])
  }
  return fields
}
