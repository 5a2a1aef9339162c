import { RuleFault } from './rule-file.ts'
import { escapeLiteral } from './template.ts'

/** A field name (RFC 9110 section 5.1). */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/

/** What frames a message, or belongs to the node: a wrong one would break answers, or lie about bytes. */
const RESERVED: ReadonlySet<string> = new Set([
  'accept-ranges',
  'age',
  'allow',
  'alt-svc',
  'connection',
  'content-encoding',
  'content-length',
  'content-range',
  'date',
  'etag',
  'keep-alive',
  'last-modified',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'www-authenticate',
])

const HINTS: Readonly<Record<string, string>> = {
  location: 'Send visitors elsewhere by _redirects.',
  'www-authenticate': 'Protect a path by Basic-Auth: user:hash; maki password makes the line.',
  etag: 'Leave it out: every file has one, made of its content.',
  'last-modified': 'Leave it out.',
}

/** The name of a field that a rule may set, in lower case. Throws RuleFault. */
export function parseFieldName(text: string): string {
  const name = text.toLowerCase()
  if (!TOKEN.test(name))
    throw new RuleFault(
      `${JSON.stringify(text)} is no name of a header`,
      'Write Name: value, without spaces in the name.',
    )
  if (RESERVED.has(name) || name === 'location' || name.startsWith('makiatto-') || name.startsWith('proxy-'))
    throw new RuleFault(
      `${name} is set by the node itself`,
      (Object.hasOwn(HINTS, name) ? HINTS[name] : undefined) ?? 'Leave it out.',
    )
  return name
}

/** The value of a field, as written. Throws RuleFault for what no field can have (RFC 9110 section 5.5). */
export function checkFieldValue(name: string, value: string): void {
  if (value === '')
    throw new RuleFault(`${name} has no value`, `Write a value, or "! ${name}" to take the header away.`)
  if (!/^[\t\x20-\x7e]*$/.test(value))
    throw new RuleFault('a header is made of ASCII characters', `Write them percent-encoded: ${shown(value)}`)
}

const shown = (value: string): string => {
  const escaped = value.replace(/[^\t\x20-\x7e]+/gu, escapeLiteral)
  return escaped.length > 80 ? `${escaped.slice(0, 80)}…` : escaped
}
