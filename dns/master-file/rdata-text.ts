import type { NameReader } from './name-reader.ts'
import type { Refusal } from './refusal.ts'
import type { Token } from './scan-entries.ts'

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
