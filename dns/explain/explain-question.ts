import { isIP } from 'node:net'
import { MakiError } from '../../core/index.ts'
import type { ClientSubnet } from '../message/index.ts'
import {
  formatType,
  ipOctets,
  MAX_LABEL_OCTETS,
  MAX_NAME_OCTETS,
  type NameKey,
  nameOctets,
  OTHER_TYPES,
  spellOctet,
  TYPE_CODES,
} from '../wire/index.ts'

/** A question as people type it. */
export interface TypedQuestion {
  readonly name: string
  readonly type: string
  /** An address, or a network in CIDR notation. */
  readonly client?: string | undefined
  /** Whose address the query comes from; the client's own where it is left out. */
  readonly resolver?: string | undefined
}

/** What is to be explained; plain data. */
export interface ExplainQuestion {
  readonly name: NameKey
  readonly type: number
  readonly asker: string
  readonly subnet: ClientSubnet | undefined
}

/** As much of a client's address as resolvers pass on (RFC 7871 section 11.1). */
const USUAL_PREFIX = { ipv4: 24, ipv6: 56 } as const
/** Asks from nowhere in particular. */
const NOBODY = '127.0.0.1'
const MAX_TYPE = 0xffff

/** Reads a question. Throws MAKI_INVALID with what is wrong and how to write it. */
export function parseExplainQuestion({ name, type, client, resolver }: TypedQuestion): ExplainQuestion {
  const network = client === undefined ? undefined : parseClient(client)
  return {
    name: parseQuestionName(name),
    type: parseQuestionType(type),
    asker: resolver === undefined ? (network?.host ?? NOBODY) : parseResolverAddress(resolver),
    subnet: network?.subnet,
  }
}

/** `MX` for 15, `DNSKEY` for 48, `TYPE65280` for what has no name. */
export const nameQuestionType = (code: number): string => OTHER_NAMES.get(code) ?? formatType(code)

const OTHER_NAMES: ReadonlyMap<number, string> = new Map([...OTHER_TYPES].map(([name, code]) => [code, name]))

function parseQuestionName(text: string): NameKey {
  const refuse = (why: string, hint = 'Write a full name, like www.example.com.') =>
    new MakiError('MAKI_INVALID', `${JSON.stringify(text)} is no name to ask for: ${why}`, { hint })
  if (text === '.') return ''
  if (text.includes('://')) throw refuse('it is the address of a page', 'Write its host alone, like www.example.com.')
  const plain = text.endsWith('.') ? text.slice(0, -1) : text
  if (plain === '') throw refuse('it is empty')
  const labels = plain.split('.').map((label) => {
    if (label === '') throw refuse('it has an empty label (two dots in a row)')
    if (!/^[!-~]+$/.test(label))
      throw refuse('it has characters that no name has', 'Names in other scripts are written in their xn-- form.')
    if (label.includes('\\')) throw refuse('it has a backslash')
    if (label.length > MAX_LABEL_OCTETS) throw refuse(`a label has more than ${MAX_LABEL_OCTETS} characters`)
    return Array.from(label, (character) => spellOctet(character.charCodeAt(0))).join('')
  })
  const key = labels.join('.')
  if (nameOctets(key) > MAX_NAME_OCTETS) throw refuse('it is too long')
  return key
}

function parseQuestionType(text: string): number {
  const type = text.toUpperCase()
  const refuse = (why: string, hint: string) =>
    new MakiError('MAKI_INVALID', `${JSON.stringify(text)} is no type to ask for: ${why}`, { hint })
  if (type === 'ALIAS') throw refuse('nobody asks for it', 'An ALIAS is answered where A or AAAA is asked for.')
  const known = Object.hasOwn(TYPE_CODES, type) ? TYPE_CODES[type as keyof typeof TYPE_CODES] : OTHER_TYPES.get(type)
  if (known !== undefined) return known
  const number = /^TYPE([0-9]{1,5})$/.exec(type)?.[1]
  if (number !== undefined && Number(number) <= MAX_TYPE) return Number(number)
  throw refuse('there is none of that name', 'Write it like A, AAAA, MX or TXT; one without a name like TYPE65280.')
}

function parseClient(text: string): { readonly host: string; readonly subnet: ClientSubnet } {
  const refuse = (why: string) =>
    new MakiError('MAKI_INVALID', `${JSON.stringify(text)} is no client: ${why}`, {
      hint: 'Write an address like 203.0.113.9, or a network like 203.0.113.0/24 or 2001:db8::/48.',
    })
  const [host = '', length, ...rest] = text.split('/')
  const octets = isIP(host) === 0 || host.includes('%') ? undefined : ipOctets(host)
  if (octets === undefined || rest.length > 0) throw refuse('it is neither an address nor a network')
  const family = octets.length === 4 ? 'ipv4' : 'ipv6'
  const bits = octets.length * 8
  const sourcePrefix = length === undefined ? USUAL_PREFIX[family] : Number(length)
  if (length !== undefined && (!/^[0-9]{1,3}$/.test(length) || sourcePrefix > bits))
    throw refuse(`the length of its prefix is not from 0 to ${bits}`)
  const address = octets.map((octet, i) => octet & (0xff << (8 - Math.min(8, Math.max(0, sourcePrefix - i * 8)))))
  return { host, subnet: { family, sourcePrefix, address } }
}

function parseResolverAddress(text: string): string {
  if (isIP(text) !== 0 && !text.includes('%')) return text
  throw new MakiError('MAKI_INVALID', `${JSON.stringify(text)} is not the address of a resolver`, {
    hint: 'Write an IP address, like 9.9.9.9.',
  })
}
