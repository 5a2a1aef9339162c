import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'

/** A host as a guest wrote it: an address, or a name in lower case without a final dot. */
export type Host =
  | { readonly kind: 'address'; readonly address: string }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'refused'; readonly what: string }

/**
 * Names that are none of the public DNS (IANA's Special-Use Domain Names, and `internal`), with all below them. What
 * resolvers say of them is about a network of its own.
 */
export const REFUSED_NAMES: readonly string[] = [
  'alt',
  'arpa',
  'internal',
  'invalid',
  'local',
  'localhost',
  'onion',
  'test',
]

/** RFC 1035 section 2.3.4. */
const MAX_NAME_CHARS = 253
const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/
/** The last label of whatever the URL standard takes for an IPv4 address: `2130706433`, `0x7f000001`, `127.1`, `017700000001`. */
const NUMBER = /^(?:\d+|0x[0-9a-f]*)$/

/** What a guest means by a host. An address is one in its usual spelling: every other spelling of one is refused. */
export function readHost(text: string): Host {
  if (isIP(text) !== 0)
    return text.includes('%') ? refused('an address with a zone') : { kind: 'address', address: text }
  const ascii = /^[\0-\x7f]*$/.test(text) ? text : domainToASCII(text)
  const name = ascii.toLowerCase().replace(/\.$/, '')
  const labels = name.split('.')
  const last = labels.at(-1) as string
  if (name.length > MAX_NAME_CHARS || !labels.every((label) => LABEL.test(label))) return refused('not a host name')
  if (NUMBER.test(last)) return refused('an unusual spelling of an address')
  if (REFUSED_NAMES.includes(last)) return refused(`a name below ${last}`)
  if (labels.length === 1) return refused('a name without a dot')
  return { kind: 'name', name }
}

/** Host and port of an authority (RFC 3986 section 3.2), without user. Undefined for what is none. */
export function readAuthority(authority: string, scheme: 'http' | 'https'): { host: Host; port: number } | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^[\]:@/?#\\%\s]+))(?::(\d{1,5}))?$/i.exec(authority)
  if (match === null) return undefined
  const [, bracketed, plain, digits] = match
  const port = digits === undefined ? (scheme === 'https' ? 443 : 80) : Number(digits)
  if (port < 1 || port > 0xffff) return undefined
  if (bracketed !== undefined && isIP(bracketed) !== 6) return undefined
  return { host: readHost(bracketed ?? (plain as string)), port }
}

const refused = (what: string): Host => ({ kind: 'refused', what })
