import { isIPv4, isIPv6 } from 'node:net'
import { formatIp, ipOctets } from '../wire/index.ts'
import { formatString, MAX_STRING_OCTETS } from './character-string.ts'
import { quote } from './fields.ts'
import { type Refuse, uint16 } from './octets.ts'
import type { ServiceParam } from './types.ts'

/** Parameters of SVCB and HTTPS records (RFC 9460 sections 7, 8 and 14.3.2; dohpath: RFC 9461 section 5). */
const KEYS = {
  mandatory: 0,
  alpn: 1,
  'no-default-alpn': 2,
  port: 3,
  ipv4hint: 4,
  ech: 5,
  ipv6hint: 6,
  dohpath: 7,
} as const
type KeyName = keyof typeof KEYS

const names = new Map<number, KeyName>((Object.keys(KEYS) as KeyName[]).map((name) => [KEYS[name], name]))
/** 65535 is no key (RFC 9460 section 14.3.2). */
const MAX_KEY = 0xfffe
const MAX_VALUE_OCTETS = 0xffff

/** `alpn` is 1, `key65280` 65280; undefined for anything else. */
export function findParamKey(name: string): number | undefined {
  const lower = name.toLowerCase()
  if (Object.hasOwn(KEYS, lower)) return KEYS[lower as KeyName]
  if (!/^key(?:0|[1-9][0-9]{0,4})$/.test(lower)) return undefined
  const key = Number(lower.slice('key'.length))
  return key <= MAX_KEY ? key : undefined
}

const nameOfKey = (key: number): string => names.get(key) ?? `key${key}`

/**
 * A parameter's value on the wire. `octets` are what stands behind the `=`, unescaped once (RFC 9460 appendix A);
 * undefined where there is no `=`. Under its number (`key1`) a parameter is written as it is on the wire.
 */
export function parseServiceParam(
  key: number,
  name: string,
  octets: Uint8Array | undefined,
  refuse: Refuse,
): Uint8Array {
  const known = names.get(key)
  const value = Buffer.from(octets ?? [])
  if (value.length > MAX_VALUE_OCTETS) throw refuse(`${name} is longer than ${MAX_VALUE_OCTETS} octets`)
  if (known === undefined || name.toLowerCase() !== known) return value
  if (octets === undefined && known !== 'no-default-alpn') throw refuse(`${known} has no value`)
  const text = value.toString('latin1')
  switch (known) {
    case 'mandatory':
      return Buffer.concat(
        text
          .split(',')
          .map((word) => findParamKey(word) ?? raise(refuse(`mandatory lists ${quote(word)}, which is no parameter`)))
          .sort((a, b) => a - b)
          .map(uint16),
      )
    case 'alpn':
      return Buffer.concat(
        splitList(value, refuse).flatMap((id) => {
          if (id.length === 0 || id.length > MAX_STRING_OCTETS)
            throw refuse(`a protocol in alpn has 1 to ${MAX_STRING_OCTETS} octets, not ${id.length}`)
          return [Uint8Array.of(id.length), id]
        }),
      )
    case 'no-default-alpn':
      return value
    case 'port':
      if (!/^[0-9]{1,5}$/.test(text) || Number(text) > 0xffff)
        throw refuse(`the port is a whole number from 0 to 65535, not ${quote(text)}`)
      return uint16(Number(text))
    case 'ipv4hint':
      return joinAddresses(text, isIPv4, 'ipv4hint', refuse)
    case 'ipv6hint':
      return joinAddresses(text, (word) => isIPv6(word) && !word.includes('%'), 'ipv6hint', refuse)
    case 'ech': {
      const config = Buffer.from(text, 'base64')
      if (config.toString('base64') !== text) throw refuse('ech is written in base64')
      return config
    }
    case 'dohpath':
      return value
    default:
      return known satisfies never
  }
}

/** In canonical presentation format: `alpn="h2,h3"`. */
export function formatServiceParam({ key, value }: ServiceParam): string {
  const octets = Buffer.from(value)
  const name = names.get(key)
  switch (name) {
    case 'mandatory':
      return `mandatory=${listKeys(octets).map(nameOfKey).join(',')}`
    case 'alpn': {
      const ids = listStrings(octets) ?? []
      return `alpn=${formatString(Buffer.from(ids.map(escapeListed).join(','), 'latin1'))}`
    }
    case 'no-default-alpn':
      return name
    case 'port':
      return `port=${octets.readUInt16BE()}`
    case 'ipv4hint':
      return `ipv4hint=${cut(octets, 4).map(formatIp).join(',')}`
    case 'ipv6hint':
      return `ipv6hint=${cut(octets, 16).map(formatIp).join(',')}`
    case 'ech':
      return `ech=${octets.toString('base64')}`
    case 'dohpath':
      return `dohpath=${formatString(octets)}`
    case undefined:
      return value.length === 0 ? `key${key}` : `key${key}=${formatString(octets)}`
    default:
      return name satisfies never
  }
}

