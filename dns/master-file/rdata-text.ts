import type { NameKey } from '../wire/index.ts'
import { resolveName } from './resolve-name.ts'
import type { Token } from './scan-entries.ts'

/** Why a record of the file cannot be taken, and the way out where there is one of its own. */
export interface Refusal {
  readonly fault: string
  readonly hint?: string
}

/** Makes a name of the file absolute. */
export type NameReader = (token: Token) => { readonly name: NameKey } | Refusal

/** Which fields of a type's data are names, counted from 0. Types that have none are not listed. */
const NAME_FIELDS: Readonly<Record<string, readonly number[]>> = {
  NS: [0],
  CNAME: [0],
  PTR: [0],
  ALIAS: [0],
  MX: [1],
  SRV: [3],
  SOA: [0, 1],
  SVCB: [1],
  HTTPS: [1],
}

/** Begins data in the form for types that a program does not know (RFC 3597 section 5). */
export const GENERIC = '\\#'

/**
 * The data of a record in one line, as `parseRdata` reads it: names absolute, with the final dot; the strings of a TXT
 * and the value of a CAA record in quotes.
 */
export function buildRdataText(
  type: string,
  tokens: readonly Token[],
  readName: NameReader,
): { readonly text: string } | Refusal {
  if (isGeneric(tokens)) return { text: tokens.map(({ text }) => text).join(' ') }
  if (type === 'TXT') return { text: tokens.map(quote).join(' ') }
  if (type === 'CAA') return { text: tokens.map((token, i) => (i === 2 ? quote(token) : write(token))).join(' ') }
  const names = NAME_FIELDS[type] ?? []
  const words: string[] = []
  for (const [i, token] of tokens.entries()) {
    if (!names.includes(i)) {
      words.push(write(token))
      continue
    }
    const read = readName(token)
    if ('fault' in read) return read
    words.push(`${read.name}.`)
  }
  return { text: words.join(' ') }
}

/** True for data in the form of RFC 3597, which any type may have. */
export const isGeneric = (tokens: readonly Token[]): boolean => tokens[0]?.text === GENERIC && !tokens[0].quoted

const write = ({ text, quoted }: Token): string => (quoted ? `"${text}"` : text)

/** A word without quotes around it may hold one, which then stands for itself. */
const quote = ({ text, quoted }: Token): string =>
  quoted ? `"${text}"` : `"${text.replace(/\\.|"/gs, (piece) => (piece === '"' ? '\\"' : piece))}"`

/** How names are read below an origin; `relocate` puts each elsewhere. */
export function createNameReader(origin: NameKey, relocate: (name: NameKey) => NameKey): NameReader {
  return ({ text, foreign }) => {
    const named = () => JSON.stringify(abbreviate(text))
    if (foreign) return { fault: `${named()} is no name: it is not ASCII`, hint: 'Write it in its xn-- form.' }
    const read = resolveName(text, origin)
    return 'fault' in read ? { fault: `${named()} is no name: ${read.fault}` } : { name: relocate(read.name) }
  }
}

/** Keeps messages short. */
export const abbreviate = (text: string): string => (text.length > 80 ? `${text.slice(0, 77)}...` : text)
