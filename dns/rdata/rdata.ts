import { isIPv4, isIPv6 } from 'node:net'
import { type Answer, encode } from 'dns-packet'
import { type Hostname, MakiError } from '../../core/index.ts'
import type { RecordType } from '../wire/index.ts'
import { MAX_LABEL_OCTETS, MAX_NAME_OCTETS, type NameKey, nameOctets } from '../wire/index.ts'
import { formatStrings, parseStrings } from './character-string.ts'

/** Typed data of one record. Names are keys: lower case, absolute, without the final dot, the root empty. */
export type Rdata =
  | { readonly type: 'A'; readonly address: string }
  /** As WHATWG URL writes it: lower case, the longest run of zeros compressed (RFC 5952). */
  | { readonly type: 'AAAA'; readonly address: string }
  | { readonly type: 'CNAME'; readonly target: NameKey }
  | { readonly type: 'MX'; readonly preference: number; readonly exchange: NameKey }
  | { readonly type: 'NS'; readonly server: NameKey }
  | { readonly type: 'TXT'; readonly strings: readonly Uint8Array[] }
  | Soa
  /** RFC 8659. `value` is ASCII. */
  | { readonly type: 'CAA'; readonly flags: number; readonly tag: string; readonly value: string }

/** RFC 1035 section 3.3.13; times in seconds. */
export interface Soa {
  readonly type: 'SOA'
  readonly mname: NameKey
  readonly rname: NameKey
  readonly serial: number
  readonly refresh: number
  readonly retry: number
  readonly expire: number
  readonly minimum: number
}

const MAX_16_BITS = 0xffff
const MAX_32_BITS = 0xffff_ffff
/** As owner labels in core/names.ts; a target may have an underscore, and a name server may start with a hyphen. */
const LABEL = new RegExp(`^[a-z0-9_-]{1,${MAX_LABEL_OCTETS}}$`)

/**
 * Reads presentation format (RFC 1035 section 5.1). Names are absolute with or without the final dot; `@` is
 * `origin`, where one is given.
 * Throws MAKI_INVALID with what is wrong and how to write it.
 */
export function parseRdata(type: RecordType, text: string, origin?: Hostname): Rdata {
  const refuse = (why: string, hint = HINTS[type]) =>
    new MakiError('MAKI_INVALID', `${JSON.stringify(text)} is not the value of ${article(type)} record: ${why}`, {
      hint,
    })
  const name = (field: string): NameKey => parseTarget(field, origin, refuse)
  const number = (field: string, what: string, max: number): number => {
    if (!/^[0-9]{1,10}$/.test(field) || Number(field) > max)
      throw refuse(`${what} is a whole number from 0 to ${max}, not ${JSON.stringify(field)}`)
    return Number(field)
  }
  const fields = (...names: string[]): string[] => {
    const found = text.trim().split(/[ \t]+/)
    if (text.trim() === '') throw refuse('it is empty')
    if (found.length !== names.length) {
      throw refuse(
        names.length === 1
          ? 'it has spaces'
          : `it has ${found.length} parts, not ${names.length} (${names.join(', ')})`,
      )
    }
    return found
  }
  switch (type) {
    case 'A': {
      const [address = ''] = fields('address')
      if (isIPv6(address)) throw refuse('that is an IPv6 address', 'Use the type AAAA for it.')
      if (!isIPv4(address)) throw refuse('it is no IPv4 address')
      return { type, address }
    }
    case 'AAAA': {
      const [address = ''] = fields('address')
      if (isIPv4(address)) throw refuse('that is an IPv4 address', 'Use the type A for it.')
      if (!isIPv6(address) || address.includes('%')) throw refuse('it is no IPv6 address')
      return { type, address: new URL(`http://[${address}]`).hostname.slice(1, -1) }
    }
    case 'CNAME': {
      const target = name(fields('target')[0] ?? '')
      if (target === '') throw refuse('the root is no target')
      return { type, target }
    }
    case 'NS':
      return { type, server: name(fields('name server')[0] ?? '') }
    case 'MX': {
      const [preference = '', exchange = ''] = fields('priority', 'mail server')
      return { type, preference: number(preference, 'the priority', MAX_16_BITS), exchange: name(exchange) }
    }
    case 'TXT':
      return { type, strings: parseStrings(text) }
    case 'SOA': {
      const parts = fields('mname', 'rname', 'serial', 'refresh', 'retry', 'expire', 'minimum')
      const time = (index: number, what: string) => number(parts[index] ?? '', what, MAX_32_BITS)
      return {
        type,
        mname: name(parts[0] ?? ''),
        rname: name(parts[1] ?? ''),
        serial: time(2, 'serial'),
        refresh: time(3, 'refresh'),
        retry: time(4, 'retry'),
        expire: time(5, 'expire'),
        minimum: time(6, 'minimum'),
      }
    }
    case 'CAA': {
      const match = /^([0-9]{1,3}) ([a-z0-9]{1,15}) "([ !#-[\]-~]*)"$/.exec(text.trim())
      if (match === null) throw refuse('it is not a number, a tag and a quoted value')
      return { type, flags: number(match[1] ?? '', 'the flags', 255), tag: match[2] ?? '', value: match[3] ?? '' }
    }
    default:
      return type satisfies never
  }
}