/**
 * What RFC 9460 demands: keys in order and each once, values of the right form, mandatory ones there, an alpn beside
 * no-default-alpn. `params` are as on the wire; throws what `refuse` makes.
 */
export function checkServiceParams(params: readonly ServiceParam[], refuse: Refuse): void {
  const keys = new Set(params.map(({ key }) => key))
  for (const [i, { key, value }] of params.entries()) {
    const previous = params[i - 1]?.key ?? -1
    if (previous === key) throw refuse(`it has ${nameOfKey(key)} twice`)
    if (previous > key || key > MAX_KEY) throw refuse('its parameters are not in order')
    const fault = findFault(names.get(key), Buffer.from(value), keys)
    if (fault !== undefined) throw refuse(fault)
  }
}

function findFault(name: KeyName | undefined, value: Buffer, present: ReadonlySet<number>): string | undefined {
  switch (name) {
    case undefined:
      return undefined
    case 'mandatory': {
      const keys = listKeys(value)
      if (value.length === 0 || value.length % 2 !== 0) return 'mandatory lists no parameter'
      if (keys.includes(KEYS.mandatory)) return 'mandatory lists itself'
      if (keys.some((key, i) => key <= (keys[i - 1] ?? -1))) return 'mandatory lists a parameter twice, or out of order'
      const missing = keys.find((key) => !present.has(key))
      return missing === undefined ? undefined : `${nameOfKey(missing)} is mandatory, and missing`
    }
    case 'alpn': {
      const ids = listStrings(value)
      return ids === undefined || ids.length === 0 || ids.some((id) => id.length === 0)
        ? 'alpn lists no protocols, or an empty one'
        : undefined
    }
    case 'no-default-alpn':
      if (value.length > 0) return 'no-default-alpn has no value'
      return present.has(KEYS.alpn) ? undefined : 'no-default-alpn stands beside an alpn only'
    case 'port':
      return value.length === 2 ? undefined : 'the port has two octets'
    case 'ipv4hint':
      return value.length > 0 && value.length % 4 === 0 ? undefined : 'ipv4hint lists no addresses'
    case 'ipv6hint':
      return value.length > 0 && value.length % 16 === 0 ? undefined : 'ipv6hint lists no addresses'
    case 'ech':
      return value.length > 0 ? undefined : 'ech is empty'
    case 'dohpath':
      return isDohPath(value.toString('latin1'))
        ? undefined
        : 'dohpath is a relative template with a variable dns, like /dns-query{?dns}'
    default:
      return name satisfies never
  }
}

/** RFC 9461 section 5: a relative URI template (RFC 6570) that has the query in it. */
function isDohPath(text: string): boolean {
  const variables = Array.from(text.matchAll(/\{\?([^{}]*)\}/g), ([, list]) => String(list).split(','))
  return text.startsWith('/') && variables.some((list) => list.includes('dns'))
}

const COMMA = 0x2c
const BACKSLASH = 0x5c

/** Items between commas; a backslash takes what follows as it is (RFC 9460 appendix A.1). */
function splitList(value: Uint8Array, refuse: Refuse): readonly Uint8Array[] {
  const items: Uint8Array[] = []
  let item: number[] = []
  for (let i = 0; i < value.length; i++) {
    const octet = value[i] as number
    if (octet === COMMA) {
      items.push(Uint8Array.from(item))
      item = []
    } else if (octet === BACKSLASH) {
      i += 1
      const next = value[i]
      if (next !== COMMA && next !== BACKSLASH)
        throw refuse('in alpn only a comma or a backslash stands behind a backslash, written as \\\\, or \\\\\\\\')
      item.push(next)
    } else item.push(octet)
  }
  return [...items, Uint8Array.from(item)]
}

const escapeListed = (id: Uint8Array): string => Buffer.from(id).toString('latin1').replace(/[\\,]/g, '\\$&')

function joinAddresses(text: string, isAddress: (word: string) => boolean, what: string, refuse: Refuse): Uint8Array {
  return Buffer.concat(
    text.split(',').map((word) => {
      const octets = isAddress(word) ? ipOctets(word) : undefined
      return octets ?? raise(refuse(`${what} lists ${quote(word)}, which is no such address`))
    }),
  )
}

function raise(error: Error): never {
  throw error
}

/** Length octet and string, again and again; undefined where they do not end where the value does. */
function listStrings(value: Buffer): readonly Uint8Array[] | undefined {
  const strings: Uint8Array[] = []
  for (let i = 0; i < value.length; ) {
    const end = i + 1 + (value[i] as number)
    if (end > value.length) return undefined
    strings.push(value.subarray(i + 1, end))
    i = end
  }
  return strings
}

const listKeys = (value: Buffer): readonly number[] => cut(value, 2).map((octets) => octets.readUInt16BE())

/** Whole pieces of so many octets. */
const cut = (value: Buffer, octets: number): readonly Buffer[] =>
  Array.from({ length: Math.floor(value.length / octets) }, (_, i) => value.subarray(i * octets, (i + 1) * octets))
