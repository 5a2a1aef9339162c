import { MakiError } from '../../core/index.ts'
import { canonicalRecordValue, parseExplicitType, quote } from '../rdata/index.ts'
import { type ExplicitType, findTypeFault, formatType, type NameKey, OTHER_TYPES } from '../wire/index.ts'
import { buildGenericText, findGenericType } from './generic-types.ts'
import type { NameReader } from './name-reader.ts'
import { buildRdataText, isGeneric } from './rdata-text.ts'
import { findTtl } from './read-ttl.ts'
import type { Refusal } from './refusal.ts'
import type { Token } from './scan-entries.ts'

/** A record of a master file that an owner can write. */
export interface MasterRecord {
  /** Where it begins in the file, from 1. */
  readonly line: number
  readonly name: NameKey
  readonly type: ExplicitType
  /** Seconds. */
  readonly ttl: number
  /** As operations keep it; undefined where `geo` is set. */
  readonly value: string | undefined
  /** It holds the address of the node that is best for who asks. */
  readonly geo: boolean
}

/** A record that belongs into a file and not to its owner: the SOA, and what signing made. */
export interface SetAside {
  readonly line: number
  readonly name: NameKey
  readonly type: string
  readonly why: 'soa' | 'signing'
}

/** What precedes the data. */
interface RecordHead {
  /** Undefined where none is written. */
  readonly ttl: number | undefined
  readonly type: string
  /** How many words that took. */
  readonly words: number
}

/** TTL and class, each at most once, in any order or absent, then the type (RFC 1035 section 5.1). */
export function readHead(words: readonly Token[]): RecordHead | Refusal {
  let ttl: number | undefined
  let hasClass = false
  for (const [i, { text }] of words.entries()) {
    if (/^[0-9]/.test(text) && ttl === undefined) {
      ttl = findTtl(text)
      if (ttl === undefined) return { fault: `${quote(text)} is no TTL`, hint: 'Write seconds, or a time like 1h30m.' }
      continue
    }
    const word = text.toUpperCase()
    if (!hasClass && CLASSES.test(word)) {
      if (word !== 'IN' && word !== 'CLASS1')
        return { fault: `its class is ${word}; names are served in the class IN only` }
      hasClass = true
      continue
    }
    if (!TYPE.test(word)) return { fault: `a type is expected where ${JSON.stringify(text.slice(0, 40))} stands` }
    return { ttl, type: canonicalType(word), words: i + 1 }
  }
  return { fault: 'it has no type' }
}

const CLASSES = /^(IN|CH|HS|CS|NONE|ANY|AWS|CLASS[0-9]{1,5})$/
const TYPE = /^[A-Z][A-Z0-9-]{0,19}$/

/** The name of a type that has one; ANAME is what some call our ALIAS. */
function canonicalType(word: string): string {
  if (word === 'ANAME') return 'ALIAS'
  const code = /^TYPE([0-9]{1,5})$/.exec(word)?.[1]
  return code === undefined ? word : formatType(Number(code))
}

/** Why nobody takes a type over; undefined for types that are data. */
export function findSetAside(type: string): SetAside['why'] | undefined {
  const code = type.startsWith('TYPE') ? Number(type.slice(4)) : OTHER_TYPES.get(type)
  const fault = code === undefined ? undefined : findTypeFault(code)
  if (type === 'SOA' || fault === 'ours') return 'soa'
  return fault === 'signing' ? 'signing' : undefined
}

/** The data of a record in its canonical form. */
export function readValue(
  type: string,
  tokens: readonly Token[],
  readName: NameReader,
): { readonly type: ExplicitType; readonly value: string } | Refusal {
  const generic = findGenericType(type)
  try {
    const known = generic ?? parseExplicitType(type)
    if (tokens.length === 0) return { fault: `it has no data` }
    const built =
      generic === undefined || isGeneric(tokens)
        ? buildRdataText(type, tokens, readName)
        : buildGenericText(type, tokens, readName)
    return 'fault' in built ? built : { type: known, value: canonicalRecordValue(known, built.text) }
  } catch (error) {
    if (!(error instanceof MakiError)) throw error
    return { fault: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) }
  }
}