const HINTS: Readonly<Record<RecordType, string>> = {
  A: 'Write an IPv4 address like 192.0.2.1.',
  AAAA: 'Write an IPv6 address like 2001:db8::1.',
  CNAME: 'Write the full name of the target, like www.example.net.',
  NS: 'Write the full name of the name server, like ns1.example.net.',
  MX: 'Write it like "10 mail.example.com": the priority, then the full name of the mail server.',
  TXT: 'Write the plain text, or every part of it in quotes.',
  SOA: 'Write it like "ns.example.com admin.example.com 1 86400 10800 3600000 3600".',
  CAA: 'Write it like 0 issue "letsencrypt.org".',
}

/** A single label without the final dot is refused: who writes `mail` means `mail.<apex>`, which is not what it says. */
function parseTarget(
  field: string,
  origin: Hostname | undefined,
  refuse: (why: string, hint?: string) => MakiError,
): NameKey {
  if (field === '@' && origin !== undefined) return origin
  if (field === '.') return ''
  const key = (field.endsWith('.') ? field.slice(0, -1) : field).toLowerCase()
  if (isIPv4(key) || isIPv6(key))
    throw refuse(
      'a name is expected there, not an address',
      'Point a name of type A or AAAA at the address, and this record at that name.',
    )
  if (nameOctets(key) > MAX_NAME_OCTETS) throw refuse('the name is too long')
  const labels = key.split('.')
  const wrong = labels.find((label) => !LABEL.test(label))
  if (wrong === '') throw refuse('the name has an empty label (two dots in a row)')
  if (wrong !== undefined)
    throw refuse(
      `${JSON.stringify(wrong)} is no label of a name`,
      'Names in other scripts are written in their xn-- form.',
    )
  if (labels.length === 1 && !field.endsWith('.')) {
    throw refuse(
      'names in values are full names',
      `Write ${key}.${origin ?? 'example.com'}, or ${key}. with a final dot if that is the whole name.`,
    )
  }
  return key
}

/** Canonical presentation format, as kept in operations: names with the final dot, texts quoted. */
export function formatRdata(rdata: Rdata): string {
  switch (rdata.type) {
    case 'A':
    case 'AAAA':
      return rdata.address
    case 'CNAME':
      return `${rdata.target}.`
    case 'NS':
      return `${rdata.server}.`
    case 'MX':
      return `${rdata.preference} ${rdata.exchange}.`
    case 'TXT':
      return formatStrings(rdata.strings)
    case 'SOA': {
      const { mname, rname, serial, refresh, retry, expire, minimum } = rdata
      return `${mname}. ${rname}. ${serial} ${refresh} ${retry} ${expire} ${minimum}`
    }
    case 'CAA':
      return `${rdata.flags} ${rdata.tag} "${rdata.value}"`
    default:
      return rdata satisfies never
  }
}

/** Header, root owner, type, class, TTL and length, which stand before the data in a message with one root record. */
const BEFORE_RDATA = 12 + 1 + 10

/** The addresses of the nodes stand in every zone: the same object is encoded once. */
const known = new WeakMap<Rdata, Uint8Array>()

/** The octets of RDATA, names not compressed. */
export function encodeRdata(rdata: Rdata): Uint8Array {
  const before = known.get(rdata)
  if (before !== undefined) return before
  const bytes = encode({ answers: [packetAnswer(rdata)] }).subarray(BEFORE_RDATA)
  known.set(rdata, bytes)
  return bytes
}

function packetAnswer(rdata: Rdata): Answer {
  const name = '.'
  switch (rdata.type) {
    case 'A':
    case 'AAAA':
      return { name, type: rdata.type, data: rdata.address }
    case 'CNAME':
      return { name, type: rdata.type, data: rdata.target }
    case 'NS':
      return { name, type: rdata.type, data: rdata.server }
    case 'MX':
      return { name, type: rdata.type, data: { preference: rdata.preference, exchange: rdata.exchange } }
    case 'TXT':
      return { name, type: rdata.type, data: rdata.strings.map((string) => Buffer.from(string)) }
    case 'SOA':
      return { name, type: rdata.type, data: rdata }
    case 'CAA':
      return { name, type: rdata.type, data: { flags: rdata.flags, tag: rdata.tag as 'issue', value: rdata.value } }
    default:
      return rdata satisfies never
  }
}

const article = (type: RecordType): string => (/^[AMNS]/.test(type) ? `an ${type}` : `a ${type}`)
